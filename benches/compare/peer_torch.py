"""PyTorch and repeng at the same work, in f32 on the dequantised weights.

    peer_torch.py WORK MODEL REPEATS [THREADS] < JSON

Prints the seconds of each run as JSON.
"""

import json
import os
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def load(path):
    folder, name = os.path.split(os.path.abspath(path))
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    return model.eval(), AutoTokenizer.from_pretrained(folder, gguf_file=name)


def prefill(model, _, given):
    with torch.inference_mode():
        model(torch.tensor([given["tokens"]]), logits_to_keep=1)


def decode(model, _, given):
    with torch.inference_mode():
        model.generate(
            torch.tensor([[1]]), min_new_tokens=given["n"], max_new_tokens=given["n"], do_sample=False,
            attention_mask=torch.ones((1, 1), dtype=torch.long), pad_token_id=0,
        )


def directions(model, tokenizer, given):
    from repeng import ControlModel, ControlVector, DatasetEntry

    entries = [DatasetEntry(positive=positive, negative=negative) for positive, negative in given["pairs"]]
    tokenizer.pad_token_id = tokenizer.pad_token_id or 0
    control = ControlModel(model, list(range(model.config.num_hidden_layers)))
    ControlVector.train(control, tokenizer, entries, method="pca_diff", batch_size=32)
    control.unwrap()


def main(work, path, repeats, threads):
    torch.set_num_threads(threads)
    given = json.load(sys.stdin)
    model, tokenizer = load(path)
    run = {"prefill": prefill, "decode": decode, "directions": directions}[work]
    seconds = []
    for _ in range(repeats + given.get("warmup", 1)):
        started = time.perf_counter()
        run(model, tokenizer, given)
        seconds.append(time.perf_counter() - started)
    print(json.dumps(seconds[given.get("warmup", 1):]))


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 2)
