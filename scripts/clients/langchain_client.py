"""LangChain's `ChatOpenAI`: invoke, stream, bound tools, structured output, the Responses API."""
import asyncio
from typing import List

import openai
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field

from harness import (BASE, FLAWED, INSTANCE, KEY, QUESTION, REAL_MODEL, TOOL, case, check_clean, check_corrected,
                     check_instance, correction_of, main)


class Answer(BaseModel):
    """An answer about a city."""

    reasoning: str = Field(description="why")
    city: str
    population: int
    sights: List[str]


def model(name, **more):
    return ChatOpenAI(model=REAL_MODEL or name, base_url=BASE, api_key=KEY, max_retries=0, timeout=60, **more)


def joined(chunks):
    """The chunks of a stream added up, as LangChain's agents do."""
    whole = next(chunks)
    for chunk in chunks:
        whole += chunk
    return whole


def check_call(message, text):
    [call] = message.tool_calls
    assert (call["name"], call["args"], call["id"]) == (TOOL["function"]["name"], {"city": "Paris"}, "call_1"), message
    assert message.text == text, f"got {message.text!r}, wanted {text!r}"


@case("chat")
def chat():
    message = model("plain").invoke(QUESTION)
    check_corrected(message.content)
    assert message.usage_metadata["total_tokens"] > 0 and message.response_metadata["finish_reason"] == "stop", message


@case("stream")
def stream():
    message = joined(model("plain", stream_usage=True).stream(QUESTION))
    check_corrected(message.content)
    assert message.usage_metadata["total_tokens"] > 0, message


@case("async")
def with_async():
    async def run():
        check_corrected((await model("plain").ainvoke(QUESTION)).content)
        chunks = [chunk async for chunk in model("plain").astream(QUESTION)]
        check_corrected("".join(chunk.content for chunk in chunks))

    asyncio.run(run())


@case("conversation")
def conversation():
    check_corrected(model("plain").invoke([SystemMessage("Be brief."), HumanMessage(QUESTION)]).content)


@case("tools")
def tools():
    check_call(model("calls").bind_tools([TOOL]).invoke(QUESTION), "")


@case("tools-stream")
def tools_stream():
    check_call(joined(model("calls").bind_tools([TOOL]).stream(QUESTION)), "")


@case("tools-text")
def tools_text():
    check_call(model("text-and-calls").bind_tools([TOOL]).invoke(QUESTION), correction_of(FLAWED))


@case("tools-text-stream")
def tools_text_stream():
    check_call(joined(model("text-and-calls").bind_tools([TOOL]).stream(QUESTION)), correction_of(FLAWED))


@case("tool-loop")
def tool_loop():
    bound = model("calls").bind_tools([TOOL])
    first = joined(bound.stream(QUESTION))
    turns = [HumanMessage(QUESTION), first, ToolMessage("Paris is the capital.", tool_call_id=first.tool_calls[0]["id"])]
    check_clean(bound.invoke(turns).content)


@case("structured")
def structured():
    for method in ("json_schema", "json_mode"):
        reply = model("json").with_structured_output(Answer, method=method).invoke(QUESTION)
        assert isinstance(reply, Answer), reply
        check_instance(reply.model_dump())


@case("structured-stream")
def structured_stream():
    *_, last = model("json").with_structured_output(Answer, method="json_schema").stream(QUESTION)
    check_instance(last.model_dump() if isinstance(last, Answer) else last)


@case("structured-tool")
def structured_tool():
    bound = model("schema-call").with_structured_output(Answer, method="function_calling")
    assert bound.invoke(QUESTION) == Answer(**INSTANCE)
    *_, last = bound.stream(QUESTION)
    assert last == Answer(**INSTANCE), last


@case("choices")
def choices():
    [[first, second]] = model("two", n=2).generate([[HumanMessage(QUESTION)]]).generations
    check_corrected(first.text)
    assert second.text, second


@case("responses")
def responses():
    message = model("plain", use_responses_api=True).invoke(QUESTION)
    check_corrected(message.text)


@case("responses-stream")
def responses_stream():
    check_corrected(joined(model("plain", use_responses_api=True).stream(QUESTION)).text)


@case("responses-tools-stream")
def responses_tools_stream():
    bound = model("text-and-calls", use_responses_api=True).bind_tools([TOOL])
    check_call(joined(bound.stream(QUESTION)), correction_of(FLAWED))


@case("responses-structured")
def responses_structured():
    check_instance(model("json", use_responses_api=True).with_structured_output(Answer).invoke(QUESTION).model_dump())


@case("error-in-200")
def error_in_200():
    try:
        reply = model("error-200-429").invoke(QUESTION)
    except openai.RateLimitError as error:
        assert "quota is used up" in str(error), error
        return
    raise AssertionError(f"no RateLimitError, but {reply}")


@case("embeddings")
def embeddings():
    # LangChain sends tokens, which needs a vocabulary from the network; texts need none
    embedder = OpenAIEmbeddings(model="embedder", base_url=BASE, api_key=KEY, check_embedding_ctx_length=False)
    assert embedder.embed_documents(["Paris", "Lyon"]) == [[0.25, -0.5, 1.0]] * 2


@case("real-chat")
def real_chat():
    assert model("", max_tokens=48, temperature=0).invoke(QUESTION).content


@case("real-stream")
def real_stream():
    assert joined(model("", max_tokens=48, temperature=0).stream(QUESTION)).content


if __name__ == "__main__":
    main()
