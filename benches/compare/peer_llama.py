"""llama.cpp at the same work, by its low-level interface: prefill, decode, and decoding under a control vector.

    peer_llama.py WORK MODEL REPEATS [THREADS] < JSON

Prints the seconds of each run as JSON; `log_probs` prints those of the tokens. Batch sizes are llama.cpp's own defaults; threads as many as processors.
"""

import ctypes
import json
import pathlib
import sys
import time

import llama_cpp
import numpy
from llama_cpp import Llama


def load(model, threads, context):
    return Llama(model, n_ctx=context, n_threads=threads, n_threads_batch=threads, n_batch=512, n_ubatch=512, verbose=False)


class Streams:
    """A context that many rows share, each a sequence of its own."""

    def __init__(self, model, n_rows, threads, context):
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_seq_max, params.kv_unified = context, n_rows, True
        params.n_batch = params.n_ubatch = self.most = 512
        params.n_threads = params.n_threads_batch = threads
        self.ctx = llama_cpp.llama_init_from_model(model, params)
        assert self.ctx, "no context"
        self.batch = llama_cpp.llama_batch_init(self.most, 0, 1)

    def clear(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.ctx), True)

    def read(self, lines):
        """Lines of (row, position, token, whether logits are wanted)."""
        for first in range(0, len(lines), self.most):
            part = lines[first : first + self.most]
            for i, (row, position, token, wanted) in enumerate(part):
                self.batch.token[i], self.batch.pos[i] = token, position
                self.batch.n_seq_id[i], self.batch.seq_id[i][0], self.batch.logits[i] = 1, row, wanted
            self.batch.n_tokens = len(part)
            assert llama_cpp.llama_decode(self.ctx, self.batch) == 0, "a pass failed"



def steer(llama, path, coefficient, ctx=None):
    """Sets the vector of a GGUF file times a coefficient, as llama.cpp's tools do: layers 1 to the last, block 0 never."""
    from gguf import GGUFReader

    width, n_layers = llama.n_embd(), llama_cpp.llama_model_n_layer(llama.model)
    values = numpy.zeros((n_layers - 1, width), dtype=numpy.float32)
    for tensor in GGUFReader(path).tensors:
        layer = int(tensor.name.split(".")[1])
        if 1 <= layer < n_layers:
            values[layer - 1] = coefficient * tensor.data
    pointer = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    failed = llama_cpp.llama_set_adapter_cvec(ctx or llama.ctx, pointer, values.size, width, 1, n_layers)
    assert failed == 0, "the vector was refused"


def likeliest(ctx, n_vocab, i=-1):
    """The token that greedy decoding takes after line `i` of the last pass."""
    return int(numpy.argmax(numpy.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(ctx, i), (n_vocab,))))


def prefill(llama, given):
    llama.reset()
    llama.eval(given["tokens"])


def decode(llama, given):
    llama.reset()
    token = 1
    for _ in range(given["n"]):
        llama.eval([token])
        token = likeliest(llama.ctx, llama.n_vocab())


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
            likeliest(llama.ctx, llama.n_vocab())
        seconds += time.perf_counter() - started
    return seconds


def batched(llama, given):
    """All rows of a coefficient in one batch: prompts, then a token of each row a pass, rows leaving as they end."""
    by_coefficient = {}
    for row in given["rows"]:
        by_coefficient.setdefault(row["coefficient"], []).append(row)
    most = max(map(len, by_coefficient.values()))
    streams = Streams(llama.model, most, llama.n_threads, given["context"])
    n_vocab, seconds = llama.n_vocab(), 0.0
    for coefficient, rows in by_coefficient.items():
        steer(llama, given["vector"], coefficient, streams.ctx)
        started = time.perf_counter()
        streams.clear()
        prompts = [(i, p, token, False) for i, row in enumerate(rows) for p, token in enumerate(row["prompt"])]
        streams.read(prompts)
        for step in range(max(len(row["output"]) for row in rows)):
            alive = [(i, len(row["prompt"]) + step, row["output"][step], True) for i, row in enumerate(rows) if step < len(row["output"])]
            streams.read(alive)
            for i in range(len(alive)):
                likeliest(streams.ctx, n_vocab, i)
        seconds += time.perf_counter() - started
    return seconds


