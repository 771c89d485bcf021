// Components: a card each; search, sort, compare; a page of one.

const look = { sort: "share", by: "weight", find: "" };
const pinned = [];

const sorts = {
  share: ["share", (j) => -D.shares[j]],
  number: ["number", (j) => j],
  sparsity: ["sparsity", (j) => -D.sparsity[0][j]],
  distinct: ["distinctness", (j) => D.nearest[j].j < 0 ? 0 : D.nearest[j].c],
};

function components(root) {
  const cards = el("div", { class: "cards" });
  const counted = el("span", { class: "count", role: "status" });
  const draw = () => {
    const found = look.find ? findings(look.find) : null;
    const order = [...D.scales.keys()].sort((a, b) =>
      (found ? (found.weight[b] - found.weight[a]) : 0) || sorts[look.sort][1](a) - sorts[look.sort][1](b) || a - b);
    cards.replaceChildren(...order.map((j) => card(j, found)));
    counted.textContent = found ? `${plural(found.features.size, "feature")} and ${plural(found.samples.size, "sample")} match; ${plural(order.filter((j) => found.weight[j] > 0).length, "component")} ${order.filter((j) => found.weight[j] > 0).length === 1 ? "holds" : "hold"} them` : plural(D.k, "component");
  };
  let wait;
  const field = el("input", { type: "search", id: "filter", placeholder: "Feature or sample", "aria-label": "Find a feature or a sample in the components", value: look.find,
    on: { input: (e) => { clearTimeout(wait); wait = setTimeout(() => { look.find = e.target.value.trim(); draw(); }, 120); } } });
  root.append(el("div", null, el("h1", null, "Components"), el("p", { class: "lead" }, intro())),
    el("div", { class: "toolbar" }, field,
      menu("sorted by", Object.entries(sorts).map(([key, s]) => [key, s[0]]), look.sort, (v) => { look.sort = v; draw(); }),
      choice("Order of the features", [["weight", "by weight"], ["specificity", "by specificity"]], look.by, (v) => { look.by = v; draw(); }), counted));
  if (D.drawing.kind === "image" && D.k > 1) root.append(montage());
  root.append(cards);
  draw();
  if (D.cosine && D.k > 1) root.append(likeness());
}

function intro() {
  switch (D.drawing.kind) {
  case "words": return "Each is a topic: words that occur together. A word is larger where it weighs more.";
  case "image": return "Each is a picture; every sample is a sum of them. White is much.";
  case "profile": return "Each is a profile over the ordered features; every sample is a sum of them.";
  case "sound": return `Each is a spectrum that comes and goes: above by frequency, below as a spectrogram, the spectrum times its activation.${D.sounds.length ? " What it takes out of the recording can be heard." : ""}`;
  case "signatures96": return "Each is a mutational signature over the 96 classes of substitutions; every sample is a sum of them.";
  }
  return "Each is a set of features that occur together. A weight is the feature's part of its component.";
}

// findings says which features and samples match a text, and how much of them
// each component holds.
function findings(text) {
  const features = new Set(matches(text, D.nk, featureName, 500)), samples = new Set(matches(text, D.mk, sampleName, 500));
  const weight = new Float64Array(D.k);
  for (let j = 0; j < D.k; j++) {
    const h = basis(j);
    for (const f of features) weight[j] += h[f];
    for (const i of samples) weight[j] += D.W[i * D.k + j];
  }
  return { features, samples, weight };
}

function topFeatures(j, n, found) {
  const by = look.by === "specificity" ? specificity(j) : basis(j);
  const h = basis(j);
  const order = top(by, n);
  if (found) {
    const hits = [...found.features].filter((f) => h[f] > 0 && !order.includes(f)).sort((a, b) => h[b] - h[a]).slice(0, 4);
    order.splice(n - Math.min(hits.length, n), hits.length, ...hits);
  }
  return order.map((f) => ({ name: featureName(f), link: featureLink(f), value: h[f], hit: found && found.features.has(f) }));
}

function topSamples(j, n) {
  return top(columnOfW(j), n);
}

