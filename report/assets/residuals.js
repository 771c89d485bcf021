// Where the model is wrong: by sample and by feature.

function residuals(root) {
  root.append(el("div", null, el("h1", null, "Residuals"), el("p", { class: "lead" }, "Where the model is wrong. ", el("b", null, percent(D.input.relativeError ** 2)),
    " of the sum of squares is not explained; here it is by sample and by feature.")));
  if (["image", "profile", "signatures96", "sound"].includes(D.drawing.kind)) root.append(byPlace());
  root.append(el("div", { class: "grid" },
    side("sample", D.rowError, D.rowShare, D.rowBias, D.rowSquares, sampleName, sampleLink, D.m),
    side("feature", D.columnError, D.columnShare, D.columnBias, D.columnSquares, featureName, featureLink, D.n)));
}

// byPlace shows the features' residuals as the drawing that the features are.
function byPlace() {
  const share = D.columnShare, bias = D.columnBias;
  if (D.drawing.kind === "image") {
    const one = (name, canvas) => el("figure", null, el("figcaption", null, name), canvas);
    return panel("Where in the picture", null, el("div", { class: "pictures" }, one("squared residual", picture(share, "Squared residual by pixel", { ramp: amountRamp() })),
      one("sum of the residual", differences(bias, "Sum of the residual by pixel"))), el("p", { class: "note" }, "Sum of the residual: orange where the model shows too little over all samples, blue where too much."));
  }
  return panel("Where on the axis", "Each feature's share of all residual squares.", D.drawing.kind === "signatures96" ? signature(share, "Squared residual by class", { height: 280 }) : profile([{ values: share }], "Squared residual by feature", 240));
}

function side(what, error, share, bias, squares, name, link, total) {
  const order = [...error.keys()].sort((a, b) => error[b] - error[a] || a - b).filter((i) => squares[i] > 0 || error[i] > 0);
  const x = Float64Array.from(order.keys(), (r) => r + 1), y = Float64Array.from(order, (i) => error[i]);
  const curve = lineChart({ label: `Relative error of every ${what}, from the largest`, height: 190, zero: true, xLabel: `${what}, from the worst`, curves: () => [{ x, y }],
    read: (r) => [el("b", null, name(order[r])), `relative error ${num(y[r])}`, `${percent(share[order[r]])} of all residual squares`], open: (r) => { hideTip(); location.hash = link(order[r]); } });
  const list = el("div");
  const draw = (by) => {
    const key = by === "share" ? share : error;
    const worst = top(key, 15);
    list.replaceChildren(el("table", null, el("thead", null, el("tr", null, el("th", { scope: "col" }, what), el("th", { scope: "col" }, "relative error"), el("th", { scope: "col" }, "share"), el("th", { scope: "col", title: "Sum of the original minus the reconstruction" }, "missing"))),
      el("tbody", null, worst.map((i) => el("tr", null, el("td", null, el("a", { href: link(i), title: name(i) }, name(i))), el("td", null, error[i].toFixed(3)), el("td", null, percent(share[i])), el("td", null, num(bias[i], 2)))))));
  };
  draw("error");
  const empty = error.length - order.length;
  const p = panel(`By ${what}`, [`Relative error ‖x − y‖ / ‖x‖ of each ${what}; share of all residual squares; sum of what is missing.`, empty > 0 ? ` ${plural(empty, `${what}`)} ${empty === 1 ? "is" : "are"} all zero.` : "", error.length < total ? ` ${count(error.length)} of ${count(total)} are here.` : ""].join(""), curve, el("div", { style: { height: "14px" } }), list);
  p.firstChild.insertBefore(choice("Order", [["error", "by error"], ["share", "by share"]], "error", draw), p.firstChild.lastChild);
  return p;
}