class States:
    """Outputs of the blocks, by the callback that llama.cpp's generator of control vectors uses."""

    def __init__(self, model, threads, context=1024):
        self.ggml = ctypes.CDLL(str(pathlib.Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
        self.ggml.ggml_get_name.restype, self.ggml.ggml_get_name.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
        self.ggml.ggml_nbytes.restype, self.ggml.ggml_nbytes.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
        self.ggml.ggml_backend_tensor_get.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
        self.width = llama_cpp.llama_model_n_embd(model)
        self.by_layer = {}
        self.callback = llama_cpp.llama_cpp.ggml_backend_sched_eval_callback(self.see)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = context
        params.n_threads = params.n_threads_batch = threads
        params.cb_eval = self.callback
        self.ctx = llama_cpp.llama_init_from_model(model, params)
        assert self.ctx, "no context"

    def see(self, tensor, ask, _):
        name = self.ggml.ggml_get_name(tensor)
        if not name.startswith(b"l_out-"):
            return not ask
        if not ask:
            values = numpy.empty((self.ggml.ggml_nbytes(tensor) // 4 // self.width, self.width), dtype=numpy.float32)
            self.ggml.ggml_backend_tensor_get(tensor, values.ctypes.data, 0, values.nbytes)
            self.by_layer[int(name[6:])] = values
        return True

    def read(self, tokens):
        """Of all tokens by layer; of the last layer, of the last token only."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.ctx), True)
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        assert llama_cpp.llama_decode(self.ctx, llama_cpp.llama_batch_get_one(array, len(tokens))) == 0, "a pass failed"
        return self.by_layer


def figure_4(llama, given):
    """Directions from pairs, scans, sweep and figures; the sweep writes what our side wrote, a stream at a time."""
    import figures

    states = States(llama.model, llama.n_threads)
    encode = lambda text: llama.tokenize(text.encode(), add_bos=False, special=True)
    last = lambda text: numpy.stack([values[-1] for _, values in sorted(states.read(encode(text)).items())])
    differences = numpy.stack([last(positive) - last(negative) for positive, negative in given["pairs"]], axis=1)
    directions = figures.direction(differences)
    scans = []
    for prompt, output in given["scans"]:
        before, written = encode(prompt), encode(output)[: given["n"]]
        read = states.read(before + written)
        scans.append([read[layer][len(before) :] @ directions[layer] for layer in sorted(read)[:-1]])
    figures.draw_scans(scans, given["folder"])
    rows(llama, given)
    decode = lambda row: llama.detokenize(row["output"]).decode(errors="replace")
    figures.draw_sweep([(row["coefficient"], row["answer"], decode(row)) for row in given["rows"]], given["folder"])


def log_probs(llama, given):
    """Of each token after the first of a row, a token a pass."""
    found = []
    for row in given["rows"]:
        llama.reset()
        for token, following in zip(row, row[1:]):
            llama.eval([token])
            logits = numpy.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(llama.ctx, -1), (llama.n_vocab(),)).astype(numpy.float64)
            found.append(float(logits[following] - logits.max() - numpy.log(numpy.exp(logits - logits.max()).sum())))
    return found


def main(work, model, repeats, threads):
    given = json.load(sys.stdin)
    llama = load(model, threads, given.get("context", 1024))
    if work == "log_probs":
        return print(json.dumps(log_probs(llama, given)))
    run = {"prefill": prefill, "decode": decode, "rows": rows, "batched": batched, "figure_4": figure_4}[work]
    seconds = []
    for i in range(repeats + given.get("warmup", 1)):
        started = time.perf_counter()
        own = run(llama, given)
        seconds.append(own if own is not None else time.perf_counter() - started)
    print(json.dumps(seconds[given.get("warmup", 1):]))


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 2)
