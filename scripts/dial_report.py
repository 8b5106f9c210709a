#!/usr/bin/env python3
"""Rows and tables of scripts/dial.sh.

prompts ROWS SWEEP OUT: the rows of a sweep's prompts, and their clean texts as rows of their own.
with-clean ROWS OUT: the rows, and the clean text of every third as a row of its own.
training-rows FOLDER OUT: seven of ten development rows, by a hash of the question, and 600 rows that the Aligner was trained on.
answers SWEEP OUT: a sweep of such prompts without their clean texts.
report FOLDER JSON MARKDOWN: one JSON of all results; the tables between the markers of the Markdown file.
"""
import hashlib
import json
import sys
from pathlib import Path

METHODS = ["mean_diff", "trained", "copy-bias"]
NAMES = {"mean_diff": "mean difference (read)", "trained": "trained, graded", "copy-bias": "copy bias, no vector"}
ALIGNERS = {"embedded": "built-in Aligner", "smollm2": "SmolLM2-135M, adapter"}


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines() if line.strip()]


def write(path, rows):
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))


def clean(row):
    return {**row, "answer": row["clean"], "correction": row["clean"], "flaws": []}


def prompts(rows, sweep, out):
    rows = lines(rows)
    numbers = sorted({row["row"] for row in lines(sweep) if "output" in row})
    write(out, [rows[number] for number in numbers] + [clean(rows[number]) for number in numbers])


def with_clean(rows, out):
    rows = lines(rows)
    write(out, rows + [clean(row) for row in rows[::3]])


def training_rows(folder, out):
    def is_for_training(row):
        return int(hashlib.sha256(row["question"].lower().strip().encode()).hexdigest(), 16) % 100 >= 30

    development = lines(Path(folder) / "dev-flawed.jsonl")
    kept_out = {row["question"] for row in development if not is_for_training(row)}
    trained_on = [row for row in lines(Path(folder) / "train-1.jsonl")[:600] if row["question"] not in kept_out]
    write(out, [row for row in development if is_for_training(row)] + trained_on)


