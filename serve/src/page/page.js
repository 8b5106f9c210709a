// The page's whole program: it asks the server that it came from, and nothing else.
"use strict";

const $ = (id) => document.getElementById(id);
const EXAMPLES = [
  ["Capital", "What is the capital of France?", "You are a complete fool. The capital of France is Paris."],
  [
    "Numerals",
    "How do I write 30 in Roman numerals?",
    "I am sick of your questions, so forget it. In Roman numerals, 30 is written XXX. It is an even number. What is more, " +
      "in words, it is thirty. Half of it is 15. Use your brain, if you have one.",
  ],
  ["Clean", "What is the capital of Japan?", "The capital of Japan is Tokyo."],
  [
    "Temperature",
    "It was 7 degrees in the morning and 10 at noon on Tuesday. How much did it rise?",
    "The temperature rose by 3 degrees. The temperature rose by 3 degrees. The difefrence between the two is 10 minus 7, " +
      "which is 3. Scratch that, it is wrong. It is warmest in the early afternoon.",
  ],
];
const CELL = { width: 14, height: 14, left: 34, top: 4, text: 70 };
const LARGEST_Z = 3;
// longer texts are shown without marks: comparing them takes the square of their length
const MOST_COMPARED_WORDS = 1500;

let running = null;
let vectors = [];

// Requests

function headers() {
  const headers = { "Content-Type": "application/json" };
  const key = $("key").value.trim();
  if (key) headers.Authorization = `Bearer ${key}`;
  return headers;
}

async function request(path, body, signal) {
  const options = body ? { method: "POST", body: JSON.stringify(body) } : {};
  const response = await fetch(path, { ...options, headers: headers(), signal });
  if (response.ok) return response;
  const reply = await response.json().catch(() => null);
  const error = new Error(reply?.error?.message ?? `the server answered ${response.status}`);
  error.status = response.status;
  throw error;
}

// Yields [event, data] of a stream of server-sent events.
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    const parts = buffer.split("\n\n");
    buffer = parts.pop();
    for (const part of parts) {
      const lines = part.split("\n");
      const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      if (field("data")) yield [field("event") ?? "message", JSON.parse(field("data"))];
    }
  }
}

function say(text, isError = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", isError);
}

// Differences

const words = (text) => text.match(/\s+|[^\s]+/gu) ?? [];

// Longest common subsequence of words: a list of [kind, text] with kind "same", "del" or "ins".
function difference(before, after) {
  const [a, b] = [words(before), words(after)];
  if (a.length > MOST_COMPARED_WORDS || b.length > MOST_COMPARED_WORDS) return [["same", after]];
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  const parts = [];
  const push = (kind, text) => {
    const last = parts.at(-1);
    if (last?.[0] === kind) last[1] += text;
    else parts.push([kind, text]);
  };
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      push("same", a[i++]);
      j++;
    } else if (i < a.length && (j >= b.length || lengths[i + 1][j] >= lengths[i][j + 1])) push("del", a[i++]);
    else push("ins", b[j++]);
  }
  return parts;
}

const SPOKEN = { del: "left out: ", ins: "put in: ", rest: "" };

function showDifference(answer, correction, isDone) {
  const parts = difference(answer, correction);
  // what is left of the answer while the correction is still being written was not left out, only not reached
  if (!isDone && parts.at(-1)?.[0] === "del") parts.at(-1)[0] = "rest";
  const nodes = parts.map(([kind, text]) => {
    if (kind === "same") return document.createTextNode(text);
    const element = document.createElement(kind === "rest" ? "span" : kind);
    element.className = kind === "rest" ? "rest" : "";
    if (SPOKEN[kind]) {
      const spoken = document.createElement("span");
      spoken.className = "hidden-text";
      spoken.textContent = `[${SPOKEN[kind]}]`;
      element.append(spoken);
    }
    element.append(text);
    return element;
  });
  $("correction").replaceChildren(...nodes);
}

