// Charts: scales with round ticks, the frame around a panel, and values that can be read by pointer and by keyboard.

const SHAPES = ["circle", "square", "triangle", "diamond"];
const COLOURS = ["blue", "vermilion", "green", "purple", "orange", "sky"];
const colour = name => `var(--${name})`;

function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) if (Number.isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return low <= high ? [low, high] : [0, 1];
}

// A scale over values with a margin at both ends and about `n` round ticks.
function roundAxis(values, n, label) {
  let [low, high] = extent(values);
  const margin = high - low > Math.abs(high) * 1e-9 ? 0.05 * (high - low) : Math.abs(high) / 2 || 1;
  [low, high] = [low - margin, high + margin];
  const rough = (high - low) / n, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find(unit => unit * power >= rough * 0.999) * power;
  const digits = Math.min(8, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-6); i * step <= high + step * 1e-6; i++) ticks.push([i * step, number(i * step, digits)]);
  return { low, high, ticks, label };
}

// A scale with ticks at every place, or at every second, third … where they would touch.
function placesAxis(places, label, width, margin) {
  const [low, high] = extent(places);
  const pad = margin ?? (0.05 * (high - low) || 1);
  const every = [1, 2, 3, 5, 10, 20, 50, 100].find(step => (places.length / step) * 34 <= width) ?? 200;
  const ticks = places.filter((_, i) => i % every === 0).map(place => [place, short(place)]);
  return { low: low - pad, high: high + pad, ticks, label };
}

function marker(kind, x, y, r, attributes) {
  const points = {
    square: [[-1, -1], [1, -1], [1, 1], [-1, 1]],
    triangle: [[0, -1.2], [1.1, 0.9], [-1.1, 0.9]],
    down: [[0, 1.2], [1.1, -0.9], [-1.1, -0.9]],
    diamond: [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]],
  }[kind];
  if (!points) return shape("circle", { cx: x, cy: y, r, ...attributes });
  return shape("polygon", { points: points.map(([dx, dy]) => `${x + dx * r},${y + dy * r}`).join(" "), ...attributes });
}

const path = points => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

// A legend: [key, text] where a key is a list of shapes in 26 × 12 pixels.
const legend = entries => element("ul", { class: "legend" }, entries.map(([key, text]) =>
  element("li", {}, shape("svg", { width: 26, height: 12, "aria-hidden": "true" }, key), text)));

const lineKey = (name, kind, dash) => [
  shape("line", { x1: 0, x2: 26, y1: 6, y2: 6, stroke: colour(name), "stroke-width": 2, "stroke-dasharray": dash }),
  kind ? marker(kind, 13, 6, 4, { fill: colour(name) }) : null,
];
const areaKey = (name, opacity) => [shape("rect", { width: 26, height: 12, fill: colour(name), opacity })];

// A drawing that is as wide as its place and drawn anew when that changes. `draw(width)` gives { height, nodes, values },
// where `values` are { x, y, text }: the nearest is read by pointer, one after the other by arrow keys.
function drawing(label, draw) {
  const host = element("div", { class: "plot" });
  const readout = element("p", { class: "readout", "aria-live": "polite" });
  const svg = shape("svg", { tabindex: "0", role: "application", "aria-label": `${label}; arrow keys move from value to value` });
  const ring = shape("circle", { r: 7, fill: "none", stroke: colour("ink"), "stroke-width": 2, visibility: "hidden" });
  host.append(svg);
  let values = [], at = -1, width = 0;
  const show = index => {
    at = index;
    ring.setAttribute("visibility", index < 0 ? "hidden" : "visible");
    if (index < 0) return;
    const { x, y, text } = values[index];
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
    readout.textContent = text;
  };
  const redraw = () => {
    if (!width) return;
    const drawn = draw(width);
    values = drawn.values;
    fill(svg, { width, height: drawn.height, viewBox: `0 0 ${width} ${drawn.height}` }, []);
    svg.replaceChildren(...drawn.nodes.flat(), ring);
    show(-1);
  };
  svg.addEventListener("pointermove", event => {
    const box = svg.getBoundingClientRect(), [px, py] = [event.clientX - box.left, event.clientY - box.top];
    const distance = ({ x, y }) => (x - px) ** 2 + (y - py) ** 2;
    let best = -1;
    values.forEach((value, i) => { if (best < 0 || distance(value) < distance(values[best])) best = i; });
    show(best >= 0 && distance(values[best]) < 900 ? best : -1);
  });
  svg.addEventListener("pointerleave", () => show(-1));
  svg.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? values.length - 1 : at < 0 ? 0 : at + step;
    if ((step || event.key === "Home" || event.key === "End") && values.length) {
      event.preventDefault();
      show(Math.min(values.length - 1, Math.max(0, to)));
    }
  });
  new ResizeObserver(() => {
    if (host.clientWidth && Math.round(host.clientWidth) !== width) {
      width = Math.round(host.clientWidth);
      redraw();
    }
  }).observe(host);
  return { nodes: [host, readout], redraw };
}

// The frame of a panel: scales as functions, grid, ticks and names.
function panel(box, x, y, withX = true) {
  const X = value => box.left + ((value - x.low) / (x.high - x.low)) * (box.right - box.left);
  const Y = value => box.bottom - ((value - y.low) / (y.high - y.low)) * (box.bottom - box.top);
  const line = (x1, y1, x2, y2, stroke) => shape("line", { x1, y1, x2, y2, stroke: colour(stroke), "shape-rendering": "crispEdges" });
  const nodes = [];
  for (const [value, text] of y.ticks) {
    nodes.push(line(box.left, Y(value), box.right, Y(value), "grid"));
    nodes.push(shape("text", { x: box.left - 7, y: Y(value) + 4, "text-anchor": "end" }, text));
  }
  for (const [value, text] of x.ticks) {
    nodes.push(line(X(value), box.top, X(value), box.bottom, "grid"));
    if (withX) nodes.push(shape("text", { x: X(value), y: box.bottom + 17, "text-anchor": "middle" }, text));
  }
  nodes.push(line(box.left, box.bottom, box.right, box.bottom, "axis"), line(box.left, box.top, box.left, box.bottom, "axis"));
  if (withX) nodes.push(shape("text", { x: (box.left + box.right) / 2, y: box.bottom + 38, "text-anchor": "middle" }, x.label));
  nodes.push(shape("text", { x: box.left - 46, y: box.top - 9 }, y.label));
  return { X, Y, nodes, box };
}
