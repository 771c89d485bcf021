// Samples: their mixtures as a map, and where they lie to each other.

const sampleLook = { mode: "", order: "dominant", colour: "", from: 0, to: 0 };

function samples(root) {
  root.append(el("div", null, el("h1", null, "Samples"), el("p", { class: "lead" },
    "Each sample is a mixture: the part that every component has in its reconstruction.", D.samples ? ` ${count(D.mk)} of ${count(D.m)} are here.` : "")));
  root.append(mixtureMap());
  if (D.k > 1 && D.mk > 2) root.append(embedding());
  const rows = D.rowError ? top(D.rowError, 8) : [];
  if (rows.length) root.append(panel("Least well explained", "Relative error of the sample; all of them are under Residuals.", barList(rows.map((i) => ({ name: sampleName(i), link: sampleLink(i), value: D.rowError[i], text: D.rowError[i].toFixed(3) })), css("--accent"), { wide: true })));
}

// metaValue gives a sample's entry in a column of the metadata.
function metaValue(c, i) {
  const column = D.metadata[c], v = D[column.array][i];
  if (column.levels) return v ? visible(column.levels[v - 1]) : "missing";
  return Number.isNaN(v) ? "missing" : num(v, 4);
}

// colouring gives for a choice of colour a function from a sample to its
// colour, and a legend.
function colouring(key) {
  if (key === "" || key === undefined) {
    const d = dominant();
    const there = [...new Set(d)].filter((j) => j >= 0).sort((a, b) => a - b);
    return { of: (i) => d[i] < 0 ? missingColour() : componentColour(d[i]), group: (i) => d[i],
      groups: there.map((j) => ({ key: j, name: componentName(j), colour: componentColour(j) })) };
  }
  if (key === "error") return ramp(D.rowError, "relative error");
  const column = D.metadata[key], values = D[column.array];
  if (!column.levels) return ramp(values, visible(column.name));
  const sizes = new Int32Array(column.levels.length + 1);
  for (const v of values) sizes[v]++;
  return { of: (i) => values[i] ? categoryColour(values[i] - 1) : missingColour(), group: (i) => values[i],
    groups: [...column.levels.map((name, l) => ({ key: l + 1, name: visible(name), colour: categoryColour(l) })), { key: 0, name: "missing", colour: missingColour() }].filter((g) => sizes[g.key]) };
}

function ramp(values, name) {
  let low = Infinity, high = -Infinity;
  for (const v of values) if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
  const span = high - low || 1;
  return { of: (i) => Number.isFinite(values[i]) ? rampColour(amountRamp(), 0.12 + 0.88 * (values[i] - low) / span) : missingColour(),
    legend: rampLegend(amountRamp(), num(low), num(high), name) };
}

function colourOptions() {
  return [["", "dominant component"], ...D.metadata.map((c, i) => [i, visible(c.name)]), ...D.rowError ? [["error", "relative error"]] : []];
}

// sampleOrder gives the samples in the order that the map shows them in.
function sampleOrder() {
  if (sampleLook.order === "data") return [...Array(D.mk).keys()];
  const order = byDominant();
  if (sampleLook.order === "dominant") return order;
  const values = D[D.metadata[sampleLook.order].array];
  const place = (i) => Number.isNaN(values[i]) ? Infinity : values[i];
  return order.map((i, at) => [i, at]).sort((a, b) => place(a[0]) - place(b[0]) || a[1] - b[1]).map(([i]) => i);
}

