"""Runs works on both sides in turn and writes speed.md and speed.json; see compare.sh.

    compare.py DATA FOLDER ROUNDS DOCS [PART…]

A part is `limits`, `agreement`, or a work of works.py; without any, all are run. Every part is written as soon as it is measured, and takes the
place of what stood there: a run that was stopped goes on with the parts that are missing.
"""

import json
import os
import pathlib
import platform
import statistics
import sys

import agreement
from common import MODEL, THREADS, peak_megabytes, redline, run, seconds_of
from works import Works

N_MEMORY_PAIRS = 1000


def alternate(sides, rounds):
    for _ in range(rounds):
        for side in sides:
            side.seconds.extend(side.once())
            print(f"  {side.name}: {side.seconds[-1]:.3f} s", file=sys.stderr, flush=True)


def summary(seconds):
    return {"median": statistics.median(seconds), "low": min(seconds), "high": max(seconds), "n": len(seconds)}


def compared(part, work, rounds):
    ours = work.sides[0]
    return [
        {"part": part, "work": work.name, "rounds": rounds, "ours": summary(ours.seconds), "peer": summary(side.seconds), "peer_name": side.name,
         "ratio": side.median() / ours.median(), "target": work.targets.get(side.name)}
        for side in work.sides[1:]
    ]


def limits(works):
    """What has a bound of its own instead of a peer."""
    triples = works.folder / "memory.jsonl"
    redline("data", "synth", "--rows", 1400, "--seed", 3, "--clean-share", 0, "--out", triples)
    needed = peak_megabytes("extract", "--model", MODEL, "--template", "aligner", "--data", triples, "--pairs", N_MEMORY_PAIRS,
                            "--strictness", 1, "--out", works.folder / "memory.safetensors")
    weights = os.path.getsize(MODEL) / 1024**2
    started = [
        seconds_of("correct", "--model", MODEL, "--template", "aligner", "--question", "Why?", "--answer", "So.", "--max-new-tokens", 1)
        for _ in range(5)
    ]
    return [
        {"work": f"memory of directions from {N_MEMORY_PAIRS} pairs, beyond the weights", "value": needed - weights, "unit": "MB", "most": 300},
        {"work": "from the start of the program to its end after the first token", "value": statistics.median(started), "unit": "s", "most": 1},
    ]


def compared_table(results):
    lines = ["| work | Redline, s | peer | peer, s | ratio | at least |", "| --- | --: | --- | --: | --: | --: |"]
    spread = lambda s: f"{s['median']:.4g} ({s['low']:.4g}–{s['high']:.4g})"
    for r in results:
        target = f"{r['target']:g}" if r["target"] else "–"
        cells = [r["work"], spread(r["ours"]), r["peer_name"], spread(r["peer"]), f"**{r['ratio']:.2f}**", target]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def limits_table(results):
    lines = ["| | measured | at most |", "| --- | --: | --: |"]
    return "\n".join(lines + [f"| {r['work']} | {r['value']:.3g} {r['unit']} | {r['most']} {r['unit']} |" for r in results])


def versions():
    names = ("llama_cpp_python", "torch", "transformers", "repeng", "peft", "numpy")
    # a package from a file of its own is listed with that
    lines = run([sys.executable, "-m", "pip", "list", "--format", "freeze"]).split()
    return [line for line in lines if line.split("==")[0] in names]


def write(docs, result):
    docs.mkdir(parents=True, exist_ok=True)
    order = [*Works.NAMES]
    result["results"].sort(key=lambda row: order.index(row["part"]))
    (docs / "speed.json").write_text(json.dumps(result, indent=1) + "\n")
    page = docs / "speed.md"
    text = page.read_text()
    start, end = "<!-- table -->", "<!-- end -->"
    made = [start, compared_table(result["results"])]
    if result.get("limits"):
        made.append(limits_table(result["limits"]))
    if same := result.get("agreement"):
        differences = " and ".join(f"{name}'s by {x:+.3%}" for name, x in same["likelihood_differences"].items())
        made.append(
            f"The sides were held against each other: mean log-likelihoods of {agreement.N_TEXTS} texts differ from ours, "
            f"{differences}; the lowest cosine of a layer's direction with repeng's is {same['lowest_cosine']:.6f}."
        )
    machine = result["machine"]
    made += [f"{machine['processor']}, {THREADS} threads; {', '.join(result['versions'])}.", end]
    page.write_text(text[: text.index(start)] + "\n\n".join(made) + text[text.index(end) + len(end):])


def measure(part, works, rounds, result):
    print(part, file=sys.stderr, flush=True)
    if part == "limits":
        result["limits"] = limits(works)
    elif part == "agreement":
        differences = agreement.likelihoods(works.triples, works.folder)
        result["agreement"] = {"likelihood_differences": differences, "lowest_cosine": agreement.direction_cosines(works)}
    else:
        work = getattr(works, part)()
        rounds = work.rounds or rounds
        alternate(work.sides, rounds)
        kept = [row for row in result["results"] if row["part"] != part]
        result["results"] = kept + compared(part, work, rounds)


def main(data, folder, rounds, docs, *parts):
    works, docs = Works(data, pathlib.Path(folder)), pathlib.Path(docs)
    path = docs / "speed.json"
    result = json.loads(path.read_text()) if path.exists() else {"results": []}
    processor = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    result["machine"] = {"processor": processor, "threads": THREADS, "system": platform.system()}
    result["versions"] = versions()
    for part in parts or ("limits", "agreement", *Works.NAMES):
        measure(part, works, int(rounds), result)
        write(docs, result)


main(*sys.argv[1:])
