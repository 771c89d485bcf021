// How many components, and how well runs agree.

function rank(root) {
  const r = D.rank, c = D.consensus;
  root.append(el("div", null, el("h1", null, r ? "How many components" : "How well runs agree"), (r && r.recommendation || c && c.words) && el("p", { class: "lead" }, visible(r && r.recommendation || c.words))));
  if (r) {
    root.append(el("div", { class: "grid" }, r.criteria.map((m) => {
      const points = (m.points || []).filter((p) => p[0] != null), at = (column) => Float64Array.from(points, (p) => p[column] ?? NaN);
      const spread = points.some((p) => p[2] !== p[1] || p[3] !== p[1]);
      return panel(visible(m.name), [visible(m.about || ""), m.better && `${m.better === "low" ? "Lower" : "Higher"} is better.`].filter(Boolean).join(" "),
        lineChart({ label: `${visible(m.name)} by number of components`, height: 210, xLabel: "components", mark: r.chosen || null,
          curves: () => [{ x: at(0), y: at(1), dots: true, ...(spread ? { low: at(2), high: at(3) } : {}) }],
          read: (p) => [el("b", null, `k = ${points[p][0]}${points[p][0] === r.chosen ? ", recommended" : ""}`), num(points[p][1], 4), spread && `from ${num(points[p][2])} to ${num(points[p][3])}`] }));
    })));
  }
  if (!c) return;
  if (r && c.words) root.append(el("p", { class: "lead" }, visible(c.words)));
  const facts = [["runs", count(c.runs)], c.cophenetic != null && ["cophenetic correlation", c.cophenetic.toFixed(4)], c.dispersion != null && ["dispersion", c.dispersion.toFixed(4)]].filter(Boolean);
  root.append(el("dl", { class: "tiles" }, facts.map(([name, value]) => el("div", { class: "tile" }, el("dt", null, name), el("dd", null, value)))));
  if (c.side) root.append(consensusMap(c));
  if (c.stability) {
    root.append(panel("Stability of the components", "How alike a component is over the runs, from 0 to 1.",
      barList(c.stability.map((v, j) => ({ name: componentName(j), link: componentLink(j), value: v ?? 0, text: v == null ? "–" : v.toFixed(3), colour: componentColour(j) })), "", { wide: true, most: 1 })));
  }
}

function consensusMap(c) {
  const canvas = el("canvas", { class: "plot cross", id: "consensus", role: "img", "aria-label": `Consensus of ${plural(c.of, "sample")} over ${plural(c.runs, "run")}` });
  const box = el("div", null, canvas);
  let size = 0;
  responsive(box, (width) => {
    size = Math.min(width, 620);
    canvas.style.width = `${size}px`;
    const g = sharp(canvas, size, size), small = new OffscreenCanvas(c.side, c.side), s = small.getContext("2d"), image = s.createImageData(c.side, c.side), t = table(amountRamp());
    for (let p = 0; p < c.side * c.side; p++) image.data.set([t[3 * D.consensusMatrix[p]], t[3 * D.consensusMatrix[p] + 1], t[3 * D.consensusMatrix[p] + 2], 255], 4 * p);
    s.putImageData(image, 0, 0);
    g.imageSmoothingEnabled = c.side > size;
    g.drawImage(small, 0, 0, size, size);
  });
  const name = (q) => {
    const number = D.consensusOrder ? D.consensusOrder[q] : q, i = samplePlace(number);
    return i === undefined ? `sample ${number + 1}` : sampleName(i);
  };
  canvas.addEventListener("pointermove", (e) => {
    const r = canvas.getBoundingClientRect(), [a, b] = [e.clientY - r.top, e.clientX - r.left].map((p) => Math.max(0, Math.min(c.side - 1, Math.floor(p / size * c.side))));
    showTip(e.clientX, e.clientY, c.side === c.of && el("b", null, `${name(a)} and ${name(b)}`), `together in ${percent(D.consensusMatrix[a * c.side + b] / 255)} of the runs`);
  });
  canvas.addEventListener("pointerleave", hideTip);
  return panel("Consensus", `The part of the runs that put two samples into one cluster${c.side < c.of ? `; ${count(c.of)} samples, averaged to ${c.side} blocks` : ""}. Blocks on the diagonal are clusters that all runs find.`, box, el("div", { style: { height: "10px" } }), el("div", { class: "legend" }, rampLegend(amountRamp(), "never", "always")));
}
