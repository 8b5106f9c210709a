"""`/v1/responses` for the Python package `openai`."""
from typing import List

import openai
from pydantic import BaseModel

from harness import QUESTION, case, check_arguments, check_corrected, check_instance, check_status, TOOL
from openai_asking import client, raised

FLAT_TOOL = {"type": "function", "strict": True, **TOOL["function"]}
USUAL = ["response.created", "response.output_item.added", "response.content_part.added", "response.output_text.delta",
         "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"]


class Answer(BaseModel):
    reasoning: str
    city: str
    population: int
    sights: List[str]


def ask(model, **more):
    return client.responses.create(model=model, **{"input": QUESTION, **more})


@case("responses")
def responses():
    turns = [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}]
    for more in ({}, {"input": turns}, {"input": [{"role": "user", "content": QUESTION}], "instructions": "Be brief."}):
        reply = ask("plain", **more)
        check_corrected(reply.output_text)
        check_status(reply.model_dump())
        assert reply.status == "completed" and reply.usage.total_tokens > 0, reply


@case("responses-stream")
def responses_stream():
    events = list(ask("plain", stream=True))
    kinds = list(dict.fromkeys(event.type for event in events if event.type != "response.in_progress"))
    assert kinds == USUAL, kinds
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(set(numbers)), numbers
    check_corrected("".join(event.delta for event in events if event.type == "response.output_text.delta"))
    for event in events:
        if event.type in ("response.output_text.done",):
            check_corrected(event.text)
    check_corrected(events[-1].response.output_text)
    check_status(events[-1].response.model_dump())


def check_call(output):
    [call] = [item for item in output if item.type == "function_call"]
    assert (call.call_id, call.name) == ("call_1", TOOL["function"]["name"]), call
    check_arguments(call.arguments)


@case("responses-tools")
def responses_tools():
    reply = ask("text-and-calls", tools=[FLAT_TOOL])
    check_corrected(reply.output_text)
    check_call(reply.output)
    check_call(ask("calls", tools=[FLAT_TOOL]).output)


@case("responses-tools-stream")
def responses_tools_stream():
    for model in ("text-and-calls", "calls"):
        events = list(ask(model, tools=[FLAT_TOOL], stream=True))
        check_call(events[-1].response.output)
        done = [event for event in events if event.type == "response.function_call_arguments.done"]
        assert len(done) == 1, [event.type for event in events]
        check_arguments(done[0].arguments)
        if model == "text-and-calls":
            check_corrected(events[-1].response.output_text)


@case("responses-structured")
def responses_structured():
    reply = client.responses.parse(model="json", input=QUESTION, text_format=Answer)
    assert isinstance(reply.output_parsed, Answer), reply
    check_instance(reply.output_text, reply.model_dump())
    with client.responses.stream(model="json", input=QUESTION, text_format=Answer) as events:
        for _ in events:
            pass
        final = events.get_final_response()
    check_instance(final.output_text)


@case("responses-errors")
def responses_errors():
    for model, kind, words in (("missing", openai.NotFoundError, "does not exist"),
                               ("error-200-429", openai.RateLimitError, "quota is used up")):
        for stream in (False, True):
            error = raised(lambda: ask(model, stream=stream))
            assert type(error) is kind and words in str(error), f"{model}, stream={stream}: {type(error)} {error}"
