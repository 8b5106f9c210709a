"""Rows whose flaws leave the length as it is (within two characters): a control for what a reader may owe to length alone.

Usage: figure_4_same_length.py OUT CORRUPTED…

CORRUPTED are files that `redline data corrupt` made of the same answers with different seeds; the first fitting row of every
question is taken.
"""

import json
import pathlib
import sys

MOST_CHARACTERS = 2

out, *files = map(pathlib.Path, sys.argv[1:])
rows = {}
for path in files:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if abs(len(row["answer"]) - len(row["clean"])) <= MOST_CHARACTERS:
            rows.setdefault(row["question"], row)
out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows.values()), encoding="utf-8")
print(f"{out}: {len(rows)} rows")
