// What a component is: bars, words, a picture, a profile or spectrum, a signature. The same
// drawings show samples, reconstructions and residuals.

// barList shows names with bars. An item has name, link, value, and may have
// text and hit; bars are relative to the largest value.
function barList(items, colour, o = {}) {
  const most = o.most || Math.max(...items.map((item) => Math.abs(item.value)), 0) || 1;
  return el("ol", { class: o.wide ? "bars wide" : "bars" }, items.map((item) => el("li", { class: item.hit && "hit" },
    item.link ? el("a", { href: item.link, title: item.name }, item.name) : el("span", null, item.name),
    el("span", { class: "bar", "aria-hidden": "true" }, el("i", { style: { width: `${100 * Math.abs(item.value) / most}%`, background: item.colour || colour } })),
    el("span", { class: "v" }, item.text ?? percent(item.value)))));
}

// wordList shows words, larger where they weigh more.
function wordList(items, colour) {
  const most = Math.max(...items.map((item) => item.value), 0) || 1;
  return el("div", { class: "words" }, items.map((item, rank) => el("a", {
    href: item.link, title: `${item.name}: ${item.text ?? percent(item.value)}`, class: item.hit && "hit",
    style: { fontSize: `${(13 + 13 * Math.sqrt(item.value / most)).toFixed(1)}px`, color: rank < 3 ? colour : "", fontWeight: rank < 3 ? "600" : "" },
  }, item.name)));
}

// picture shows values as the pixels of an image. Without low and high they go
// from zero to the largest.
function picture(values, label, o = {}) {
  const { w, h, columnMajor } = D.drawing;
  const canvas = el("canvas", { class: "picture", width: w, height: h, role: "img", "aria-label": label });
  canvas.style.aspectRatio = `${w} / ${h}`;
  const most = o.high ?? largest(values);
  const low = o.low ?? 0, span = most - low || 1;
  const g = canvas.getContext("2d"), image = g.createImageData(w, h), t = table(o.ramp || "grey");
  for (let p = 0; p < w * h; p++) {
    const v = values[columnMajor ? (p % w) * h + Math.floor(p / w) : p];
    const at = 3 * Math.round(255 * Math.min(1, Math.max(0, ((v || 0) - low) / span))); // what is missing is drawn as zero
    image.data.set([t[at], t[at + 1], t[at + 2], 255], 4 * p);
  }
  g.putImageData(image, 0, 0);
  return canvas;
}

// differences shows signed values as a picture.
function differences(values, label) {
  const most = largest(values.map(Math.abs)) || 1;
  return picture(values, label, { ramp: signRamp(), low: -most, high: most });
}

// position is the place of a feature on the axis of a profile.
const position = (f) => D.positions ? D.positions[f] : featureNumber(f) + 1;

// profile shows curves over the features. A series has values, and may have a
// name and a colour.
function profile(series, label, height = 150) {
  const x = Float64Array.from({ length: D.nk }, (_, f) => position(f));
  return lineChart({
    label, height, zero: true, xLabel: height > 170 ? D.drawing.axis || "feature" : "",
    curves: () => series.map((s) => ({ x, y: s.values, colour: s.colour, width: 1.4 })),
    read: (f) => [el("b", null, featureName(f)), ...series.map((s) => `${s.name ? s.name + " " : ""}${num(s.values[f])}`)],
  });
}

const substitutions = ["C>A", "C>G", "C>T", "T>A", "T>C", "T>G"];
const substitutionColours = ["#1ebff0", "#0b0d0e", "#e62725", "#b5b3b5", "#9ac75d", "#e9b3b0"];

// signature shows the 96 classes of substitutions in their usual order and
// colours. A second series is drawn as marks over the bars.
function signature(values, label, o = {}) {
  const node = el("div", { class: "chart" });
  const height = o.height || 128;
  const feature = (c) => D.drawing.channels ? D.drawing.channels[c] : c;
  const channel = (c) => `${"ACGT"[c >> 2 & 3]}[${substitutions[c >> 4]}]${"ACGT"[c & 3]}`;
  responsive(node, (width) => {
    const most = largest(values, o.marks) || 1;
    const up = 22, down = height > 180 ? 34 : 4, step = (width - 2) / 96, full = height - up - down;
    const drawn = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
    for (let s = 0; s < 6; s++) {
      drawn.append(svg("rect", { x: 1 + 16 * s * step, y: 0, width: 16 * step - 2, height: 4, rx: 1, fill: substitutionColours[s], stroke: dark() && s === 1 ? "#8e979e" : "none" }),
        svg("text", { class: "axis", x: 1 + (16 * s + 8) * step, y: 17, "text-anchor": "middle" }, substitutions[s]));
    }
    drawn.append(svg("line", { class: "rule", x1: 0, x2: width, y1: height - down + 0.5, y2: height - down + 0.5 }));
    for (let c = 0; c < 96; c++) {
      const v = largest([values[feature(c)]]), tall = full * v / most, x = 1 + c * step;
      drawn.append(svg("rect", { x: x + step * 0.14, y: height - down - tall, width: step * 0.72, height: tall, fill: substitutionColours[c >> 4],
        stroke: dark() && c >> 4 === 1 ? "#8e979e" : "none", "stroke-width": 0.7 }));
      if (o.marks) {
        const y = height - down - full * o.marks[feature(c)] / most;
        drawn.append(svg("line", { x1: x, x2: x + step, y1: y, y2: y, stroke: css("--ink"), "stroke-width": 1.6 }));
      }
      if (down > 20 && step > 7) {
        drawn.append(svg("text", { class: "axis", x: 0, y: 0, "text-anchor": "end", "font-size": Math.min(10, step), transform: `translate(${x + step / 2 + 3} ${height - down + 5}) rotate(-90)` },
          channel(c).replace(/\[(.).*\]/, "$1")));
      }
    }
    drawn.addEventListener("pointermove", (e) => {
      const box = drawn.getBoundingClientRect();
      const c = Math.max(0, Math.min(95, Math.floor((e.clientX - box.left - 1) / step)));
      showTip(e.clientX, e.clientY, el("b", null, channel(c)), num(values[feature(c)]), o.marks && `${o.marksName} ${num(o.marks[feature(c)])}`);
    });
    drawn.addEventListener("pointerleave", hideTip);
    node.replaceChildren(drawn);
  });
  return node;
}

// drawn shows values over the features as what they are, or gives null where
// that is a list of the top ones.
function drawn(values, label, o = {}) {
  switch (D.drawing.kind) {
  case "image":
    return picture(values, label);
  case "profile":
  case "sound":
    return profile([{ values, colour: o.colour }], label, o.height);
  case "signatures96":
    return signature(values, label, { height: o.height });
  }
  return null;
}
