// What a reader takes along: the correction, a link to the state of the page, a file of what was tried.

const session = [];

async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // a page that is not served over TLS from elsewhere has no clipboard
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  say(`${what} copied.`);
}

function remember(body, done) {
  session.push({
    question: body.question,
    answer: body.answer,
    correction: done.correction,
    edit_ratio: done.edit_ratio,
    coefficient: done.coefficient,
    vector: done.vector,
    ...(body.feedback ? { feedback: body.feedback } : {}),
  });
  $("save").disabled = false;
  $("save").textContent = `Save the session (${session.length})`;
}

function saveSession() {
  const lines = session.map((record) => `${JSON.stringify(record)}\n`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  link.download = "redline-session.jsonl";
  link.click();
  URL.revokeObjectURL(link.href);
}

function stateLink() {
  const state = { question: $("question").value, answer: $("answer").value, coefficient: Number($("dial").value) };
  if (chosenVector()) state.vector = chosenVector().name;
  if ($("feedback").value) state.feedback = $("feedback").value;
  return `${location.href.split("#")[0]}#${encodeURIComponent(JSON.stringify(state))}`;
}

// Fills in what a link holds; nothing is sent until someone presses a button.
function restoreState() {
  if (location.hash.length < 2) return false;
  try {
    const state = JSON.parse(decodeURIComponent(location.hash.slice(1)));
    const text = (value) => (typeof value === "string" ? value : "");
    if (vectors.some((vector) => vector.name === state.vector)) $("vector").value = state.vector;
    chooseVector();
    for (const id of ["question", "answer", "feedback"]) $(id).value = text(state[id]);
    if (Number.isFinite(state.coefficient)) setDial(state.coefficient);
    return true;
  } catch {
    return false;
  }
}
