// The LAT scan: layers by output tokens, and the tokens coloured by one layer.

const CELL = { width: 14, height: 14, left: 34, top: 4, text: 70 };
const LARGEST_Z = 3;
// as report/src/plot/palette.rs has them: blue, white, red
const STOPS = [[-1, [8, 36, 96]], [-0.66, [28, 96, 160]], [-0.33, [120, 176, 214]], [0, [247, 247, 245]], [0.33, [240, 176, 128]], [0.66, [208, 92, 48]], [1, [138, 22, 28]]];

let columns = [];

const svg = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

// Clipped at ±3 for colours only.
function channels(z) {
  const at = Math.max(-1, Math.min(1, z / LARGEST_Z));
  const upper = Math.max(1, STOPS.findIndex(([place]) => at <= place));
  const [[from, low], [to, high]] = [STOPS[upper - 1], STOPS[upper]];
  return low.map((value, i) => Math.round(value + ((high[i] - value) * (at - from)) / (to - from)));
}

const colour = (z) => `rgb(${channels(z).join(" ")})`;
// relative luminance as WCAG has it; where white has more contrast than ink
function isDark(z) {
  const linear = channels(z).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] < 0.18;
}

function clearScan() {
  columns = [];
  $("scan").replaceChildren();
  $("scan").dataset.columns = "0";
  $("scan").setAttribute("width", "0");
  $("scan-summary").textContent = "Layers by output tokens: a column for every token as it is written.";
  ["layer-row", "tokens"].forEach((id) => ($(id).hidden = true));
}

function addColumn(column) {
  const { token, text, z } = column;
  columns.push(column);
  const scan = $("scan");
  const height = z.length * CELL.height;
  if (scan.dataset.columns === "0") {
    scan.setAttribute("height", CELL.top + height + CELL.text);
    z.forEach((_, index) => {
      const layer = z.length - 1 - index;
      const label = svg("text", { x: CELL.left - 6, y: CELL.top + index * CELL.height + 11, "text-anchor": "end" });
      label.textContent = layer;
      if (z.length <= 12 || layer % 5 === 0) scan.append(label);
    });
  }
  const x = CELL.left + token * CELL.width;
  z.forEach((value, layer) => {
    const y = CELL.top + (z.length - 1 - layer) * CELL.height;
    const cell = svg("rect", { x, y, width: CELL.width - 1, height: CELL.height - 1, fill: colour(value) });
    const title = svg("title", {});
    title.textContent = `layer ${layer}, token ${token} ${text}: ${value.toFixed(2)}`;
    cell.append(title);
    scan.append(cell);
  });
  const label = svg("text", { transform: `translate(${x + CELL.width / 2 + 3} ${CELL.top + height + 12}) rotate(60)` });
  label.textContent = text.length > 9 ? `${text.slice(0, 8)}…` : text;
  scan.append(label);
  scan.dataset.columns = token + 1;
  scan.setAttribute("width", x + CELL.width + 40);
}

// Which columns write something that is not in the answer: places of inserted text in the correction, token by token.
function insertedColumns(answer, correction) {
  const ranges = [];
  let place = 0;
  for (const [kind, text] of difference(answer, correction)) {
    if (kind === "ins") ranges.push([place, place + text.length]);
    if (kind !== "del") place += text.length;
  }
  let from = 0;
  return columns.filter(({ text }) => {
    // tokens are shown with marks for white space
    const plain = text.replace(/[·⏎⇥␍]/gu, " ").trim();
    const found = plain ? correction.indexOf(plain, from) : -1;
    if (found < 0) return false;
    from = found + plain.length;
    return ranges.some(([low, high]) => found < high && from > low);
  });
}

function finishScan(answer, correction) {
  if (columns.length === 0) return;
  const height = CELL.top + columns[0].z.length * CELL.height + 2;
  const inserted = insertedColumns(answer, correction);
  for (const { token } of inserted) {
    const x = CELL.left + token * CELL.width;
    $("scan").append(svg("line", { class: "mark", x1: x, x2: x + CELL.width - 1, y1: height, y2: height }));
  }
  const cells = columns.flatMap(({ token, text, z }) => z.map((value, layer) => ({ z: value, layer, token, text })));
  const highest = cells.reduce((best, cell) => (cell.z > best.z ? cell : best));
  const mean = cells.reduce((sum, cell) => sum + cell.z / cells.length, 0);
  $("scan-summary").textContent =
    `${columns.length} tokens at ${columns[0].z.length} layers: mean ${mean.toFixed(2)}, highest ` +
    `${highest.z.toFixed(2)} at layer ${highest.layer}, token ${highest.token} (${highest.text}); ${inserted.length} tokens are not in the answer.`;
  $("layer").max = columns[0].z.length - 1;
  $("layer").value = highest.layer;
  ["layer-row", "tokens"].forEach((id) => ($(id).hidden = false));
  showTokens();
}

function showTokens() {
  const layer = Number($("layer").value);
  $("layer-number").textContent = layer;
  const nodes = columns.map(({ text, z }) => {
    const span = document.createElement("span");
    const score = z[layer];
    span.textContent = text.replace(/·/gu, " ").replace(/⏎/gu, "↵\n");
    span.style.background = colour(score);
    span.className = isDark(score) ? "dark" : "";
    span.title = score.toFixed(2);
    return span;
  });
  $("tokens").replaceChildren(...nodes);
}
