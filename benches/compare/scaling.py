"""How Redline's cost grows, beside what the machine can do: writes scaling.json, scaling.svg and a table in speed.md.

    scaling.py DATA FOLDER ROUNDS DOCS

Costs against pairs, truncations, coefficients and length of the prompt are measured on SmolLM2-135M, and against the size of the model on
the built-in Aligner and on SmolLM2-135M. For models of 2 and 7 thousand million parameters they are computed: from the rate of
multiplications that the prefill of SmolLM2 reaches, and from the bandwidth that its decoding reaches, for weights of 5 bits as in Q4_1.
"""

import json
import os
import pathlib
import statistics
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")

import numpy

from common import MODEL, seconds_of
from works import Works, bench

PAIRS, TRUNCATIONS = [8, 16, 32, 64], [1, 5, 10, 20]
COEFFICIENTS = [[0], [-1, 0, 0.5], [-1, -0.5, 0, 0.25, 0.5], [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5]]
LENGTHS = [64, 128, 256, 512, 1024]
TINY, TINY_PARAMETERS = "assets/aligner/redline-tiny.gguf", 4_262_144
SMOLLM2_PARAMETERS = 134_515_008
COMPUTED = {"2 B": 2e9, "7 B": 7e9}
BITS_A_WEIGHT = 5.0


def sgemm_rate(n=2048, repeats=7):
    """Floating-point operations a second of a product of two square matrices of f32, as numpy's library does it."""
    a, b = numpy.ones((n, n), numpy.float32), numpy.ones((n, n), numpy.float32)
    return 2 * n**3 / best(lambda: a @ b, repeats)


def byte_rate(n=2048, repeats=7):
    """Operations a second of a product of two square matrices of bytes, as PyTorch's library does it."""
    import torch

    torch.set_num_threads(2)
    a, b = torch.ones((n, n), dtype=torch.int8), torch.ones((n, n), dtype=torch.int8)
    return 2 * n**3 / best(lambda: torch._int_mm(a, b), repeats)


def bandwidth(megabytes=512, repeats=7):
    """Bytes a second that a sum over a large array reads, on one thread for each half."""
    from concurrent.futures import ThreadPoolExecutor

    halves = numpy.array_split(numpy.ones(megabytes * 2**18, numpy.float32), 2)
    with ThreadPoolExecutor(2) as pool:
        return megabytes * 2**20 / best(lambda: list(pool.map(numpy.sum, halves)), repeats)


def best(work, repeats):
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def series(settings, once, rounds):
    """Median seconds for each setting; all settings in turn, so that a slow minute meets each of them."""
    seconds = {i: [] for i in range(len(settings))}
    for _ in range(rounds):
        for i, setting in enumerate(settings):
            seconds[i].append(once(setting))
            print(f"  {setting}: {seconds[i][-1]:.2f} s", file=sys.stderr, flush=True)
    return [statistics.median(seconds[i]) for i in range(len(settings))]


def seconds_a_token(work, model, *options):
    return 1 / bench(work, "--model", model, "--repeats", 5, *options)["median"]


def measure(works, rounds):
    extract = lambda n: seconds_of(*works.extract_options(n, 0.25), "--out", works.folder / "scaling.safetensors")
    prefill = lambda model, n: seconds_a_token("prefill", model, "--prefill", n, "--decode", 0)
    decode = lambda model: seconds_a_token("decode", model, "--prefill", 0, "--decode", 64)
    sizes = [(TINY_PARAMETERS, TINY), (SMOLLM2_PARAMETERS, MODEL)]
    found = {
        "pairs": dict(zip(PAIRS, series(PAIRS, extract, rounds))),
        "truncations": dict(zip(TRUNCATIONS, series(TRUNCATIONS, works.layers, rounds))),
        "coefficients": dict(zip(map(len, COEFFICIENTS), series(COEFFICIENTS, lambda c: works.timed_sweep(24, c), rounds))),
        "prompt tokens": {n: n * prefill(MODEL, n) for n in LENGTHS},
        "prefill a token": {n: prefill(model, 256) for n, model in sizes},
        "decode a token": {n: decode(model) for n, model in sizes},
    }
    flops = 2 * SMOLLM2_PARAMETERS / found["prefill a token"][SMOLLM2_PARAMETERS]
    bytes_a_second = SMOLLM2_PARAMETERS * BITS_A_WEIGHT / 8 / found["decode a token"][SMOLLM2_PARAMETERS]
    found["computed"] = {
        name: {"prefill a token": 2 * n / flops, "decode a token": n * BITS_A_WEIGHT / 8 / bytes_a_second} for name, n in COMPUTED.items()
    }
    found["machine"] = {
        "sgemm, GFLOP/s": sgemm_rate() / 1e9, "products of bytes, Gop/s": byte_rate() / 1e9, "reads, GB/s": bandwidth() / 1e9,
        "prefill reaches, GFLOP/s": flops / 1e9, "decoding reaches, GB/s of weights": bytes_a_second / 1e9,
    }
    return found


