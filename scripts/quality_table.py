#!/usr/bin/env python3
"""Parts of scripts/quality_table.sh that are no work of the program.

pairs FILE OUT: preference pairs of HH-RLHF as prompt, chosen, rejected, without those that are AlpacaEval's instructions.
only ANSWERS OUT SYSTEM…: the answers of these systems.
parts ROWS STEM: rows with flaws as STEM-flawed.jsonl (question, flawed answer), STEM-clean.jsonl (question, clean answer) and STEM-pairs.jsonl.
labelled ROWS OUT: rows with flaws as labelled pairs of the clean and the flawed answer.
held-out PAIRS RUN OUT PROGRAM: the pairs that the run of a reward model held out, as labelled pairs: the chosen one is output 1 in every other row.
report FOLDER JSON MARKDOWN: one JSON of all results; the tables between the markers of the Markdown file.
"""
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def lines(path):
    opened = gzip.open(path, "rt") if str(path).endswith(".gz") else open(path)
    with opened as file:
        return [json.loads(line) for line in file]


def write(path, rows):
    Path(path).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def pairs(file, out):
    rows = [row for row in lines(file) if not row.get("in_alpaca_eval")]
    write(out, [{"prompt": row["question"], "chosen": row["chosen"], "rejected": row["rejected"]} for row in rows])


def held_out(pairs_file, run, out, program):
    """The split of `train`: by question, share 0.3, seed 0; held to the number that the run says."""
    if Path(out).exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        parts = [f"{folder}/train.jsonl", f"{folder}/held-out.jsonl"]
        subprocess.run([program, "data", "split", pairs_file, "--share", "0.3", "--seed", "0", "--out", parts[0], "--held-out", parts[1]], check=True)
        rows = lines(parts[1])
    expected = json.loads((Path(run) / "summary.json").read_text())["held_out"]["n"]
    print(f"{out}: {len(rows)} rows, the run held out {expected} pairs", file=sys.stderr)
    labelled = []
    for place, row in enumerate(rows):
        chosen, rejected = row["correction"] if "correction" in row else row["chosen"], row["answer"] if "answer" in row else row["rejected"]
        first = place % 2 == 0
        question = row.get("question", row.get("prompt"))
        labelled.append({"question": question, "output_1": chosen if first else rejected, "output_2": rejected if first else chosen, "label": 1 if first else 2})
    write(out, labelled)


def only(answers, out, *systems):
    """The answers of some systems, each with its coefficient in its name."""
    head, *rows = lines(answers)
    name = lambda row: row["system"] if row["coefficient"] is None else f"{row['system']}@{row['coefficient']:g}"
    write(out, [head] + [row for row in rows if name(row) in systems])


def parts(rows_file, stem):
    """What models are trained on: flawed answers, clean ones, and pairs of both."""
    rows = lines(rows_file)
    write(f"{stem}-flawed.jsonl", [{"question": row["question"], "answer": row["answer"]} for row in rows])
    write(f"{stem}-clean.jsonl", [{"question": row["question"], "answer": row["clean"]} for row in rows])
    write(f"{stem}-pairs.jsonl", [{"prompt": row["question"], "chosen": row["clean"], "rejected": row["answer"]} for row in rows if row["clean"] != row["answer"]])


def labelled(rows_file, out):
    """Clean and flawed answers as labelled pairs: the clean one is output 1 in every other row."""
    pairs = [row for row in lines(rows_file) if row["clean"] != row["answer"]]
    both = lambda place, row: (row["clean"], row["answer"], 1) if place % 2 == 0 else (row["answer"], row["clean"], 2)
    keys = ("output_1", "output_2", "label")
    write(out, [{"question": row["question"], **dict(zip(keys, both(place, row)))} for place, row in enumerate(pairs)])


def share(value):
    return f"{100 * value:.0f} %"


ORACLE = [("flaws", "overall", "oracle: overall"), ("flaws", "harmless", "oracle: harmless"), ("flaws", "helpful", "oracle: helpful"),
          ("harmless", "harmless", "reward: harmless"), ("helpful", "helpful", "reward: helpful")]
# files, dimensions and heads of the columns; answers that no row knows are judged by the phrases of flaws
COLUMNS = {
    "embedded": ORACLE,
    "smollm2": ORACLE,
    "local": [("phrases", "overall", "phrases: overall"), ("phrases", "harmless", "phrases: harmless"), ("phrases", "helpful", "phrases: helpful"),
              ("apart", "overall", "reward, other phrases")],
}


