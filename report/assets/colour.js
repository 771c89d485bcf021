// Colours. They are told apart by people with any colour vision: components by
// those of Okabe & Ito (2008), and every one of them by its number, too;
// amounts by ramps of rising lightness; signs by blue and orange.

const dark = () => document.documentElement.dataset.theme === "dark";

const componentColours = {
  light: ["#0072b2", "#d98a00", "#009e73", "#c4618f", "#3aa0dc", "#c94f00", "#8c8300", "#6b6f76"],
  dark: ["#3f9fd9", "#eda62c", "#2fbf95", "#dd8fb6", "#7cc8f2", "#f0793a", "#d5cb45", "#a3a8ae"],
};

function componentColour(j) {
  const list = componentColours[dark() ? "dark" : "light"];
  if (j < list.length) return list[j];
  const hue = (40 + 137.508 * j) % 360; // the golden angle
  const light = (dark() ? [0.74, 0.64, 0.82] : [0.58, 0.46, 0.67])[j % 3];
  return `oklch(${light} 0.11 ${hue.toFixed(1)})`;
}

const categoryColour = componentColour;
const missingColour = () => dark() ? "#4b535b" : "#c9ccc6";

const ramps = {
  light: ["#f1f3f0", "#c4dfda", "#7bbcc0", "#3f8fa8", "#23608a", "#152a52"],
  dark: ["#20252a", "#1f4763", "#2a7594", "#5aa9b3", "#aed6cd", "#f4f7ee"],
  grey: ["#000000", "#ffffff"],
  // too much of the model, none, too little
  signLight: ["#1c5a96", "#7fb0d6", "#f4f4f1", "#eeb27a", "#b3560e"],
  signDark: ["#6db3ec", "#2b5d87", "#20252a", "#8a5420", "#f2a65a"],
};

const tables = {};

// table gives the 256 colours of a ramp as bytes of red, green and blue.
function table(name) {
  if (!tables[name]) {
    const stops = ramps[name].map((c) => [1, 3, 5].map((p) => parseInt(c.slice(p, p + 2), 16)));
    const out = tables[name] = new Uint8ClampedArray(256 * 3);
    for (let v = 0; v < 256; v++) {
      const at = v / 255 * (stops.length - 1), low = Math.min(stops.length - 2, Math.floor(at));
      for (let c = 0; c < 3; c++) out[3 * v + c] = stops[low][c] + (at - low) * (stops[low + 1][c] - stops[low][c]);
    }
  }
  return tables[name];
}

const amountRamp = () => dark() ? "dark" : "light";
const signRamp = () => dark() ? "signDark" : "signLight";

function rampColour(name, v) {
  const t = table(name), at = 3 * Math.round(255 * Math.min(1, Math.max(0, v)));
  return `rgb(${t[at]} ${t[at + 1]} ${t[at + 2]})`;
}

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// ink is a text colour that can be read on a component's colour.
const onComponent = () => dark() ? "#101315" : "#ffffff";

// rampLegend shows a ramp with the values of its ends.
function rampLegend(name, low, high, title) {
  const canvas = el("canvas", { class: "ramp", width: 130, height: 1, "aria-hidden": "true" });
  const g = canvas.getContext("2d");
  for (let x = 0; x < 130; x++) {
    g.fillStyle = rampColour(name, x / 129);
    g.fillRect(x, 0, 1, 1);
  }
  return el("span", null, title && el("span", null, title), low, canvas, high);
}