def bounds(machine, key):
    """Least seconds a token and parameter that the machine allows: inputs of sixteen bits are two products of bytes."""
    if key.startswith("prefill"):
        f32, of_bytes = (machine[name] * 1e9 for name in ("sgemm, GFLOP/s", "products of bytes, Gop/s"))
        return [("the bound in f32", ":", 2 / f32), ("the bound with 16-bit inputs", "-.", 2 * 2 / of_bytes)]
    return [("the bound of memory", ":", BITS_A_WEIGHT / 8 / (machine["reads, GB/s"] * 1e9))]


def draw(found, path):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "redline"
    import matplotlib.pyplot as plt

    panels = [("pairs", "pairs", "directions, s"), ("truncations", "output tokens that are read", "directions at each, s"),
              ("coefficients", "coefficients", "sweep of 24 prompts, s"), ("prompt tokens", "tokens of the prompt", "prefill, s")]
    figure, axes = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
    for ax, (key, xlabel, ylabel) in zip(axes.flat, panels):
        ax.plot(list(found[key]), list(found[key].values()), "o-", color="#3b62be")
        ax.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, None), xlim=(0, None))
    for ax, key in zip(axes.flat[4:], ("prefill a token", "decode a token")):
        measured, computed = found[key], {COMPUTED[name]: values[key] for name, values in found["computed"].items()}
        ax.loglog(list(measured), [1000 * s for s in measured.values()], "o-", color="#3b62be", label="measured")
        ax.loglog(list(computed), [1000 * s for s in computed.values()], "s--", color="#b3122a", label="computed")
        sizes = sorted([*measured, *computed])
        for name, style, seconds in bounds(found["machine"], key):
            ax.loglog(sizes, [1000 * seconds * n for n in sizes], style, color="#555", label=name)
        ax.set(xlabel="parameters", ylabel=f"{key}, ms")
        ax.legend()
    figure.savefig(path, metadata={"Date": None})


def table(found):
    lines = ["| cost of | at | seconds |", "| --- | --: | --: |"]
    for key in ("pairs", "truncations", "coefficients", "prompt tokens"):
        lines += [f"| {key} | {n} | {seconds:.3g} |" for n, seconds in found[key].items()]
    lines += ["", "| a token, ms | prefill | decode |", "| --- | --: | --: |"]
    names = {TINY_PARAMETERS: "4.3 M (built in)", SMOLLM2_PARAMETERS: "135 M (SmolLM2)"}
    for n, name in names.items():
        lines.append(f"| {name}, measured | {1000 * found['prefill a token'][n]:.3g} | {1000 * found['decode a token'][n]:.3g} |")
    for name, values in found["computed"].items():
        lines.append(f"| {name}, computed | {1000 * values['prefill a token']:.3g} | {1000 * values['decode a token']:.3g} |")
    lines += ["", "| the machine | |", "| --- | --: |"]
    return "\n".join(lines + [f"| {key} | {value:.3g} |" for key, value in found["machine"].items()])


def main(data, folder, rounds, docs):
    found = measure(Works(data, pathlib.Path(folder)), int(rounds))
    docs = pathlib.Path(docs)
    (docs / "scaling.json").write_text(json.dumps(found, indent=1) + "\n")
    draw(found, docs / "scaling.svg")
    page = docs / "speed.md"
    text = page.read_text()
    start, end = "<!-- scaling -->", "<!-- end of scaling -->"
    page.write_text(text[: text.index(start)] + f"{start}\n\n{table(found)}\n\n{end}" + text[text.index(end) + len(end):])


main(*sys.argv[1:])
