"""A real server as judge and as writer; see ../check_judge.sh."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import serving
from installing import CannotInstall, python_client

ROOT = Path(__file__).parent.parent.parent
BUILD = ROOT / "build/clients"
LOGS = BUILD / "logs"
MODEL = ROOT / "models/SmolLM2-135M-Instruct.Q4_1.gguf"
ROWS = 6
# as when Redline serves: a proxy would stand between it and a server on this machine
OWN = {key: value for key, value in os.environ.items() if not re.search("proxy|^REDLINE", key, re.I)}


def redline(program, folder, *words):
    ran = subprocess.run([program, *words], cwd=folder, env=OWN, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def judgements(file):
    return [json.loads(line) for line in file.read_text().splitlines()[1:]]


def outcomes(text):
    return [(of["system"], of["outcome"], of["consistency"]) for of in json.loads(text)["contests"][0]["standings"]]


def check(program, url, model, folder):
    judge, kept = f"{url}/v1#{model}", folder / "judged.jsonl"
    redline(program, folder, "data", "synth", "--rows", "20", "--seed", "3", "--out", "rows.jsonl")
    rows = ["--data", "rows.jsonl", "--prompts", str(ROWS), "--max-new-tokens", "64", "--out", "answers.jsonl"]
    redline(program, folder, "evaluate", *rows, "--systems", "upstream,aligner,prompt,critique", "--writer", judge, "--judge", "flaws")
    answers = judgements(folder / "answers.jsonl")
    assert {row["system"] for row in answers} == {"upstream", "aligner", "prompt", "critique"}, answers
    assert all(row["n_tokens"] > 0 and row["context"] > 50 for row in answers if row["system"] == "critique"), answers
    asked = ["evaluate", "--answers", "answers.jsonl", "--judge", judge, "--judge-workers", "2", "--judgements", "judged.jsonl",
             "--judge-prompt-price", "1", "--judge-completion-price", "2", "--json"]

    # killed in the middle
    run = subprocess.Popen([program, *asked], cwd=folder, env=OWN, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while run.poll() is None and not (kept.exists() and len(kept.read_text().splitlines()) > 5):
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    before = judgements(kept) if kept.read_text().endswith("\n") else judgements(kept)[:-1]
    whole = redline(program, folder, *asked)
    after = judgements(kept)
    assert after[: len(before)] == before and len({row["key"] for row in after}) == len(after), "nothing is asked or kept twice"
    judging = json.loads(whole)["contests"][0]["judging"]
    print(f"judged: {judging}; {len(before)} of {len(after)} judgements were there before the kill")
    assert judging["n_asked"] == len(after) and judging["n_recorded"] == len(before) and judging["cost"] > 0, judging

    # without the server
    again = redline(program, folder, "evaluate", "--answers", "answers.jsonl", "--judge", "recorded=judged.jsonl", "--json")
    assert outcomes(again) == outcomes(whole), "the file of judgements is the same judge"

    # no faster than asked for: pairs that are different, in both orders
    started = time.monotonic()
    limited = redline(program, folder, "evaluate", "--answers", "answers.jsonl", "--judge", judge, "--judge-form", "score", "--judge-per-minute", "60", "--json")
    seconds, n = time.monotonic() - started, json.loads(limited)["contests"][0]["judging"]["n_asked"]
    print(f"{n} requests at 60 a minute took {seconds:.0f} s")
    assert seconds > 0.8 * (n - 1), (seconds, n)


def main(program):
    subprocess.run([ROOT / "scripts/fetch-smollm2.sh"], check=True, stdout=subprocess.DEVNULL)
    LOGS.mkdir(parents=True, exist_ok=True)
    try:
        ready = python_client("llama-cpp", "", BUILD)
    except CannotInstall as error:
        sys.exit(f"NOT TESTED: {error}")
    print(ready.versions)
    with serving.llama_cpp(ready.command[0], MODEL, LOGS) as (url, model), tempfile.TemporaryDirectory() as folder:
        check(Path(program).resolve(), url, model, Path(folder))
    print("passed")


main(sys.argv[1])
