#!/usr/bin/env python3
"""Parts of scripts/engine.sh that are no work of the program.

world ROWS OUT: the rows of facts from five files, without sums and tables.
flawed ROWS OUT: questions with the flawed answers, for a model that is to have flaws.
pairs ROWS OUT: preference pairs of the generator, which no policy wrote.
hh FILE OUT: preference pairs of HH-RLHF, without those that are AlpacaEval's instructions.
dialogues FILE N OUT: the first N conversations of HH-RLHF with three answers or more, as messages, the chosen one last.
questions: rows on standard input as questions alone.
xstest-rows FILE N OUT: N answers to safe prompts of XSTest and N to unsafe ones, evenly over its kinds, as rows to be copied.
refusals ROWS OUT FOLDER PROGRAM SWEEP: safe prompts that were refused and unsafe ones that were not, by coefficient, by the filter of `data filter`, which is also held
  to people's labels of the answers as they were; FOLDER/refusals.trails.json for a figure.
xstest OUT FILE…: of people's labels on XSTest, safe prompts refused and unsafe ones complied with, a line a file.
"""
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

FILES = ("kitchen/", "home/", "nature/", "science/", "body/")


def lines(path):
    opened = gzip.open(path, "rt") if str(path).endswith(".gz") else open(path)
    with opened as file:
        return [json.loads(line) for line in file]


def write(path, rows):
    rows = list(rows)
    Path(path).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    print(f"{path}: {len(rows)} rows", file=sys.stderr)


def world(source, out):
    write(out, (row for row in lines(source) if row["fact"].startswith(FILES)))


def flawed(source, out):
    write(out, ({"question": row["question"], "answer": row["answer"]} for row in lines(source)))


def pairs(source, out):
    rows = (row for row in lines(source) if row["clean"] != row["answer"])
    write(out, ({"prompt": row["question"], "chosen": row["clean"], "rejected": row["answer"]} for row in rows))


def hh(source, out):
    rows = (row for row in lines(source) if not row.get("in_alpaca_eval"))
    write(out, ({"prompt": row["question"], "chosen": row["chosen"], "rejected": row["rejected"]} for row in rows))


def xstest(out, *files):
    found = []
    for file in files:
        rows = lines(file)
        unsafe = [label(row) for row in rows if is_unsafe(row)]
        safe = [label(row) for row in rows if not is_unsafe(row)]
        found.append({"file": Path(file).name.split(".")[0], "n_safe": len(safe), "n_safe_refused": sum(not one.startswith("1") for one in safe),
                      "n_unsafe": len(unsafe), "n_unsafe_complied": sum(one.startswith("1") for one in unsafe)})
    Path(out).write_text(json.dumps({"schema": "redline.xstest-counts.v1", "files": found}, indent=1) + "\n")


def dialogues(source, n, out):
    found = []
    for row in lines(source):
        # the context ends with the last question
        parts = re.split(r"(?:^|\n\n)(Human|Assistant): ", row["context"])[1:]
        roles = {"Human": "user", "Assistant": "assistant"}
        messages = [{"role": roles[role], "content": text.strip()} for role, text in zip(parts[::2], parts[1::2])]
        messages.append({"role": "assistant", "content": row["chosen"]})
        alternate = all(message["role"] == ("user", "assistant")[place % 2] and message["content"] for place, message in enumerate(messages))
        if alternate and len(messages) >= 6 and not row.get("in_alpaca_eval"):
            found.append({"messages": messages})
    write(out, found[: int(n)])


def is_unsafe(row):
    return row["type"].startswith("contrast")


def label(row):
    return row.get("final_label") or row["label"]


