"""What the Python clients of the matrix share. A client's file defines cases (`@case("chat")`) and ends with `main()`; it is run
once a case: CLIENT.py CASE, with the addresses of both servers in the environment. `--list` names its cases.

Exit codes: 0 fine, 1 a failure, 77 not tested; the last line on stdout says why."""
import json
import os
import sys
import traceback
import urllib.error
import urllib.request
import uuid
from pathlib import Path

EXPECTED = json.loads((Path(__file__).parent / "expectations.json").read_text())
QUESTION = EXPECTED["question"]
TEXTS = EXPECTED["texts"]
FLAWED = TEXTS["flawed"]
CLEAN = EXPECTED["clean"]
INSULT = EXPECTED["insult"]
SCHEMA = EXPECTED["schema"]
INSTANCE = EXPECTED["instance"]
TOOL = {"type": "function", "function": EXPECTED["tool"]}
KEY = "clients-own-key"
MESSAGES = [{"role": "user", "content": QUESTION}]

REDLINE = os.environ.get("REDLINE_URL", "")
UPSTREAM = os.environ.get("UPSTREAM_URL", "")
BASE = REDLINE + "/v1"
# the model of the real upstream server; empty in front of the scripted one
REAL_MODEL = os.environ.get("REAL_MODEL", "")

CASES = {}


class NotTested(Exception):
    """A case that cannot run here, and why."""


def case(name):
    assert name in EXPECTED["cases"], f"{name} is not in expectations.json"

    def keep(function):
        CASES[name] = function
        return function

    return keep


def main():
    if sys.argv[1] == "--list":
        print("\n".join(CASES))
        return
    try:
        CASES[sys.argv[1]]()
    except NotTested as reason:
        print(f"NOT TESTED: {reason}")
        sys.exit(77)
    except Exception as error:
        traceback.print_exc()
        print(f"FAIL: {type(error).__name__}: {error}".replace("\n", " "))
        sys.exit(1)


def fetch(url, body=None, headers=None, method=None):
    """Status, headers and bytes of a plain request; a body that is no bytes goes as JSON."""
    raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Authorization": f"Bearer {KEY}", **({"Content-Type": "application/json"} if raw else {}), **(headers or {})}
    request = urllib.request.Request(url, raw, sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def correction_of(answer, question=QUESTION):
    """What the Aligner writes for an answer: the reference of all that comes through the other routes."""
    if not answer.strip():
        return answer  # a real model may write nothing, and nothing is corrected then
    status, _, raw = fetch(f"{BASE}/correct", {"question": question, "answer": answer})
    assert status == 200, f"/v1/correct: {status} {raw!r}"
    said = json.loads(raw)
    return said["correction"]


def marked(name):
    """The name of a scripted model, marked so that `seen` finds this request alone."""
    return f"{name}@{uuid.uuid4().hex[:12]}"


def seen(model):
    """The one request that came upstream for a marked model: path, headers, body as text."""
    _, _, raw = fetch(f"{UPSTREAM}/seen?model={model}")
    requests = json.loads(raw)
    assert len(requests) == 1, f"{len(requests)} requests came upstream for {model}"
    return requests[0]


def redlines(value):
    """What `redline` says of each choice or output of a reply, wherever it stands; a reply's own `redline` has no status."""
    if isinstance(value, dict):
        said = value.get("redline")
        own = [said] if isinstance(said, dict) and "status" in said else []
        return own + [found for inner in value.values() for found in redlines(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in redlines(inner)]
    return []


def check_corrected(text, answer=FLAWED, question=QUESTION):
    wanted = correction_of(answer, question)
    assert wanted != answer, f"the Aligner changes nothing in {answer!r}: this check would say nothing"
    assert text == wanted, f"got {text!r}, wanted {wanted!r}"


def check_status(reply, answer=FLAWED):
    """The reply says that it was corrected, and what the upstream had written."""
    found = redlines(reply)
    assert found, f"no `redline` in {reply}"
    assert any(one["status"] == "corrected" for one in found), found
    assert answer is None or any(one.get("answer") == answer for one in found), found


def check_clean(text):
    assert INSULT not in text and CLEAN in text, f"got {text!r}"


def check_instance(said, reply=None):
    """An instance of the shared schema, as text or parsed; a reply that is given says corrected or why not."""
    value = json.loads(said) if isinstance(said, str) else said
    assert list(value) == list(INSTANCE), f"keys {list(value)}, wanted {list(INSTANCE)}"
    assert value["population"] == INSTANCE["population"], value
    assert isinstance(value["reasoning"], str) and isinstance(value["city"], str) and value["city"], value
    sights = value["sights"]
    assert len(sights) == len(INSTANCE["sights"]) and all(isinstance(sight, str) for sight in sights), value
    if reply is None:
        return
    found = redlines(reply)
    assert found, f"no `redline` in {reply}"
    for one in found:
        assert one["status"] == "corrected" or one.get("reason"), f"passed on without a reason: {one}"
        if one["status"] == "corrected":
            assert INSULT not in value["reasoning"], value


def check_think(text):
    """`<think>` stays as it was, or is gone; the rest is the correction."""
    before = f"<think>\n{TEXTS['reasoning']}\n</think>"
    if before in text:
        assert text.startswith(before), f"got {text!r}"
        text = text[len(before):]
    check_corrected(text.strip())


def check_arguments(text):
    assert json.loads(text) == EXPECTED["arguments"], f"arguments {text!r}"
