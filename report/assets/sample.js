// A sample: its mixture, its reconstruction beside the original.

function samplePage(root, number) {
  const i = samplePlace(number);
  if (number >= D.m || !(number >= 0)) return missing(root, `There is no sample ${number + 1}.`);
  if (i !== undefined && (!D.live || original(i) || !D.input)) return drawSample(root, here(i));
  if (!D.live) return missing(root, `Sample ${number + 1} was left out of this page; nmf view shows every sample.`);
  const floats = (text) => text ? Float64Array.from(new Float32Array(fromBase64(text).buffer)) : null;
  onDemand(root, `api/sample/${number}`, (s) => drawSample(root, { ...s, number, name: visible(s.name) || `sample ${number + 1}`,
    mixture: Float64Array.from(s.mixture), reconstruction: floats(s.reconstruction), original: floats(s.original) }));
}

// here gathers what the page knows about a sample.
function here(i) {
  return { number: sampleNumber(i), name: sampleName(i), mixture: mixture(i), reconstruction: reconstruction(i), original: D.input ? original(i) : null,
    error: D.rowError && D.rowError[i], share: D.rowShare && D.rowShare[i], bias: D.rowBias && D.rowBias[i], metadata: D.metadata.map((c, q) => [c.name, metaValue(q, i)]) };
}

function drawSample(root, s) {
  const place = samplePlace(s.number) ?? 0;
  root.append(crumbs("samples", "Samples", D.live ? s.number : place, D.live ? D.m : D.mk, (q) => D.live ? `#sample/${q + 1}` : sampleLink(q)), heading(s.name));
  if (s.metadata.length) root.append(el("div", { class: "chips" }, s.metadata.map(([name, value]) => el("span", null, `${visible(name)}: ${visible(value)}`))));
  const tiles = [s.error != null && ["relative error", num(s.error), "‖x − wH‖ / ‖x‖"], s.share != null && ["share of all residual squares", percent(s.share), `an even share is ${percent(1 / D.m)}`],
    s.bias != null && ["sum of what is missing", num(s.bias), s.bias >= 0 ? "the model shows too little" : "the model shows too much"]].filter(Boolean);
  if (tiles.length) root.append(el("dl", { class: "tiles" }, tiles.map(([name, value, about]) => el("div", { class: "tile" }, el("dt", null, name), el("dd", null, value, el("small", null, about))))));
  const order = top(s.mixture, 12);
  const rest = [...s.mixture].filter((v) => v > 0).length - order.length;
  const mixed = panel("Mixture", "The components' parts of its reconstruction.", order.length ? barList(order.map((j) => ({ name: `${componentName(j)}${topNames(j, 3) ? ": " + topNames(j, 3) : ""}`, link: componentLink(j), value: s.mixture[j], colour: componentColour(j) })), "", { wide: true }) : el("p", { class: "note" }, "Nothing: its reconstruction is zero."),
    rest > 0 && el("p", { class: "note" }, `and ${plural(rest, "smaller one")}`));
  root.append(mixed, ...beside(s));
  if (!s.original && D.input) root.append(el("p", { class: "note" }, "The original values of this sample were left out of the page to keep it small; nmf view shows them."));
  if (!D.input) root.append(el("p", { class: "note" }, "The report was made without the input, so that there is no original to compare with: name it, as in nmf report MODEL INPUT."));
}

// beside shows the original, the reconstruction and what is between them.
function beside(s) {
  const y = s.reconstruction, x = s.original;
  const residual = x && x.map((v, f) => v - y[f]);
  const signs = el("p", { class: "note" }, "Residual: what the model shows too little of is orange, what it shows too much of is blue.");
  switch (D.drawing.kind) {
  case "image": {
    const most = largest(x, y);
    const one = (name, canvas) => el("figure", null, el("figcaption", null, name), canvas);
    const parts = top(s.mixture, 4).map((j) => one(`component ${j + 1}, ${percent(s.mixture[j])}`, picture(basis(j), componentName(j))));
    return [panel("How it is put together", null, el("div", { class: "pictures" }, x && one("original", picture(x, "Original", { high: most })), one("reconstruction", picture(y, "Reconstruction", { high: most })),
      x && one("residual", differences(residual, "Residual"))), x && signs), panel("Its largest parts", null, el("div", { class: "pictures" }, parts))];
  }
  case "profile":
  case "sound":
    return [panel("Original and reconstruction", null, profile([...(x ? [{ values: x, colour: css("--faint"), name: "original" }] : []), { values: y, colour: css("--accent"), name: "reconstruction" }], "Original and reconstruction", 280), lineLegend(x)),
      ...(x ? [panel("Residual", "Original minus reconstruction.", profile([{ values: residual, colour: css("--warn"), name: "residual" }], "Residual", 170))] : [])];
  case "signatures96":
    return [panel(x ? "Original and reconstruction" : "Reconstruction", x && "Bars are the original, lines the reconstruction.", signature(x || y, "Original", { height: 280, marks: x && y, marksName: "reconstruction" }))];
  }
  return [features(s, residual)];
}

function lineLegend(x) {
  return el("div", { class: "legend" }, x && el("span", null, el("i", { class: "swatch", style: { background: css("--faint") } }), "original"), el("span", null, el("i", { class: "swatch", style: { background: css("--accent") } }), "reconstruction"));
}

// features lists those that are largest, or most wrong, with both values.
function features(s, residual) {
  const { original: x, reconstruction: y } = s;
  if (!x) return panel("Reconstruction", "Its largest features.", barList(top(y, 25).map((f) => ({ name: featureName(f), link: featureLink(f), value: y[f], text: num(y[f]) })), css("--accent"), { wide: true }));
  const list = el("div");
  const draw = (by) => {
    const order = by === "wrong" ? top(residual.map(Math.abs), 25) : top(x.map((v, f) => largest([v, y[f]])), 25);
    const most = largest(order.map((f) => largest([x[f], y[f]]))) || 1;
    const bar = (v, colour) => el("span", { class: "bar" }, el("i", { style: { width: `${v > 0 ? 100 * v / most : 0}%`, background: colour } }));
    list.replaceChildren(el("ol", { class: "bars wide" }, order.map((f) => el("li", { title: `original ${num(x[f], 4)}, reconstruction ${num(y[f], 4)}` }, el("a", { href: featureLink(f) }, featureName(f)),
      el("span", { class: "two", role: "img", "aria-label": `original ${num(x[f])}, reconstruction ${num(y[f])}` }, bar(x[f], css("--faint")), bar(y[f], css("--accent"))), el("span", { class: "v" }, (residual[f] > 0 ? "+" : "") + num(residual[f], 2))))));
  };
  draw("large");
  const p = panel("Original and reconstruction", "The number is original minus reconstruction.", lineLegend(x), el("div", { style: { height: "8px" } }), list);
  p.firstChild.append(choice("Features", [["large", "largest"], ["wrong", "most wrong"]], "large", draw));
  return p;
}
