"""Plain HTTP, for what libraries hide: the bytes and headers that come upstream, other routes, fields that must not leak."""
import json

from harness import (BASE, EXPECTED, FLAWED, INSULT, KEY, MESSAGES, QUESTION, REDLINE, REAL_MODEL, TEXTS, case, check_corrected,
                     check_instance, check_status, check_think, correction_of, fetch, main, marked, redlines, seen)

CHAT = f"{BASE}/chat/completions"


def ask(model, **more):
    status, headers, raw = fetch(CHAT, {"model": model, "messages": MESSAGES, **more})
    assert status == 200, f"{status} {raw!r}"
    assert headers.get("x-request-id"), f"no x-request-id: {dict(headers)}"
    return json.loads(raw)


def events(model, **more):
    """The chunks of a stream; it must end with [DONE]."""
    status, headers, raw = fetch(CHAT, {"model": model, "messages": MESSAGES, "stream": True, **more})
    assert status == 200 and headers.get_content_type() == "text/event-stream", f"{status} {raw!r}"
    data = [line[5:].strip() for line in raw.decode().splitlines() if line.startswith("data:")]
    assert data and data[-1] == "[DONE]", raw
    return [json.loads(line) for line in data[:-1]]


def joined(chunks, field="content"):
    return "".join(choice["delta"].get(field) or "" for chunk in chunks for choice in chunk["choices"])


@case("chat")
def chat():
    reply = ask("plain")
    check_corrected(reply["choices"][0]["message"]["content"])
    check_status(reply)
    assert reply["system_fingerprint"] == "fp_1" and reply["service_tier"] == "default", reply


@case("stream")
def stream():
    chunks = events("plain")
    check_corrected(joined(chunks))
    check_status(chunks)
    assert chunks[0]["choices"][0]["delta"].get("role") == "assistant", chunks[0]
    assert chunks[0].get("system_fingerprint") == "fp_1" and chunks[0].get("service_tier") == "default", chunks[0]


@case("structured")
def structured():
    for kind in ("json_schema", "json_object"):
        bound = {"type": kind, "json_schema": {"name": "answer", "schema": EXPECTED["schema"]}}
        reply = ask("json", response_format=bound if kind == "json_schema" else {"type": kind})
        check_instance(reply["choices"][0]["message"]["content"], reply)


@case("structured-stream")
def structured_stream():
    bound = {"type": "json_schema", "json_schema": {"name": "answer", "schema": EXPECTED["schema"]}}
    chunks = events("json", response_format=bound)
    check_instance(joined(chunks), chunks)


@case("think-tags")
def think_tags():
    check_think(ask("think-tags")["choices"][0]["message"]["content"])


@case("unknown-form")
def unknown_form():
    for model in ("object", "number", "unknown-part", "choice-text", "audio"):
        for is_stream in (False, True):
            status, _, raw = fetch(CHAT, {"model": model, "messages": MESSAGES, "stream": is_stream})
            assert INSULT.encode() not in raw, f"{model}, stream={is_stream}: leaked {raw!r}"
            # a field of no known reply may also be left out, where the reply says so
            said = status >= 400 and json.loads(raw)["error"]["message"] or model == "choice-text" and b'"dropped"' in raw
            assert said, f"{model}, stream={is_stream}: {status} {raw!r}"


@case("error-in-200")
def error_in_200():
    for model, wanted in (("error-200-429", 429), ("error-200-404", 404), ("error-200-400", 400)):
        for is_stream in (False, True):
            status, _, raw = fetch(CHAT, {"model": model, "messages": MESSAGES, "stream": is_stream})
            assert status == wanted and json.loads(raw)["error"]["message"], f"{model}: {status} {raw!r}"


ODD = '{ "messages": [{"content": "What is the capital of France?", "role": "user"}], "zeta": 1e2, "model": "MODEL",\n' \
      ' "seed": 123456789012345678901234567890, "temperature": 1.0, "user": "caf\\u00e9 é",' \
      ' "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties":' \
      ' {"reasoning": {"type": "string"}, "answer": {"type": "string", "maxLength": 100000000000000000000}}}}},' \
      ' "tools": [{"type": "function", "function": {"parameters": {"properties": {"query": {}, "count": {}},' \
      ' "type": "object"}, "name": "b"}}], "logit_bias": {"2": -1, "1": 5}OWN }'


