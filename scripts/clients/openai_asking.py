"""How the cases of the Python package `openai` ask, and how they read what comes back."""
import openai

from harness import BASE, KEY, MESSAGES, REAL_MODEL, check_corrected, check_status

client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=60)


def ask(model, **more):
    return client.chat.completions.create(**{"model": REAL_MODEL or model, "messages": MESSAGES, **more})


class Streamed:
    """The deltas of a stream put together, by choice."""

    def __init__(self, chunks):
        self.chunks = [chunk.model_dump() for chunk in chunks]
        self.text, self.reasoning, self.refusal, self.finish, self.calls, self.last = {}, {}, {}, {}, {}, {}
        self.usage = next((chunk["usage"] for chunk in reversed(self.chunks) if chunk.get("usage")), None)
        for chunk in self.chunks:
            for choice in chunk["choices"]:
                self.add(choice["index"], choice)

    def add(self, index, choice):
        delta = choice["delta"] or {}
        for kept, field in ((self.text, "content"), (self.reasoning, "reasoning_content"), (self.refusal, "refusal")):
            piece = delta.get(field) or ""
            if isinstance(piece, list):
                piece = "".join(part.get("text", "") for part in piece)
            kept[index] = kept.get(index, "") + piece
        for call in delta.get("tool_calls") or []:
            own = self.calls.setdefault(call["index"], {"id": None, "name": None, "arguments": ""})
            own["id"] = own["id"] or call.get("id")
            own["name"] = own["name"] or call["function"].get("name")
            own["arguments"] += call["function"].get("arguments") or ""
        if choice.get("finish_reason"):
            self.finish[index], self.last[index] = choice["finish_reason"], choice


def streamed(model, **more):
    return Streamed(ask(model, stream=True, **more))


def check_whole(reply, index=0, **more):
    choice = reply.choices[index]
    check_corrected(choice.message.content, **more)
    check_status(choice.model_dump(), more.get("answer", check_status.__defaults__[0]))
    return choice


def check_streamed(said, index=0, **more):
    check_corrected(said.text[index], **more)
    assert said.finish.get(index), f"no finish_reason in {said.chunks}"
    check_status(said.last[index], more.get("answer", check_status.__defaults__[0]))


def raised(call):
    """The error that a call raises."""
    try:
        reply = call()
        said = reply if not hasattr(reply, "__iter__") or hasattr(reply, "model_dump") else list(reply)
    except openai.APIError as error:
        return error
    raise AssertionError(f"no error, but {said}")
