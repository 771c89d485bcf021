// Sections, search, keys, themes: what holds the report together.

const sections = () => [
  ["overview", "Overview", overview], ["components", "Components", components], ["samples", "Samples", samples],
  D.input && ["residuals", "Residuals", residuals],
  (D.rank || D.consensus) && ["rank", D.rank ? "Rank" : "Consensus", rank],
].filter(Boolean);

// show draws the section that the address names.
function show() {
  hideTip();
  const [view, arg] = location.hash.slice(1).split("/");
  const list = sections();
  const root = el("section", { class: "view" });
  const number = Number(arg) - 1;
  let current = view;
  switch (view) {
  case "component": current = "components"; componentPage(root, number); break;
  case "sample": current = "samples"; samplePage(root, number); break;
  case "feature": current = "components"; featurePage(root, number); break;
  default: {
    const found = list.find(([key]) => key === view) || list[0];
    current = found[0];
    found[2](root);
  }
  }
  for (const a of $("tabs").children) a.dataset.view === current ? a.setAttribute("aria-current", "page") : a.removeAttribute("aria-current");
  $("main").replaceChildren(root);
  const heading = root.querySelector("h1");
  document.title = [heading && view !== "" && view !== "overview" ? heading.textContent : "", D.name ? visible(D.name) : "nmf report"].filter(Boolean).join(" · ");
}

function go() {
  show();
  scrollTo(0, 0);
  $("main").focus({ preventScroll: true });
}

// Themes: the system's, until the reader chooses.

const sun = "M8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.4 1.4M11.6 11.6L13 13M3 13l1.4-1.4M11.6 4.4L13 3M8 5a3 3 0 1 0 0 6a3 3 0 0 0 0-6z";
const moon = "M13.5 9.8A6 6 0 0 1 6.2 2.5A6 6 0 1 0 13.5 9.8z";
const system = matchMedia("(prefers-color-scheme: dark)");
let chosenTheme = null;

function setTheme(theme = chosenTheme || (system.matches ? "dark" : "light")) {
  document.documentElement.dataset.theme = theme;
  document.documentElement.style.colorScheme = theme;
  $("theme").replaceChildren(svg("svg", { viewBox: "0 0 16 16", fill: "none", stroke: "currentColor", "stroke-width": 1.5, "stroke-linecap": "round", "stroke-linejoin": "round" }, svg("path", { d: dark() ? sun : moon })));
}

function redrawAll() {
  setTheme();
  const y = scrollY;
  show();
  showCompare();
  scrollTo(0, y);
}

function switchTheme() {
  chosenTheme = dark() ? "light" : "dark";
  redrawAll();
}

// Search over all names, from anywhere.

function search() {
  const field = $("find"), box = $("found");
  let options = [], chosen = -1, asked = 0;
  const close = () => { box.hidden = true; chosen = -1; field.setAttribute("aria-expanded", "false"); field.removeAttribute("aria-activedescendant"); };
  const choose = (q) => {
    chosen = q;
    options.forEach((o, p) => o.setAttribute("aria-selected", String(p === q)));
    if (q >= 0) { options[q].scrollIntoView({ block: "nearest" }); field.setAttribute("aria-activedescendant", options[q].id); }
  };
  const open = (q) => { if (options[q]) { location.hash = options[q].dataset.link; field.value = ""; close(); field.blur(); } };
  const option = (link, name, about) => {
    const q = options.length;
    const node = el("div", { role: "option", id: `option-${q}`, "aria-selected": "false", dataset: { link }, on: { pointerdown: (e) => { e.preventDefault(); open(q); }, pointermove: () => choose(q) } }, el("span", null, name), el("span", null, about));
    options.push(node);
    return node;
  };
  const look = () => {
    const text = field.value.trim();
    if (!text) return close();
    options = [];
    const parts = [];
    const whole = /^(component )?(\d+)$/i.exec(text);
    if (whole && Number(whole[2]) >= 1 && Number(whole[2]) <= D.k) parts.push(el("div", { class: "kind" }, "Components"), option(componentLink(whole[2] - 1), componentName(whole[2] - 1), percent(D.shares[whole[2] - 1])));
    const features = matches(text, D.nk, featureName, 8), rows = matches(text, D.mk, sampleName, 8);
    if (features.length) parts.push(el("div", { class: "kind" }, "Features"), features.map((f) => option(featureLink(f), featureName(f), strongest(f))));
    if (rows.length) parts.push(el("div", { class: "kind" }, "Samples"), rows.map((i) => option(sampleLink(i), sampleName(i), dominant()[i] >= 0 ? `mostly ${dominant()[i] + 1}` : "")));
    const none = el("div", { class: "none" }, "No name holds this.");
    if (!options.length) parts.push(none);
    box.replaceChildren(...parts.flat());
    box.hidden = false;
    field.setAttribute("aria-expanded", "true");
    choose(options.length ? 0 : -1);
    if (D.live && (D.samples || D.features)) {
      const mine = ++asked;
      ask(`api/find?q=${encodeURIComponent(text)}`).then((a) => a.json()).then((more) => {
        if (mine !== asked || box.hidden || more.samples.length + more.features.length === 0) return;
        none.remove();
        box.append(el("div", { class: "kind" }, "Not in the page, but in the model"), ...more.features.map((s) => option(`#feature/${s.number + 1}`, visible(s.name), "feature")),
          ...more.samples.map((s) => option(`#sample/${s.number + 1}`, visible(s.name), "sample")));
        if (chosen < 0) choose(0);
      }).catch(() => {});
    }
  };
  field.addEventListener("input", look);
  field.addEventListener("focus", look);
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (e) => {
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      if (options.length) choose((chosen + (e.key === "ArrowDown" ? 1 : -1) + options.length) % options.length);
    } else if (e.key === "Enter") open(Math.max(0, chosen));
    else if (e.key === "Escape") { field.value = ""; close(); field.blur(); }
  });
}

