"""The Python package `openai`: chat completions, tools, structured output and what stands beside the text."""
import asyncio
import json
from typing import List

import openai
from pydantic import BaseModel

import openai_errors  # noqa: F401 (its cases)
import openai_passing  # noqa: F401
import openai_responses  # noqa: F401
from harness import (BASE, CLEAN, EXPECTED, FLAWED, INSULT, INSTANCE, KEY, MESSAGES, QUESTION, SCHEMA, TEXTS, TOOL, case,
                     check_arguments, check_clean, check_corrected, check_instance, check_status, check_think,
                     correction_of, main, redlines)
from openai_asking import Streamed, ask, check_streamed, check_whole, client, raised, streamed

FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}


class Answer(BaseModel):
    reasoning: str
    city: str
    population: int
    sights: List[str]


@case("chat")
def chat():
    choice = check_whole(ask("plain"))
    assert choice.finish_reason == "stop" and choice.message.role == "assistant", choice


@case("stream")
def stream():
    said = streamed("plain")
    check_streamed(said)
    assert said.finish[0] == "stop", said.finish
    assert len({chunk["id"] for chunk in said.chunks}) == 1 and said.chunks[0]["id"], said.chunks[0]


@case("async")
def with_async_client():
    async def run():
        own = openai.AsyncOpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=60)
        check_whole(await own.chat.completions.create(model="plain", messages=MESSAGES))
        chunks = await own.chat.completions.create(model="plain", messages=MESSAGES, stream=True)
        check_streamed(Streamed([chunk async for chunk in chunks]))

    asyncio.run(run())


@case("conversation")
def conversation():
    turns = [
        {"role": "system", "content": "You answer in one sentence."},
        {"role": "user", "content": [{"type": "text", "text": "What is the capital of Spain?"}]},
        {"role": "assistant", "content": "The capital of Spain is Madrid."},
        {"role": "user", "content": QUESTION},
    ]
    choice = ask("plain", messages=turns).choices[0]
    assert choice.message.content and INSULT not in choice.message.content, choice
    check_status(choice.model_dump())


@case("coefficient")
def coefficient():
    choice = ask("plain", extra_body={"steering": {"coefficient": 0.5}}).choices[0]
    assert choice.redline["coefficient"] == 0.5 and CLEAN in choice.message.content, choice


def check_call(choice, text):
    assert choice.finish_reason == "tool_calls" and len(choice.message.tool_calls or []) == 1, choice
    call = choice.message.tool_calls[0]
    assert (call.id, call.type, call.function.name) == ("call_1", "function", TOOL["function"]["name"]), call
    check_arguments(call.function.arguments)
    assert (choice.message.content or "") == text, choice


def check_streamed_call(said, text):
    assert said.finish[0] == "tool_calls", said.chunks
    assert list(said.calls) == [0], f"calls {said.calls} in {said.chunks}"
    assert (said.calls[0]["id"], said.calls[0]["name"]) == ("call_1", TOOL["function"]["name"]), said.calls
    check_arguments(said.calls[0]["arguments"])
    assert said.text[0] == text, said.text


@case("tools")
def tools():
    for model in ("calls", "calls-empty"):
        check_call(ask(model, tools=[TOOL]).choices[0], "")


@case("tools-stream")
def tools_stream():
    for model in ("calls", "calls-empty"):
        check_streamed_call(streamed(model, tools=[TOOL]), "")


@case("tools-text")
def tools_text():
    choice = ask("text-and-calls", tools=[TOOL]).choices[0]
    check_call(choice, correction_of(FLAWED))
    check_status(choice.model_dump())


@case("tools-text-stream")
def tools_text_stream():
    said = streamed("text-and-calls", tools=[TOOL])
    check_streamed_call(said, correction_of(FLAWED))
    check_status(said.chunks)


@case("two-tools")
def two_tools():
    calls = ask("two-calls", tools=[TOOL]).choices[0].message.tool_calls
    assert [(call.id, json.loads(call.function.arguments)["city"]) for call in calls] == [("call_1", "Paris"), ("call_2", "Lyon")]
    said = streamed("two-calls", tools=[TOOL]).calls
    assert [(index, call["id"], json.loads(call["arguments"])["city"]) for index, call in said.items()] == [
        (0, "call_1", "Paris"), (1, "call_2", "Lyon")], said


