// Edit ratio against coefficient: single prompts, means, line with band, controls, coherent range; what it costs below.

const CONTROLS = { random: ["random", null], shuffled: ["purple", "triangle"], clean: ["green", "square"], other: ["orange", "diamond"] };
const LEVELS = [["orange", "10 5"], ["soft", "3 4"], ["sky", "6 3"]];

// Values that lie no more than three interquartile ranges beyond the quartiles: one looping output must not flatten the rest.
function withoutOutliers(values) {
  const sorted = [...values].sort((a, b) => a - b), last = sorted.length - 1;
  if (last < 0) return [];
  const [low, high] = [sorted[Math.floor(last / 4)], sorted[last - Math.floor(last / 4)]];
  return values.filter(value => value >= low - 3 * (high - low) && value <= high + 3 * (high - low));
}

function sweepFigure(sweep, chosen) {
  const { points, prompts, line, coherent, controls, levels, coherence } = sweep;
  const at = line ? x => line.intercept + line.slope.value * x : null;
  const everything = [
    ...points.flatMap(({ mean }) => [mean.value, lower(mean), upper(mean)]), ...(line ? line.range.map(at) : []),
    ...(line ? line.band.flatMap(([, low, high]) => [low, high]) : []), ...controls.flatMap(control => control.points.map(point => point[1])),
    ...levels.map(level => level[1]), ...withoutOutliers(prompts.flat()),
  ];
  const [, highest] = extent(everything), beyond = prompts.flat().filter(value => value > highest).length;
  const drawn = drawing(sweep.title, width => {
    const box = plotBox(width, 360), nodes = [], values = [];
    const x = placesAxis(points.map(point => point.coefficient), `coefficient (${sweep.unit}); − copies more, + corrects more`, box.right - box.left);
    const y = roundAxis(everything, 7, width < 560 ? "edit ratio" : sweep.y_label);
    const { X, Y, nodes: frame } = panel(box, x, y, !coherence);
    const range = part => coherent && nodes.push(shape("rect", { class: "coherent", x: X(coherent.low) - 3, width: X(coherent.high) - X(coherent.low) + 6,
      y: part.top, height: part.bottom - part.top, fill: colour("green"), opacity: 0.1 }));
    range(box);
    nodes.push(frame);
    levels.forEach(([, level], i) => nodes.push(shape("line", { x1: box.left, x2: box.right, y1: Y(level), y2: Y(level),
      stroke: colour(LEVELS[i % 3][0]), "stroke-width": 1.5, "stroke-dasharray": LEVELS[i % 3][1] })));
    const random = [...controls].sort((a, b) => (b.kind === "random") - (a.kind === "random"));
    for (const control of random) {
      const [paint, kind] = CONTROLS[control.kind];
      nodes.push(shape("path", { d: path(control.points.map(([px, py]) => [X(px), Y(py)])), fill: "none", class: "control", stroke: colour(paint), "stroke-width": kind ? 2 : 1 }));
      for (const [px, py] of control.points) {
        if (kind) nodes.push(marker(kind, X(px), Y(py), 5, { fill: colour(paint) }));
        values.push({ x: X(px), y: Y(py), text: `${control.name} at ${short(px)}: ${number(py, 3)}` });
      }
    }
    const spread = Math.min(16, (0.5 * (box.right - box.left)) / points.length);
    prompts.forEach((prompt, i) => prompt.forEach((value, place) => {
      const px = X(points[place].coefficient) + (prompts.length > 1 ? (i / (prompts.length - 1) - 0.5) * spread : 0);
      const isBeyond = value > y.high, py = isBeyond ? box.top + 6 : Y(value);
      nodes.push(marker(isBeyond ? "triangle" : "circle", px, py, isBeyond ? 4 : 2.4, { fill: colour("blue"), opacity: isBeyond ? 0.7 : 0.3, class: "prompt" }));
      values.push({ x: px, y: py, text: `row ${sweep.rows[i]} at ${short(points[place].coefficient)}: ${number(value, 3)}` });
    }));
    const picked = sweep.rows.indexOf(chosen.row);
    if (picked >= 0) {
      const way = prompts[picked].map((value, place) => [X(points[place].coefficient), Math.max(box.top, Y(value))]);
      nodes.push(shape("path", { d: path(way), fill: "none", stroke: colour("blue"), "stroke-width": 1.5, "stroke-dasharray": "2 3", class: "picked" }));
    }
    if (line) {
      const low = line.band.map(([px, value]) => [X(px), Y(value)]), high = line.band.map(([px, , value]) => [X(px), Y(value)]);
      if (low.length > 1) nodes.push(shape("path", { class: "band", d: path([...low, ...high.reverse()]) + "Z", fill: colour("vermilion"), opacity: BAND }));
      nodes.push(shape("path", { class: "line", d: path(line.range.map(px => [X(px), Y(at(px))])), stroke: colour("vermilion"), "stroke-width": 3 }));
    }
    for (const { coefficient, mean } of points) {
      const px = X(coefficient), ends = { x1: px, x2: px, y1: Y(lower(mean)), y2: Y(upper(mean)) };
      nodes.push(shape("line", { ...ends, stroke: colour("blue"), "stroke-width": 2 }), shape("circle", { cx: px, cy: Y(mean.value), r: 5.5, fill: colour("blue"), class: "mean" }));
      values.push({ x: px, y: Y(mean.value), text: `mean at ${short(coefficient)}: ${shown(mean)}` });
    }
    const bottom = coherence ? costs(width, box, x, points, coherence, coherent, range, nodes, values) : box.bottom;
    return { height: bottom + 46, nodes: nodes.flat(), values };
  });
  chosen.listeners.push(drawn.redraw);
  return figure(null, legend(sweepKeys(sweep, beyond)), drawn.nodes);
}