def spelled(text):
    """JSON with its order of keys and its spelling of numbers kept."""
    return json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str)


@case("request-bytes")
def request_bytes():
    own = ', "steering": {"coefficient": 0.25}, "scan": false'
    for route, more in (("chat/completions", ""), ("chat/completions", own), ("embeddings", ', "input": "Paris"')):
        model = marked("json")
        body = ODD.replace("MODEL", model)
        status, _, raw = fetch(f"{BASE}/{route}", body.replace("OWN", more).encode())
        assert status == 200, f"{route}: {status} {raw!r}"
        wanted = spelled(body.replace("OWN", "" if more == own else more))
        got = [pair for pair in spelled(seen(model)["body"]) if pair[0] not in ("stream", "stream_options")]
        assert got == wanted, f"{route}: came {got}, sent {wanted}"
    model = marked("json")
    body = ODD.replace("MODEL", model).replace("OWN", ', "stream": false')
    fetch(CHAT, body.encode())
    for kept in ("123456789012345678901234567890", "caf\\u00e9 é", body[body.index('[{"type": "function"'):body.index(', "logit_bias"')]):
        assert kept in seen(model)["body"], f"{kept} is not in {seen(model)['body']}"


@case("request-headers")
def request_headers():
    sent = {"OpenAI-Organization": "org-1", "OpenAI-Project": "proj-1", "X-Request-Id": "client-1",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "a=1"}
    for route, body in (("chat/completions", {"messages": MESSAGES}), ("embeddings", {"input": "Paris"})):
        model = marked("plain")
        status, _, raw = fetch(f"{BASE}/{route}", {"model": model, **body}, sent)
        assert status == 200, f"{route}: {status} {raw!r}"
        came = {name.lower(): value for name, value in seen(model)["headers"].items()}
        for name in ("OpenAI-Organization", "OpenAI-Project", "tracestate"):
            assert came.get(name.lower()) == sent[name], f"{route}: {name} came as {came.get(name.lower())}"
        assert came.get("traceparent", "").split("-")[1:2] == sent["traceparent"].split("-")[1:2], f"{route}: {came}"
        assert came.get("authorization") == f"Bearer {KEY}", f"{route}: {came}"


@case("rate-limit-headers")
def rate_limit_headers():
    for model in ("plain", "busy"):
        _, headers, _ = fetch(CHAT, {"model": model, "messages": MESSAGES})
        assert headers.get("x-ratelimit-remaining-requests") == "42", f"{model}: {dict(headers)}"


OTHER_ROUTES = {
    "/v1/messages": {"model": "plain", "max_tokens": 9, "messages": MESSAGES},
    "/v1/assistants": {"model": "plain"},
    "/v1/threads": {"messages": MESSAGES},
    "/v1/threads/runs": {"assistant_id": "a", "thread": {"messages": MESSAGES}},
    "/v1/audio/transcriptions": {"model": "plain"},
    "/v1/complete": {"model": "plain", "prompt": QUESTION},
    "/api/generate": {"model": "plain", "prompt": QUESTION},
    "/api/chat": {"model": "plain", "messages": MESSAGES},
    "/v1/generate": {"prompt": QUESTION},
    "/v1/some/new/route": {"model": "plain", "messages": MESSAGES},
}


@case("other-routes")
def other_routes():
    for path, body in OTHER_ROUTES.items():
        status, _, raw = fetch(REDLINE + path, body)
        assert INSULT.encode() not in raw, f"{path}: leaked {raw!r}"
        assert 400 <= status < 502, f"{path}: {status} {raw!r}"
        message = json.loads(raw)["error"]["message"]
        assert path in message or "route" in message, f"{path}: {message!r} does not name it"


@case("health")
def health():
    for path in ("/healthz", "/health", "/readyz", "/openapi.json"):
        status, _, raw = fetch(REDLINE + path)
        assert status == 200 and (path != "/openapi.json" or json.loads(raw)["openapi"]), f"{path}: {status} {raw[:200]!r}"


@case("real-chat")
def real_chat():
    reply = ask(REAL_MODEL, max_tokens=48, temperature=0)
    [found] = redlines(reply)
    assert reply["choices"][0]["message"]["content"] == correction_of(found["answer"]), reply


if __name__ == "__main__":
    main()