function card(j, found) {
  const colour = componentColour(j);
  const pin = el("button", { type: "button", class: "pin", "aria-pressed": String(pinned.includes(j)), "aria-label": `Compare component ${j + 1}`,
    on: { click: () => togglePin(j) }, dataset: { pin: j } }, pinned.includes(j) ? "pinned" : "compare");
  const head = el("div", { class: "head" }, el("span", { class: "swatch", style: { background: colour } }),
    el("a", { href: componentLink(j) }, componentName(j)), el("span", { class: "share" }, percent(D.shares[j])), !dead(j) && pin);
  if (dead(j)) return el("article", { class: "card dead", id: `card-${j + 1}` }, head, el("p", { class: "note" }, "Empty: the data is fitted without it."));
  const samples = topSamples(j, 3);
  if (found) for (const i of [...found.samples].filter((s) => D.W[s * D.k + j] > 0 && !samples.includes(s)).sort((a, b) => D.W[b * D.k + j] - D.W[a * D.k + j]).slice(0, 3)) samples.push(i);
  return el("article", { class: found && !(found.weight[j] > 0) ? "card dim" : "card", id: `card-${j + 1}`, "aria-label": `${componentName(j)}, share ${percent(D.shares[j])}` },
    head, el("div", { class: "meter", "aria-hidden": "true" }, el("i", { style: { width: percentWidth(D.shares[j]), background: colour } })),
    face(j, found),
    el("div", { class: "label" }, "most of it is in"),
    el("div", { class: "chips" }, samples.map((i) => el("a", { href: sampleLink(i), class: found && found.samples.has(i) && "hit", title: `${sampleName(i)}: ${percent(D.W[i * D.k + j])} of all that there is of component ${j + 1}` }, sampleName(i)))),
    el("div", { class: "foot" }, el("span", { title: "Hoyer's sparsity over the features: 0 is even, 1 a single one" }, `sparsity ${D.sparsity[0][j].toFixed(2)}`),
      D.nearest[j].j >= 0 && el("span", { title: "Cosine to the most similar component: the lower, the more distinct" }, "nearest ", el("a", { href: componentLink(D.nearest[j].j) }, D.nearest[j].j + 1), ` at ${D.nearest[j].c.toFixed(2)}`)));
}

const percentWidth = (share) => `${100 * share / Math.max(...D.shares, 1e-300)}%`;

// face is what a component looks like on its card.
function face(j, found) {
  const colour = componentColour(j), label = `${componentName(j)} over the features`;
  switch (D.drawing.kind) {
  case "words":
    return wordList(topFeatures(j, 16, found), colour);
  case "image":
    return picture(basis(j), label);
  case "sound":
    return el("div", { class: "heard" }, drawn(basis(j), label, { colour }), spectrogram(j, 150), players(j), found && barList(topFeatures(j, 3, found), colour));
  case "profile":
  case "signatures96":
    return el("div", null, drawn(basis(j), label, { colour }), found && barList(topFeatures(j, 3, found), colour));
  }
  return barList(topFeatures(j, 8, found), colour);
}

function montage() {
  return panel("All of them", null, el("div", { class: "montage" }, [...D.scales.keys()].map((j) =>
    el("a", { href: componentLink(j) }, picture(basis(j), componentName(j)), `${j + 1} · ${percent(D.shares[j])}`))));
}

// likeness shows the cosines between components.
function likeness() {
  const canvas = el("canvas", { class: "plot cross", role: "img", tabindex: 0, "aria-label": "Cosine between every two components" });
  const box = el("div", null, canvas);
  let side = 0, at = [0, 0];
  responsive(box, (width) => {
    side = Math.min(width, Math.max(180, Math.min(540, 26 * D.k)));
    canvas.style.width = `${side}px`;
    const g = sharp(canvas, side, side), cell = side / D.k;
    for (let a = 0; a < D.k; a++) {
      for (let b = 0; b < D.k; b++) {
        g.fillStyle = rampColour(amountRamp(), D.cosine[a * D.k + b]);
        g.fillRect(b * cell, a * cell, Math.max(0.6, cell - (cell > 6 ? 1 : 0)), Math.max(0.6, cell - (cell > 6 ? 1 : 0)));
      }
    }
  });
  const show = (x, y) => showTip(x, y, el("b", null, `${componentName(at[0])} and ${at[1] + 1}`), `cosine ${D.cosine[at[0] * D.k + at[1]].toFixed(3)}`);
  canvas.addEventListener("pointermove", (e) => {
    const r = canvas.getBoundingClientRect(), cell = side / D.k;
    at = [e.clientY - r.top, e.clientX - r.left].map((p) => Math.max(0, Math.min(D.k - 1, Math.floor(p / cell))));
    show(e.clientX, e.clientY);
  });
  canvas.addEventListener("pointerleave", hideTip);
  canvas.addEventListener("blur", hideTip);
  canvas.addEventListener("click", () => { if (at[0] !== at[1]) { pinned.splice(0, 2, ...at); showCompare(); } });
  canvas.addEventListener("keydown", (e) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[e.key];
    if (e.key === "Enter") canvas.click();
    if (!move) return;
    e.preventDefault();
    at = at.map((p, axis) => Math.max(0, Math.min(D.k - 1, p + move[axis])));
    const r = canvas.getBoundingClientRect(), cell = side / D.k;
    show(r.left + (at[1] + 0.5) * cell, r.top + (at[0] + 0.5) * cell);
    announce();
  });
  return panel("How alike they are", "Cosine between every two components, from 0 for none of the same features to 1 for the same component. Choose a cell to compare the two.", box,
    el("div", { class: "legend" }, rampLegend(amountRamp(), "0", "1", "cosine")));
}