// mixtureMap shows all mixtures: samples from left to right, components from
// top to bottom. What is drawn is averaged over the samples of a pixel.
function mixtureMap() {
  let order = sampleOrder(), at = 0, drag = null, width = 0;
  if (!(sampleLook.to > sampleLook.from) || sampleLook.to > D.mk) [sampleLook.from, sampleLook.to] = [0, D.mk];
  const margin = 34, strip = 12;
  const canvas = el("canvas", { class: "plot cross", id: "mixtures", role: "img", tabindex: 0,
    "aria-label": `Mixtures of ${plural(D.mk, "sample")} of ${plural(D.k, "component")}. Arrow keys move from sample to sample, Enter opens one, plus and minus zoom.` });
  const box = el("div", null, canvas);
  const said = el("p", { class: "note" });
  const height = () => sampleLook.mode === "stack" ? 300 : Math.max(120, Math.min(560, D.k * Math.max(5, Math.min(26, 420 / D.k))));
  sampleLook.mode ||= D.k > 1 ? "heat" : "amount"; // of one component every part is all
  const mix = mixtures();
  let values, most; // what the map shows, and the end of its ramp
  const choose = () => {
    values = sampleLook.mode === "amount" ? D.W.map((w, p) => w * D.scales[p % D.k]) : mix;
    most = 0;
    for (const v of values) most = Math.max(most, v);
    most ||= 1;
  };
  choose();

  // columns averages the values of the samples in view to that many columns.
  const columns = (n) => {
    const { from, to } = sampleLook, out = new Float32Array(n * D.k);
    for (let c = 0; c < n; c++) {
      const a = from + Math.floor(c * (to - from) / n), b = Math.max(a + 1, from + Math.floor((c + 1) * (to - from) / n));
      for (let q = a; q < b; q++) for (let j = 0; j < D.k; j++) out[c * D.k + j] += values[order[q] * D.k + j] / (b - a);
    }
    return out;
  };

  const draw = (w) => {
    width = w;
    const h = height(), g = sharp(canvas, width, h + strip + 6), inner = width - margin, shown = sampleLook.to - sampleLook.from;
    const n = Math.min(shown, Math.floor(inner * Math.min(2, devicePixelRatio || 1))), shownValues = columns(n);
    const colour = colouring(sampleLook.colour);
    const ratio = devicePixelRatio || 1, edge = (c) => Math.round((margin + c * inner / n) * ratio) / ratio; // without seams
    for (let c = 0; c < n; c++) {
      const i = order[sampleLook.from + Math.floor((c + 0.5) * shown / n)];
      g.fillStyle = colour.of(i);
      g.fillRect(edge(c), 0, edge(c + 1) - edge(c), strip - 4);
    }
    if (sampleLook.mode !== "stack") {
      const small = new OffscreenCanvas(n, D.k), s = small.getContext("2d"), image = s.createImageData(n, D.k), t = table(amountRamp());
      for (let c = 0; c < n; c++) {
        for (let j = 0; j < D.k; j++) {
          const v = 3 * Math.round(255 * Math.min(1, shownValues[c * D.k + j] / most));
          image.data.set([t[v], t[v + 1], t[v + 2], 255], 4 * (j * n + c));
        }
      }
      s.putImageData(image, 0, 0);
      g.imageSmoothingEnabled = false;
      g.drawImage(small, margin, strip, inner, h);
    } else {
      for (let c = 0; c < n; c++) {
        let y = strip;
        for (let j = 0; j < D.k; j++) {
          const tall = h * shownValues[c * D.k + j];
          if (tall <= 0) continue;
          g.fillStyle = componentColour(j);
          g.fillRect(edge(c), y, edge(c + 1) - edge(c), tall + 0.3);
          y += tall;
        }
      }
    }
    g.font = `11px ${css("--sans")}`;
    g.textAlign = "right";
    g.textBaseline = "middle";
    if (sampleLook.mode !== "stack") {
      const row = h / D.k, every = Math.max(1, Math.ceil(11 / row));
      for (let j = 0; j < D.k; j += every) {
        g.fillStyle = css("--soft");
        g.fillText(String(j + 1), margin - 14, strip + (j + 0.5) * row);
        g.fillStyle = componentColour(j);
        g.fillRect(margin - 9, strip + j * row + Math.min(1.5, row * 0.15), 5, Math.max(1, row - Math.min(3, row * 0.3)));
      }
    } else {
      g.fillStyle = css("--faint");
      for (const [text, y] of [["100%", 6], ["50%", h / 2], ["0", h - 6]]) g.fillText(text, margin - 4, strip + y);
    }
    if (drag) {
      g.fillStyle = css("--ink");
      g.globalAlpha = 0.16;
      g.fillRect(Math.min(drag.x0, drag.x1), strip, Math.abs(drag.x1 - drag.x0), h);
      g.globalAlpha = 1;
    }
    said.textContent = shown === D.mk ? `All ${plural(D.mk, "sample")}. Drag over some to see them larger.` : `${plural(shown, "sample")}: number ${count(sampleLook.from + 1)} to ${count(sampleLook.to)} in this order.`;
  };
  responsive(box, draw);
  const redraw = () => width && draw(width);

  const placeAt = (x) => Math.max(sampleLook.from, Math.min(sampleLook.to - 1, sampleLook.from + Math.floor((x - margin) / (width - margin) * (sampleLook.to - sampleLook.from))));
  const describe = (i) => {
    const parts = top(mix.subarray(i * D.k, (i + 1) * D.k), 4);
    return [el("b", null, sampleName(i)), ...parts.map((j) => [el("span", { class: "swatch", style: { background: componentColour(j) } }), `${componentName(j)} ${percent(mix[i * D.k + j])}`]),
      sampleLook.colour !== "" && sampleLook.colour !== "error" && `${visible(D.metadata[sampleLook.colour].name)}: ${metaValue(sampleLook.colour, i)}`,
      D.rowError && `relative error ${num(D.rowError[i])}`];
  };
  const zoom = (factor, centre = at) => {
    const span = Math.max(Math.min(8, D.mk), Math.min(D.mk, Math.round((sampleLook.to - sampleLook.from) * factor)));
    sampleLook.from = Math.max(0, Math.min(D.mk - span, Math.round(centre - span / 2)));
    sampleLook.to = sampleLook.from + span;
    redraw();
  };
  const whole = () => { [sampleLook.from, sampleLook.to] = [0, D.mk]; redraw(); };
  canvas.addEventListener("pointerdown", (e) => {
    const x = e.clientX - canvas.getBoundingClientRect().left;
    drag = { x0: x, x1: x };
    canvas.setPointerCapture(e.pointerId);
  });
  canvas.addEventListener("pointermove", (e) => {
    const x = e.clientX - canvas.getBoundingClientRect().left;
    at = placeAt(x);
    showTip(e.clientX, e.clientY, ...describe(order[at]));
    if (drag) { drag.x1 = Math.max(margin, Math.min(width, x)); redraw(); }
  });
  canvas.addEventListener("pointerup", () => {
    const d = drag;
    drag = null;
    if (!d) return;
    if (Math.abs(d.x1 - d.x0) > 6) {
      const a = placeAt(Math.min(d.x0, d.x1)), b = placeAt(Math.max(d.x0, d.x1)) + 1;
      if (b - a >= 2) [sampleLook.from, sampleLook.to] = [a, b];
      redraw();
    } else {
      hideTip();
      location.hash = sampleLink(order[at]);
    }
  });
  canvas.addEventListener("pointercancel", () => { drag = null; redraw(); });
  canvas.addEventListener("pointerleave", () => { if (!drag) hideTip(); });
  canvas.addEventListener("blur", hideTip);
  canvas.addEventListener("dblclick", whole);
  canvas.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -D.mk, End: D.mk }[e.key];
    if (e.key === "Enter") { location.hash = sampleLink(order[at]); return; }
    if (e.key === "+" || e.key === "=") { zoom(0.5); return; }
    if (e.key === "-") { zoom(2); return; }
    if (step === undefined) return;
    e.preventDefault();
    at = Math.max(sampleLook.from, Math.min(sampleLook.to - 1, at + step));
    const r = canvas.getBoundingClientRect();
    showTip(r.left + margin + (at - sampleLook.from + 0.5) / (sampleLook.to - sampleLook.from) * (width - margin), r.top + strip, ...describe(order[at]));
    announce();
  });

  const legend = el("div", { class: "legend" });
  const drawLegend = () => {
    const c = colouring(sampleLook.colour);
    legend.replaceChildren(...[sampleLook.mode === "heat" ? rampLegend(amountRamp(), "0%", percent(most), "part of the sample") : sampleLook.mode === "amount" ? rampLegend(amountRamp(), "0", num(most), "sum over the features of what the component gives the sample") : null,
      sampleLook.colour === "" ? null : el("span", null, "strip above:"), ...(sampleLook.colour === "" ? [] : c.legend ? [c.legend] : c.groups.slice(0, 30).map((g) => el("span", null, el("i", { class: "swatch", style: { background: g.colour } }), g.name)))].filter(Boolean));
  };
  drawLegend();
  const orders = [["dominant", "dominant component"], ["data", "place in the data"], ...D.metadata.map((c, i) => [i, visible(c.name)])];
  const p = panel("Mixtures", null,
    el("div", { class: "toolbar" },
      choice("What is shown", [["heat", "parts"], ["amount", "amounts"], ["stack", "stacked"]], sampleLook.mode, (v) => { sampleLook.mode = v; choose(); drawLegend(); redraw(); }),
      menu("ordered by", orders, sampleLook.order, (v) => { sampleLook.order = v; order = sampleOrder(); redraw(); }),
      menu("strip", colourOptions(), sampleLook.colour, (v) => { sampleLook.colour = v; drawLegend(); redraw(); }),
      el("span", { class: "choice", role: "group", "aria-label": "Zoom" },
        el("button", { type: "button", "aria-label": "Zoom in", on: { click: () => zoom(0.5, (sampleLook.from + sampleLook.to) / 2) } }, "+"),
        el("button", { type: "button", "aria-label": "Zoom out", on: { click: () => zoom(2, (sampleLook.from + sampleLook.to) / 2) } }, "−"),
        el("button", { type: "button", on: { click: whole } }, "all"))),
    el("div", { style: { height: "14px" } }), box, said, legend);
  return p;
}

