#!/usr/bin/env python3
"""Rows and tables of scripts/inside.sh.

prompts ROWS N OUT: the first N rows whose answer has a flaw, and their clean texts as rows of their own.
strict ROWS OUT: the rows with the correction that mends every flaw.
merge STEM COEFFICIENTS OUT: sweeps STEM-at-SCALE.jsonl at coefficient 0 as one sweep, whose coefficients are the scales.
report FOLDER JSON MARKDOWN: one JSON of all results, its tables, and FOLDER/trails.json for a figure. REDLINE names the program.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

HANDLES = {
    "vector": "trained vector",
    "inside-small": "inside, small",
    "lora-small": "LoRA scale, small",
    "inside": "inside",
    "lora": "LoRA scale",
}


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines() if line.strip()]


def write(path, rows):
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))


def prompts(rows, n, out):
    flawed = [row for row in lines(rows) if row["flaws"]][: int(n)]
    write(out, flawed + [{**row, "answer": row["clean"], "correction": row["clean"], "flaws": []} for row in flawed])


def strict(rows, out):
    keys = ("question", "answer")
    write(out, [{**{key: row[key] for key in keys}, "correction": row["clean"]} for row in lines(rows)])


def merge(stem, coefficients, out):
    merged, head = [], None
    for scale in coefficients.split(","):
        first, *rows = lines(f"{stem}-at-{scale}.jsonl")
        head = head or first
        merged += [{**row, "coefficient": float(scale)} for row in rows]
    head["settings"]["coefficients"] = [float(scale) for scale in coefficients.split(",")]
    write(out, [head] + merged)


def n_parameters(folder, name):
    """What `redline inspect` counts; a vector has a value a layer and place of its width."""
    path = folder / f"{name}.safetensors"
    path = path if path.exists() else folder / name / "adapter"
    told = subprocess.run([os.environ["REDLINE"], "inspect", path, "--json"], check=True, capture_output=True, text=True)
    content = json.loads(told.stdout)["content"]
    return content["n_parameters"]


def handle(folder, name):
    found = json.loads((folder / f"{name}.json").read_text())
    quality, analysis = found["quality"], found["analysis"]
    ratio = {at["coefficient"]: at["mean_edit_ratio"] for at in analysis["coefficients"]}
    points = [
        {
            "coefficient": line["coefficient"],
            "gain": line["gain"],
            "change": change,
            "mended": line["mended"]["severity"],
            "damage": line["damage"],
            "clean_kept": line["clean_kept"],
            "edit_ratio": ratio.get(line["coefficient"]),
        }
        for line, change in zip(quality["table"]["oracle"], quality["change"])
    ]
    line = analysis["fit_all"]["line"]
    return {
        "name": name,
        "title": HANDLES[name],
        "n_parameters": n_parameters(folder, name),
        "slope": line["slope"],
        "r2": line["r2"],
        "points": points,
        "verdicts": [verdict["sentence"] for verdict in quality["verdicts"]],
    }


def table(handles):
    head = ["handle", "parameters", "coefficient", "gain", "mended, severity 5 / 4 / 3 / 2 / 1, %", "damage, %", "clean kept, %", "edit ratio"]
    rows = [head, ["---"] * len(head)]
    percent = lambda value, digits=0: "–" if value is None else f"{100 * value:.{digits}f}"
    for found in handles:
        for point in found["points"]:
            mended = " / ".join(percent(point["mended"].get(str(level))) for level in (5, 4, 3, 2, 1))
            ratio = "–" if point["edit_ratio"] is None else f'{point["edit_ratio"]:.3f}'
            rows.append([found["title"], f'{found["n_parameters"]:,}', f'{point["coefficient"]:g}', f'{point["gain"]:.3f}', mended,
                         percent(point["damage"], 1), percent(point["clean_kept"]), ratio])
    lines_head = ["handle", "parameters", "slope of the edit ratio", "R²", "gain at 1, less unsteered", "best gain", "at"]
    summary = [lines_head, ["---"] * len(lines_head)]
    for found in handles:
        best = max(found["points"], key=lambda point: point["gain"])
        change = next(point["change"] for point in found["points"] if point["coefficient"] == 1)
        at_one = f'+{change["value"]:.3f} [{change["interval"]["low"]:.3f}, {change["interval"]["high"]:.3f}]'
        summary.append([found["title"], f'{found["n_parameters"]:,}', f'{found["slope"]:.3f}', f'{found["r2"]:.3f}', at_one, f'{best["gain"]:.3f}', f'{best["coefficient"]:g}'])
    markdown = lambda rows: "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return markdown(summary) + "\n\n" + markdown(rows) + "\n"


# every point of five lines would hide their numbers
DRAWN = (-1, 0, 0.5, 1, 1.5)


def trails(handles):
    """Change of the gain on damage, a line a handle, a point a coefficient."""
    band = lambda change: {"mean": change["value"], **change["interval"]}
    point = lambda point: {"number": point["coefficient"], "x": {"mean": point["damage"]}, "y": band(point["change"])}
    return {
        "schema": "redline.trails.v1",
        "title": "Gain and damage of handles on one Aligner",
        "x_label": "share of sound text that was changed",
        "y_label": "gain, less unsteered",
        "notes": ["numbers: coefficients (scales of the adapters)"],
        "trails": [{"name": f'{found["title"]}, {found["n_parameters"]:,} parameters', "points": [point(at) for at in found["points"] if at["coefficient"] in DRAWN]} for found in handles],
    }


def report(folder, to_json, to_markdown):
    folder = Path(folder)
    handles = [handle(folder, name) for name in HANDLES if (folder / f"{name}.json").exists()]
    Path(to_json).write_text(json.dumps({"schema": "redline.inside-comparison.v1", "handles": handles}, indent=1) + "\n")
    (folder / "trails.json").write_text(json.dumps(trails(handles), indent=1) + "\n")
    Path(to_markdown).write_text(table(handles))
    print(Path(to_markdown).read_text())


def main():
    verb, *arguments = sys.argv[1:] or [""]
    verbs = {"prompts": prompts, "strict": strict, "merge": merge, "report": report}
    if verb not in verbs:
        sys.exit(__doc__)
    verbs[verb](*arguments)


if __name__ == "__main__":
    main()
