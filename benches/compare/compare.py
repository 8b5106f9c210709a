"""Runs every work on both sides in turn and writes speed.md and speed.json; see compare.sh.

    compare.py DATA FOLDER ROUNDS DOCS
"""

import json
import pathlib
import platform
import statistics
import subprocess
import sys
import time

MODEL = "models/SmolLM2-135M-Instruct.Q4_1.gguf"
REDLINE = "target/release/redline"
TEMPLATE = "BEGINNING OF CONVERSATION: USER: ##Question: {question}\n##Answer: {answer}\n##Correction:  ASSISTANT:"
HERE = pathlib.Path(__file__).parent
THREADS = 2
N_PREFILL, N_DECODE = 512, 64
N_CORRECTED, MAX_NEW = 16, 96
SWEEP_PROMPTS, SWEEP_COEFFICIENTS = 24, [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5]
N_PAIRS = 64

data, folder, rounds, docs = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4])


def run(command, given=None):
    done = subprocess.run(command, input=given and json.dumps(given), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    return done.stdout


def redline(*options):
    return run([REDLINE, *map(str, options), "--threads", str(THREADS)])


def seconds_of(*options):
    started = time.perf_counter()
    redline(*options)
    return time.perf_counter() - started


def peer(name, work, given, repeats):
    script = HERE / f"peer_{name}.py"
    return json.loads(run([sys.executable, script, work, MODEL, str(repeats), str(THREADS)], given))


def bench(work, *options):
    timings = json.loads(redline("bench", "--json", *options))["timings"]
    return next(timing for timing in timings if timing["work"] == work)


def tokens(n):
    return [(i * 7919 + 13) % 49152 for i in range(n)]


class Side:
    """What one side needed, in seconds, over all rounds."""

    def __init__(self, name, once):
        self.name, self.once, self.seconds = name, once, []


def alternate(sides):
    for _ in range(rounds):
        for side in sides:
            side.seconds.extend(side.once())
            print(f"  {side.name}: {side.seconds[-1]:.3f} s", file=sys.stderr, flush=True)


def per_token(timing):
    return [timing["n_tokens"] / rate for rate in timing["tokens_per_second"]]


def prefill():
    given = {"tokens": tokens(N_PREFILL)}
    ours = lambda: per_token(bench("prefill", "--model", MODEL, "--prefill", N_PREFILL, "--decode", 0, "--repeats", 5))
    sides = [Side("redline", ours), Side("llama.cpp", lambda: peer("llama", "prefill", given, 5)),
             Side("PyTorch f32", lambda: peer("torch", "prefill", given, 5))]
    return f"prefill of {N_PREFILL} tokens", sides, {"llama.cpp": 1.3, "PyTorch f32": 1.0}


def decode():
    given = {"n": N_DECODE}
    ours = lambda: per_token(bench("decode", "--model", MODEL, "--prefill", 0, "--decode", N_DECODE, "--repeats", 5))
    sides = [Side("redline", ours), Side("llama.cpp", lambda: peer("llama", "decode", given, 5)),
             Side("PyTorch f32", lambda: peer("torch", "decode", given, 2))]
    return f"decode of {N_DECODE} tokens, one stream", sides, {"llama.cpp": 1.0}


def sweep_options(out, prompts, coefficients, max_new):
    return ["sweep", "--model", "smollm2", "--vector", folder / "vector.safetensors", "--data", data, "--skip", 64,
            "--prompts", prompts, f"--coefficients={','.join(map(str, coefficients))}", "--max-new-tokens", max_new,
            "--range", "output", "--batch-rows", prompts * len(coefficients), "--allow-overlap", "--out", out]


def written(prompts, coefficients, max_new):
    """Prompts and outputs of our side as tokens, by coefficient, as llama.cpp shall read and write them."""
    from llama_cpp import Llama

    out = folder / f"rows-{prompts}-{len(coefficients)}.jsonl"
    out.unlink(missing_ok=True)
    redline(*sweep_options(out, prompts, coefficients, max_new))
    vocabulary = Llama(MODEL, vocab_only=True, verbose=False)
    encode = lambda text: vocabulary.tokenize(text.encode(), add_bos=False, special=False)
    triples = [json.loads(line) for line in open(data, encoding="utf-8")]
    rows = [json.loads(line) for line in open(out, encoding="utf-8")][1:]
    rows = [row for row in rows if "output" in row]
    rows.sort(key=lambda row: (row["coefficient"], row["row"]))
    return [{"coefficient": row["coefficient"], "prompt": encode(TEMPLATE.format(**triples[row["row"]])),
             "output": encode(row["output"])} for row in rows]


def correct():
    rows = written(N_CORRECTED, [1], MAX_NEW)
    n_tokens = sum(len(row["output"]) for row in rows)
    given = {"rows": rows, "vector": str(folder / "vector.gguf"), "prompts_untimed": True, "warmup": 0}
    options = ["--model", "smollm2", "--prefill", 0, "--decode", 0, "--data", data, "--prompts", N_CORRECTED,
               "--vector", folder / "vector.safetensors", "--max-new-tokens", MAX_NEW, "--repeats", 3]
    # both sides by the token: the rows of the two may differ in length by a few
    ours = lambda: [1 / rate for rate in bench("correct-drafted", *options)["tokens_per_second"]]
    theirs = lambda: [seconds / n_tokens for seconds in peer("llama", "rows", given, 1)]
    return f"corrections with the answer as draft, steered, by the token ({N_CORRECTED} rows)", \
        [Side("redline", ours), Side("llama.cpp", theirs)], {"llama.cpp": 3.0}


def sweep():
    rows = written(SWEEP_PROMPTS, SWEEP_COEFFICIENTS, MAX_NEW)
    given = {"rows": rows, "vector": str(folder / "vector.gguf"), "prompts_untimed": False, "warmup": 0}

    def ours():
        out = folder / "timed.jsonl"
        out.unlink(missing_ok=True)
        return [seconds_of(*sweep_options(out, SWEEP_PROMPTS, SWEEP_COEFFICIENTS, MAX_NEW))]

    name = f"sweep of {SWEEP_PROMPTS} prompts × {len(SWEEP_COEFFICIENTS)} coefficients × up to {MAX_NEW} tokens"
    return name, [Side("redline", ours), Side("llama.cpp, a stream at a time", lambda: peer("llama", "rows", given, 1))], \
        {"llama.cpp, a stream at a time": 6.0}


def directions():
    triples = [json.loads(line) for line in open(data, encoding="utf-8")][:N_PAIRS]
    pairs = [[TEMPLATE.format(**t) + t["correction"], TEMPLATE.format(**t) + t["answer"]] for t in triples]
    ours = lambda: [seconds_of("extract", "--model", MODEL, "--template", "aligner", "--data", data, "--pairs", N_PAIRS,
                               "--read", "last-token", "--held-out-share", 0.05, "--out", folder / "timed.safetensors")]
    return f"directions of {N_PAIRS} pairs, all layers, one position", \
        [Side("redline", ours), Side("repeng", lambda: peer("torch", "directions", {"pairs": pairs, "warmup": 0}, 1))], \
        {"repeng": 4.0}


def table(results):
    lines = ["| work | Redline, s | peer | peer, s | ratio | at least |", "| --- | --: | --- | --: | --: | --: |"]
    for r in results:
        spread = lambda s: f"{s['median']:.4g} ({s['low']:.4g}–{s['high']:.4g})"
        target = f"{r['target']:g}" if r["target"] else "–"
        lines.append(f"| {r['work']} | {spread(r['ours'])} | {r['peer_name']} | {spread(r['peer'])} | **{r['ratio']:.2f}** | {target} |")
    return "\n".join(lines)


def main():
    results = []
    for work in (prefill, decode, correct, directions, sweep):
        name, sides, targets = work()
        print(name, file=sys.stderr, flush=True)
        alternate(sides)
        summary = {s.name: {"median": statistics.median(s.seconds), "low": min(s.seconds), "high": max(s.seconds), "n": len(s.seconds)} for s in sides}
        for side in sides[1:]:
            results.append({
                "work": name, "ours": summary["redline"], "peer": summary[side.name], "peer_name": side.name,
                "ratio": summary[side.name]["median"] / summary["redline"]["median"], "target": targets.get(side.name),
            })
    versions = run([sys.executable, "-m", "pip", "freeze"]).split()
    versions = [v for v in versions if v.split("==")[0] in ("llama_cpp_python", "torch", "transformers", "repeng", "numpy")]
    processor = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    machine = {"processor": processor, "threads": THREADS, "system": platform.system()}
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "speed.json").write_text(json.dumps({"results": results, "machine": machine, "versions": versions, "rounds": rounds}, indent=1) + "\n")
    page = docs / "speed.md"
    text = page.read_text()
    start, end = "<!-- table -->", "<!-- end -->"
    made = f"{start}\n{table(results)}\n\n{processor}, {THREADS} threads, {rounds} rounds in turn; {', '.join(versions)}.\n{end}"
    page.write_text(text[: text.index(start)] + made + text[text.index(end) + len(end):])


main()
