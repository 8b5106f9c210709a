#!/usr/bin/env python3
"""Parts of scripts/engine.sh that are no work of the program.

world ROWS OUT: the rows of facts from five files, without sums and tables.
flawed ROWS OUT: questions with the flawed answers, for a model that is to have flaws.
pairs ROWS OUT: preference pairs of the generator, which no policy wrote.
hh FILE OUT: preference pairs of HH-RLHF, without those that are AlpacaEval's instructions.
dialogues FILE N OUT: the first N conversations of HH-RLHF with three answers or more, as messages, the chosen one last.
questions: rows on standard input as questions alone.
xstest OUT FILE…: of people's labels on XSTest, safe prompts refused and unsafe ones complied with, a line a file.
"""
import gzip
import json
import re
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
        label = lambda row: row.get("final_label") or row["label"]
        unsafe = [label(row) for row in rows if row["type"].startswith("contrast")]
        safe = [label(row) for row in rows if not row["type"].startswith("contrast")]
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


def questions():
    for line in sys.stdin:
        print(json.dumps({"question": json.loads(line)["question"]}, ensure_ascii=False))


def main():
    verb, *arguments = sys.argv[1:] or [""]
    verbs = {"world": world, "flawed": flawed, "pairs": pairs, "hh": hh, "dialogues": dialogues, "questions": questions, "xstest": xstest}
    if verb not in verbs:
        sys.exit(__doc__)
    verbs[verb](*arguments)


main()
