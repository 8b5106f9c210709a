// The charts of a run: layer profile, slopes of single prompts, training curves.

const BAND = 0.18;
const figure = (caption, ...nodes) => element("figure", {}, nodes, caption ? element("figcaption", {}, caption) : null);
const plotBox = (width, height, top = 26) => ({ left: 52, right: width - 12, top, bottom: top + height });

// Measures by layer, each with its interval.
function profileFigure(profile) {
  const drawn = drawing(profile.title, width => {
    const box = plotBox(width, 260);
    const x = placesAxis(profile.layers, "layer (block number, from 0)", box.right - box.left, 0.5);
    const ends = profile.series.flatMap(series => (series.intervals ?? []).flat());
    const y = roundAxis([...profile.series.flatMap(series => series.values), ...ends, profile.chance ?? NaN], 6, profile.y_label);
    const { X, Y, nodes } = panel(box, x, y);
    if (profile.chance !== null) {
      nodes.push(shape("line", { x1: box.left, x2: box.right, y1: Y(profile.chance), y2: Y(profile.chance), stroke: colour("soft"), "stroke-dasharray": "8 6" }));
    }
    const values = [];
    profile.series.forEach((series, i) => {
      const paint = colour(COLOURS[i % 6]), known = profile.layers.map((_, at) => at).filter(at => series.values[at] !== null);
      const banded = known.filter(at => series.intervals?.[at]);
      const edge = end => banded.map(at => [X(profile.layers[at]), Y(series.intervals[at][end])]);
      if (banded.length) nodes.push(shape("path", { d: path([...edge(0), ...edge(1).reverse()]) + "Z", fill: paint, opacity: BAND, class: "band" }));
      const points = known.map(at => [X(profile.layers[at]), Y(series.values[at])]);
      nodes.push(shape("path", { d: path(points), fill: "none", stroke: paint, "stroke-width": 2 }));
      known.forEach((at, place) => {
        const [px, py] = points[place], interval = series.intervals?.[at];
        nodes.push(marker(SHAPES[i % 4], px, py, 4, { fill: paint }));
        const value = interval ? withInterval(series.values[at], ...interval) : number(series.values[at], 3);
        values.push({ x: px, y: py, text: `layer ${profile.layers[at]}, ${series.name}: ${value}` });
      });
    });
    return { height: box.bottom + 46, nodes, values };
  });
  const keys = profile.series.map((series, i) => [lineKey(COLOURS[i % 6], SHAPES[i % 4]), series.name]);
  if (profile.series.some(series => series.intervals)) keys.push([areaKey("soft", 0.3), "band: 95 % interval"]);
  if (profile.chance !== null) keys.push([lineKey("soft", null, "8 6"), `chance (${short(profile.chance)})`]);
  const rows = profile.layers.map((layer, at) => [String(layer), ...profile.series.map(series =>
    series.intervals?.[at] ? withInterval(series.values[at], ...series.intervals[at]) : number(series.values[at], 3))]);
  return figure("", legend(keys), drawn.nodes, numbers(["layer", ...profile.series.map(series => series.name)], rows));
}

