"""Asks a Redline server as the `openai` package does: openai_client.py BASE_URL [MODEL].

Without a model's name the upstream server is the one of tests/integration/serve, whose models behave by their names."""
import sys

from openai import APIStatusError, AuthenticationError, BadRequestError, InternalServerError, NotFoundError, OpenAI
from openai import RateLimitError

QUESTION = "What is the capital of France?"
FLAWED = "You are a complete fool. The capital of France is Paris."
CLEAN = "The capital of France is Paris."

client = OpenAI(base_url=sys.argv[1], api_key="clients-own", max_retries=0)
real_model = sys.argv[2] if len(sys.argv) > 2 else None


def ask(model, **more):
    messages = [{"role": "user", "content": QUESTION}]
    return client.chat.completions.create(model=model, user=FLAWED, messages=messages, **more)


def check_whole(model):
    reply = ask(model, extra_body={"steering": {"coefficient": 0.5}}, max_tokens=48)
    choice = reply.choices[0]
    assert choice.redline["status"] == "corrected" and choice.redline["coefficient"] == 0.5, choice
    assert choice.redline["answer"] and choice.message.content, choice
    assert reply.usage.total_tokens > 0
    return choice


def check_stream(model):
    text, last = "", None
    for chunk in ask(model, stream=True, stream_options={"include_usage": True}, max_tokens=48, temperature=0):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            last = choice if choice.finish_reason else last
    assert last.redline["status"] == "corrected" and chunk.usage.total_tokens > 0
    return text, last.redline["answer"]


def check_errors():
    for model, kind in [
        ("refuse", BadRequestError),
        ("no-key", AuthenticationError),
        ("missing", NotFoundError),
        ("busy", RateLimitError),
        ("broken", InternalServerError),
        ("garbage", InternalServerError),
    ]:
        for stream in (False, True):
            try:
                ask(model, stream=stream)
            except APIStatusError as error:
                assert type(error) is kind, (model, error)
                assert error.body["message"], error.body
            else:
                raise AssertionError(f"{model}: no error")
    try:
        ask("ok", extra_body={"steering": {"vector": "nobody"}})
    except BadRequestError as error:
        assert error.param == "steering.vector", error.body
    else:
        raise AssertionError("an unknown vector is no error")


if real_model:
    check_whole(real_model)
    text, answer = check_stream(real_model)
    print(f"upstream: {answer!r}\ncorrected: {text!r}")
else:
    choice = check_whole("ok")
    assert CLEAN in choice.message.content and choice.redline["answer"] == FLAWED, choice
    text, answer = check_stream("ok")
    assert CLEAN in text and answer == FLAWED, text
    check_errors()
    assert [model.id for model in client.models.list()] == ["ok"]
    assert client.models.retrieve("ok").id == "ok"
print("openai (Python): fine")
