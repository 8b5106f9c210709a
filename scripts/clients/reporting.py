"""The table of the matrix: for a person in the terminal and in Markdown, for a program as JSON."""
import json

PASS, FAIL, NOT_TESTED = "pass", "FAIL", "NOT TESTED"
HEAD = """# Redline under real clients

Each client of OpenAI's API below was installed by its pinned version and run against `redline serve`, in front of a scripted
upstream server (`scripts/clients/scripted_upstream.py`){real}.
What a corrected text must be is asked of `POST /v1/correct` with the same question and answer. The command:

```sh
{command}
```

{counts}. A dot: the client has no such case.
"""
REAL = " and, for the cases named `real-…`,\nof llama-cpp-python's server with SmolLM2-135M-Instruct"


def counts(rows):
    said = [sum(row["result"] == kind for row in rows) for kind in (PASS, FAIL, NOT_TESTED)]
    return "{} passed, {} failed, {} skipped".format(*said)


def order(names, wanted):
    return [name for name in wanted if name in names]


def table(rows, cases, clients, mark):
    results = {(row["case"], row["client"]): row["result"] for row in rows}
    rowed, columns = order({case for case, _ in results}, cases), order({client for _, client in results}, clients)
    return [["case", *columns]] + [[case, *[mark[results.get((case, client))] for client in columns]] for case in rowed]


def as_text(rows, cases, clients):
    lines = table(rows, cases, clients, {PASS: "pass", FAIL: "FAIL", NOT_TESTED: "NOT TESTED", None: "."})
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def as_markdown(rows, cases, clients, versions, command):
    mark = {PASS: "✓", FAIL: "**FAIL**", NOT_TESTED: "NOT TESTED", None: "·"}
    lines = table(rows, cases, clients, mark)
    real = REAL if any(row["case"].startswith("real-") for row in rows) else ""
    text = HEAD.format(command=command, counts=counts(rows), real=real) + "\n"
    text += "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], ["---"] + [":-:"] * (len(lines[0]) - 1), *lines[1:]])
    for title, kind in (("What failed", FAIL), ("What was not tested", NOT_TESTED)):
        found = [row for row in rows if row["result"] == kind]
        if found:
            text += f"\n\n## {title}\n\n"
            text += "\n".join(f"- {row['case']}, {row['client']}: `{row['reason'][:300].replace('`', '´')}`" for row in found)
    text += "\n\n## Versions\n\n| client | packages |\n|---|---|\n"
    text += "\n".join(f"| {name} | {', '.join(f'{package} {version}' for package, version in versions[name].items()) or 'none'} |"
                      for name in order(versions, [*clients, "llama-cpp"]))
    text += "\n\n## What each case checks\n\n| case | checks |\n|---|---|\n"
    return text + "\n".join(f"| {line[0]} | {cases[line[0]]} |" for line in lines[1:]) + "\n"


def as_json(rows, versions, command):
    return json.dumps({"command": command, "counts": counts(rows), "versions": versions, "rows": rows}, indent=1, ensure_ascii=False) + "\n"
