#!/usr/bin/env python3
"""Control vectors both ways: one of Redline steers under repeng, one of repeng steers under Redline, with the same greedy text.

    pip install torch transformers accelerate repeng==0.4.0 gguf
    python scripts/check_repeng.py models/SmolLM2-135M-Instruct.Q4_1.gguf --vector vector.gguf [--coefficient 2]

VECTOR is a control vector that `redline extract --gguf` wrote for the model. A second one is trained by repeng on a few sentences,
exported by it, and given to `redline correct`. repeng adds a vector to every position, so Redline runs with --range all; it
numbers blocks as Redline does. Exits with 1 when a text differs, or a vector changes nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import torch
from repeng import ControlModel, ControlVector, DatasetEntry
from transformers import AutoModelForCausalLM, AutoTokenizer

QUESTION = "What is the river like?"
ANSWER = "The river rises in the hills, where snow lies until May. It is hardly more than a brook at first."
TEMPLATE = "{question}\n{answer}\n"
NEW_TOKENS = 24
PLACES = ["in the hills", "at the mill", "by the old bridge", "in the village", "on the road", "near the sea"]


def load(path):
    folder, name = os.path.split(os.path.abspath(path))
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(folder, gguf_file=name)


def redline(*args):
    binary = os.environ.get("REDLINE", "target/release/redline")
    ran = subprocess.run([binary, *args], check=False, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(ran.stderr)
    return ran.stdout


def ours(path, vector, coefficient, folder):
    template = os.path.join(folder, "template.txt")
    with open(template, "w") as file:
        file.write(TEMPLATE + "\n")
    out = redline(
        "correct", "--model", path, "--template", template, "--question", QUESTION, "--answer", ANSWER, "--vector", vector,
        "--range", "all", "--max-new-tokens", str(NEW_TOKENS), f"--coefficient={coefficient}", "--json",
    )
    return json.loads(out.splitlines()[0])["correction"]


def theirs(control, tokenizer, ids, vector, coefficient):
    control.reset()
    if coefficient:
        control.set_control(vector, coefficient)
    with torch.inference_mode():
        out = control.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=0,
        )
    control.reset()
    return tokenizer.decode(out[0][ids.shape[1] :], skip_special_tokens=True).strip()


def compare(name, path, file, model, tokenizer, coefficient, folder):
    vector = ControlVector.import_gguf(file)
    control = ControlModel(model, sorted(vector.directions))
    prompt = TEMPLATE.format(question=QUESTION, answer=ANSWER)
    text = os.path.join(folder, "prompt.txt")
    with open(text, "w") as out:
        out.write(prompt)
    tokens = json.loads(redline("perplexity", text, "--model", path, "--json"))["tokens"]
    ids = torch.tensor([[token["id"] for token in tokens]])
    same, texts = True, []
    for c in (0.0, coefficient, -coefficient):
        mine, other = ours(path, file, c, folder), theirs(control, tokenizer, ids, vector, c)
        texts.append(mine)
        same &= mine == other
        print(f"{name}, coefficient {c}: {'the same' if mine == other else 'different'}\n  repeng  {other!r}\n  redline {mine!r}")
    control.unwrap()
    if len(set(texts)) == 1:
        print(f"{name}: the vector changes nothing: choose a larger coefficient")
        return False
    return same


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--vector", required=True)
    parser.add_argument("--coefficient", type=float, default=2.0)
    args = parser.parse_args()
    model, tokenizer = load(args.model)
    tokenizer.pad_token_id = tokenizer.pad_token_id or 0
    with tempfile.TemporaryDirectory() as folder:
        good = compare("vector of redline", args.model, args.vector, model, tokenizer, args.coefficient, folder)
        entries = [
            DatasetEntry(positive=f"How lovely it is {place}!", negative=f"How awful it is {place}!") for place in PLACES
        ]
        control = ControlModel(model, list(range(5, 25)))
        trained = ControlVector.train(control, tokenizer, entries, method="pca_center", batch_size=4)
        control.unwrap()
        file = os.path.join(folder, "repeng.gguf")
        trained.export_gguf(file)
        good &= compare("vector of repeng", args.model, file, model, tokenizer, args.coefficient, folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
