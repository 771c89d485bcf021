// What was factorized, how it went, what to know about it.

let perSecond = false;

function overview(root) {
  const i = D.info;
  root.append(el("div", null, heading(D.name ? visible(D.name) : "A factorization"), lead()));
  for (const w of D.warnings) root.append(el("p", { class: "notice" }, el("b", null, "Note "), visible(w)));
  if (D.input && !D.input.fits) {
    root.append(el("p", { class: "notice" }, el("b", null, "Another input? "),
      `The relative error on the given input is ${num(D.input.relativeError)}, the model's own is ${num(i.relative_error)}: this may not be the data that the model was fitted to.`));
  }
  root.append(tiles(), sharesPanel());
  if (D.iteration.length > 0) root.append(convergence());
  if (D.runs.length > 1) root.append(runs());
  root.append(factsPanel());
  if (D.leftOut.length) {
    root.append(panel(D.live ? "What is computed on demand" : "What was left out", D.live ? "These are not in the lists of this page; search for them, or go to them from the page of a sample." : "This page stays below 25 MB. It does not hold:", el("ul", { class: "left-out" }, D.leftOut.map((t) => el("li", null, t)))));
  }
}

function lead() {
  const alive = D.scales.filter((s) => s > 0).length;
  const explained = 1 - D.info.relative_error ** 2;
  return el("p", { class: "lead" }, el("b", null, plural(D.m, "sample")), " of ", el("b", null, plural(D.n, "feature")), ", written as mixtures of ",
    el("b", null, plural(D.k, "component")), alive < D.k ? ` (${D.k - alive} of them empty)` : "", ". ",
    D.info.loss_name === "frobenius" ? ["Together they explain ", el("b", null, percent(explained)), " of the sum of squares. "] : ["The loss is ", el("b", null, D.info.loss_name), `; the relative error is ${num(D.info.relative_error)}. `], ending());
}

function ending() {
  switch (D.info.status) {
  case "converged": return "The fit converged.";
  case "stalled": return "The fit ended where the loss no longer fell.";
  case "iteration limit": return "The fit ended at its limit of iterations, before it had converged.";
  case "cancelled": return "The fit was interrupted: this is the best so far.";
  }
  return "";
}

function tiles() {
  const i = D.info;
  const nonzero = D.input ? D.input.nonzero : i.stored_cells;
  const list = [
    ["samples × features", `${count(D.m)} × ${count(D.n)}`],
    ["components", count(D.k)],
    D.input || i.stored_cells < D.m * D.n ? ["density", percent(nonzero / (D.m * D.n)), `${count(nonzero)} cells ${D.input ? "above zero" : "stored"}`] : null,
    ["relative error", num(i.relative_error, 4), i.loss_name === "frobenius" ? "‖X − WH‖ / ‖X‖" : "in the measure of the loss"],
    ["KKT residual", num(i.kkt, 2), i.resolved.tol > 0 ? `sought: ${num(i.resolved.tol, 2)}` : ""],
    ["took", duration(i.seconds), plural(i.iterations, "iteration")],
  ];
  return el("dl", { class: "tiles" }, list.filter(Boolean).map(([name, value, about]) =>
    el("div", { class: "tile" }, el("dt", null, name), el("dd", null, value, about && el("small", null, about)))));
}

function sharesPanel() {
  const strip = el("div", { class: "shares" }, D.shares.map((share, j) => share > 0 && el("a", {
    href: componentLink(j), "aria-label": `${componentName(j)}, ${percent(share)}`,
    style: { flex: `${share} 0 0`, background: componentColour(j), color: onComponent() },
    on: { pointermove: (e) => showTip(e.clientX, e.clientY, el("b", null, componentName(j)), `${percent(share)} of the whole`, topNames(j, 4)), pointerleave: hideTip },
  }, share > 0.022 ? j + 1 : "")));
  return panel("What it is made of", "Each component's share of the sum over the fit. Choose one to see it.", strip);
}

function topNames(j, n) {
  if (["image", "profile", "sound"].includes(D.drawing.kind)) return null;
  return top(basis(j), n).map(featureName).map((s) => s.length > 24 ? s.slice(0, 23) + "…" : s).join(", ");
}

function convergence() {
  const x = () => perSecond ? D.seconds : D.iteration;
  const read = (t) => [el("b", null, `iteration ${count(D.iteration[t])}, ${duration(D.seconds[t])}`), `loss ${num(D.loss[t], 5)}`, `KKT residual ${num(D.kkt[t])}`];
  const chart = (label, y, levels) => lineChart({ label, log: true, levels, xLabel: perSecond ? "seconds" : "iteration", curves: () => [{ x: x(), y }], read, height: 240 });
  const body = el("div", { class: "grid" });
  const draw = () => {
    const tol = D.info.resolved.tol;
    body.replaceChildren(
      el("figure", null, el("h3", null, `Loss (${D.info.loss_name})`), chart("Loss by " + (perSecond ? "second" : "iteration"), D.loss)),
      el("figure", null, el("h3", null, "KKT residual"), chart("KKT residual by " + (perSecond ? "second" : "iteration"), D.kkt, tol > 0 ? [{ y: tol, text: "tolerance" }] : [])));
  };
  draw();
  const p = panel("How it converged", null, body);
  p.firstChild.append(choice("Horizontal axis", [[false, "by iteration"], [true, "by second"]], perSecond, (v) => { perSecond = v; draw(); }));
  return p;
}

function runs() {
  const sorted = Float64Array.from(D.runs).sort();
  const x = Float64Array.from(sorted.keys(), (r) => r + 1);
  return panel("Runs", `Relative error of ${count(D.info.resolved.runs)} starts, from the best, which was kept. A flat left end means that several starts found the same answer.`,
    lineChart({ label: "Relative error of each run", curves: () => [{ x, y: sorted, dots: sorted.length <= 60 }], xLabel: "run, from the best", height: 190,
      read: (r) => [el("b", null, `run ${r + 1} from the best`), `relative error ${num(sorted[r], 5)}`] }));
}

function factsPanel() {
  return panel("How it was made", null, el("dl", { class: "facts" },
    D.facts.map((f) => el("div", null, el("dt", null, f.name), el("dd", null, visible(f.value)))),
    el("div", { class: "wide" }, el("dt", null, "SHA-256 of the data"), el("dd", null, D.input ? D.input.hash : "not known: the report was made without the input"))));
}