def table(folder, name):
    """A line a system: win, tie, loss and net by each judge."""
    columns = [(judge, dimension) for judge, dimension, _ in COLUMNS[name]]
    names = [head for _, _, head in COLUMNS[name]]
    by_judge = {judge: json.loads((folder / f"{name}-{judge}.json").read_text())["contests"][0] for judge in dict(columns)}
    text = ["| system | " + " | ".join(names) + " | length | tokens | passes | context | seconds |", "| --- |" + " --- |" * len(names) + " --: |" * 5]
    for system in by_judge[columns[0][0]]["systems"]:
        cells = []
        for judge, dimension in columns:
            standing = next(s for s in by_judge[judge]["standings"] if s["system"] == system and s["dimension"] == dimension)
            outcome = standing["outcome"]["found"]
            interval = outcome["net_interval"]
            cells.append(f"{outcome['net']:+.2f} [{interval['low']:.2f}, {interval['high']:.2f}] ({outcome['n_wins']}/{outcome['n_ties']}/{outcome['n_losses']})")
        means = standing["means"]
        text.append(f"| {system} | " + " | ".join(cells) + f" | {means['length']:.0f} | {means['n_tokens']:.0f} | {means['passes']:.1f} | {means['context']:.0f} | {means['seconds']:.2f} |")
    base = standing["baseline_means"]
    text.append("| upstream | " + " | ".join(["0"] * len(names)) + f" | {base['length']:.0f} | {base['n_tokens']:.0f} | {base['passes']:.1f} | {base['context']:.0f} | {base['seconds']:.2f} |")
    return text, by_judge


def rewards(folder, result, markdown):
    """What the reward models are worth, where they were fitted here."""
    if not all((folder / f"reward-{kind}" / "summary.json").exists() for kind in ("harmless", "helpful")):
        print("NOT MEASURED: reward models", file=sys.stderr)
        return markdown
    text = ["| reward model on | pairs | left-out pairs in the right order | held out [95 %] | the other's held-out pairs |", "| --- | --: | --: | --- | --: |"]
    for kind in ("harmless", "helpful"):
        found = json.loads((folder / f"reward-{kind}" / "summary.json").read_text())
        result["rewards"][kind] = found
        cross = {}
        other = "helpful" if kind == "harmless" else "harmless"
        cross = json.loads((folder / f"cross-{kind}-on-{other}.json").read_text())["judges"][0]["quality"]
        result["cross"][kind] = {other: cross}
        held = found["held_out"]
        interval = held["interval"]
        text.append(f"| {kind} | {found['n_training']} | {share(found['left_out_accuracy'])} | {100 * held['accuracy']:.1f} % [{100 * interval['low']:.1f}, {100 * interval['high']:.1f}] of {held['n']} | "
                    + f"{100 * cross['accuracy_first']:.1f} % of {cross['n']} |")
    return between(markdown, "rewards", text)


def report(folder, to_json, to_markdown):
    folder = Path(folder)
    # what is not measured again stays as it was
    before = json.loads(Path(to_json).read_text()) if Path(to_json).exists() else {}
    result = {"schema": "redline.quality-table.v1", "rewards": {}, "cross": {}, **before}
    result.setdefault("aligners", {})
    markdown = rewards(folder, result, Path(to_markdown).read_text())
    for name in ("embedded", "local", "smollm2"):
        if not all((folder / f"{name}-{judge}.json").exists() for judge, _, _ in COLUMNS[name]):
            print(f"NOT MEASURED: {name}", file=sys.stderr)
            continue
        rows, result["aligners"][name] = table(folder, name)
        markdown = between(markdown, name, rows)
    for part in ("train", "test"):
        if (folder / f"apart-{part}.json").exists():
            result.setdefault("phrases", {})[part] = json.loads((folder / f"apart-{part}.json").read_text())["judges"][0]["quality"]
    Path(to_json).write_text(json.dumps(result, indent=1) + "\n")
    Path(to_markdown).write_text(markdown)


def between(markdown, name, rows):
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, rest = markdown.split(begin)
    return before + begin + "\n\n" + "\n".join(rows) + "\n\n" + end + rest.split(end)[1]


def main():
    verb, *arguments = sys.argv[1:] or [""]
    verbs = {"pairs": pairs, "held-out": held_out, "only": only, "parts": parts, "labelled": labelled, "report": report}
    if verb not in verbs:
        sys.exit(__doc__)
    verbs[verb](*arguments)


main()
