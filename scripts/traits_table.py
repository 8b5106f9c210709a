"""Joins what scripts/traits.sh measured: FOLDER/traits.json and FOLDER/feedback.json, and a table of each on standard output.

Usage: python3 scripts/traits_table.py FOLDER
       python3 scripts/traits_table.py fresh ROWS TRAINING OUT      (the rows whose questions are in no row of TRAINING)
"""

import json
import re
import sys
from pathlib import Path


def read(path: Path):
    return json.loads(path.read_text())


def measured(folder: Path, name: str) -> dict:
    trait = read(folder / f"{name}-trait.json")["traits"]["aligner"]
    old = read(folder / f"{name}-old.json")["oracle"]
    copies = read(folder / f"{name}-copies.json")["quality"]
    cosines = read(folder / f"{name}-cosine.json")["against"]["cosines"]
    return {
        "trait": trait["any"],
        "trait_exact": trait["exact"],
        "n_trait": trait["n"],
        "copies_kept": copies["exact_copy_rate"],
        "n_copies": copies["n_copies"],
        "old_mended": old["mended"]["all"],
        "old_harmless": old["mended"]["harmful"],
        "old_helpful": old["mended"]["helpful"],
        "old_clean_kept": old["clean_kept"],
        "old_damage": old["damage"],
        "n_old": old["n"],
        "cosines": {str(one["layer"]): one["cosine"] for one in cosines},
    }


def fresh(rows: Path, training: Path, out: Path) -> None:
    question = lambda line: json.loads(line)["question"]
    seen = {question(line) for line in training.read_text().splitlines()}
    kept = [line for line in rows.read_text().splitlines() if question(line) not in seen]
    out.write_text("".join(line + "\n" for line in kept))


def main() -> None:
    if sys.argv[1] == "fresh":
        return fresh(*map(Path, sys.argv[2:]))
    folder = Path(sys.argv[1])
    start = {"step": 0, **measured(folder, "start")}
    runs = {}
    for run in ("trait", "mixed"):
        found = []
        for path in sorted(folder.glob(f"{run}-*-cosine.json")):
            step = re.fullmatch(rf"{run}-(\d+)-cosine\.json", path.name)
            if step:
                found.append({"step": int(step[1]), **measured(folder, f"{run}-{step[1]}")})
        runs[run] = [start, *sorted(found, key=lambda row: row["step"])]
    dial = read(folder / "trait-dial.json")["traits"]
    (folder / "traits.json").write_text(json.dumps({"schema": "redline.traits.v1", "runs": runs, "dial": dial}, indent=1) + "\n")
    point = lambda row: {"number": row["step"], "x": {"mean": start["old_mended"] - row["old_mended"]}, "y": {"mean": row["trait"] - start["trait"]}}
    trails = {
        "schema": "redline.trails.v1",
        "title": "What training gains, and what it forgets",
        "x_label": "share of old flaws no longer mended",
        "y_label": "gain in acknowledging answers",
        "notes": ["numbers: training steps"],
        "trails": [{"name": run, "points": [point(row) for row in rows]} for run, rows in runs.items()],
    }
    (folder / "trails.json").write_text(json.dumps(trails, indent=1) + "\n")
    feedback = {name: read(folder / f"{name}-asked-feedback.json") for name in ("start", "asked")}
    (folder / "feedback.json").write_text(json.dumps({"schema": "redline.feedback-runs.v1", "runs": feedback}, indent=1) + "\n")

    def number(value) -> str:
        return "–" if value is None else f"{value:.3f}"

    print("| run | step | trait | copies kept | old: mended | old: clean kept | cosine, middle layer |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for run, rows in runs.items():
        for row in rows:
            cosines = list(row["cosines"].values())
            numbers = (row["trait"], row["copies_kept"], row["old_mended"], row["old_clean_kept"], cosines[len(cosines) // 2])
            print(f"| {run} | {row['step']} | " + " | ".join(map(number, numbers)) + " |")
    print("\n| Aligner | instruction | coefficient | harmless | helpful | trait | damage |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for name, run in feedback.items():
        for line in run["table"]["lines"]:
            for cell in line["cells"]:
                numbers = (cell["harmless"], cell["helpful"], cell["trait"]["any"], cell["damage"])
                print(f"| {name} | {line['instruction']} | {cell['coefficient']} | " + " | ".join(map(number, numbers)) + " |")


if __name__ == "__main__":
    main()
