#!/usr/bin/env python3
"""Holds Redline against llama.cpp on the same GGUF files: logits (perplexity of a fixed text), tokens, and control vectors.

    pip install llama-cpp-python gguf numpy
    python scripts/check_llama_cpp.py MODEL.gguf
    redline extract --data triples.jsonl --layers 1-3 --out vector.safetensors --gguf vector.gguf
    python scripts/check_llama_cpp.py assets/aligner/redline-tiny.gguf --vector vector.gguf --rows rows.jsonl

Without a vector: token ids of some texts are compared one by one, and the perplexity of a text by both programs, which must agree
within 0.5 %. With one: corrections by llama.cpp with the control vector, greedy, and by `redline correct` with it, text by text. The
model must be an Aligner of the template `aligner`: of a model that is sure of its next token, since llama.cpp rounds activations
to 8 bits where weights are quantised. Exits with 1 when something differs.
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile

import llama_cpp
import numpy as np

TEXT = (
    "The river rises in the hills, where snow lies until May. For the first ten miles it is hardly more than a brook, and "
    "sheep drink from it. Then the mill stream joins it, and from there on boats can be used. In 1843 a bridge was built of "
    "grey stone; it still stands, although the road that it carried has long been moved. People of the village say that in "
    "dry summers one can walk across below it without wetting one's knees."
)
TEMPLATE = "BEGINNING OF CONVERSATION: USER: ##Question: {question}\n##Answer: {answer}\n##Correction:  ASSISTANT:"
NEW_TOKENS = 96
TEXTS = [
    "Hello world",
    " leading space",
    "two  spaces and\na line break\n\nand a blank line",
    "Numbers 1234567 and 3.14, prices: $5.00!",
    "naïve café, Straße, 日本語, Привет, emoji 😀👍🏽",
    "def f(x):\n    return x ** 2  # code\n",
    "don't can't WE'LL",
    "\t tabs\tand trailing space ",
    TEXT,
]


@llama_cpp.llama_log_callback
def silent(_level, _text, _data):
    """Takes the place of llama.cpp's own log."""


