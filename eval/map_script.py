"""What moves a map in the browser: the style and the script that ``eval.map_page`` puts into its page."""

from __future__ import annotations

STYLE = """
.controls { display: flex; flex-wrap: wrap; gap: .4rem 1.4rem; margin: .8rem 0; }
.controls fieldset { border: 0; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem; }
.controls legend { float: left; margin-right: .5rem; padding: .2rem 0; color: var(--soft); }
.controls button { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; padding: .15rem .7rem; cursor: pointer; }
.controls button[aria-pressed=true] { background: var(--ink); color: var(--paper); }
.controls button:disabled { opacity: .45; cursor: default; }
#map-plot { width: 100%; height: min(78vh, 60rem); min-height: 24rem; }
.framed #map-plot { height: 34rem; }
#map-card { position: fixed; z-index: 9; pointer-events: none; width: 13rem; padding: .6rem; border-radius: .5rem;
  background: var(--paper); color: var(--ink); border: 1px solid var(--line); box-shadow: 0 2px 12px #0004;
  font-size: .82rem; line-height: 1.35; overflow-wrap: anywhere; }
#map-card[hidden] { display: none; }
#map-face { width: 96px; height: 96px; border-radius: .3rem; margin-bottom: .3rem; background-repeat: no-repeat; }
#map-card .title { font-weight: 600; display: block; }
#map-card .soft { color: var(--soft); display: block; }
@media print { .controls, #map-card, .modebar { display: none; } }
"""