// The slope of every prompt, with those of random directions under them.
function slopesFigure(slopes) {
  const drawn = drawing(slopes.title, width => {
    const random = slopes.random?.slopes ?? [];
    const rowHeight = 64, box = plotBox(width, random.length ? 2 * rowHeight : rowHeight, 14);
    const all = [...slopes.slopes, ...random, slopes.random?.percentile_95 ?? 0, 0];
    const { X, nodes } = panel(box, roundAxis(all, Math.max(4, width / 110), slopes.x_label), { low: 0, high: 1, ticks: [], label: "" });
    const values = [];
    nodes.push(shape("line", { x1: X(0), x2: X(0), y1: box.top, y2: box.bottom, stroke: colour("axis") }));
    const dots = (list, middle, paint, kind, name) => list.forEach((slope, i) => {
      const y = middle + (((i * 0.618034) % 1) - 0.5) * (rowHeight - 22);
      nodes.push(marker(kind, X(slope), y, 3.5, { fill: typeof paint === "function" ? paint(slope) : paint, opacity: 0.65 }));
      values.push({ x: X(slope), y, text: `${name(i)}: slope ${number(slope, 4)}` });
    });
    dots(slopes.slopes, box.top + rowHeight / 2, slope => colour(slope < 0 ? "vermilion" : "blue"), "circle", i => `row ${slopes.rows[i]}`);
    dots(random, box.top + 1.5 * rowHeight, colour("random"), "square", i => `random direction ${i}`);
    if (slopes.mean) {
      const { value } = slopes.mean, y = box.top + rowHeight / 2;
      nodes.push(shape("line", { x1: X(lower(slopes.mean)), x2: X(upper(slopes.mean)), y1: y, y2: y, stroke: colour("ink"), "stroke-width": 3 }));
      nodes.push(marker("diamond", X(value), y, 6, { fill: colour("ink") }));
      values.push({ x: X(value), y, text: `mean slope: ${shown(slopes.mean, 4)}` });
    }
    if (random.length) {
      const limit = X(slopes.random.percentile_95);
      nodes.push(shape("line", { x1: limit, x2: limit, y1: box.top, y2: box.bottom, stroke: colour("ink"), "stroke-dasharray": "6 4" }));
    }
    return { height: box.bottom + 46, nodes, values };
  });
  const negative = slopes.slopes.filter(slope => slope < 0).length, n = slopes.slopes.length;
  const keys = [
    [[marker("circle", 13, 6, 4, { fill: colour("blue") })], `prompts with a slope of 0 or more: ${n - negative}`],
    [[marker("circle", 13, 6, 4, { fill: colour("vermilion") })], `below 0 (anti-steerable): ${negative}`],
    [[marker("diamond", 13, 6, 5, { fill: colour("ink") })], "mean slope, 95 % interval"],
  ];
  if (slopes.random) {
    keys.push([[marker("square", 13, 6, 4, { fill: colour("random") })], "mean slope of a random direction of equal norm"]);
    keys.push([lineKey("ink", null, "6 4"), `their 95th percentile: ${number(slopes.random.percentile_95, 4)}`]);
  }
  return figure("", legend(keys), drawn.nodes);
}

// Curves in panels below each other, over one axis.
function curvesFigure(curves) {
  const all = curves.panels.flatMap(part => part.curves), names = all.map((_, i) => i);
  const drawn = drawing(curves.title, width => {
    const nodes = [], values = [];
    const xs = [...all.flatMap(curve => curve.points.map(point => point[0])), ...curves.marks.map(mark => mark[0])];
    const x = roundAxis(xs, Math.max(3, width / 120), curves.x_label);
    let place = 0, top = 26, bottom = 0;
    for (const part of curves.panels) {
      const box = plotBox(width, 200, top);
      const y = roundAxis(part.curves.flatMap(curve => curve.points.map(point => point[1])), 5, part.y_label);
      const frame = panel(box, x, y, part === curves.panels[curves.panels.length - 1]);
      nodes.push(frame.nodes);
      for (const [at] of curves.marks) {
        nodes.push(shape("line", { x1: frame.X(at), x2: frame.X(at), y1: box.top, y2: box.bottom, stroke: colour("soft"), "stroke-dasharray": "4 5" }));
      }
      for (const curve of part.curves) {
        const paint = colour(COLOURS[place % 6]), points = curve.points.map(([px, py]) => [frame.X(px), frame.Y(py)]);
        nodes.push(shape("path", { d: path(points), fill: "none", stroke: paint, "stroke-width": points.length > 60 ? 1.2 : 2 }));
        points.forEach(([px, py], i) => {
          if (points.length <= 60) nodes.push(marker(SHAPES[place % 4], px, py, 4, { fill: paint }));
          values.push({ x: px, y: py, text: `${curves.x_label} ${short(curve.points[i][0])}, ${curve.name}: ${number(curve.points[i][1], 4)}` });
        });
        place += 1;
      }
      [top, bottom] = [box.bottom + 34, box.bottom];
    }
    return { height: bottom + 46, nodes: nodes.flat(), values };
  });
  const keys = names.map(i => [lineKey(COLOURS[i % 6], all[i].points.length > 60 ? null : SHAPES[i % 4]), all[i].name]);
  keys.push(...curves.marks.map(mark => [lineKey("soft", null, "4 5"), mark[1]]));
  return figure("", legend(keys), drawn.nodes);
}
