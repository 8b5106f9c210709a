"""Routes beside chat for the Python package `openai`: completions, embeddings, models, moderations, files."""
import openai

from harness import FLAWED, QUESTION, REAL_MODEL, case, check_corrected, check_status, correction_of
from openai_asking import client, raised

VECTOR = [0.25, -0.5, 1.0]


@case("completions")
def completions():
    reply = client.completions.create(model="plain", prompt=QUESTION)
    check_corrected(reply.choices[0].text)
    check_status(reply.model_dump())
    error = raised(lambda: client.completions.create(model="error-200-429", prompt=QUESTION))
    assert isinstance(error, openai.RateLimitError), error


@case("completions-stream")
def completions_stream():
    chunks = [chunk.model_dump() for chunk in client.completions.create(model="plain", prompt=QUESTION, stream=True)]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    check_corrected("".join(choice["text"] for choice in choices))
    assert choices[-1]["finish_reason"] == "stop", chunks
    check_status(chunks)


@case("echo-logprobs")
def echo_logprobs():
    for more in ({"echo": True, "logprobs": 1, "max_tokens": 1}, {"echo": True, "logprobs": 1, "max_tokens": 0}):
        error = raised(lambda: client.completions.create(model="plain", prompt=QUESTION, **more))
        assert isinstance(error, openai.BadRequestError), error
        assert "echo" in str(error) or "logprobs" in str(error), error


@case("embeddings")
def embeddings():
    # the package asks for base64 unless told otherwise
    for more in ({}, {"encoding_format": "float"}):
        reply = client.embeddings.create(model="embedder", input=["Paris", "Lyon"], **more)
        assert [one.embedding for one in reply.data] == [VECTOR, VECTOR], reply


@case("models")
def models():
    assert [model.id for model in client.models.list()] == ["plain", "json"]
    assert client.models.retrieve("plain").id == "plain"
    assert isinstance(raised(lambda: client.models.retrieve("nobody")), openai.NotFoundError)


@case("moderations")
def moderations():
    assert client.moderations.create(model="moderator", input=FLAWED).results[0].flagged is True


@case("files")
def files():
    content = bytes(range(256)) + b'\r\n{"custom_id": "1"}\r\n'
    name = client.files.create(file=("rows.jsonl", content), purpose="batch").id
    assert name in [file.id for file in client.files.list()]
    assert client.files.content(name).read() == content
    assert client.files.delete(name).deleted is True


@case("real-models")
def real_models():
    assert [model.id for model in client.models.list()] == [REAL_MODEL]


@case("real-completions")
def real_completions():
    prompt = f"Question: {QUESTION}\nAnswer:"
    more = {"max_tokens": 32, "temperature": 0}
    said = client.completions.create(model=REAL_MODEL, prompt=prompt, **more).choices[0]
    assert said.text == correction_of(said.redline["answer"], question=prompt), said
    chunks = client.completions.create(model=REAL_MODEL, prompt=prompt, stream=True, **more)
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == said.text
