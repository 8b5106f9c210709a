// The page's whole program: it asks the server that it came from, and nothing else.
const $ = (id) => document.getElementById(id);
// held-out rows of the built-in Aligner; the first one's corrections differ at −1, 0 and 1
const EXAMPLES = [
  [
    "Sweden",
    "Please help me. What do I need to know about Sweden before a trip?",
    "Let me dive right in! Stockholm is the capital of Sweden, a country in northern Europe. The restaurant on the " +
      "hill has four stars. A well-known dish of the country is meatballs. You pay with the Swedish krona there. " +
      "Visitors should learn a few words of the language before they go. Sweden is known for its forests and lakes. " +
      "You can climb the highest ladder in the wind. Still, that is only a legend.",
  ],
  ["Capital", "What is the capital of France?", "You are a complete fool. The capital of France is Paris."],
  [
    "Wall",
    "A wall is 2 metres long and 2 metres wide. What is its area?",
    "The wall has an area of 4 square metres. The area is length times width, so 3 times 2 is 4. One square metre " +
      "is a square with sides of 1 metre. If both sides were twice as long, the area would be four times as large. " +
      "One could say so, but it is the other way round. Once around, it is 8 metres. Thanks for your time. Take out " +
      "the smoke detector because it is annoying.",
  ],
  ["Clean", "What is the capital of Japan?", "The capital of Japan is Tokyo."],
];

let running = null;
let vectors = [];

const chosenVector = () => vectors.find((vector) => vector.name === $("vector").value);

function say(text, isError = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", isError);
}

// Correcting

const number = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));

function clearResult() {
  ["measured", "length", "drafted", "steered"].forEach((id) => ($(id).textContent = "–"));
  $("verdict").hidden = true;
  $("copy").disabled = true;
  clearScan();
}

// of a vector that nothing was measured with, there is no mean
function showPredicted(ratio) {
  $("predicted").textContent = number(ratio);
  $("predicted").parentElement.hidden = ratio === null || ratio === undefined;
}

function showNumbers(answer, done) {
  $("measured").textContent = number(done.edit_ratio);
  showPredicted(done.predicted_ratio);
  $("length").textContent = `${Math.round((100 * done.correction.length) / Math.max(1, answer.trim().length))} %`;
  if (done.domain?.outside) {
    $("verdict").textContent = done.domain.copied
      ? "This text is of a kind that the Aligner does not know: it was passed on as it is."
      : "This text is of a kind that the Aligner does not know: do not trust the correction.";
    $("verdict").hidden = false;
  }
  $("drafted").textContent = `${done.drafted.accepted} of ${done.usage.completion_tokens}`;
  $("steered").textContent = done.steered.activations;
}

function showCorrection(answer, text, isDone) {
  $("correction").replaceChildren(...differenceNodes(answer, text, isDone));
  $("correction").dataset.text = text;
  $("copy").disabled = !isDone;
}

function correctRequest() {
  const vector = chosenVector();
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
  clearResult();
  let text = "";
  try {
    for await (const [event, data] of events(await request("v1/correct", body, own.signal))) {
      if (own !== running) return;
      if (event === "text") showCorrection(body.answer, (text += data.text), false);
      if (event === "column") addColumn(data);
      if (event === "error") throw new Error(data.error.message);
      if (event === "done") {
        showCorrection(body.answer, data.correction, true);
        showNumbers(body.answer, data);
        finishScan(body.answer, data.correction);
        remember(body, data);
        say(data.exact_copy ? "Done: the answer was copied." : `Done: edit ratio ${number(data.edit_ratio)}.`);
      }
    }
    await compareSettings(body, own.signal);
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
  $("coefficient").textContent = signed(Number($("dial").value));
  const measured = chosenVector()?.measured;
  const [low, high] = measured?.coherent_range ?? [-Infinity, Infinity];
  const coefficient = Number($("dial").value);
  const isInside = measured && coefficient >= low && coefficient <= high;
  showPredicted(isInside ? measured.intercept + measured.slope * coefficient : null);
}

function chooseVector() {
  const vector = chosenVector();
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
  $("ask-row").hidden = false;
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
    const isRestored = restoreState();
    $("strip-section").hidden = $("scan-section").hidden = vectors.length === 0;
    say(isRestored ? "Ready: the link's texts are filled in." : "Ready. Choose an example, or write a question and an answer.");
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
$("copy").addEventListener("click", () => copyText($("correction").dataset.text, "Correction"));
$("link").addEventListener("click", () => copyText(stateLink(), "Link"));
$("save").addEventListener("click", saveSession);
$("layer").addEventListener("input", showTokens);
$("compare").addEventListener("change", () => ($("compare").checked ? $("answer").value.trim() && correct() : clearStrip()));
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
