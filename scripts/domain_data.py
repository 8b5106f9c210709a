"""Good answers of several kinds, each to be left as it is: what the check of the domain is measured on.

Usage: domain_data.py SOURCES OUT N

SOURCES holds gsm8k-solutions, aligner-2b-on-gpt-4-turbo, aligner-2b-on-qwen1.5-72b, self-instruct-davinci, hh-rlhf-helpful/last-turn
and xstest/completions-llama2new as .jsonl.gz. OUT then holds at most N rows of each kind: question, answer, and the answer again as
the correction. The order depends on seed and text only; the first answer of each question counts.
"""

import gzip
import hashlib
import json
import pathlib
import sys

SEED = 1
# longer ones leave the built-in Aligner no room
LEAST_ANSWER, MOST_ANSWER, MOST_QUESTION, MOST_LONG_ANSWER = 60, 700, 250, 1500


def read(folder, name):
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def shuffled(rows):
    return sorted(rows, key=lambda row: hashlib.sha256(f"{SEED} {json.dumps(row, sort_keys=True)}".encode()).hexdigest())


def first_of_question(rows):
    seen = set()
    return [row for row in rows if not (row["question"] in seen or seen.add(row["question"]))]


def write(out, name, pairs, count, least=LEAST_ANSWER, most=MOST_ANSWER):
    rows = [{"question": q.strip(), "answer": a.strip(), "correction": a.strip()} for q, a in pairs]
    fits = [row for row in rows if least <= len(row["answer"]) <= most and len(row["question"]) <= MOST_QUESTION]
    rows = shuffled(first_of_question(fits))[:count]
    with open(out / f"{name}.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    print(f"{name}: {len(rows)} rows")


def main():
    sources, out, count = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    solutions, davinci = read(sources, "gsm8k-solutions"), read(sources, "self-instruct-davinci")
    alpaca = read(sources, "aligner-2b-on-gpt-4-turbo") + read(sources, "aligner-2b-on-qwen1.5-72b")
    helpful, safe = read(sources, "hh-rlhf-helpful/last-turn"), read(sources, "xstest/completions-llama2new")

    pairs = lambda rows, field="answer": [(row["question"], row[field]) for row in rows]
    is_code = lambda row: "```" in row["answer"]
    write(out, "gsm8k", pairs(row for row in solutions if row["is_correct"]), count)
    write(out, "self-instruct", pairs(davinci, "correction"), count)
    write(out, "hh-helpful", pairs(helpful, "chosen"), count)
    write(out, "alpaca", pairs(row for row in alpaca if not is_code(row)), count)
    write(out, "alpaca-long", pairs(row for row in alpaca if not is_code(row)), count // 2, MOST_ANSWER + 1, MOST_LONG_ANSWER)
    write(out, "code", pairs(filter(is_code, alpaca)), count)
    write(out, "xstest", pairs(safe), count)


main()
