"""Inspect: a small evaluation, and generation with tools, over an `openai-api` model."""
import asyncio
import os
import tempfile

# one provider of Inspect's `openai-api` kind, named redline
from harness import (BASE, EXPECTED, FLAWED, KEY, QUESTION, REAL_MODEL, SCHEMA, case, check_clean, check_corrected,
                     check_instance, correction_of, main)

os.environ |= {"REDLINE_API_KEY": KEY, "REDLINE_BASE_URL": BASE}

from inspect_ai import Task, eval  # noqa: E402
from inspect_ai.dataset import Sample  # noqa: E402
from inspect_ai.model import GenerateConfig, ResponseSchema, get_model  # noqa: E402
from inspect_ai.scorer import includes  # noqa: E402
from inspect_ai.solver import generate, use_tools  # noqa: E402
from inspect_ai.tool import ToolInfo, ToolParams, tool  # noqa: E402
from inspect_ai.util import JSONSchema  # noqa: E402

TOOL = EXPECTED["tool"]
LOOK_UP = ToolInfo(name=TOOL["name"], description=TOOL["description"], parameters=ToolParams(**TOOL["parameters"]))


@tool
def look_up():
    async def execute(city: str):
        """Looks up a city.

        Args:
            city: its name
        """
        return f"{city} is the capital."

    return execute


def model(name, **config):
    return get_model(f"openai-api/redline/{REAL_MODEL or name}", config=GenerateConfig(max_retries=0, timeout=60, **config))


def ask(name, **more):
    config = more.pop("config", {})
    return asyncio.run(model(name, **config).generate(QUESTION, **more))


def check_call(output, text):
    [call] = output.message.tool_calls or []
    assert (call.function, call.arguments) == (TOOL["name"], {"city": "Paris"}), output
    assert output.completion.strip() == text, output.completion


def scored(name, solver, sample):
    with tempfile.TemporaryDirectory() as folder:
        task = Task(dataset=[sample], solver=solver, scorer=includes())
        [log] = eval(task, model=model(name), log_dir=folder, display="none")
        # samples are read from the file when they are asked for
        assert log.status == "success", log.error
        return log.samples[0]


@case("chat")
def chat():
    output = ask("plain")
    check_corrected(output.completion)
    assert output.stop_reason == "stop" and output.usage.total_tokens > 0, output


@case("tools-text")
def tools_text():
    check_call(ask("text-and-calls", tools=[LOOK_UP]), correction_of(FLAWED))


@case("tools")
def tools():
    check_call(ask("calls", tools=[LOOK_UP]), "")


@case("structured")
def structured():
    wanted = ResponseSchema(name="answer", json_schema=JSONSchema.model_validate(SCHEMA))
    check_instance(ask("json", config={"response_schema": wanted}).completion)


@case("think-tags")
def think_tags():
    message = ask("think-tags").message
    # Inspect splits the tags off itself
    check_corrected(message.text.strip())


@case("eval")
def evaluation():
    sample = scored("plain", generate(), Sample(input=QUESTION, target="The capital of France is Paris."))
    assert sample.scores["includes"].value == "C", sample.scores
    check_corrected(sample.output.completion)


@case("tool-loop")
def tool_loop():
    sample = scored("calls", [use_tools(look_up()), generate()], Sample(input=QUESTION, target="Paris"))
    assert [message.role for message in sample.messages] == ["user", "assistant", "tool", "assistant"], sample.messages
    check_clean(sample.output.completion)


@case("real-chat")
def real_chat():
    assert ask("", config={"max_tokens": 48, "temperature": 0}).completion


if __name__ == "__main__":
    main()