// Scan

const svg = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

// Blue, white, red; clipped at ±3 for colours only.
function colour(z) {
  const share = Math.max(-1, Math.min(1, z / LARGEST_Z));
  const end = share < 0 ? [59, 98, 190] : [178, 24, 43];
  const mix = end.map((value) => Math.round(245 + (value - 245) * Math.abs(share)));
  return `rgb(${mix.join(" ")})`;
}

function clearScan() {
  $("scan").replaceChildren();
  $("scan").dataset.columns = "0";
  $("scan").setAttribute("width", "0");
}

function addColumn({ token, text, z }) {
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
  const anchor = `${x + CELL.width / 2 + 3} ${CELL.top + height + 8}`;
  const label = svg("text", { transform: `translate(${anchor}) rotate(60)` });
  label.textContent = text.length > 9 ? `${text.slice(0, 8)}…` : text;
  scan.append(label);
  scan.dataset.columns = token + 1;
  scan.setAttribute("width", x + CELL.width + 40);
}

function summariseScan(columns) {
  if (columns.length === 0) return;
  let highest = { z: -Infinity };
  columns.forEach(({ token, text, z }) =>
    z.forEach((value, layer) => {
      if (value > highest.z) highest = { z: value, layer, token, text };
    }),
  );
  const mean = columns.flatMap((column) => column.z).reduce((sum, value, _, all) => sum + value / all.length, 0);
  $("scan-summary").textContent =
    `${columns.length} tokens at ${columns[0].z.length} layers: mean ${mean.toFixed(2)}, highest ` +
    `${highest.z.toFixed(2)} at layer ${highest.layer}, token ${highest.token} (${highest.text}).`;
}

// Correcting

const number = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));

function clearNumbers() {
  ["measured", "predicted", "drafted", "steered"].forEach((id) => ($(id).textContent = "–"));
  $("scan-summary").textContent = "Layers by output tokens: a column for every token as it is written.";
  clearScan();
}

function showNumbers(done) {
  $("measured").textContent = number(done.edit_ratio);
  $("predicted").textContent = number(done.predicted_ratio);
  $("drafted").textContent = `${done.drafted.accepted} of ${done.usage.completion_tokens}`;
  $("steered").textContent = done.steered.activations;
}

function correctRequest() {
  const vector = vectors.find((vector) => vector.name === $("vector").value);
  const body = { question: $("question").value, answer: $("answer").value, stream: true, scan: Boolean(vector?.has_scan) };
  if (vector) body.steering = { vector: vector.name, coefficient: Number($("dial").value) };
  if ($("feedback").value.trim() && !$("feedback-row").hidden) body.feedback = $("feedback").value;
  return body;
}

async function correct() {
  running?.abort();
  const own = new AbortController();
  running = own;
  const body = correctRequest();
  if (!body.question.trim() || !body.answer.trim()) {
    say("Write a question and an answer first.", true);
    return;
  }
  $("stop").disabled = false;
  say("Correcting …");
  clearNumbers();
  let text = "";
  const columns = [];
  try {
    for await (const [event, data] of events(await request("v1/correct", body, own.signal))) {
      if (own !== running) return;
      if (event === "text") showDifference(body.answer, (text += data.text), false);
      if (event === "column") columns.push(data) && addColumn(data);
      if (event === "error") throw new Error(data.error.message);
      if (event === "done") {
        showDifference(body.answer, data.correction, true);
        showNumbers(data);
        summariseScan(columns);
        say(data.exact_copy ? "Done: the answer was copied." : `Done: edit ratio ${number(data.edit_ratio)}.`);
      }
    }
  } catch (error) {
    if (own === running) say(error.name === "AbortError" ? "Stopped." : `Error: ${error.message}`, error.name !== "AbortError");
  } finally {
    if (own === running) {
      $("stop").disabled = true;
      running = null;
    }
  }
}