function strongest(f) {
  let best = -1, most = 0;
  for (let j = 0; j < D.k; j++) if (D.H[j * D.nk + f] > most) most = D.H[j * D.nk + (best = j)];
  return best < 0 ? "in none" : `most in ${best + 1}`;
}

// Keys. They do nothing while something is typed.

const keys = [["/", "find a feature or a sample"], ["1 – 5", "go to a section"], ["← →", "previous or next, on a page of one; also within a figure that has the focus"], ["c", "pin this component to compare it"], ["d", "light or dark"], ["Esc", "close what is open"], ["?", "this list"]];

function help() {
  const box = $("keys");
  box.replaceChildren(el("h2", { id: "keys-title" }, "Keys"), el("dl", null, keys.map(([key, what]) => [el("dt", null, el("kbd", null, key)), el("dd", null, what)])), el("form", { method: "dialog" }, el("button", { autofocus: true }, "Close")));
  box.showModal();
}

function listen() {
  addEventListener("hashchange", go);
  system.addEventListener("change", () => { if (!chosenTheme) redrawAll(); });
  $("theme").addEventListener("click", switchTheme);
  $("help").addEventListener("click", help);
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || $("keys").open || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
    const section = sections()[Number(e.key) - 1];
    if (section) location.hash = section[0];
    else if (e.key === "/") { e.preventDefault(); $("find").focus(); }
    else if (e.key === "d") switchTheme();
    else if (e.key === "?") help();
    else if (e.key === "c" && location.hash.startsWith("#component/")) togglePin(Number(location.hash.split("/")[1]) - 1);
    else if (e.key === "Escape") { hideTip(); if (pinned.length) { pinned.length = 0; showCompare(); } }
    else if (e.key === "ArrowLeft" || e.key === "ArrowRight") {
      if (/^(CANVAS|svg)$/.test(e.target.tagName)) return; // a figure uses them itself
      const link = document.querySelector(`.step a[rel="${e.key === "ArrowLeft" ? "prev" : "next"}"]`);
      if (link) location.hash = link.getAttribute("href");
    }
  });
  addEventListener("beforeprint", printAll);
  addEventListener("afterprint", redrawAll);
}

// printAll shows all sections, in the light.
function printAll() {
  const main = $("main"), pageWidth = 680;
  setTheme("light");
  show();
  for (const [key, , draw] of sections()) {
    if ($("tabs").querySelector(`[data-view="${key}"]`).hasAttribute("aria-current")) continue;
    const more = el("section", { class: "view" });
    main.append(more);
    draw(more);
  }
  for (const node of main.querySelectorAll(".responsive")) node.redraw(pageWidth);
}

async function start() {
  setTheme();
  await load();
  $("title").textContent = D.name ? visible(D.name) : "nmf";
  $("subtitle").textContent = D.name ? "" : "report";
  $("tabs").append(...sections().map(([key, title]) => el("a", { href: `#${key}`, dataset: { view: key } }, title)));
  listen();
  search();
  show();
  document.documentElement.dataset.ready = "yes";
  performance.mark("ready");
}

start().catch((e) => {
  console.error(e);
  document.documentElement.dataset.ready = "no";
  $("main").replaceChildren(el("p", { class: "notice" }, el("b", null, "This report could not be opened. "), String(e && e.message || e), " A browser from 2023 or later is needed."));
});