class LlamaCpp:
    """llama.cpp through its low-level API."""

    def __init__(self, path, n_ctx=1024):
        llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            sys.exit(f"error: llama.cpp cannot load {path}")
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = n_ctx
        params.n_batch = n_ctx
        self.context = llama_cpp.llama_init_from_model(self.model, params)

    def tokens(self, text, special=True):
        raw = text.encode()
        ids = (llama_cpp.llama_token * (len(raw) + 16))()
        n = llama_cpp.llama_tokenize(self.vocab, raw, len(raw), ids, len(ids), False, special)
        return list(ids[:n])

    def read(self, ids, want_all):
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, self.position + i, 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = want_all or i + 1 == len(ids)
        if llama_cpp.llama_decode(self.context, batch):
            sys.exit("error: llama.cpp cannot decode")
        self.position += len(ids)
        wanted = range(len(ids)) if want_all else [len(ids) - 1]
        width = llama_cpp.llama_vocab_n_tokens(self.vocab)
        rows = [np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(self.context, i), (width,)).copy() for i in wanted]
        llama_cpp.llama_batch_free(batch)
        return np.stack(rows)

    def reset(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        self.position = 0

    def steer(self, layers, width, coefficient):
        """Adds coefficient times the vectors: layer N to the output of block N; block 0 has no place."""
        n_layers = max(layers) if layers else 0
        data = np.zeros((n_layers, width), np.float32)
        for layer, values in layers.items():
            data[layer - 1] = coefficient * values
        pointer = data.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        adapt = getattr(llama_cpp, "llama_set_adapter_cvec", None) or llama_cpp.llama_apply_adapter_cvec
        if adapt(self.context, pointer, data.size, width, 1, n_layers):
            sys.exit("error: llama.cpp refuses the control vector")

    def greedy(self, ids, n):
        self.reset()
        logits, out = self.read(ids, False), []
        for _ in range(n):
            token = int(logits[-1].argmax())
            if llama_cpp.llama_vocab_is_eog(self.vocab, token):
                break
            out.append(token)
            logits = self.read([token], False)
        return out


def log_softmax(logits):
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def redline(*args):
    binary = os.environ.get("REDLINE", "target/release/redline")
    ran = subprocess.run([binary, *args], check=False, capture_output=True, text=True)
    if ran.returncode not in (0, 1):
        sys.exit(ran.stderr)
    return ran.stdout


def perplexity(path, text):
    """Token ids and perplexity by Redline; the begin token, where the model has one, included."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        value = json.loads(redline("perplexity", file.name, "--model", path, "--json"))
    return [token["id"] for token in value["tokens"]], value["perplexity"]


def compare_plain(path):
    llama = LlamaCpp(path)
    begin = [llama_cpp.llama_vocab_bos(llama.vocab)] if llama_cpp.llama_vocab_get_add_bos(llama.vocab) else []
    same = 0
    for text in TEXTS:
        theirs = begin + llama.tokens(text)
        ours, ours_perplexity = perplexity(path, text)
        same += ours == theirs
        if ours != theirs:
            print(f"tokens of {text!r}:\n  llama.cpp {theirs}\n  redline   {ours}")
    print(f"{same} of {len(TEXTS)} texts have the same tokens")
    ids = begin + llama.tokens(TEXT)
    llama.reset()
    scores = log_softmax(llama.read(ids, True))
    theirs = float(np.exp(-np.mean([scores[i, token] for i, token in enumerate(ids[1:])])))
    ratio = ours_perplexity / theirs - 1
    print(f"perplexity: llama.cpp {theirs:.4f}, redline {ours_perplexity:.4f} ({100 * ratio:+.3f} %)")
    return same < len(TEXTS) or abs(ratio) > 0.005


def compare_steered(path, vector, coefficient, rows):
    from gguf import GGUFReader

    reader = GGUFReader(vector)
    layers = {int(t.name.split(".")[1]): np.array(t.data, np.float32) for t in reader.tensors}
    if 0 in layers:
        sys.exit("error: the vector steers block 0, which llama.cpp never does: extract with --layers 1-N")
    width = len(next(iter(layers.values())))
    llama = LlamaCpp(path)
    begin = [llama_cpp.llama_vocab_bos(llama.vocab)] if llama_cpp.llama_vocab_get_add_bos(llama.vocab) else []
    args = ["--model", path, "--template", "aligner", "--vector", vector, "--range", "all", "--data", rows]
    same, changed = True, set()
    for c in (0.0, coefficient, -coefficient):
        out = redline("correct", *args, "--max-new-tokens", str(NEW_TOKENS), f"--coefficient={c}", "--json")
        ours = [json.loads(line) for line in out.splitlines()]
        llama.steer(layers, width, c)
        equal = 0
        for row in ours:
            prompt = begin + llama.tokens(TEMPLATE.format(question=row["question"], answer=row["answer"]))
            text = b"".join(piece(llama, token) for token in llama.greedy(prompt, NEW_TOKENS)).decode("utf-8", "replace")
            equal += text.strip() == row["correction"]
            changed.add((row["question"], row["correction"]))
            if text.strip() != row["correction"]:
                print(f"  llama.cpp {text.strip()!r}\n  redline   {row['correction']!r}")
        print(f"coefficient {c}: {equal} of {len(ours)} texts are the same")
        same &= equal == len(ours)
    moved = len(changed) - len(ours)
    print(f"the vector changed {moved} texts")
    return not same or moved == 0


def piece(llama, token):
    buffer = ctypes.create_string_buffer(256)
    n = llama_cpp.llama_token_to_piece(llama.vocab, token, buffer, len(buffer), 0, False)
    return buffer.raw[:n]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--vector")
    parser.add_argument("--rows", help="questions and answers to correct, JSON Lines")
    parser.add_argument("--coefficient", type=float, default=1.0)
    args = parser.parse_args()
    if args.vector:
        if not args.rows:
            parser.error("--vector needs --rows")
        return compare_steered(args.model, args.vector, args.coefficient, args.rows)
    return compare_plain(args.model)


if __name__ == "__main__":
    sys.exit(main())
