// Sound: the spectrogram of a component, and what it sounds like.

const time = (i) => D.times ? D.times[i] : sampleNumber(i) + 1;

// between gives the places of rising values from a to b, or that of the nearest.
function between(values, a, b) {
  let from = nearest(values, a), to = nearest(values, b);
  if (values[from] < a && from < to) from++;
  if (values[to] >= b && to > from) to--;
  return [from, to];
}

// band is how high spectrograms go: to where some component still has a
// hundredth of its largest weight, which is a tenth in the colours.
let highest;
function band() {
  if (highest === undefined) {
    highest = 1;
    for (let j = 0; j < D.k; j++) {
      const h = basis(j), least = largest(h) / 100;
      for (let f = D.nk - 1; f > highest; f--) if (h[f] > least) highest = f;
    }
    highest = Math.min(D.nk - 1, Math.ceil(1.05 * highest));
  }
  return highest;
}

// spectrogram shows the spectrum of a component times its activation: the square
// root of each, as parts of the largest.
function spectrogram(j, height) {
  const h = basis(j), w = columnOfW(j), large = height > 170;
  const times = Float64Array.from(w, (_, i) => time(i)), places = Float64Array.from({ length: band() + 1 }, (_, f) => position(f));
  const mostH = largest(h) || 1, mostW = largest(w) || 1;
  const [t0, t1, y1] = [times[0], times[times.length - 1], places[places.length - 1]], y0 = places[0];
  const seconds = D.times ? "time (s)" : "window";
  const canvas = el("canvas", { class: large ? "plot cross" : "plot", role: "img", tabindex: large && 0, "aria-label": `Spectrogram of component ${j + 1}: ${seconds} from ${num(t0)} to ${num(t1)}, ${D.drawing.axis} from ${num(y0)} to ${num(y1)}.${large ? " Arrow keys read it." : ""}` });
  const box = el("div", null, canvas);
  const up = 6, right = 10, down = large ? 40 : 22;
  let left = 0, wide = 1, tall = 1, at = [times.length >> 1, 0];
  responsive(box, (width) => {
    const g = sharp(canvas, width, height), ratio = canvas.width / width;
    tall = height - up - down;
    const yMarks = ticks(y0, y1, large ? 6 : 3);
    g.font = `11.5px ${css("--sans")}`;
    left = 10 + Math.max(...yMarks.map((v) => g.measureText(tick(v)).width)) + (large ? 20 : 0);
    wide = Math.max(1, width - left - right);
    const columns = Math.max(1, Math.round(wide * ratio)), rows = Math.max(1, Math.round(tall * ratio));
    const root = (values, axis, from, to, n, most) => Float64Array.from({ length: n }, (_, p) => {
      const [a, b] = between(axis, from + p / n * (to - from), from + (p + 1) / n * (to - from));
      return Math.sqrt(largest(values.subarray(a, b + 1)) / most);
    });
    const across = root(w, times, t0, t1, columns, mostW), along = root(h, places, y0, y1, rows, mostH).reverse();
    const image = g.createImageData(columns, rows), t = table(amountRamp());
    for (let y = 0, p = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++, p += 4) {
        const v = 3 * Math.round(255 * across[x] * along[y]);
        image.data[p] = t[v];
        image.data[p + 1] = t[v + 1];
        image.data[p + 2] = t[v + 2];
        image.data[p + 3] = 255;
      }
    }
    g.putImageData(image, Math.round(left * ratio), Math.round(up * ratio));
    g.fillStyle = css("--faint");
    g.textAlign = "end";
    g.textBaseline = "middle";
    for (const v of yMarks) g.fillText(tick(v), left - 6, up + (y1 - v) / (y1 - y0 || 1) * tall);
    g.textAlign = "center";
    g.textBaseline = "alphabetic";
    for (const v of ticks(t0, t1, Math.max(2, Math.min(8, width / 90)))) g.fillText(tick(v), left + (v - t0) / (t1 - t0 || 1) * wide, height - down + 16);
    if (!large) return;
    g.fillStyle = css("--soft");
    g.fillText(seconds, left + wide / 2, height - 4);
    g.translate(11, up + tall / 2);
    g.rotate(-Math.PI / 2);
    g.fillText(D.drawing.axis, 0, 0);
  });
  if (!large) return box;
  const show = (x, y) => showTip(x, y, el("b", null, D.times ? `${num(time(at[0]), 4)} s` : sampleName(at[0])), featureName(at[1]), `${percent(h[at[1]] * w[at[0]] / mostH / mostW)} of its largest`);
  canvas.addEventListener("pointermove", (e) => {
    const r = canvas.getBoundingClientRect();
    at = [nearest(times, t0 + (e.clientX - r.left - left) / wide * (t1 - t0)), nearest(places, y1 - (e.clientY - r.top - up) / tall * (y1 - y0))];
    show(e.clientX, e.clientY);
  });
  canvas.addEventListener("pointerleave", hideTip);
  canvas.addEventListener("blur", hideTip);
  canvas.addEventListener("keydown", (e) => {
    const move = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0], PageUp: [0, 10], PageDown: [0, -10], Home: [-Infinity, 0], End: [Infinity, 0] }[e.key];
    if (!move) return;
    e.preventDefault();
    at = [times.length, places.length].map((n, axis) => Math.max(0, Math.min(n - 1, at[axis] + move[axis])));
    const r = canvas.getBoundingClientRect();
    show(r.left + left + (times[at[0]] - t0) / (t1 - t0 || 1) * wide, r.top + up + (y1 - places[at[1]]) / (y1 - y0 || 1) * tall);
    announce();
  });
  return el("div", null, box, el("div", { class: "legend" }, rampLegend(amountRamp(), "0", "1", "square root")));
}

// players play the sounds that a component has a part in; one at a time is heard.
function players(j) {
  return D.sounds.filter((s) => s.components.includes(j)).map((s) => {
    const name = visible(s.name), of = s.components.length > 1 ? `components ${s.components.map((c) => c + 1).join(", ")} together` : `component ${j + 1}`;
    const caption = el("figcaption", null, el("b", null, name || "sound"), s.components.length > 1 && ` · ${of}`);
    if (!s.array) return el("figure", { class: "player" }, caption, el("p", { class: "note" }, "This sound was left out of the page, which stays below 25 MB."));
    s.url ||= URL.createObjectURL(new Blob([D[s.array]], { type: "audio/wav" }));
    return el("figure", { class: "player" }, caption, el("audio", { controls: true, preload: "metadata", src: s.url, "aria-label": `Sound of ${of}${name ? ": " + name : ""}`,
      on: { play: (e) => { for (const other of document.querySelectorAll("audio")) if (other !== e.target) other.pause(); } } }));
  });
}
