"""The table of what the check of the domain tells, from the outputs in a folder of scripts/domain.sh.

Usage: domain_table.py FOLDER
"""

import json
import pathlib
import sys

KINDS = ["held-out", "gsm8k", "self-instruct", "hh-helpful", "alpaca", "alpaca-long", "code", "xstest"]


def excess(row):
    """The largest figure as a multiple of its limit: above 1 an answer is outside."""
    standing = row["domain"]
    spelling = standing["least_letters_per_token"] / (standing["letters_per_token"] or float("inf"))
    return max(standing["cost"] / standing["most_cost"], standing["tokens"] / standing["most_tokens"], spelling)


def auroc(inside, outside):
    """Probability that a text of another kind has the higher figure; ties count half."""
    wins = sum((b > a) + (b == a) / 2 for a in inside for b in outside)
    return wins / (len(inside) * len(outside)) if inside and outside else float("nan")


def share(part, whole):
    return f"{part} of {whole}" if whole else "–"


def main():
    folder = pathlib.Path(sys.argv[1])
    for aligner in ["embedded", "smollm2"]:
        if not (folder / f"{aligner}.json").exists():
            print(f"\n{aligner}: not measured", file=sys.stderr)
            continue
        domain = json.loads((folder / f"{aligner}.json").read_text(encoding="utf-8"))
        limits = f"at most {domain['most_cost']:.4f} nats and {domain['most_tokens']} tokens, at least {domain['least_letters_per_token']:.2f} letters a token"
        print(f"\n{aligner}: {limits}, from {domain['n_rows']} answers\n")
        print("| answers | n | AUROC | outside | good ones kept, inside | … outside |\n|---|--:|--:|--:|--:|--:|")
        known = None
        for kind in KINDS:
            path = folder / f"{aligner}-{kind}-outputs.jsonl"
            if not path.exists():
                continue
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            rows = [row for row in rows if "domain" in row]
            figures = [excess(row) for row in rows]
            known = known or figures
            cells = []
            for is_outside in [False, True]:
                good = [r for r in rows if r["domain"]["outside"] == is_outside and r["answer"].strip() == r["correction"].strip()]
                cells.append(share(sum(r["output"].strip() == r["answer"].strip() for r in good), len(good)))
            outside = sum(row["domain"]["outside"] for row in rows)
            area = "–" if kind == "held-out" else f"{auroc(known, figures):.2f}"
            print(f"| {kind} | {len(rows)} | {area} | {100 * outside / len(rows):.1f} % | {cells[0]} | {cells[1]} |")


main()
