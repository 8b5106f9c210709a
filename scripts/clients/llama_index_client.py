"""LlamaIndex's `OpenAILike`: chat, stream, structured, tools."""
import asyncio
from typing import List

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

from harness import BASE, FLAWED, KEY, QUESTION, REAL_MODEL, TOOL, case, check_corrected, check_instance, correction_of, main

ASKED = [ChatMessage(role="user", content=QUESTION)]


class Answer(BaseModel):
    """An answer about a city."""

    reasoning: str
    city: str
    population: int
    sights: List[str]


def look_up(city: str) -> str:
    """Looks up a city"""
    return f"{city} is the capital."


def model(name, **more):
    more = {"is_chat_model": True, "context_window": 4096, "max_retries": 0, "timeout": 60, **more}
    return OpenAILike(model=REAL_MODEL or name, api_base=BASE, api_key=KEY, **more)


def check_call(llm, reply, text):
    [call] = llm.get_tool_calls_from_response(reply)
    assert (call.tool_name, call.tool_kwargs) == (TOOL["function"]["name"], {"city": "Paris"}), reply
    assert (reply.message.content or "") == text, reply


@case("chat")
def chat():
    check_corrected(model("plain").chat(ASKED).message.content)


@case("stream")
def stream():
    *_, last = model("plain").stream_chat(ASKED)
    check_corrected(last.message.content)


@case("async")
def with_async():
    check_corrected(asyncio.run(model("plain").achat(ASKED)).message.content)


@case("completions")
def completions():
    # no chat model: the package asks /v1/completions
    check_corrected(model("plain", is_chat_model=False).complete(QUESTION).text)


@case("completions-stream")
def completions_stream():
    *_, last = model("plain", is_chat_model=False).stream_complete(QUESTION)
    check_corrected(last.text)


@case("tools-text")
def tools_text():
    llm = model("text-and-calls", is_function_calling_model=True)
    check_call(llm, llm.chat_with_tools([FunctionTool.from_defaults(look_up)], QUESTION), correction_of(FLAWED))


@case("tools-text-stream")
def tools_text_stream():
    llm = model("text-and-calls", is_function_calling_model=True)
    *_, last = llm.stream_chat_with_tools([FunctionTool.from_defaults(look_up)], QUESTION)
    check_call(llm, last, correction_of(FLAWED))


@case("structured")
def structured():
    reply = model("json", should_use_structured_outputs=True).as_structured_llm(Answer).chat(ASKED)
    check_instance(reply.raw.model_dump())


@case("structured-tool")
def structured_tool():
    reply = model("schema-call", is_function_calling_model=True).as_structured_llm(Answer).chat(ASKED)
    check_instance(reply.raw.model_dump())


@case("real-chat")
def real_chat():
    assert model("", max_tokens=48, temperature=0).chat(ASKED).message.content


@case("real-stream")
def real_stream():
    *_, last = model("", max_tokens=48, temperature=0).stream_chat(ASKED)
    assert last.message.content


if __name__ == "__main__":
    main()
