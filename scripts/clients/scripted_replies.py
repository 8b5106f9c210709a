"""What the scripted upstream server says: the reply is picked by the `model` of the request, up to an `@` in it."""
import json
from pathlib import Path

EXPECTED = json.loads((Path(__file__).parent / "expectations.json").read_text())
TEXTS = EXPECTED["texts"]
FLAWED = TEXTS["flawed"]
USAGE = {"prompt_tokens": 13, "completion_tokens": 12, "total_tokens": 25}
INSTANCE = json.dumps(EXPECTED["instance"])


def call(number=1, city="Paris", name=EXPECTED["tool"]["name"]):
    arguments = json.dumps({"city": city})
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def message(content=FLAWED, **more):
    return {"role": "assistant", "content": content, **more}


def choice(said, index=0, finish_reason="stop", **more):
    return {"index": index, "message": said, "logprobs": None, "finish_reason": finish_reason, **more}


def calling(content, *calls):
    return [choice(message(content, tool_calls=list(calls)), finish_reason="tool_calls")]


def schema_call(body):
    """Calls the first tool of the request with an instance of the shared schema: structured output by way of a tool."""
    tool = next(iter(body.get("tools") or []), {"function": {"name": "answer"}})
    said = {"id": "call_1", "type": "function", "function": {"name": tool["function"]["name"], "arguments": INSTANCE}}
    return calling(None, said)


LOGPROBS = {"content": [{"token": word, "logprob": -0.1, "bytes": None, "top_logprobs": []} for word in FLAWED.split()]}
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": TEXTS["reasoning"]}]}
REASONING = TEXTS["reasoning"]

# choices by name; a function gets the request's body
CHOICES = {
    "plain": [choice(message())],
    "no-ids": [choice(message())],
    "json": [choice(message(INSTANCE))],
    "code": [choice(message(TEXTS["code"]))],
    "text-and-calls": calling(FLAWED, call()),
    "calls": calling(None, call()),
    "calls-empty": calling("", call()),
    "two-calls": calling(None, call(), call(2, "Lyon")),
    "schema-call": schema_call,
    "function-call": [choice(message(None, function_call=call()["function"]), finish_reason="function_call")],
    "parts": [choice(message([THINKING, {"type": "text", "text": FLAWED}]))],
    "object": [choice(message({"text": FLAWED}))],
    "number": [choice(message(42))],
    "unknown-part": [choice(message([{"type": "riddle", "riddle": FLAWED}]))],
    "choice-text": [{**choice(message(None)), "text": FLAWED}],
    "audio": [choice(message(None, audio={"id": "a", "data": "AAAA", "expires_at": 1, "transcript": FLAWED}))],
    "reasoning": [choice(message(reasoning_content=REASONING))],
    "reasoning-only": [choice(message(None, reasoning_content=FLAWED))],
    "think-tags": [choice(message(f"<think>\n{REASONING}\n</think>\n\n{FLAWED}"))],
    "refusal": [choice(message(None, refusal=TEXTS["refusal"]))],
    "two": [choice(message()), choice(message(TEXTS["second"]), 1)],
    "two-reversed": [choice(message(TEXTS["second"]), 1), choice(message())],
    "logprobs": [choice(message()) | {"logprobs": LOGPROBS}],
    "failed-choice": [choice(message(""), finish_reason="error", error={"code": 502, "message": "the provider went away"})],
    "no-choices": [],
}

# errors: HTTP status, body
FAILURES = {
    "error-200-429": (200, {"error": {"message": "Provider returned error: quota is used up", "code": 429}, "user_id": "u"}),
    "error-200-404": (200, {"error": {"message": "No endpoints found for this model", "code": 404}}),
    "error-200-400": (200, {"error": {"message": "The prompt is too long for the provider", "code": 400}}),
    "refuse": (400, {"error": {"message": "The prompt is not allowed", "type": "invalid_request_error", "code": "no"}}),
    "no-key": (401, {"error": {"message": "Incorrect API key provided", "type": "invalid_request_error"}}),
    "missing": (404, {"error": {"message": "The model does not exist", "code": "model_not_found"}}),
    "busy": (429, {"error": {"message": "Rate limit reached for requests", "type": "requests"}}),
    "broken": (500, {"error": {"message": "The server had an error", "type": "server_error"}}),
    "error-text": (400, {"error": "the model has no such template"}),
    "error-detail": (422, {"detail": [{"loc": ["body", "max_tokens"], "msg": "must be positive"}]}),
    "error-message": (400, {"object": "error", "message": "The maximum context length is 10 tokens.", "code": 400}),
}


def name_of(body):
    return str(body.get("model")).split("@")[0]


def choices_for(body):
    name = name_of(body)
    if (body.get("messages") or [{}])[-1].get("role") in ("tool", "function"):
        # the client ran the tool: now the answer
        name = "plain"
    choices = CHOICES[name]
    return choices(body) if callable(choices) else choices


def failure(body):
    """The status and the body of an error, or None where the model answers."""
    name = name_of(body)
    if name in FAILURES:
        return FAILURES[name]
    if name not in CHOICES:
        return 404, {"error": {"message": f"The model `{name}` does not exist", "code": "model_not_found"}}
    return None


def chat(body):
    reply = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": body["model"]}
    more = {"choices": choices_for(body), "usage": USAGE, "system_fingerprint": "fp_1", "service_tier": "default"}
    return more if name_of(body) == "no-ids" else {**reply, **more}


def pieces(text):
    """A text in pieces as a model streams them: words, each with the blank after it."""
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:]


def deltas(said):
    yield {"role": "assistant", "content": ""}
    for piece in pieces(said.get("reasoning_content") or ""):
        yield {"reasoning_content": piece}
    content = said["content"]
    for piece in pieces(content) if isinstance(content, str) else [content]:
        if piece is not None:
            yield {"content": piece}
    for field in ("refusal", "function_call", "audio"):
        if said.get(field):
            yield {field: said[field]}
    for index, one in enumerate(said.get("tool_calls") or []):
        function = one["function"]
        yield {"tool_calls": [{**one, "index": index, "function": {**function, "arguments": ""}}]}
        for piece in pieces(function["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def chat_chunks(body):
    whole = chat(body)
    head = {key: value for key, value in whole.items() if key not in ("choices", "usage", "object")}
    head["object"] = "chat.completion.chunk"
    for one in whole["choices"]:
        beside = {key: one[key] for key in ("error", "text") if key in one}
        for delta in deltas(one["message"]):
            yield {**head, "choices": [{"index": one["index"], "delta": delta, "finish_reason": None}]}
        yield {**head, "choices": [{"index": one["index"], "delta": {}, "finish_reason": one["finish_reason"], **beside}]}
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": USAGE}


def completion(body):
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1700000000, "model": body["model"]}
    said = [{"text": one["message"]["content"], "index": one["index"], "logprobs": None, "finish_reason": "stop"}
            for one in choices_for(body)]
    return {**head, "choices": said, "usage": USAGE}


def completion_chunks(body):
    whole = completion(body)
    for one in whole["choices"]:
        for piece in pieces(one["text"]):
            yield {**whole, "choices": [{**one, "text": piece, "finish_reason": None}], "usage": None}
        yield {**whole, "choices": [{**one, "text": ""}], "usage": None}