// Two panels under the sweep: likelihood, and the shares of repeated and of cut text. Returns where they end.
function costs(width, above, x, points, coherence, coherent, range, nodes, values) {
  const parts = [
    ["nats / token", [["likelihood", "blue", "circle", coherence.negative_log_likelihood]], coherent?.nll_bound],
    ["share", [["repeated 4-grams", "purple", "triangle", coherence.repetition], ["cut by the length limit", "orange", "diamond", coherence.truncated]], null],
  ];
  let bottom = above.bottom;
  for (const [label, curves, bound] of parts) {
    const box = plotBox(width, 90, bottom + 34), isLast = label === "share";
    range(box);
    const frame = panel(box, x, roundAxis([...curves.flatMap(curve => curve[3]), bound ?? NaN, 0], 3, label), isLast);
    nodes.push(frame.nodes);
    if (bound !== null && bound !== undefined) {
      nodes.push(shape("line", { x1: box.left, x2: box.right, y1: frame.Y(bound), y2: frame.Y(bound), stroke: colour("green"), "stroke-dasharray": "8 5" }));
    }
    for (const [name, paint, kind, list] of curves) {
      const way = list.map((value, i) => [frame.X(points[i].coefficient), frame.Y(value)]);
      nodes.push(shape("path", { d: path(way), fill: "none", stroke: colour(paint), "stroke-width": 1.5 }));
      way.forEach(([px, py], i) => {
        nodes.push(marker(kind, px, py, 3.5, { fill: colour(paint) }));
        const what = name === "likelihood" ? "negative log-likelihood" : name;
        values.push({ x: px, y: py, text: `${what} at ${short(points[i].coefficient)}: ${number(list[i], 3)}` });
      });
    }
    bottom = box.bottom;
  }
  return bottom;
}

function sweepKeys({ n_prompts: n, prompts, line, coherent, controls, levels, coherence }, beyond) {
  const dot = (name, r, opacity) => [shape("circle", { cx: 13, cy: 6, r, fill: colour(name), opacity })];
  const keys = [[dot("blue", 5.5, 1), "mean with 95 % interval"], [dot("blue", 2.6, 0.6), prompts.length < n ? `single prompts (the first ${prompts.length} of ${n})` : `single prompts (n = ${n})`]];
  keys.push([lineKey("blue", null, "2 3"), "the prompt shown below"]);
  if (beyond) keys.push([[marker("triangle", 13, 6, 4, { fill: colour("blue") })], `prompt values beyond the axis: ${beyond}`]);
  if (line) {
    keys.push([lineKey("vermilion"), `line: slope ${shown(line.slope, 4)}, R² ${number(line.r_squared, 3)}`]);
    keys.push([areaKey("vermilion", 0.3), "its band, 95 %"]);
  }
  if (coherent) keys.push([areaKey("green", 0.3), `coherent range ${short(coherent.low)} … ${short(coherent.high)}`]);
  const seen = new Map();
  for (const { name, kind } of controls) seen.set(name, [kind, (seen.get(name)?.[1] ?? 0) + 1]);
  for (const [name, [kind, n]] of seen) {
    const [paint, mark] = CONTROLS[kind];
    keys.push([lineKey(paint, mark), n > 1 ? `${name} (${n})` : name]);
  }
  levels.forEach(([name, level], i) => keys.push([lineKey(LEVELS[i % 3][0], null, LEVELS[i % 3][1]), `${name}, unsteered: ${number(level, 3)}`]));
  if (coherence) {
    keys.push([lineKey("blue", "circle"), "negative log-likelihood under the unsteered model"]);
    if (coherent?.nll_bound) keys.push([lineKey("green", null, "8 5"), `bound of coherence: ${number(coherent.nll_bound, 2)}`]);
    keys.push([lineKey("purple", "triangle"), "repeated 4-grams"], [lineKey("orange", "diamond"), "cut by the length limit"]);
  }
  return keys;
}