def answers(sweep, out):
    """The sweep without the clean texts, which stand behind the flawed answers."""
    head, *outputs = lines(sweep)
    n = len({row["row"] for row in outputs})
    write(out, [head] + [row for row in outputs if row["row"] < n // 2])


def method(name, found, of_answers):
    """What one experiment or sweep says, under the same keys; `of_answers` is the fit of a sweep's flawed answers."""
    if "analysis" in found:  # of `fit`
        quality, analysis = found["quality"], of_answers["analysis"]
        oracle = quality["table"]["oracle"]
        for line, near in zip(oracle, quality["nearness"]):
            line["interval"] = near["interval"]
        fit, nulls = analysis["fit_all"], None
        column = lambda key: [at[key] for at in analysis["coefficients"]]
        at, ratios, loops = column("coefficient"), column("mean_edit_ratio"), column("truncated_share")
        unmoved = quality["table"]["unmoved"]
    else:
        oracle, fit, ratios, at = found["oracle"], found["all_coefficients"], found["mean_edit_ratio"], found["coefficients"]
        unmoved, nulls = found["unmoved_share"], found["nulls"]
        loops = found["coherence"]["truncated_share"]
    zero = at.index(0)
    by = lambda key: {str(line["coefficient"]): line[key] for line in oracle}
    mended = lambda line: line["mended"]["severity"]
    gains = [line["gain"] for line in oracle]
    best = gains.index(max(gains))
    return {
        "name": name,
        "coefficients": at,
        "edit_ratio": {"low": ratios[0], "zero": ratios[zero], "high": ratios[-1]},
        "slope": fit["line"]["slope"],
        "slope_interval": fit["slope_interval"],
        "gain": by("gain"),
        "gain_interval": by("interval"),
        "best": at[best],
        "mended": {"low": mended(oracle[0]), "zero": mended(oracle[zero]), "high": mended(oracle[-1])},
        "damage": by("damage"),
        "clean_kept": by("clean_kept"),
        "closest": by("exact_possible"),
        "unmoved_share": unmoved,
        "cut_share": dict(zip(map(str, at), loops)),
        "null_p": nulls and {key: nulls[key] for key in ("edit_ratio", "quality", "first_order")},
        "verdicts": [verdict["sentence"] for verdict in (found.get("verdicts") or found["quality"]["verdicts"])],
    }


def of_answers(path):
    return json.loads(path.read_text()) if path.exists() else None


def share(value):
    return "–" if value is None else f"{100 * value:.0f}"


def table(aligner):
    head = ["handle", "edit ratio low / 0 / high", "slope [95 %]", "gain low / 0 / high (best at)", "mended at the ends, severity 5 / 4 / 3 / 2 / 1, %",
            "damage low / 0 / high, %", "clean kept low / 0 / high, %", "unmoved", "cut off at worst"]
    rows = [head, ["---"] * len(head)]
    for found in aligner["methods"]:
        ends = [str(found["coefficients"][0]), "0.0" if "0.0" in found["gain"] else "0", str(found["coefficients"][-1])]
        three = lambda of, form: " / ".join(form(found[of][end]) for end in ends)
        ratio, interval = found["edit_ratio"], found["slope_interval"]
        mended = [" ".join(share(found["mended"][end].get(str(level))) for level in (5, 4, 3, 2, 1)) for end in ("low", "high")]
        best = found["best"]
        rows.append([
            NAMES[found["name"]],
            f'{ratio["low"]:.3f} / {ratio["zero"]:.3f} / {ratio["high"]:.3f}',
            f'{found["slope"]:.3f} [{interval["low"]:.3f}, {interval["high"]:.3f}]',
            three("gain", lambda value: f"{value:.2f}") + f' ({found["gain"][str(best)]:.2f} at {best:g})',
            " → ".join(mended),
            three("damage", lambda value: f"{100 * value:.1f}"),
            three("clean_kept", share),
            "–" if found["unmoved_share"] is None else f'{share(found["unmoved_share"])} %',
            f'{100 * max(found["cut_share"].values()):.0f} %',
        ])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def report(folder, to_json, to_markdown):
    folder, aligners = Path(folder), []
    for name, title in ALIGNERS.items():
        there = [(method_name, folder / f"{name}-{method_name}.json") for method_name in METHODS]
        there = [(method_name, path) for method_name, path in there if path.exists()]
        if not there:
            continue
        texts = {method_name: path.read_text() for method_name, path in there}
        settings = json.loads(texts[there[0][0]])["settings"]
        aligners.append({
            "name": name,
            "title": title,
            "n_prompts": settings["prompts"],
            "hashes": {key: settings[key] for key in ("model_hash", "data_hash")},
            "settings": settings,
            "methods": [method(method_name, json.loads(text), of_answers(folder / f"{name}-{method_name}-answers.json")) for method_name, text in texts.items()],
            "results_sha256": {method_name: hashlib.sha256(text.encode()).hexdigest() for method_name, text in texts.items()},
        })
    Path(to_json).write_text(json.dumps({"schema": "redline.dial.v1", "aligners": aligners}, indent=1) + "\n")
    markdown = Path(to_markdown)
    text = markdown.read_text()
    for aligner in aligners:
        begin, end = f'<!-- {aligner["name"]} -->\n', f'<!-- end of {aligner["name"]} -->\n'
        before, rest = text.split(begin, 1)
        after = rest.split(end, 1)[1]
        text = before + begin + "\n" + table(aligner) + "\n\n" + end + after
    markdown.write_text(text)


def main():
    verb, *arguments = sys.argv[1:] or [""]
    verbs = {"prompts": prompts, "with-clean": with_clean, "training-rows": training_rows, "answers": answers, "report": report}
    if verb not in verbs:
        sys.exit(__doc__)
    verbs[verb](*arguments)


if __name__ == "__main__":
    main()