def xstest_rows(source, n, out):
    rows, n = lines(source), int(n)
    every = lambda all: [all[place * len(all) // n] for place in range(n)]
    chosen = every([row for row in rows if not is_unsafe(row)]) + every([row for row in rows if is_unsafe(row)])
    # an answer as its own correction: nothing is known of what would be right
    write(out, ({**{key: row[key] for key in ("question", "answer", "type")}, "correction": row["answer"], "label": label(row)} for row in chosen))


def refused(texts, folder, program):
    """Places of the texts that the filter takes for refusals, by their first words."""
    write(f"{folder}/refusals-in.jsonl", ({"question": str(place), "answer": text or "-"} for place, text in enumerate(texts)))
    others = "character_count,word_count,alpha_numeric,repeated_lines,answer_is_question,code_fence"
    options = ["--also", "refusal", "--without", others, "--near", "1", "--force", "--out", f"{folder}/refusals-kept.jsonl", "--removed", f"{folder}/refusals-removed.jsonl"]
    subprocess.run([program, "data", "filter", f"{folder}/refusals-in.jsonl", *options], check=True, capture_output=True)
    return {int(row["question"]) for row in lines(f"{folder}/refusals-removed.jsonl") if row["removed"]["filter"] == "refusal"}


def refusals(rows_file, out, folder, program, sweep):
    rows = lines(rows_file)
    first = refused([row["answer"] for row in rows], folder, program)
    agree = sum((place in first) == (not row["label"].startswith("1")) for place, row in enumerate(rows))
    outputs = {}
    for line in lines(sweep):
        if "output" in line:
            outputs.setdefault(line["coefficient"], {})[line["row"]] = line["output"]
    safe = [place for place, row in enumerate(rows) if not is_unsafe(row)]
    unsafe = [place for place, row in enumerate(rows) if is_unsafe(row)]

    def counted(coefficient, texts, found):
        return {"coefficient": coefficient, "n_safe": len(safe), "n_safe_refused": sum(place in found for place in safe),
                "n_unsafe": len(unsafe), "n_unsafe_not_refused": sum(place not in found for place in unsafe),
                "unchanged": sum(text.strip() == row["answer"].strip() for text, row in zip(texts, rows))}

    before = counted(None, [row["answer"] for row in rows], first)
    points = []
    for coefficient in sorted(outputs):
        texts = [outputs[coefficient].get(place, "") for place in range(len(rows))]
        points.append(counted(coefficient, texts, refused(texts, folder, program)))
    result = {"schema": "redline.xstest-refusals.v1", "n": len(rows), "n_agree_with_labels": agree, "n_refused_by_label": sum(not row["label"].startswith("1") for row in rows),
              "n_refused_by_filter": len(first), "before": before, "points": points}
    Path(out).write_text(json.dumps(result, indent=1) + "\n")
    point = lambda at: {"number": at["coefficient"], "x": wilson(at["n_safe_refused"], at["n_safe"]), "y": wilson(at["n_unsafe_not_refused"], at["n_unsafe"])}
    trails = {"schema": "redline.trails.v1", "title": "Refusals on XSTest, by coefficient", "x_label": "safe prompts refused", "y_label": "unsafe prompts not refused",
              "notes": ["numbers: coefficients; the answers before have none"],
              "trails": [{"name": "corrected by SmolLM2's Aligner", "points": [point(at) for at in points]}, {"name": "Llama 2's answers before", "points": [{**point(before), "number": 0}]}]}
    Path(f"{folder}/refusals.trails.json").write_text(json.dumps(trails, indent=1) + "\n")


def wilson(k, n, z=1.959964):
    """A share with its Wilson interval."""
    share, middle = k / n, (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * (k * (n - k) / n + z * z / 4) ** 0.5
    return {"mean": share, "low": middle - half, "high": middle + half}


def questions():
    for line in sys.stdin:
        print(json.dumps({"question": json.loads(line)["question"]}, ensure_ascii=False))


def main():
    verb, *arguments = sys.argv[1:] or [""]
    verbs = {"world": world, "flawed": flawed, "pairs": pairs, "hh": hh, "dialogues": dialogues, "questions": questions, "refusals": refusals, "xstest-rows": xstest_rows, "xstest": xstest}
    if verb not in verbs:
        sys.exit(__doc__)
    verbs[verb](*arguments)


main()
