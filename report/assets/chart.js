// Curves over an axis, as SVG: convergence, criteria, profiles, residuals.

// ticks gives round values between two, about as many as asked for.
function ticks(low, high, about) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const raw = span / about, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 2.5, 5, 10].find((s) => s * power >= raw * 0.999);
  const out = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + 1e-9 * span; v += step) out.push(Math.abs(v) < step / 1e6 ? 0 : v);
  return out;
}

// logTicks gives powers of ten, or round values where there is less than two
// powers between the ends.
function logTicks(low, high, about) {
  const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
  if (last - first < 1) return ticks(low, high, about).filter((v) => v > 0);
  const step = Math.max(1, Math.ceil((last - first) / about));
  const out = [];
  for (let p = first; p <= last; p += step) out.push(10 ** p);
  return out;
}

// lineChart draws curves that share an x axis. A curve has x, y, and may have
// low and high (a band), a name and a colour. Pointing at it, or the arrow
// keys, read the values off.
function lineChart(o) {
  const node = el("div", { class: "chart" });
  const height = o.height || 230;
  responsive(node, (width) => {
    const curves = o.curves();
    const used = curves.flatMap((c) => [...c.y, ...(c.low || []), ...(c.high || [])]).filter((v) => Number.isFinite(v) && (!o.log || v > 0));
    const xs = curves.flatMap((c) => [...c.x]);
    if (used.length === 0 || xs.length === 0) {
      node.replaceChildren(el("p", { class: "note" }, "Nothing to draw: no values were recorded."));
      return;
    }
    let low = used.reduce((a, b) => Math.min(a, b)), high = used.reduce((a, b) => Math.max(a, b));
    if (o.zero) low = Math.min(0, low);
    if (low === high) {
      low = o.log ? low / 2 : low - (Math.abs(low) || 1) / 2;
      high = o.log ? high * 2 : high + (Math.abs(high) || 1) / 2;
    }
    let x0 = xs.reduce((a, b) => Math.min(a, b)), x1 = xs.reduce((a, b) => Math.max(a, b));
    if (x0 === x1) [x0, x1] = [x0 - 0.5, x1 + 0.5];
    const scale = o.log ? Math.log10 : (v) => v;
    const pad = 0.04 * (scale(high) - scale(low));
    const a = scale(low) - (o.zero && low === 0 ? 0 : pad), b = scale(high) + pad;
    const marks = (o.log ? logTicks : ticks)(low, high, 4);
    const left = 14 + 6.4 * Math.max(...marks.map((t) => tick(t).length)), right = 14, up = 10, down = o.xLabel ? 40 : 24;
    const px = (v) => left + (v - x0) / (x1 - x0) * (width - left - right);
    const py = (v) => up + (b - scale(v)) / (b - a) * (height - up - down);
    const ok = (v) => Number.isFinite(v) && (!o.log || v > 0);
    const whole = xs.every(Number.isInteger);
    const xMarks = ticks(x0, x1, Math.max(2, Math.min(8, width / 90))).filter((t) => !whole || Number.isInteger(t));
    const drawn = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: 0, "aria-label": o.label });
    for (const t of marks) {
      drawn.append(svg("line", { class: "rule", x1: left, x2: width - right, y1: py(t), y2: py(t) }),
        svg("text", { class: "axis", x: left - 8, y: py(t) + 4, "text-anchor": "end" }, tick(t)));
    }
    for (const t of xMarks) drawn.append(svg("text", { class: "axis", x: px(t), y: height - down + 18, "text-anchor": "middle" }, tick(t)));
    if (o.xLabel) drawn.append(svg("text", { class: "axis title", x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, o.xLabel));
    if (o.mark != null && o.mark >= x0 && o.mark <= x1) {
      drawn.append(svg("line", { x1: px(o.mark), x2: px(o.mark), y1: up, y2: height - down, stroke: css("--accent"), "stroke-dasharray": "4 3" }));
    }
    for (const level of o.levels || []) {
      if (ok(level.y) && scale(level.y) > a && scale(level.y) < b) {
        drawn.append(svg("line", { x1: left, x2: width - right, y1: py(level.y), y2: py(level.y), stroke: css("--strong"), "stroke-dasharray": "3 3" }),
          svg("text", { class: "axis", x: width - right, y: py(level.y) - 5, "text-anchor": "end" }, level.text));
      }
    }
    for (const c of curves) {
      const colour = c.colour || css("--accent");
      if (c.low) {
        const there = [...c.x.keys()].filter((i) => ok(c.low[i]) && ok(c.high[i]));
        const path = there.map((i) => `${px(c.x[i]).toFixed(1)},${py(c.high[i]).toFixed(1)}`)
          .concat(there.reverse().map((i) => `${px(c.x[i]).toFixed(1)},${py(c.low[i]).toFixed(1)}`));
        drawn.append(svg("polygon", { points: path.join(" "), fill: colour, opacity: 0.16 }));
      }
      drawn.append(svg("path", { d: thinned(c, px, py, ok, width), fill: "none", stroke: colour, "stroke-width": c.width || 1.8, "stroke-linejoin": "round" }));
      if (c.dots || c.x.length === 1) {
        for (let i = 0; i < c.x.length; i++) if (ok(c.y[i])) drawn.append(svg("circle", { cx: px(c.x[i]), cy: py(c.y[i]), r: 3.2, fill: colour }));
      }
    }
    const cursor = svg("line", { y1: up, y2: height - down, stroke: css("--faint"), visibility: "hidden" });
    const dot = svg("circle", { r: 4, fill: css("--panel"), stroke: css("--ink"), "stroke-width": 1.6, visibility: "hidden" });
    drawn.append(cursor, dot);
    const first = curves[0];
    let at = first.x.length - 1;
    const show = (i, byKey) => {
      at = Math.max(0, Math.min(first.x.length - 1, i));
      const x = px(first.x[at]);
      cursor.setAttribute("x1", x); cursor.setAttribute("x2", x); cursor.setAttribute("visibility", "visible");
      if (ok(first.y[at])) {
        dot.setAttribute("cx", x); dot.setAttribute("cy", py(first.y[at])); dot.setAttribute("visibility", "visible");
      }
      const box = drawn.getBoundingClientRect();
      showTip(box.left + x, box.top + (ok(first.y[at]) ? py(first.y[at]) : up), ...o.read(at));
      if (byKey) announce();
    };
    const hide = () => { cursor.setAttribute("visibility", "hidden"); dot.setAttribute("visibility", "hidden"); hideTip(); };
    drawn.addEventListener("pointermove", (e) => {
      const want = x0 + (e.clientX - drawn.getBoundingClientRect().left - left) / (width - left - right) * (x1 - x0);
      show(nearest(first.x, want));
    });
    drawn.addEventListener("pointerleave", hide);
    drawn.addEventListener("blur", hide);
    drawn.addEventListener("keydown", (e) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity }[e.key];
      if (step === undefined) return;
      e.preventDefault();
      show(Number.isFinite(step) ? at + step : step < 0 ? 0 : first.x.length - 1, true);
    });
    if (o.open) drawn.addEventListener("click", () => o.open(at));
    node.replaceChildren(drawn);
  });
  return node;
}

