// Questions with answer and outputs, differences marked word by word; the slider goes through the outputs recorded.

// A text from the answer and the edits on it: a positive number keeps as many UTF-16 units, a negative one deletes them, a
// text is inserted.
function marked(answer, edits) {
  let at = 0;
  return edits.map(edit => {
    if (typeof edit === "string") return element("ins", {}, edit);
    const part = answer.slice(at, at + Math.abs(edit));
    at += Math.abs(edit);
    return edit < 0 ? element("del", {}, part) : document.createTextNode(part);
  });
}

const isCopy = edits => edits.every(edit => typeof edit === "number" && edit > 0);

function measures(output) {
  const parts = [];
  if (output.edit_ratio !== null) parts.push(`edit ratio ${number(output.edit_ratio, 3)}`);
  if (isCopy(output.edits)) parts.push("an exact copy");
  if (output.n_tokens !== null) parts.push(`${output.n_tokens} tokens`);
  if (output.nll !== null) parts.push(`${number(output.nll, 3)} nats per token`);
  if (output.repetition !== null) parts.push(`repetition ${number(output.repetition, 3)}`);
  if (output.truncated) parts.push("cut by the length limit");
  return parts.join(" · ");
}

function panelOf(title, answer, edits, note) {
  return element("div", {}, element("h3", {}, title), element("p", { class: "text" }, marked(answer, edits)), element("p", { class: "measures" }, note));
}

// The section of all examples. `chosen` tells other figures which row is shown.
function examplesSection(part, chosen) {
  const { examples } = part;
  const body = element("div", { class: "example" });
  const dial = element("div", {});
  let example = null, place = 0;
  const showTexts = () => {
    const output = example.outputs[place], texts = [];
    if (output) texts.push(panelOf(output.name, example.answer, output.edits, measures(output)));
    if (example.correction) texts.push(panelOf("the data's correction", example.answer, example.correction, isCopy(example.correction) ? "the answer is to be copied" : ""));
    body.replaceChildren(
      element("h3", {}, "question"), element("p", { class: "text question" }, example.question),
      element("h3", {}, "answer, before correction"), element("p", { class: "text answer" }, example.answer),
      element("div", { class: "texts" }, texts));
  };
  const showDial = () => {
    dial.replaceChildren();
    if (example.outputs.length < 2) return;
    const value = element("output", { id: "coefficient" });
    const slider = element("input", { type: "range", id: "slider", min: 0, max: example.outputs.length - 1, step: 1, value: place, "aria-label": "coefficient" });
    const move = () => {
      place = Number(slider.value);
      const text = short(example.outputs[place].coefficient);
      value.textContent = text;
      slider.setAttribute("aria-valuetext", `coefficient ${text}`);
      showTexts();
    };
    slider.addEventListener("input", move);
    dial.append(element("div", { class: "dial" }, element("label", { for: "slider" }, `coefficient (${part.unit})`, value), slider,
      element("div", { class: "ends" }, element("span", {}, "copies more"), element("span", {}, "corrects more"))));
    move();
  };
  const select = index => {
    const coefficient = example?.outputs[place]?.coefficient ?? 0;
    example = examples[index];
    place = Math.max(0, example.outputs.findIndex(output => output.coefficient === coefficient));
    menu.value = String(index);
    chosen.row = example.row;
    showDial();
    showTexts();
    chosen.listeners.forEach(listener => listener());
  };
  const label = ({ row, question, slope }) => `row ${row}${slope === null ? "" : `, slope ${number(slope, 3)}`}: ${question.slice(0, 70)}`;
  const menu = element("select", { id: "example", "aria-label": "prompt", onchange: event => select(Number(event.target.value)) },
    examples.map((one, i) => element("option", { value: i }, label(one))));
  // the typical prompt is the one whose slope is nearest to the mean
  const sloped = examples.map(one => one.slope).filter(slope => slope !== null);
  const mean = sloped.reduce((sum, slope) => sum + slope, 0) / sloped.length;
  const typical = examples.reduce((best, one, i) => (one.slope !== null && (best < 0 || Math.abs(one.slope - mean) < Math.abs(examples[best].slope - mean)) ? i : best), -1);
  const bySlope = examples.map((_, i) => i).filter(i => examples[i].slope !== null).sort((a, b) => examples[a].slope - examples[b].slope);
  const pick = (text, index) => element("button", { type: "button", onclick: () => select(index) }, text);
  const picks = bySlope.length < 3 ? [] : [
    pick("weakest", bySlope[0]), pick("typical", typical), pick("strongest", bySlope[bySlope.length - 1])];
  const nodes = [element("h2", {}, part.title), element("p", { class: "soft" }, part.note)];
  if (examples.length > 1) nodes.push(element("div", { class: "controls" }, menu, picks));
  nodes.push(dial, body);
  select(Math.max(0, typical));
  return element("section", { id: "examples" }, nodes);
}
