"""Compares greedy outputs of llama.cpp with those of `redline evaluate`, text for text.

    pip install xllamacpp
    redline evaluate --data triples.jsonl --prompts 12 --max-new-tokens 120 --out outputs.jsonl
    python scripts/check_gguf.py assets/aligner/redline-tiny.gguf outputs.jsonl

The model must use the template `aligner`. Exits with 1 when an output differs.
"""

import json
import sys

import xllamacpp

TEMPLATE = "BEGINNING OF CONVERSATION: USER: ##Question: {question}\n##Answer: {answer}\n##Correction:  ASSISTANT:"
MAX_TOKENS = 120


def main(model: str, outputs: str) -> int:
    with open(outputs) as file:
        rows = [json.loads(line) for line in file]
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = 1024
    params.warmup = False
    server = xllamacpp.Server(params)
    differing = 0
    for row in rows:
        prompt = TEMPLATE.format(question=row["question"], answer=row["answer"])
        request = {"prompt": prompt, "max_tokens": MAX_TOKENS, "temperature": 0, "top_k": 1}
        text = server.handle_completions(request)["choices"][0]["text"]
        if text != row["output"]:
            differing += 1
            print(f"llama.cpp: {text!r}\nredline:   {row['output']!r}")
    print(f"{len(rows) - differing} of {len(rows)} outputs are the same")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
