// The model: what the page's blocks of data hold, and what follows from it.
//
// Samples and features are counted by their place on the page; D.samples and
// D.features, where they are there, give their numbers in the model.

let D;

async function load() {
  const head = JSON.parse($("head").textContent);
  const buffer = await decompress(fromBase64($("data").textContent.trim()));
  D = { ...head };
  for (const list of ["warnings", "leftOut", "metadata", "runs", "sounds"]) D[list] ||= [];
  const kinds = { f4: Float32Array, f8: Float64Array, u1: Uint8Array, u2: Uint16Array, u4: Uint32Array };
  for (const [name, a] of Object.entries(head.arrays)) {
    D[name] = a.t === "s" ? names(new Uint8Array(buffer, a.at, a.n)) : new kinds[a.t](buffer, a.at, a.n);
  }
  D.mk = D.W.length / D.k; // samples and features on the page
  D.nk = D.H.length / D.k;
  D.original = new Map([...(D.originals || [])].map((sample, at) => [sample, at]));
  D.placeOfSample = D.samples && new Map([...D.samples].map((sample, at) => [sample, at]));
  D.placeOfFeature = D.features && new Map([...D.features].map((feature, at) => [feature, at]));
  $("data").textContent = ""; // its text is large, and not needed again
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

function decompress(bytes) {
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

function names(bytes) {
  const list = new TextDecoder().decode(bytes).split("\0");
  list.pop(); // each name ends in a zero byte
  return list;
}

// Places and numbers. Numbers count from 0 and are shown from 1.

const sampleNumber = (i) => D.samples ? D.samples[i] : i;
const featureNumber = (f) => D.features ? D.features[f] : f;
const samplePlace = (number) => D.samples ? D.placeOfSample.get(number) : number < D.m ? number : undefined;
const featurePlace = (number) => D.features ? D.placeOfFeature.get(number) : number < D.n ? number : undefined;
const sampleName = (i) => (D.rowNames && visible(D.rowNames[i])) || `sample ${sampleNumber(i) + 1}`;
const featureName = (f) => (D.columnNames && visible(D.columnNames[f])) || `feature ${featureNumber(f) + 1}`;
const sampleLink = (i) => `#sample/${sampleNumber(i) + 1}`;
const featureLink = (f) => `#feature/${featureNumber(f) + 1}`;
const componentLink = (j) => `#component/${j + 1}`;
const componentName = (j) => `Component ${j + 1}`;

// visible takes out what would turn the direction of the text around a name.
const visible = (name) => name.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "\ufffd").trim();

const basis = (j) => D.H.subarray(j * D.nk, (j + 1) * D.nk);
const dead = (j) => D.scales[j] === 0;

// top gives the places of the largest values above zero, from the largest.
function top(values, n) {
  const order = [];
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (!(v > 0) || order.length === n && v <= values[order[n - 1]]) continue;
    let at = order.length === n ? n - 1 : order.length;
    while (at > 0 && values[order[at - 1]] < v) {
      order[at] = order[at - 1];
      at--;
    }
    order[at] = i;
  }
  return order;
}

function columnOfW(j) {
  const out = new Float32Array(D.mk);
  for (let i = 0; i < D.mk; i++) out[i] = D.W[i * D.k + j];
  return out;
}

// specificity is h·ln(h/mean): what a feature adds to the Kullback-Leibler
// divergence of the component from the mean component.
function specificity(j) {
  const h = basis(j);
  return h.map((v, f) => v > 0 ? v * Math.log(v / D.meanH[f]) : 0);
}

// mixture gives the part that each component has in a sample's reconstruction.
function mixture(i) {
  const out = new Float64Array(D.k);
  let sum = 0;
  for (let j = 0; j < D.k; j++) sum += out[j] = D.W[i * D.k + j] * D.scales[j];
  if (sum > 0) for (let j = 0; j < D.k; j++) out[j] /= sum;
  return out;
}

let allMixtures;
function mixtures() {
  if (!allMixtures) {
    allMixtures = new Float32Array(D.mk * D.k);
    for (let i = 0; i < D.mk; i++) allMixtures.set(mixture(i), i * D.k);
  }
  return allMixtures;
}

let dominantOf;
function dominant() {
  if (!dominantOf) {
    const mix = mixtures();
    dominantOf = new Int32Array(D.mk);
    for (let i = 0; i < D.mk; i++) {
      let best = -1, most = 0;
      for (let j = 0; j < D.k; j++) if (mix[i * D.k + j] > most) most = mix[i * D.k + (best = j)];
      dominantOf[i] = best;
    }
  }
  return dominantOf;
}

// bySimilarity orders samples by their dominant component and then by how much
// they hold of it.
function byDominant() {
  const mix = mixtures(), d = dominant();
  return [...d.keys()].sort((a, b) => (d[a] < 0 ? D.k : d[a]) - (d[b] < 0 ? D.k : d[b]) ||
    (d[a] < 0 ? 0 : mix[b * D.k + d[b]] - mix[a * D.k + d[a]]) || a - b);
}

// reconstruction gives w·diag(scales)·H over the features on the page.
function reconstruction(i) {
  const out = new Float64Array(D.nk);
  for (let j = 0; j < D.k; j++) {
    const w = D.W[i * D.k + j] * D.scales[j];
    if (w === 0) continue;
    const h = basis(j);
    for (let f = 0; f < D.nk; f++) out[f] += w * h[f];
  }
  return out;
}

// original gives a sample as it was, or null where it is not on the page.
function original(i) {
  const at = D.original.get(sampleNumber(i));
  if (at === undefined) return null;
  if (!D.input.sparse) return Float64Array.from(D.X.subarray(at * D.nk, (at + 1) * D.nk));
  const out = new Float64Array(D.nk);
  for (let q = D.XStarts[at]; q < D.XStarts[at + 1]; q++) out[D.XFeatures[q]] = D.X[q];
  return out;
}

// ask asks the server of nmf view.
async function ask(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`it says ${answer.status}`);
  return answer;
}

// onDemand draws what the server computes, and says so if it does not answer.
function onDemand(root, path, draw) {
  const wait = el("p", { class: "loading" }, "Computing …");
  root.append(wait);
  ask(path).then((answer) => answer.json()).then((s) => { wait.remove(); draw(s); })
    .catch((e) => { wait.textContent = `The server does not answer: ${e.message}. Is nmf view still running?`; });
}

// largest gives the largest value, whatever is missing.
function largest(...lists) {
  let most = 0;
  for (const list of lists) for (const v of list || []) if (v > most) most = v;
  return most;
}

// matches finds names: those that begin with the text first.
function matches(text, list, name, most) {
  const want = text.toLowerCase();
  const begins = [], holds = [];
  for (let i = 0; i < list && begins.length < most; i++) {
    const at = name(i).toLowerCase().indexOf(want);
    if (at === 0) begins.push(i);
    else if (at > 0 && holds.length < most) holds.push(i);
  }
  return [...begins, ...holds].slice(0, most);
}