// nearest gives the place of the value nearest to v in rising values.
function nearest(values, v) {
  let low = 0, high = values.length - 1;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (values[mid] < v) low = mid + 1;
    else high = mid;
  }
  return low > 0 && v - values[low - 1] < values[low] - v ? low - 1 : low;
}

// thinned gives the path of a curve. Where there are many points a pixel, their
// extremes stand for them.
function thinned(c, px, py, ok, width) {
  const n = c.x.length;
  let d = "", pen = "M";
  const to = (i) => { d += `${pen}${px(c.x[i]).toFixed(1)},${py(c.y[i]).toFixed(1)}`; pen = "L"; };
  if (n <= 3 * width) {
    for (let i = 0; i < n; i++) ok(c.y[i]) ? to(i) : pen = "M";
    return d;
  }
  for (let p = 0; p < width; p++) {
    let least = -1, most = -1;
    for (let i = Math.floor(p * n / width); i < Math.floor((p + 1) * n / width); i++) {
      if (!ok(c.y[i])) continue;
      if (least < 0 || c.y[i] < c.y[least]) least = i;
      if (most < 0 || c.y[i] > c.y[most]) most = i;
    }
    if (least >= 0) for (const i of least < most ? [least, most] : [most, least]) to(i);
  }
  return d;
}
