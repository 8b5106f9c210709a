"""The scripted upstream's side of `/v1/responses`: the whole reply and the events that stream it."""
from scripted_replies import choices_for, pieces


def output_items(body):
    said = choices_for(body)[0]["message"]
    if said.get("reasoning_content"):
        summary = [{"type": "summary_text", "text": said["reasoning_content"]}]
        yield {"id": "rs_1", "type": "reasoning", "summary": summary}
    if isinstance(said["content"], str) and said["content"]:
        part = {"type": "output_text", "text": said["content"], "annotations": [], "logprobs": []}
        yield {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    elif said.get("refusal"):
        part = {"type": "refusal", "refusal": said["refusal"]}
        yield {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    for one in said.get("tool_calls") or []:
        yield {"id": "fc_" + one["id"], "type": "function_call", "status": "completed", "call_id": one["id"],
               **one["function"]}


def with_tool_names(body):
    """`/v1/responses` has tools as {"type": "function", "name": …}; here they are read as chat requests have them."""
    tools = [{"function": tool} for tool in body.get("tools") or [] if tool.get("type") == "function"]
    last = (body["input"] if isinstance(body.get("input"), list) else [{}])[-1]
    ran = [{"role": "tool"}] if last.get("type") == "function_call_output" else []
    return {**body, "tools": tools, "messages": ran}


def response(body, status="completed", output=None):
    usage = {"input_tokens": 13, "output_tokens": 12, "total_tokens": 25,
             "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    items = list(output_items(with_tool_names(body))) if output is None else output
    return {"id": "resp_1", "object": "response", "created_at": 1700000000, "status": status, "error": None,
            "incomplete_details": None, "instructions": body.get("instructions"), "max_output_tokens": None,
            "model": body["model"], "output": items, "parallel_tool_calls": True, "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None}, "store": True, "temperature": 1.0,
            "text": body.get("text") or {"format": {"type": "text"}}, "tool_choice": "auto",
            "tools": body.get("tools") or [], "top_p": 1.0, "truncation": "disabled",
            "usage": usage if status == "completed" else None, "user": None, "metadata": {}}


def part_events(item, index, number, part):
    place = {"item_id": item["id"], "output_index": index, "content_index": number}
    kind, field = ("output_text", "text") if part["type"] == "output_text" else ("refusal", "refusal")
    yield "response.content_part.added", {**place, "part": {**part, field: ""}}
    for piece in pieces(part[field]):
        yield f"response.{kind}.delta", {**place, "delta": piece, "logprobs": []}
    yield f"response.{kind}.done", {**place, field: part[field], "logprobs": []}
    yield "response.content_part.done", {**place, "part": part}


def item_events(item, index):
    started = {**item, "status": "in_progress"}
    if item["type"] == "message":
        started["content"] = []
    if item["type"] == "function_call":
        started["arguments"] = ""
    yield "response.output_item.added", {"output_index": index, "item": started}
    for number, part in enumerate(item.get("content") or []):
        yield from part_events(item, index, number, part)
    if item["type"] == "function_call":
        place = {"item_id": item["id"], "output_index": index}
        for piece in pieces(item["arguments"]):
            yield "response.function_call_arguments.delta", {**place, "delta": piece}
        yield "response.function_call_arguments.done", {**place, "arguments": item["arguments"], "name": item["name"]}
    yield "response.output_item.done", {"output_index": index, "item": item}


def response_events(body):
    whole = response(body)
    started = response(body, "in_progress", [])
    events = [("response.created", {"response": started}), ("response.in_progress", {"response": started})]
    for index, item in enumerate(whole["output"]):
        events += item_events(item, index)
    events.append(("response.completed", {"response": whole}))
    for number, (kind, data) in enumerate(events):
        yield {"type": kind, "sequence_number": number, **data}
