// The same answer at five settings of the dial, written in one batch.

let strip = { key: "", settings: [] };

// Lowest, half of it, 0, half of the highest, highest: of what was measured, or −1 to 1.
function settings() {
  const [low, high] = chosenVector()?.measured?.coherent_range ?? [-1, 1];
  const round = (value) => Math.round(20 * value) / 20;
  return [...new Set([low, low / 2, 0, high / 2, high].map(round))];
}

const signed = (value) => value.toFixed(2).replace("-", "−");

function clearStrip(note = "Five settings are written in one batch, after the correction above.") {
  strip = { key: "", settings: [] };
  $("strip").replaceChildren();
  $("strip-note").textContent = note;
}

// What the strip depends on: all but the coefficient.
function stripKey(body) {
  return JSON.stringify([body.question, body.answer, body.feedback ?? "", body.steering?.vector ?? ""]);
}

async function compareSettings(body, signal) {
  if (!$("compare").checked || !body.steering) return clearStrip();
  if (strip.key === stripKey(body)) return markChosen(body.steering.coefficient);
  clearStrip("Writing five settings …");
  const asked = settings().map(async (coefficient) => {
    const { scan, stream, ...rest } = body;
    const reply = await request("v1/correct", { ...rest, steering: { ...body.steering, coefficient } }, signal);
    return { coefficient, ...(await reply.json()) };
  });
  const written = await Promise.all(asked);
  strip = { key: stripKey(body), settings: written };
  $("strip").replaceChildren(...written.map((setting) => settingNode(body.answer, setting)));
  const n = new Set(written.map((setting) => setting.correction)).size;
  $("strip-note").textContent = n === 1 ? "All of them write the same here." : `${n} different corrections.`;
  markChosen(body.steering.coefficient);
}

function settingNode(answer, { coefficient, correction, edit_ratio }) {
  const node = document.createElement("div");
  node.className = "setting";
  node.role = "listitem";
  node.dataset.at = coefficient;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = coefficient === 0 ? "0, as trained" : signed(coefficient);
  const small = document.createElement("small");
  small.textContent = `ratio ${number(edit_ratio)}`;
  button.append(small);
  button.addEventListener("click", () => {
    setDial(coefficient);
    correct();
  });
  const text = document.createElement("div");
  text.className = "text";
  text.tabIndex = 0;
  text.role = "region";
  text.ariaLabel = `Correction at ${signed(coefficient)}`;
  text.append(...differenceNodes(answer, correction, true));
  node.append(button, text);
  return node;
}

function markChosen(coefficient) {
  document.querySelectorAll(".setting").forEach((node) => node.classList.toggle("chosen", Number(node.dataset.at) === coefficient));
}