@case("tool-loop")
def tool_loop():
    first = ask("calls", tools=[TOOL]).choices[0].message
    turns = MESSAGES + [first.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": "call_1", "content": "Paris"}]
    check_clean(ask("calls", messages=turns, tools=[TOOL]).choices[0].message.content)


@case("function-call")
def function_call():
    called = ask("function-call").choices[0].message.function_call
    check_arguments(called.arguments)
    deltas = [choice.delta for chunk in ask("function-call", stream=True) for choice in chunk.choices]
    check_arguments("".join(delta.function_call.arguments for delta in deltas if delta.function_call))


@case("structured")
def structured():
    reply = client.chat.completions.parse(model="json", messages=MESSAGES, response_format=Answer)
    assert isinstance(reply.choices[0].message.parsed, Answer), reply
    check_instance(reply.choices[0].message.content, reply.model_dump())
    reply = ask("json", response_format=FORMAT)
    check_instance(reply.choices[0].message.content, reply.model_dump())


@case("structured-stream")
def structured_stream():
    said = streamed("json", response_format=FORMAT)
    check_instance(said.text[0], said.chunks)
    with client.chat.completions.stream(model="json", messages=MESSAGES, response_format=Answer) as events:
        for _ in events:
            pass
        final = events.get_final_completion().choices[0].message
    assert isinstance(final.parsed, Answer), final


@case("structured-tool")
def structured_tool():
    tool = openai.pydantic_function_tool(Answer)
    reply = client.chat.completions.parse(model="schema-call", messages=MESSAGES, tools=[tool])
    assert reply.choices[0].message.tool_calls[0].function.parsed_arguments == Answer(**INSTANCE), reply


@case("json-object")
def json_object():
    reply = ask("json", response_format={"type": "json_object"})
    check_instance(reply.choices[0].message.content, reply.model_dump())


@case("code-fence")
def code_fence():
    for text in (ask("code").choices[0].message.content, streamed("code").text[0]):
        assert '```python\nprint("Paris")\n```' in text and INSULT not in text, f"got {text!r}"


@case("parts")
def parts():
    choice = ask("parts").choices[0]
    content = choice.message.content
    assert isinstance(content, list), f"got {content!r}"
    check_corrected("".join(part["text"] for part in content if part["type"] == "text"))
    others = [part for part in content if part["type"] != "text"]
    assert others in ([], [{"type": "thinking", "thinking": [{"type": "text", "text": TEXTS["reasoning"]}]}]), others
    check_status(choice.model_dump())


@case("parts-stream")
def parts_stream():
    check_streamed(streamed("parts"))


@case("reasoning")
def reasoning():
    choice = check_whole(ask("reasoning"))
    assert getattr(choice.message, "reasoning_content", None) in (None, TEXTS["reasoning"]), choice


@case("reasoning-stream")
def reasoning_stream():
    said = streamed("reasoning")
    check_streamed(said)
    assert said.reasoning[0] in ("", TEXTS["reasoning"]), said.reasoning


@case("think-tags")
def think_tags():
    choice = ask("think-tags").choices[0]
    check_think(choice.message.content)
    check_status(choice.model_dump(), answer=None)


@case("think-tags-stream")
def think_tags_stream():
    said = streamed("think-tags")
    check_think(said.text[0])
    check_status(said.chunks, answer=None)


@case("reasoning-only")
def reasoning_only():
    for more in ({}, {"stream": True}):
        try:
            reply = ask("reasoning-only", **more)
            said = Streamed(reply) if more else reply.choices[0].message
        except openai.APIStatusError as error:
            assert len(error.body["message"]) > 10, error
            continue
        text = said.text[0] if more else said.content or ""
        assert INSULT not in text, f"got {text!r}"


@case("refusal")
def refusal():
    try:
        message = ask("refusal").choices[0].message
    except openai.APIStatusError as error:
        assert "refus" in str(error), error
        return
    assert message.refusal == correction_of(TEXTS["refusal"]) != TEXTS["refusal"], message


@case("refusal-stream")
def refusal_stream():
    try:
        said = streamed("refusal")
    except openai.APIError as error:
        assert "refus" in str(error), error
        return
    assert said.refusal[0] == correction_of(TEXTS["refusal"]) != TEXTS["refusal"], said.chunks


@case("unknown-form")
def unknown_form():
    for model in ("object", "number", "unknown-part", "audio"):
        for more in ({}, {"stream": True}):
            error = raised(lambda: ask(model, **more))
            assert INSULT not in str(error) and len(str(error)) > 20, f"{model}: {error}"


@case("choices")
def choices():
    wanted = {0: correction_of(FLAWED), 1: correction_of(TEXTS["second"])}
    for model in ("two", "two-reversed"):
        got = {choice.index: choice.message.content for choice in ask(model, n=2).choices}
        assert got == wanted, f"{model}: {got}"
    assert streamed("two", n=2).text == wanted


@case("choices-reversed")
def choices_reversed():
    wanted = {0: correction_of(FLAWED), 1: correction_of(TEXTS["second"])}
    reply = ask("two-reversed", n=2)
    assert {choice.index: choice.message.content for choice in reply.choices} == wanted, reply
    said = streamed("two-reversed", n=2)
    assert said.text == wanted and set(said.finish) == {0, 1}, said.text


@case("usage")
def usage():
    reply = ask("plain")
    own = reply.choices[0].redline["usage"]
    assert own and all(isinstance(count, int) for count in own.values()), own
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 0, reply.usage
    last = streamed("plain", stream_options={"include_usage": True}).usage
    assert last and last["total_tokens"] == reply.usage.total_tokens, f"{last}, whole {reply.usage}"


@case("stop")
def stop():
    for text in (ask("plain", stop=["Paris"]).choices[0].message.content, streamed("plain", stop="Paris").text[0]):
        assert text and "Paris" not in text and correction_of(FLAWED).startswith(text.rstrip()), f"got {text!r}"


@case("max-tokens")
def max_tokens():
    wanted = correction_of(FLAWED)
    for limit in ({"max_tokens": 3}, {"max_completion_tokens": 3}):
        choice = ask("plain", **limit).choices[0]
        text = choice.message.content
        assert wanted.startswith(text) and len(text) < len(wanted), f"{limit}: got {text!r}"
        assert choice.finish_reason == "length", choice
        said = streamed("plain", **limit)
        assert said.text[0] == text and said.finish[0] == "length", f"{limit}: got {said.text}, {said.finish}"


@case("logprobs")
def logprobs():
    try:
        choice = ask("logprobs", logprobs=True).choices[0]
    except openai.BadRequestError as error:
        assert "logprobs" in str(error), error
        return
    if choice.logprobs and choice.logprobs.content:
        assert "".join(one.token for one in choice.logprobs.content) == choice.message.content, choice
    else:
        assert "logprobs" in json.dumps(redlines(choice.model_dump())), f"null without a word: {choice}"


@case("real-chat")
def real_chat():
    choice = ask("", max_tokens=48, temperature=0).choices[0]
    assert choice.message.content == correction_of(choice.redline["answer"]), choice


@case("real-stream")
def real_stream():
    said = streamed("", max_tokens=48, temperature=0)
    [found] = redlines(said.chunks)
    assert said.text[0] == correction_of(found["answer"]), said.text


@case("real-json")
def real_json():
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "founded": {"type": "integer"}},
              "required": ["city", "founded"]}
    for more in ({}, {"stream": True}):
        reply = ask("", max_tokens=64, temperature=0, response_format={"type": "json_object", "schema": schema}, **more)
        text = Streamed(reply).text[0] if more else reply.choices[0].message.content
        value = json.loads(text)
        assert isinstance(value["city"], str) and isinstance(value["founded"], int), value


@case("real-tool")
def real_tool():
    forced = {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": TOOL["function"]["name"]}},
              "max_tokens": 64, "temperature": 0}
    [call] = ask("", **forced).choices[0].message.tool_calls
    assert call.function.name == TOOL["function"]["name"] and "city" in json.loads(call.function.arguments), call
    [call] = streamed("", **forced).calls.values()
    assert call["name"] == TOOL["function"]["name"] and "city" in json.loads(call["arguments"]), call


if __name__ == "__main__":
    main()