SCRIPT = """
(function () {
"use strict";
const data = JSON.parse(document.getElementById("map-data").textContent);
const plot = document.getElementById("map-plot");
const card = document.getElementById("map-card");
const face = document.getElementById("map-face");
const words = data.words;
const flat = data.dimensions === 2;
const state = {colour: data.colour, only: "all"};
const KINDS = {u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array};
const urls = [];

function bytesOf(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

function unpack(column) {
  return column === null ? null : new KINDS[column.kind](bytesOf(column.data).buffer);
}

const layers = data.layers.map(layer => ({
  name: layer.name, isQuery: layer.isQuery, size: layer.size, firstFace: layer.firstFace, sources: layer.sources,
  voters: layer.voters,
  axes: layer.axes.map(unpack),
  codes: Object.fromEntries(Object.entries(layer.codes).map(([key, column]) => [key, unpack(column)])),
  answers: unpack(layer.answers), neighbours: unpack(layer.neighbours), isolated: unpack(layer.isolated),
}));

function hasWebGL() {
  try { return !!document.createElement("canvas").getContext("webgl"); } catch (error) { return false; }
}

const type = flat ? (hasWebGL() ? "scattergl" : "scatter") : "scatter3d";

// The categories of a way to colour: every name where they are few, else the most frequent and "others".
function categoriesOf(key) {
  const names = data.categories[key], counts = new Array(names.length).fill(0);
  for (const layer of layers) for (const code of layer.codes[key]) counts[code]++;
  let kept = names.map((_, code) => code).filter(code => counts[code] > 0);
  const slots = new Array(names.length).fill(-1);
  const isCut = kept.length > data.most;
  if (isCut) kept = kept.sort((a, b) => counts[b] - counts[a]).slice(0, data.most - 1);
  kept.forEach((code, slot) => { slots[code] = slot; });
  const shown = kept.map(code => names[code]);
  if (isCut) {
    shown.push(words.others);
    for (let code = 0; code < slots.length; code++) if (slots[code] < 0) slots[code] = kept.length;
  }
  return {names: shown, slots: slots, codes: kept};
}

function isShown(layer, i) {
  if (state.only === "wrong") return layer.codes.verdict[i] === 1;
  if (state.only === "isolated") return layer.isolated[i] === 1;
  return true;
}

function looks(slot, code, isQuery) {
  const symbols = flat ? data.symbols : data.symbols3d;
  const verdict = state.colour === "verdict";
  const turn = slot + Math.floor(slot / data.colours.length);  // a second round of colours has other symbols
  const colour = verdict ? data.verdictColours[code] : data.colours[slot % data.colours.length];
  let symbol = verdict ? ["circle", "x"][code] : symbols[turn % symbols.length];
  if (isQuery && flat) symbol += "-open";
  const size = (flat ? data.size : 0.7 * data.size) + (isQuery ? (flat ? 6 : 3) : 0);
  const line = isQuery ? {width: flat ? 2.5 : 2, color: flat ? colour : ink()} : {width: 0};
  return {color: colour, symbol: symbol, size: size, opacity: isQuery ? 1 : data.opacity, line: line};
}

function pick(layer, rows) {
  const points = {};
  layer.axes.forEach((axis, place) => {
    const values = new Float32Array(rows.length);
    for (let i = 0; i < rows.length; i++) values[i] = axis[rows[i]];
    points["xyz"[place]] = values;
  });
  return points;
}

function traces() {
  const {names, slots, codes} = categoriesOf(state.colour), made = [];
  layers.forEach((layer, number) => {
    const groups = names.map(() => []), rest = [];
    for (let i = 0; i < layer.size; i++) {
      (isShown(layer, i) ? groups[slots[layer.codes[state.colour][i]]] : rest).push(i);
    }
    if (rest.length) made.push({...pick(layer, rest), type: type, mode: "markers", hoverinfo: "skip", showlegend: false,
      name: words.others, marker: {color: "#8888", size: flat ? 3 : 2, line: {width: 0}}});
    const order = groups.map((_, slot) => slot).filter(slot => groups[slot].length);
    order.sort((a, b) => groups[b].length - groups[a].length);  // the few are drawn over the many
    for (const slot of order) {
      const rows = groups[slot];
      made.push({...pick(layer, rows), type: type, mode: "markers", hoverinfo: "none", customdata: rows, meta: number,
        name: nameOf(names[slot], layer), legendrank: 1000 + 100 * number + slot,
        marker: looks(slot, codes[slot], layer.isQuery)});
    }
  });
  return made;
}

function nameOf(name, layer) {
  return layer.isQuery ? name + " (" + words.query + ")" : name;
}

function style(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function ink() { return style("--ink") || "#222"; }

function layout() {
  const bare = {showticklabels: false, zeroline: false, gridcolor: style("--line"), title: {text: ""}};
  const narrow = plot.clientWidth < 640;
  const made = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest", uirevision: "places",
    font: {family: "system-ui, sans-serif", size: 14, color: ink()}, margin: {l: 8, r: 8, t: 34, b: 8},
    modebar: {bgcolor: "rgba(0,0,0,0)", color: style("--soft"), activecolor: ink()},
    legend: {itemsizing: "constant", uirevision: state.colour + state.only, bgcolor: "rgba(0,0,0,0)",
      ...(narrow ? {orientation: "h", y: -0.02, yanchor: "top"} : {})},
    showlegend: true, dragmode: flat ? "pan" : "orbit",
  };
  if (flat) {
    made.xaxis = {...bare, range: data.ranges[0]};
    made.yaxis = {...bare, range: data.ranges[1], scaleanchor: "x"};
  } else {
    const side = {...bare, showbackground: false, showspikes: false};
    made.scene = {xaxis: side, yaxis: side, zaxis: side, aspectmode: "data"};
  }
  return made;
}

function draw() {
  const buttons = flat ? ["toImage", "pan2d", "zoom2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]
    : ["toImage", "orbitRotation", "pan3d", "zoom3d", "resetCameraDefault3d"];
  const options = {responsive: true, displaylogo: false, scrollZoom: true, modeBarButtons: [buttons],
    toImageButtonOptions: {scale: 2}};
  return Plotly.react(plot, traces(), layout(), options);
}

function sheetUrl(number) {
  if (!urls[number]) {
    urls[number] = URL.createObjectURL(new Blob([bytesOf(data.sprite.sheets[number])], {type: "image/jpeg"}));
  }
  return urls[number];
}

function showFace(place) {
  face.hidden = place === null;
  if (place === null) return;
  const {side, columns} = data.sprite, shown = 96 / side, tile = place % (columns * columns);
  face.style.backgroundImage = "url(" + sheetUrl(Math.floor(place / (columns * columns))) + ")";
  face.style.backgroundSize = columns * side * shown + "px auto";
  face.style.backgroundPosition = -96 * (tile % columns) + "px " + -96 * Math.floor(tile / columns) + "px";
}

function line(text, kind) {
  const made = document.createElement("span");
  made.className = kind;
  made.textContent = text;
  return made;
}

function votersOf(layer, i) {
  const counts = new Map();
  for (let place = 0; place < layer.voters; place++) {
    const name = data.categories.emotion[layer.neighbours[i * layer.voters + place]];
    counts.set(name, (counts.get(name) || 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([name, count]) => count + " × " + name).join(", ");
}

function describe(layer, i) {
  const emotions = data.categories.emotion, isRight = layer.codes.verdict[i] === 0;
  const parts = [
    line(nameOf(emotions[layer.codes.emotion[i]], layer), "title"),
    line((isRight ? "✓ " : "✗ ") + words.vote + ": " + emotions[layer.answers[i]], isRight ? "right" : "wrong"),
    line(words.neighbours + ": " + votersOf(layer, i), "soft"),
  ];
  if (layer.isolated[i]) parts.push(line("⚠ " + words.isolated, "soft"));
  const person = layer.codes.subject[i];  // 0: not known
  if (person) parts.push(line(words.subject + ": " + data.categories.subject[person], "soft"));
  parts.push(line(data.categories.dataset[layer.codes.dataset[i]] + ", " + layer.sources[i], "soft"));
  return parts;
}

function placeCard(point, event) {
  const frame = plot.getBoundingClientRect(), box = point.bbox;
  const x = box ? frame.left + (box.x0 + box.x1) / 2 : event.clientX;
  const y = box ? frame.top + (box.y0 + box.y1) / 2 : event.clientY;
  card.hidden = false;
  const wide = card.offsetWidth, high = card.offsetHeight;
  card.style.left = Math.max(4, x + 16 + wide > window.innerWidth ? x - 16 - wide : x + 16) + "px";
  card.style.top = Math.max(4, Math.min(y - high / 2, window.innerHeight - high - 4)) + "px";
}

function hovered(event) {
  const point = event.points[0], layer = layers[point.data.meta];
  if (!layer) return;
  const i = point.customdata;
  showFace(layer.firstFace === null ? null : layer.firstFace + i);
  card.replaceChildren(face, ...describe(layer, i));
  placeCard(point, event.event || {clientX: 0, clientY: 0});
}

for (const button of document.querySelectorAll(".controls button")) {
  button.addEventListener("click", () => {
    const {choice, value} = button.dataset;
    state[choice] = value;
    for (const other of document.querySelectorAll(".controls button[data-choice=" + choice + "]")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    card.hidden = true;
    draw();
  });
}

draw().then(() => {
  plot.on("plotly_hover", hovered);
  plot.on("plotly_unhover", () => { card.hidden = true; });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  plot.dataset.ready = "yes";
});
})();
"""
