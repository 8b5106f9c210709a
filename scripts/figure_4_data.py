"""Clean answers and real corrections for the SmolLM2 Aligner, split by question.

Usage: figure_4_data.py SOURCES OUT [SEED]

SOURCES holds gsm8k-train, hh-rlhf-harmless-last-turn, gsm8k-solutions (MIT) and self-instruct-davinci (Apache-2.0) as
.jsonl.gz. OUT then holds train-clean.jsonl, dev-clean.jsonl and test-clean.jsonl (question, answer), of which no two share
a question, and real.jsonl (question, answer, correction), which shares none with dev and test.
"""

import gzip
import hashlib
import json
import pathlib
import sys

N_TEST, N_DEV, N_REAL = 800, 240, 480
# longer rows cost much time and add little; shorter ones have no room for flaws
LEAST_ANSWER, MOST_ANSWER, MOST_QUESTION = 60, 360, 320


def read(folder, name):
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def key(question):
    return " ".join(question.lower().split())


def shuffled(rows, seed):
    """In an order that depends on seed and text only."""
    return sorted(rows, key=lambda row: hashlib.sha256(f"{seed} {json.dumps(row, sort_keys=True)}".encode()).hexdigest())


def fits(row):
    texts = [row["answer"], row.get("correction", row["answer"])]
    is_long = any(len(text) > MOST_ANSWER for text in texts) or len(row["question"]) > MOST_QUESTION
    return not is_long and all(len(text) >= LEAST_ANSWER for text in texts)


def first_of_question(rows):
    seen = set()
    return [row for row in rows if not (key(row["question"]) in seen or seen.add(key(row["question"])))]


def write(path, rows):
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    print(f"{path}: {len(rows)} rows")


def main():
    sources, out = map(pathlib.Path, sys.argv[1:3])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    gsm8k, hh = read(sources, "gsm8k-train"), read(sources, "hh-rlhf-harmless-last-turn")
    solutions, davinci = read(sources, "gsm8k-solutions"), read(sources, "self-instruct-davinci")

    clean = [{"question": row["question"], "answer": row["answer"].strip()} for row in gsm8k]
    clean += [{"question": row["question"], "answer": row["chosen"].strip()} for row in hh]
    clean += [{"question": row["question"], "answer": row["correction"].strip()} for row in davinci]
    clean = shuffled(first_of_question(list(filter(fits, clean))), seed)
    test, dev, train = clean[:N_TEST], clean[N_TEST : N_TEST + N_DEV], clean[N_TEST + N_DEV :]
    held_out = {key(row["question"]) for row in test + dev}

    # a right solution is to be copied, a wrong one to be replaced
    real = [{**row, "correction": row["answer"] if row["is_correct"] else row["correction"]} for row in solutions]
    real += [{"question": row["question"], "answer": row["rejected"], "correction": row["chosen"]} for row in hh]
    real += davinci
    real = [{field: row[field].strip() for field in ("question", "answer", "correction")} for row in real]
    real = [row for row in real if fits(row) and key(row["question"]) not in held_out]

    out.mkdir(parents=True, exist_ok=True)
    write(out / "train-clean.jsonl", train)
    write(out / "dev-clean.jsonl", dev)
    write(out / "test-clean.jsonl", test)
    write(out / "real.jsonl", shuffled(real, seed)[:N_REAL])


main()
