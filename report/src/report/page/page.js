// The page, part by part; a part that the run did not have is left out.

const data = JSON.parse(document.getElementById("data").textContent);
const chosen = { row: null, listeners: [] }, chosenMap = { name: "diverging", listeners: [] };
const section = (id, title, ...nodes) => element("section", { id }, element("h2", {}, title), nodes);

function findings(list) {
  return element("dl", { class: "findings" }, list.map(({ name, value, note }) => element("div", {},
    element("dt", {}, name), element("dd", { class: "value" }, value), note ? element("dd", { class: "note" }, note) : null)));
}

function settings(groups) {
  return groups.map(({ title, rows }) => [element("h3", {}, title), element("table", { class: "settings" },
    element("tbody", {}, rows.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)))))]);
}

const parts = [element("h1", {}, data.title), element("p", { class: "lead" }, data.lead)];
if (data.warnings.length) parts.push(element("ul", { class: "warnings" }, data.warnings.map(text => element("li", {}, text))));
if (data.findings.length) parts.push(findings(data.findings));
if (data.quality) {
  parts.push(section("quality", "Does it correct?", element("ul", { class: "warnings" }, data.quality.verdicts.map(({ sentence }) => element("li", {}, sentence))),
    element("p", { class: "soft" }, data.quality.note), table(data.quality.table.header, data.quality.table.rows), data.curves.map(curvesFigure),
    data.phases ? heatmapFigure({ heatmap: data.phases }, data.colours, chosenMap) : null));
}
if (data.sweep) {
  parts.push(section("sweep", data.sweep.title, element("p", { class: "soft" }, data.sweep.note), sweepFigure(data.sweep, chosen),
    numbers(data.sweep.table.header, data.sweep.table.rows)));
}
if (data.examples) parts.push(examplesSection(data.examples, chosen));
if (data.slopes) parts.push(section("slopes", data.slopes.title, slopesFigure(data.slopes)));
if (data.profile) parts.push(section("layers", "Where correction can be read", element("p", { class: "soft" }, data.profile.note), profileFigure(data.profile)));
if (data.scans.length) {
  parts.push(section("scans", "Token by token", element("p", { class: "soft" },
    "Scores of one text at every layer and output token; above 0 it leans towards correction, below 0 towards copying."),
    mapChoice(chosenMap), data.scans.map(scan => heatmapFigure(scan, data.colours, chosenMap))));
}
if (data.curves.length && !data.quality) parts.push(section("training", "Training", data.curves.map(curvesFigure)));
if (data.settings.length) parts.push(section("settings", "How to repeat it", settings(data.settings)));
document.getElementById("report").replaceChildren(...parts);