// One component.

function componentPage(root, j) {
  if (!(j >= 0 && j < D.k)) return missing(root, `There is no component ${j + 1}.`);
  const colour = componentColour(j);
  root.append(crumbs("components", "Components", j, D.k, (q) => componentLink(q)),
    el("div", { class: "heading" }, el("span", { class: "swatch", style: { background: colour } }), el("h1", null, componentName(j))));
  if (dead(j)) {
    root.append(el("p", { class: "lead" }, "Empty: its scale is zero, and the data is fitted without it."));
    return;
  }
  const near = D.nearest[j];
  root.append(el("dl", { class: "tiles" }, [["share", percent(D.shares[j])], ["sparsity over features", D.sparsity[0][j].toFixed(3)], ["sparsity over samples", D.sparsity[1][j].toFixed(3)],
    near.j >= 0 && ["nearest", `${near.j + 1}`, `cosine ${near.c.toFixed(3)}`]].filter(Boolean).map(([name, value, about]) => el("div", { class: "tile" }, el("dt", null, name), el("dd", null, value, about && el("small", null, about))))));
  const figure = drawn(basis(j), `${componentName(j)} over the features`, { colour, height: 300 });
  if (figure) root.append(panel("What it looks like", null, figure));
  if (D.drawing.kind === "sound") {
    const heard = players(j);
    if (heard.length) root.append(panel("What it sounds like", null, heard));
    root.append(panel("When it sounds", "Its spectrum times its activation, as a part of the largest, up to where any component still has a hundredth of its largest weight.", spectrogram(j, 320)));
  }
  const list = el("div");
  const draw = () => list.replaceChildren(barList(topFeatures(j, 30), colour, { wide: true }));
  draw();
  const features = panel("Features", "A weight is the feature's part of the component.", list);
  features.firstChild.append(choice("Order of the features", [["weight", "by weight"], ["specificity", "by specificity"]], look.by, (v) => { look.by = v; draw(); }));
  const samples = topSamples(j, 30);
  root.append(el("div", { class: "grid" }, features, panel("Samples", "A weight is the sample's part of all that there is of the component.",
    barList(samples.map((i) => ({ name: sampleName(i), link: sampleLink(i), value: D.W[i * D.k + j] })), colour, { wide: true }))));
  if (D.cosine && D.k > 1) {
    const others = [...D.scales.keys()].filter((q) => q !== j && !dead(q)).sort((a, b) => D.cosine[j * D.k + b] - D.cosine[j * D.k + a]).slice(0, 8);
    root.append(panel("Most like it", "Cosine between the components.", barList(others.map((q) => ({ name: `${componentName(q)}${topNames(q, 3) ? ": " + topNames(q, 3) : ""}`, link: componentLink(q), value: D.cosine[j * D.k + q], text: D.cosine[j * D.k + q].toFixed(3), colour: componentColour(q) })), colour, { wide: true, most: 1 })));
  }
}

// crumbs leads back, and on to the one before and after.
function crumbs(view, title, at, n, link) {
  const step = (q, text, name) => q >= 0 && q < n ? el("a", { href: link(q), rel: name, "aria-label": text }, text) : el("span", null, text);
  return el("nav", { class: "crumbs", "aria-label": "Where you are" }, el("a", { href: `#${view}` }, title), el("span", null, "/"), el("span", null, `${count(at + 1)} of ${count(n)}`),
    el("span", { class: "step" }, step(at - 1, "← previous", "prev"), step(at + 1, "next →", "next")));
}

function missing(root, text) {
  root.append(el("h1", null, "Not here"), el("p", { class: "lead" }, text));
}

// A feature: which components hold it.

