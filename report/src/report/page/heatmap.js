// A LAT scan (layer × token, layer 0 at the bottom) or another map: every value to be read by pointer and by keyboard.

// The colour of a value from −1 to 1, between the stops of the map.
function mapped(stops, value) {
  const at = Math.min(1, Math.max(-1, value));
  const upper = Math.max(1, stops.findIndex(([place]) => at <= place));
  const [[low, from], [high, to]] = [stops[upper - 1], stops[upper]];
  const weight = (at - low) / (high - low);
  return `rgb(${from.map((part, i) => Math.round(part + weight * (to[i] - part))).join(",")})`;
}

// White or black, whichever is read better on a colour.
function inkOn(rgb) {
  const [r, g, b] = rgb.match(/\d+/g).map(Number);
  return 0.3 * r + 0.59 * g + 0.11 * b < 120 ? "#ffffff" : "#222222";
}

function heatmapFigure(scan, maps, chosenMap) {
  const { layers, values, token_labels: tokens, clip, unit, title, x_label: xLabel, y_label: yLabels, hatched, hatched_note: hatchedNote, quantity } = scan.heatmap;
  const isScan = Boolean(scan.scores);
  const measure = isScan ? unit : quantity;
  const readout = element("p", { class: "readout", "aria-live": "polite" });
  const svg = shape("svg", { tabindex: "0", role: "application", class: "heatmap",
    "aria-label": `${title}: ${isScan ? `${layers.length} layers by ${tokens.length} tokens` : `${layers.length} by ${tokens.length} cells`}; arrow keys move from cell to cell` });
  const host = element("div", { class: "plot" }, svg);
  const cursor = shape("rect", { class: "cursor", fill: "none", stroke: colour("ink"), "stroke-width": 2, visibility: "hidden" });
  let [cell, left, width, height, drawnWidth] = [20, 56, 20, 14, 0];
  const labelLength = Math.max(...tokens.map(token => Math.min(18, [...token].length)));
  const top = 8, below = () => top + height * layers.length;
  let at = null;
  const show = place => {
    at = place;
    cursor.setAttribute("visibility", place ? "visible" : "hidden");
    if (!place) return;
    const [row, column] = place, value = values[row][column];
    fill(cursor, { x: left + column * width, y: below() - (row + 1) * height, width, height }, []);
    const shown = value === null ? "missing" : `${measure} = ${number(value, 2)}`;
    const raw = scan.scores ? `, score ${number(scan.scores[row][column], 3)}` : "";
    const note = value !== null && Math.abs(value) > clip ? ` (drawn clipped at ±${short(clip)})` : "";
    const cellName = isScan ? `layer ${layers[row]}, token ${column} “${tokens[column]}”` : `${yLabels[1]} ${layers[row]}, ${xLabel} ${tokens[column]}`;
    const open = hatched[row]?.[column] ? `; ${hatchedNote}` : "";
    readout.textContent = `${cellName}: ${shown}${raw}${note}${open}`;
  };
  const draw = () => {
    cell = (drawnWidth - left - 6) / tokens.length;
    width = Math.min(48, Math.max(13, cell));
    height = Math.max(11, Math.min(26, 460 / layers.length));
    const nodes = [], stops = maps[chosenMap.name];
    values.forEach((line, row) => line.forEach((value, column) => {
      const x = left + column * width, y = below() - (row + 1) * height;
      const paint = value === null ? colour("missing") : mapped(stops, value / clip);
      nodes.push(shape("rect", { x, y, width: width + 0.3, height: height + 0.3, fill: paint, class: "cell" }));
      if (value === null) nodes.push(shape("path", { d: path([[x, y + height], [x + width, y]]), stroke: colour("hatch") }));
      if (value !== null && hatched[row]?.[column]) {
        nodes.push(shape("path", { d: path([[x, y + height], [x + width, y]]), stroke: inkOn(paint), opacity: 0.6 }));
      }
      if (value !== null && Math.abs(value) >= clip / 3) nodes.push(...sign(value, x + width / 2, y + height / 2, inkOn(paint)));
      if (value !== null && Math.abs(value) > clip) {
        nodes.push(shape("polygon", { points: `${x + width - 6},${y} ${x + width},${y} ${x + width},${y + 6}`, fill: inkOn(paint), class: "clipped" }));
      }
    }));
    const every = [1, 2, 5, 10, 20, 50].find(step => height * step >= 14) ?? 100;
    layers.forEach((layer, row) => {
      if (!isScan || layer % every === 0 || layers.length === 1) nodes.push(shape("text", { x: left - 6, y: below() - (row + 0.5) * height + 4, "text-anchor": "end" }, String(layer)));
    });
    tokens.forEach((token, column) => {
      const text = [...token].length > 18 ? [...token].slice(0, 17).join("") + "…" : token;
      const x = left + (column + 0.5) * width + 4, y = below() + 6;
      nodes.push(shape("text", { x, y, transform: `rotate(-90 ${x} ${y})`, "text-anchor": "end", class: "token" }, text));
    });
    const middle = below() / 2 + top;
    nodes.push(shape("text", { x: 14, y: middle, transform: `rotate(-90 14 ${middle})`, "text-anchor": "middle" }, isScan ? "layer (block, from 0)" : yLabels[1]));
    const right = left + width * tokens.length, bottom = below() + labelLength * 7.4 + 26;
    nodes.push(shape("text", { x: (left + right) / 2, y: bottom - 4, "text-anchor": "middle" }, xLabel));
    const size = [Math.ceil(Math.max(right + 6, 200)), Math.ceil(Math.max(bottom + 4, below() + 30, 190))];
    fill(svg, { width: size[0], height: size[1], viewBox: `0 0 ${size[0]} ${size[1]}` }, []);
    svg.replaceChildren(...nodes, cursor);
    show(null);
  };
  const placeOf = event => {
    const box = svg.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - left) / width), row = Math.floor((below() - (event.clientY - box.top)) / height);
    return row >= 0 && row < layers.length && column >= 0 && column < tokens.length ? [row, column] : null;
  };
  svg.addEventListener("pointermove", event => show(placeOf(event)));
  svg.addEventListener("click", event => show(placeOf(event)));
  svg.addEventListener("pointerleave", () => show(null));
  svg.addEventListener("keydown", event => {
    const step = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const [row, column] = at ? [at[0] + step[0], at[1] + step[1]] : [0, 0];
    show([Math.min(layers.length - 1, Math.max(0, row)), Math.min(tokens.length - 1, Math.max(0, column))]);
  });
  new ResizeObserver(() => {
    if (host.clientWidth && Math.round(host.clientWidth) !== drawnWidth) {
      drawnWidth = Math.round(host.clientWidth);
      draw();
    }
  }).observe(host);
  chosenMap.listeners.push(() => drawnWidth && draw());
  const cells = values.flat(), clipped = cells.filter(value => value !== null && Math.abs(value) > clip).length;
  const missing = cells.filter(value => value === null).length;
  const caption = `Clipped at ±${short(clip)}: ${clipped ? `${clipped} of ${cells.length} cells lie beyond (corner mark)` : "no cell lies beyond"}.`
    + (missing ? ` ${missing} cells missing (struck through).` : "") + (hatched.length ? ` ${hatchedNote}.` : "") + ` Signs stand where |${measure}| is at least ${short(clip / 3)}.`;
  return figure(caption, element("h3", {}, title), colourBar(scan.heatmap, maps, chosenMap), host, readout);
}