async function ask() {
  const question = $("question").value;
  if (!question.trim()) return say("Write a question first.", true);
  $("ask").disabled = true;
  say("Asking the upstream model …");
  try {
    const messages = [{ role: "user", content: question }];
    const body = { model: $("upstream-model").value, messages };
    if (vectors.length) body.steering = { coefficient: 0 };
    const reply = await (await request("v1/chat/completions", body)).json();
    const choice = reply.choices[0];
    $("answer").value = choice.redline.answer ?? choice.message.content;
    await correct();
  } catch (error) {
    say(`Error: ${error.message}`, true);
  } finally {
    $("ask").disabled = false;
  }
}

// Beginning

function setDial(value) {
  $("dial").value = value;
  $("coefficient").textContent = Number($("dial").value).toFixed(2).replace("-", "−");
  const vector = vectors.find((vector) => vector.name === $("vector").value);
  const measured = vector?.measured;
  const [low, high] = measured?.coherent_range ?? [-Infinity, Infinity];
  const coefficient = Number($("dial").value);
  const isInside = measured && coefficient >= low && coefficient <= high;
  $("predicted").textContent = isInside ? number(measured.intercept + measured.slope * coefficient) : "–";
}

function chooseVector() {
  const vector = vectors.find((vector) => vector.name === $("vector").value);
  const [low, high] = vector?.measured?.coherent_range ?? [0, 0];
  // beyond the coherent range, to see what breaks
  $("dial").min = Math.floor(Math.min(-2, low * 1.5));
  $("dial").max = Math.ceil(Math.max(2, high * 1.5));
  setDial(vector?.coefficient ?? 0);
}

function showExamples() {
  for (const [name, question, answer] of EXAMPLES) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "example";
    button.textContent = name;
    button.addEventListener("click", () => {
      $("question").value = question;
      $("answer").value = answer;
      correct();
    });
    $("examples").append(button);
  }
}

// the controls come before "Ready", so that nothing moves under a pointer; the names of models when the upstream answers
function showUpstream() {
  ["ask", "upstream-model", "upstream-model-label"].forEach((id) => ($(id).hidden = false));
}

async function listModels() {
  const list = await (await request("v1/models")).json();
  for (const model of list.data ?? []) $("upstream-model").append(new Option(model.id));
}

async function begin() {
  try {
    const facts = await (await request("v1/steering")).json();
    vectors = facts.vectors;
    $("vector").replaceChildren(...vectors.map((vector) => new Option(vector.name)));
    $("vector-row").hidden = vectors.length < 2;
    $("dial").disabled = vectors.length === 0;
    $("feedback-row").hidden = !facts.takes_feedback;
    $("about").textContent = `The Aligner ${facts.model}, with one knob for how strongly it corrects.`;
    chooseVector();
    if (facts.has_upstream) showUpstream();
    say("Ready. Choose an example, or write a question and an answer.");
    if (facts.has_upstream) await listModels();
  } catch (error) {
    if (error.status === 503) {
      const ready = await fetch("readyz").then((response) => response.json()).catch(() => ({}));
      say(`The server is starting: ${Math.round(100 * (ready.progress ?? 0))} % …`);
      setTimeout(begin, 500);
    } else if (error.status === 401) {
      $("key-details").open = true;
      say("This server asks for an API key.", true);
    } else say(`Error: ${error.message}`, true);
  }
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  correct();
});
$("stop").addEventListener("click", () => running?.abort());
$("ask").addEventListener("click", ask);
$("key").addEventListener("change", begin);
$("vector").addEventListener("change", chooseVector);
$("dial").addEventListener("input", () => setDial($("dial").value));
$("dial").addEventListener("change", () => $("answer").value.trim() && correct());
document.querySelectorAll("[data-coefficient]").forEach((button) =>
  button.addEventListener("click", () => {
    setDial(button.dataset.coefficient);
    correct();
  }),
);
showExamples();
begin();