function featurePage(root, number) {
  const f = featurePlace(number);
  if (!(number >= 0 && number < D.n)) return missing(root, `There is no feature ${number + 1}.`);
  if (f !== undefined) {
    return drawFeature(root, { number, name: featureName(f), weights: Float64Array.from({ length: D.k }, (_, j) => basis(j)[f]),
      error: D.columnError && D.columnError[f], share: D.columnShare && D.columnShare[f], bias: D.columnBias && D.columnBias[f] });
  }
  if (!D.live) return missing(root, `Feature ${number + 1} was left out of this page; nmf view shows every feature.`);
  onDemand(root, `api/feature/${number}`, (s) => drawFeature(root, { ...s, number, name: visible(s.name) || `feature ${number + 1}` }));
}

function drawFeature(root, s) {
  root.append(el("nav", { class: "crumbs", "aria-label": "Where you are" }, el("a", { href: "#components" }, "Components"), el("span", null, "/"), el("span", null, `feature ${count(s.number + 1)} of ${count(D.n)}`)), heading(s.name));
  const parts = Float64Array.from(s.weights, (h, j) => h * D.scales[j]);
  const sum = parts.reduce((a, b) => a + b, 0);
  const order = top(parts, 40);
  const bars = (value) => order.length ? barList(order.map((j) => ({ name: componentName(j), link: componentLink(j), value: value(j), colour: componentColour(j) })), "", { wide: true }) : el("p", { class: "note" }, "No component holds it.");
  root.append(el("div", { class: "grid" },
    panel("Where it comes from", "The components' parts of all that the model gives this feature.", bars((j) => parts[j] / sum)),
    panel("Its weight in the components", "Its part of each component.", bars((j) => s.weights[j]))));
  if (s.error != null) {
    root.append(el("dl", { class: "tiles" }, [["relative error", num(s.error)], ["share of all residual squares", percent(s.share)], ["sum of what is missing", num(s.bias)]].map(([name, value]) => el("div", { class: "tile" }, el("dt", null, name), el("dd", null, value)))));
  }
}

// Two components side by side.

function togglePin(j) {
  const at = pinned.indexOf(j);
  if (at >= 0) pinned.splice(at, 1);
  else pinned.push(j);
  if (pinned.length > 2) pinned.shift();
  showCompare();
}

function showCompare() {
  for (const b of document.querySelectorAll("[data-pin]")) {
    const is = pinned.includes(Number(b.dataset.pin));
    b.setAttribute("aria-pressed", String(is));
    b.textContent = is ? "pinned" : "compare";
  }
  const box = $("compare");
  box.hidden = pinned.length === 0;
  if (box.hidden) return box.replaceChildren(); // a sound in it falls silent
  const close = el("button", { type: "button", on: { click: () => { pinned.length = 0; showCompare(); } } }, "Close");
  const inner = el("div", { class: "inner" });
  box.replaceChildren(inner);
  if (pinned.length === 1) {
    inner.append(el("header", null, el("span", null, el("b", null, componentName(pinned[0])), " is pinned. Pin another one to compare the two."), close));
    return;
  }
  const [a, b] = pinned;
  const c = D.cosine ? D.cosine[a * D.k + b].toFixed(3) : "";
  inner.append(el("header", null, el("h2", null, `Components ${a + 1} and ${b + 1}`), c && el("span", { class: "note" }, `cosine ${c}`), close));
  const side = (j) => el("div", null, el("h3", null, el("span", { class: "swatch", style: { background: componentColour(j) } }), ` ${componentName(j)} · ${percent(D.shares[j])}`),
    drawn(basis(j), componentName(j), { colour: componentColour(j) }), D.drawing.kind === "sound" && [spectrogram(j, 150), players(j)]);
  inner.append(el("div", { class: "versus" }, side(a), side(b), el("div", { class: "both" }, mirror(a, b))));
}

function mirror(a, b) {
  const ha = basis(a), hb = basis(b);
  const all = [...new Set([...top(ha, 9), ...top(hb, 9)])].sort((p, q) => (hb[p] - ha[p]) - (hb[q] - ha[q]));
  const most = Math.max(...all.map((f) => Math.max(ha[f], hb[f]))) || 1;
  return el("ol", { class: "mirror" }, all.map((f) => el("li", null, el("span", { class: "v" }, percent(ha[f])),
    el("span", { class: "bar l" }, el("i", { style: { width: `${100 * ha[f] / most}%`, background: componentColour(a) } })),
    el("a", { class: "name", href: featureLink(f), title: featureName(f) }, featureName(f)),
    el("span", { class: "bar r" }, el("i", { style: { width: `${100 * hb[f] / most}%`, background: componentColour(b) } })),
    el("span", { class: "v" }, percent(hb[f])))));
}