// A plus or a minus, so that the map is read without colours too.
function sign(value, x, y, ink) {
  const stroke = { stroke: ink, "stroke-width": 1.2, opacity: 0.75 };
  const dash = shape("path", { d: `M${x - 3} ${y}h6`, ...stroke });
  return value < 0 ? [dash] : [dash, shape("path", { d: `M${x} ${y - 3}v6`, ...stroke })];
}

function colourBar({ clip, unit, poles }, maps, chosenMap) {
  const gradient = element("span", { class: "bar" });
  const paint = () => {
    const stops = maps[chosenMap.name].map(([place, rgb]) => `rgb(${rgb.join(",")}) ${50 + 50 * place}%`);
    gradient.setAttribute("style", `background:linear-gradient(to right,${stops.join(",")})`);
  };
  chosenMap.listeners.push(paint);
  paint();
  return element("div", { class: "controls scale" }, element("span", {}, `${poles[0]} −${short(clip)} ${unit}`), gradient, element("span", {}, `+${short(clip)} ${unit} ${poles[1]}`));
}

// Two buttons for the colour map of all scans.
function mapChoice(chosenMap) {
  const button = (name, text) => element("button", { type: "button", "aria-pressed": String(name === chosenMap.name), onclick: event => {
    chosenMap.name = name;
    for (const other of event.target.parentNode.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === event.target));
    chosenMap.listeners.forEach(listener => listener());
  } }, text);
  return element("div", { class: "controls", role: "group", "aria-label": "colours" }, button("diverging", "colours"), button("ordered", "colours for grey print"));
}
