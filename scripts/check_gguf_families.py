#!/usr/bin/env python3
"""Holds GGUF files of every family, as Redline writes them, against llama.cpp.

    export REDLINE_EXPORT=$(mktemp -d)
    cargo test --release -p redline-model write_for_llama_cpp -- --ignored
    pip install xllamacpp safetensors numpy
    python scripts/check_gguf_families.py

For each of a golden's three rows, the log-probabilities of llama.cpp's most likely next tokens are held against those of
transformers (`logits` in tests/golden/FAMILY/expected.safetensors). llama.cpp keeps weights, keys and values in f16; where more than that
differs, the numbers are far off. Exits with 1 where a difference exceeds 0.05, but for Mistral, whose window llama.cpp passes over.
"""

import os
import pathlib
import sys

import numpy as np
import xllamacpp
from safetensors.numpy import load_file

COMPARED, LARGEST = 20, 0.05
OTHERWISE = ["mistral_swa"]


def next_token(path, prompt):
    """The most likely next tokens with their log-probabilities; none where the first has no text."""
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 256
    params.warmup = False
    params.verbosity = -1
    server = xllamacpp.Server(params)
    request = {"prompt": prompt, "n_predict": 1, "temperature": 0, "ignore_eos": True, "n_probs": COMPARED, "logprobs": COMPARED}
    reply = server.handle_completions(request)
    reply = reply[0] if isinstance(reply, list) else reply
    # a token without a text, as the tokenizer of the goldens leaves some, has none
    said = reply["choices"][0]["logprobs"]
    return said["content"][0]["top_logprobs"] if said else []


def main():
    failed = False
    for path in sorted(pathlib.Path(os.environ["REDLINE_EXPORT"]).glob("*.gguf")):
        golden = load_file(f"tests/golden/{path.stem}/expected.safetensors")
        largest, compared = 0.0, 0
        for row, length in enumerate(golden["attention_mask"].sum(axis=1)):
            expected = log_softmax(golden["logits"][row, length - 1].astype("float64"))
            got = next_token(path, golden["input_ids"][row, :length].tolist())
            compared += len(got)
            largest = max([largest, *(abs(token["logprob"] - expected[token["id"]]) for token in got)])
        print(f"{path.stem:12} {compared} log-probabilities, largest difference {largest:.4f}")
        failed |= compared == 0 or (largest > LARGEST and path.stem not in OTHERWISE)
    return 1 if failed else 0


def log_softmax(logits):
    shifted = logits - logits.max()
    return shifted - np.log(np.exp(shifted).sum())


if __name__ == "__main__":
    sys.exit(main())
