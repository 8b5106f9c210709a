"""litellm: completion, stream, tools, structured output, errors."""
import asyncio
from typing import List

import litellm
from pydantic import BaseModel

from harness import (BASE, FLAWED, KEY, MESSAGES, QUESTION, REAL_MODEL, TEXTS, TOOL, case, check_arguments,
                     check_corrected, check_instance, correction_of, main)

litellm.telemetry = False
litellm.drop_params = False
HOW = {"api_base": BASE, "api_key": KEY, "num_retries": 0, "timeout": 60}


class Answer(BaseModel):
    reasoning: str
    city: str
    population: int
    sights: List[str]


def ask(model, **more):
    return litellm.completion(model=f"openai/{REAL_MODEL or model}", messages=MESSAGES, **HOW, **more)


def check_call(choice, text):
    assert choice.finish_reason == "tool_calls", choice
    [call] = choice.message.tool_calls or []
    assert call.function.name == TOOL["function"]["name"], choice
    check_arguments(call.function.arguments)
    assert (choice.message.content or "") == text, choice


def whole(model, **more):
    """A stream put together by the package."""
    return litellm.stream_chunk_builder(list(ask(model, stream=True, **more)), messages=MESSAGES).choices[0]


@case("chat")
def chat():
    reply = ask("plain")
    check_corrected(reply.choices[0].message.content)
    assert reply.usage.total_tokens > 0, reply


@case("stream")
def stream():
    check_corrected("".join(chunk.choices[0].delta.content or "" for chunk in ask("plain", stream=True)))


@case("async")
def with_async():
    reply = asyncio.run(litellm.acompletion(model="openai/plain", messages=MESSAGES, **HOW))
    check_corrected(reply.choices[0].message.content)


@case("tools")
def tools():
    check_call(ask("calls", tools=[TOOL]).choices[0], "")


@case("tools-stream")
def tools_stream():
    check_call(whole("calls", tools=[TOOL]), "")


@case("tools-text")
def tools_text():
    check_call(ask("text-and-calls", tools=[TOOL]).choices[0], correction_of(FLAWED))


@case("tools-text-stream")
def tools_text_stream():
    check_call(whole("text-and-calls", tools=[TOOL]), correction_of(FLAWED))


@case("structured")
def structured():
    check_instance(ask("json", response_format=Answer).choices[0].message.content)


@case("structured-stream")
def structured_stream():
    check_instance(whole("json", response_format=Answer).message.content)


@case("reasoning")
def reasoning():
    message = ask("reasoning").choices[0].message
    check_corrected(message.content)
    assert getattr(message, "reasoning_content", None) in (None, TEXTS["reasoning"]), message


@case("choices")
def choices():
    wanted = [correction_of(FLAWED), correction_of(TEXTS["second"])]
    assert [choice.message.content for choice in ask("two", n=2).choices] == wanted


@case("completions")
def completions():
    reply = litellm.text_completion(model="text-completion-openai/plain", prompt=QUESTION, **HOW)
    check_corrected(reply.choices[0].text)


@case("responses")
def responses():
    reply = litellm.responses(model="openai/plain", input=QUESTION, **HOW)
    check_corrected(reply.output_text if hasattr(reply, "output_text") else reply.output[0].content[0].text)


@case("embeddings")
def embeddings():
    reply = litellm.embedding(model="openai/embedder", input=["Paris", "Lyon"], **HOW)
    assert [one["embedding"] for one in reply.data] == [[0.25, -0.5, 1.0]] * 2, reply


@case("errors")
def errors():
    for model, kind, words in (("busy", litellm.RateLimitError, "Rate limit reached"),
                               ("error-200-429", litellm.RateLimitError, "quota is used up"),
                               ("missing", litellm.NotFoundError, "does not exist"),
                               ("refuse", litellm.BadRequestError, "not allowed")):
        for more in ({}, {"stream": True}):
            try:
                reply = ask(model, **more)
                said = list(reply) if more else reply
            except kind as error:
                assert words in str(error), f"{model}: {error}"
            else:
                raise AssertionError(f"{model}: no error, but {said}")


@case("real-chat")
def real_chat():
    assert ask("", max_tokens=48, temperature=0).choices[0].message.content


@case("real-stream")
def real_stream():
    assert whole("", max_tokens=48, temperature=0).message.content


if __name__ == "__main__":
    main()
