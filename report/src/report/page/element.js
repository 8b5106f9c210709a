// Elements, texts and numbers. Texts are set as text, never as markup: outputs of a model are no HTML here.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined));
  return node;
}

// An element of the page.
const element = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

// A shape of a drawing.
const shape = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

// A number with so many decimals and a true minus sign.
function number(value, digits) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

// The shortest of at most three decimals: 0.25, −1.
const short = value => (value === null ? "–" : String(Number(value.toFixed(3))).replace("-", "−"));

// A value with its interval.
const withInterval = (value, low, high, digits = 3) => `${number(value, digits)} [${number(low, digits)}, ${number(high, digits)}]`;

// The ends of an estimate's interval; the value itself where it has none.
const lower = estimate => estimate.interval?.low ?? estimate.value;
const upper = estimate => estimate.interval?.high ?? estimate.value;

// An estimate with its interval.
const shown = (estimate, digits = 3) => (estimate.interval ? withInterval(estimate.value, lower(estimate), upper(estimate), digits) : number(estimate.value, digits));

// A table of texts with a header, which scrolls in itself where it is wide.
function table(header, rows) {
  const cells = (name, texts) => element("tr", {}, texts.map(text => element(name, {}, text)));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "table" },
    element("table", {}, element("thead", {}, cells("th", header)), element("tbody", {}, rows.map(row => cells("td", row)))));
}

// A table behind a line to open it.
const numbers = (header, rows, name = "The numbers") => element("details", {}, element("summary", {}, name), table(header, rows));