// embedding shows the samples on the first two principal axes of their
// mixtures.
function embedding() {
  let key = sampleLook.colour, only = null, at = -1, width = 0, px, py;
  const canvas = el("canvas", { class: "plot cross", id: "embedding", role: "img", tabindex: 0, "aria-label": `Samples by the principal components of their mixtures. Arrow keys move from sample to sample, Enter opens one.` });
  const box = el("div", null, canvas), legend = el("div", { class: "legend" });
  const xs = D.pca, n = D.mk;
  let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
  for (let i = 0; i < n; i++) {
    x0 = Math.min(x0, xs[2 * i]); x1 = Math.max(x1, xs[2 * i]);
    y0 = Math.min(y0, xs[2 * i + 1]); y1 = Math.max(y1, xs[2 * i + 1]);
  }
  const radius = Math.max(1.6, Math.min(4.5, 160 / Math.sqrt(n)));
  const draw = (w) => {
    width = w;
    const h = Math.round(Math.max(280, Math.min(560, width * 0.55))), g = sharp(canvas, width, h), pad = 18;
    const spanX = x1 - x0 || 1, spanY = y1 - y0 || 1, scale = Math.min((width - 2 * pad) / spanX, (h - 2 * pad) / spanY);
    px = (i) => width / 2 + (xs[2 * i] - (x0 + x1) / 2) * scale;
    py = (i) => h / 2 - (xs[2 * i + 1] - (y0 + y1) / 2) * scale;
    const c = colouring(key);
    g.globalAlpha = n > 4000 ? 0.6 : 0.8;
    for (let pass = 0; pass < 2; pass++) {
      for (let i = 0; i < n; i++) {
        const lit = only === null || c.group && c.group(i) === only;
        if (lit !== (pass === 1)) continue;
        g.fillStyle = lit ? c.of(i) : css0;
        g.beginPath();
        g.arc(px(i), py(i), radius, 0, 7);
        g.fill();
      }
    }
    g.globalAlpha = 1;
    if (at >= 0) {
      g.strokeStyle = css("--ink");
      g.lineWidth = 1.6;
      g.beginPath();
      g.arc(px(at), py(at), radius + 3, 0, 7);
      g.stroke();
    }
  };
  const css0 = css("--line");
  responsive(box, draw);
  const show = (x, y) => {
    const mix = mixtures();
    showTip(x, y, el("b", null, sampleName(at)), ...top(mix.subarray(at * D.k, (at + 1) * D.k), 3).map((j) => `${componentName(j)} ${percent(mix[at * D.k + j])}`),
      key !== "" && key !== "error" && `${visible(D.metadata[key].name)}: ${metaValue(key, at)}`, key === "error" && `relative error ${num(D.rowError[at])}`);
  };
  canvas.addEventListener("pointermove", (e) => {
    const r = canvas.getBoundingClientRect(), x = e.clientX - r.left, y = e.clientY - r.top;
    let best = -1, near = 22 ** 2;
    for (let i = 0; i < n; i++) {
      const d = (px(i) - x) ** 2 + (py(i) - y) ** 2;
      if (d < near) [near, best] = [d, i];
    }
    if (best !== at) { at = best; draw(width); }
    at >= 0 ? show(e.clientX, e.clientY) : hideTip();
  });
  const leave = () => { hideTip(); if (at >= 0) { at = -1; draw(width); } };
  canvas.addEventListener("pointerleave", leave);
  canvas.addEventListener("blur", leave);
  canvas.addEventListener("click", () => { if (at >= 0) { hideTip(); location.hash = sampleLink(at); } });
  let order;
  canvas.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: 1, ArrowDown: -1 }[e.key];
    if (e.key === "Enter" && at >= 0) location.hash = sampleLink(at);
    if (!step) return;
    e.preventDefault();
    order ||= [...Array(n).keys()].sort((a, b) => xs[2 * a] - xs[2 * b]); // from left to right
    at = order[Math.max(0, Math.min(n - 1, (at < 0 ? -1 : order.indexOf(at)) + step))];
    draw(width);
    const r = canvas.getBoundingClientRect();
    show(r.left + px(at), r.top + py(at));
    announce();
  });
  const drawLegend = () => {
    const c = colouring(key);
    legend.replaceChildren(...(c.legend ? [c.legend] : c.groups.slice(0, 40).map((g) => el("button", { type: "button", "aria-pressed": String(only === g.key), on: { click: () => {
      only = only === g.key ? null : g.key;
      drawLegend();
      draw(width);
    } } }, el("i", { class: "swatch", style: { background: g.colour } }), g.name))));
    if (!c.legend && c.groups.length > 40) legend.append(el("span", null, `and ${c.groups.length - 40} more`));
  };
  drawLegend();
  const p = panel("How they lie to each other", `Principal components of the mixtures: the horizontal axis holds ${percent(D.pcaVariance[0])} of their variance, the vertical one ${percent(D.pcaVariance[1])}.`, box, el("div", { style: { height: "10px" } }), legend);
  p.firstChild.insertBefore(menu("coloured by", colourOptions(), key, (v) => { key = v; only = null; drawLegend(); draw(width); }), p.firstChild.lastChild);
  p.querySelector("header label").className = "colour-by";
  return p;
}
