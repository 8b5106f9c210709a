"""Errors, ids and headers as the Python package `openai` sees them."""
import openai

from harness import case
from openai_asking import ask, client, raised, streamed

KINDS = {
    "refuse": (openai.BadRequestError, "not allowed"),
    "no-key": (openai.AuthenticationError, "Incorrect API key"),
    "missing": (openai.NotFoundError, "does not exist"),
    "busy": (openai.RateLimitError, "Rate limit reached"),
}
INSIDE_200 = {
    "error-200-429": (openai.RateLimitError, "quota is used up"),
    "error-200-404": (openai.NotFoundError, "No endpoints found"),
    "error-200-400": (openai.BadRequestError, "too long for the provider"),
}


def check_kinds(kinds):
    for model, (kind, message) in kinds.items():
        for stream in (False, True):
            error = raised(lambda: ask(model, stream=stream))
            assert type(error) is kind, f"{model}, stream={stream}: {type(error).__name__} {error}"
            assert message in error.body["message"], f"{model}, stream={stream}: {error.body}"


@case("errors")
def errors():
    check_kinds(KINDS)
    for stream in (False, True):
        error = raised(lambda: ask("broken", stream=stream))
        assert isinstance(error, openai.InternalServerError), error


@case("error-in-200")
def error_in_200():
    check_kinds(INSIDE_200)


@case("error-in-choice")
def error_in_choice():
    for stream in (False, True):
        error = raised(lambda: ask("failed-choice", stream=stream))
        assert "the provider went away" in str(error), f"stream={stream}: {error}"


@case("error-spellings")
def error_spellings():
    said = {"error-text": "no such template", "error-detail": "must be positive", "error-message": "maximum context length"}
    for model, words in said.items():
        error = raised(lambda: ask(model))
        assert isinstance(error, openai.APIStatusError) and 400 <= error.status_code < 500, f"{model}: {error}"
        assert isinstance(error.body, dict), f"{model}: {error.body}"
        message = error.body["message"]
        assert words in message and "{" not in message, f"{model}: {error.body}"


@case("retry-after")
def retry_after():
    error = raised(lambda: ask("busy"))
    assert error.response.headers.get("retry-after") == "7", dict(error.response.headers)


@case("steering-error")
def steering_error():
    error = raised(lambda: ask("plain", extra_body={"steering": {"vector": "nobody"}}))
    assert isinstance(error, openai.BadRequestError) and error.param == "steering.vector", error


@case("request-id")
def request_id():
    assert ask("plain")._request_id, "no x-request-id on a reply"
    assert raised(lambda: ask("busy")).request_id, "no x-request-id on the upstream's error"
    error = raised(lambda: ask("plain", extra_body={"steering": {"vector": "nobody"}}))
    assert error.request_id, "no x-request-id on Redline's own error"


@case("rate-limit-headers")
def rate_limit_headers():
    headers = client.chat.completions.with_raw_response.create(
        model="plain", messages=[{"role": "user", "content": "Hello?"}]).headers
    assert headers.get("x-ratelimit-remaining-requests") == "42", dict(headers)


@case("no-ids")
def no_ids():
    reply = ask("no-ids")
    assert reply.id and reply.created and reply.object == "chat.completion" and reply.model == "no-ids", reply
    for chunk in streamed("no-ids").chunks:
        assert chunk["id"] and chunk["created"] and chunk["model"] == "no-ids", chunk
