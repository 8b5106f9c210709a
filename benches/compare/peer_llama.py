"""llama.cpp at the same work, by its low-level interface: prefill, decode, and decoding under a control vector.

    peer_llama.py WORK MODEL REPEATS [THREADS] < JSON

Prints the seconds of each run as JSON. Batch sizes are llama.cpp's own defaults; threads as many as processors.
"""

import ctypes
import json
import sys
import time

import llama_cpp
import numpy
from llama_cpp import Llama


def load(model, threads, context):
    return Llama(model, n_ctx=context, n_threads=threads, n_threads_batch=threads, n_batch=512, n_ubatch=512, verbose=False)


def steer(llama, path, coefficient):
    """Sets the vector of a GGUF file times a coefficient, as llama.cpp's tools do: layers 1 to the last, block 0 never."""
    from gguf import GGUFReader

    width, n_layers = llama.n_embd(), llama_cpp.llama_model_n_layer(llama.model)
    values = numpy.zeros((n_layers - 1, width), dtype=numpy.float32)
    for tensor in GGUFReader(path).tensors:
        layer = int(tensor.name.split(".")[1])
        if 1 <= layer < n_layers:
            values[layer - 1] = coefficient * tensor.data
    pointer = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    failed = llama_cpp.llama_set_adapter_cvec(llama.ctx, pointer, values.size, width, 1, n_layers)
    assert failed == 0, "the vector was refused"


def prefill(llama, given):
    llama.reset()
    llama.eval(given["tokens"])


def decode(llama, given):
    llama.reset()
    token = 1
    for _ in range(given["n"]):
        llama.eval([token])
        token = int(numpy.argmax(llama.scores[llama.n_tokens - 1]))


def rows(llama, given):
    """Each row is its prompt, and then its output token by token: what greedy decoding of that output costs. Only the latter is
    timed where the prompts are said to be read before."""
    seconds = 0.0
    coefficient = None
    for row in given["rows"]:
        if row["coefficient"] != coefficient:
            coefficient = row["coefficient"]
            steer(llama, given["vector"], coefficient)
        started = time.perf_counter()
        llama.reset()
        llama.eval(row["prompt"])
        if given["prompts_untimed"]:
            started = time.perf_counter()
        for token in row["output"]:
            llama.eval([token])
            numpy.argmax(llama.scores[llama.n_tokens - 1])
        seconds += time.perf_counter() - started
    return seconds


def main(work, model, repeats, threads):
    given = json.load(sys.stdin)
    llama = load(model, threads, given.get("context", 1024))
    run = {"prefill": prefill, "decode": decode, "rows": rows}[work]
    seconds = []
    for i in range(repeats + given.get("warmup", 1)):
        started = time.perf_counter()
        own = run(llama, given)
        seconds.append(own if own is not None else time.perf_counter() - started)
    print(json.dumps(seconds[given.get("warmup", 1):]))


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 2)
