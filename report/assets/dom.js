// Building the page, writing numbers, the tooltip.

const $ = (id) => document.getElementById(id);

// el makes an element. Children are nodes or strings; strings become text,
// never markup, which is what makes names harmless.
function el(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

function svg(tag, props, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

function fill(node, props, children) {
  for (const [key, value] of Object.entries(props || {})) {
    if (value == null || value === false) continue;
    if (key === "style") Object.assign(node.style, value);
    else if (key === "on") for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
    else if (key === "dataset") Object.assign(node.dataset, value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((c) => c != null && c !== false));
  return node;
}

// Numbers for people.

const minus = (s) => s.replace("-", "−");

function num(v, digits = 3) {
  if (v == null || Number.isNaN(v)) return "–";
  if (v === 0) return "0";
  const a = Math.abs(v);
  if (a >= 1e6 || a < 1e-3) return minus(v.toExponential(digits - 1)).replace("e+", "e").replace("e-", "e−");
  if (a >= 10 ** digits) return minus(Math.round(v).toLocaleString("en"));
  return minus(String(Number(v.toPrecision(digits))));
}

// tick writes a round value of an axis.
function tick(v) {
  const a = Math.abs(v);
  if (v === 0 || a >= 1e-3 && a < 1e6) return minus(Number(v.toPrecision(6)).toLocaleString("en", { maximumFractionDigits: 6, useGrouping: a >= 1e4 }));
  return minus(String(Number(v.toPrecision(4)).toExponential())).replace("e+", "e").replace("e-", "e−");
}

const count = (n) => n.toLocaleString("en");

function percent(share) {
  const p = 100 * share;
  if (!(Math.abs(p) > 0)) return "0%";
  if (Math.abs(p) < 0.01) return "<0.01%";
  return p.toFixed(p >= 99.95 || p < 1 ? 2 : 1).replace(/\.00$/, "") + "%";
}

const plural = (n, what) => n === 1 ? `1 ${what}` : `${count(n)} ${what}s`;

function duration(s) {
  if (s < 0.1) return `${Math.max(1, Math.round(1000 * s))} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 100) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${Math.round(s % 3600 / 60)} min`;
}

// The tooltip. Where the keyboard moved it, announce follows.

function showTip(x, y, ...lines) {
  const tip = $("tip");
  tip.replaceChildren(...lines.filter(Boolean).map((line) => el("div", null, line)));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = x + 14 + box.width > innerWidth - 8 ? x - 14 - box.width : x + 14;
  const top = y + 16 + box.height > innerHeight - 8 ? y - 12 - box.height : y + 16;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${Math.max(8, top)}px`;
}

function hideTip() { $("tip").hidden = true; }

// announce says to screen readers what the tooltip shows.
function announce() { $("live").textContent = [...$("tip").children].map((line) => line.textContent).join(", "); }

// responsive draws into a node now and whenever its width changes. What is to
// be printed is drawn by redraw, since no change is reported before a print.
function responsive(node, draw) {
  let last = 0;
  const observer = new ResizeObserver(() => {
    const width = Math.floor(node.clientWidth);
    if (width > 0 && width !== last) {
      last = width;
      draw(width);
    }
  });
  observer.observe(node);
  node.classList.add("responsive");
  node.redraw = (most) => {
    last = Math.min(most, Math.floor(node.clientWidth) || most);
    draw(last);
  };
  return node;
}

// sharp sizes a canvas for the screen and gives its context in CSS pixels.
function sharp(canvas, width, height) {
  const ratio = Math.min(3, devicePixelRatio || 1);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  return g;
}

// choice is a row of buttons of which one is pressed.
function choice(label, options, current, pick) {
  const buttons = options.map(([value, text]) => el("button", {
    type: "button", "aria-pressed": String(value === current),
    on: { click: () => {
      for (const b of buttons) b.setAttribute("aria-pressed", String(b.dataset.value === String(value)));
      pick(value);
    } }, dataset: { value },
  }, text));
  return el("span", { class: "choice", role: "group", "aria-label": label }, buttons);
}

// menu is a select with its label.
function menu(label, options, current, pick) {
  return el("label", null, label, el("select", { on: { change: (e) => pick(e.target.value) } },
    options.map(([value, text]) => el("option", { value, selected: String(value) === String(current) }, text))));
}

// heading is the title of a section; a long name is written smaller.
function heading(text) {
  return el("h1", { class: text.length > 70 && "long", title: text.length > 70 && text }, text);
}

function panel(title, note, ...children) {
  return el("section", { class: "panel" }, el("header", null, el("h2", null, title), note && el("p", { class: "note" }, note)), children);
}
