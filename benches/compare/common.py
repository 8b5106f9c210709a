"""What the works and checks of the comparison share: paths, and how programs are called."""

import json
import os
import pathlib
import subprocess
import sys
import time

MODEL = "models/SmolLM2-135M-Instruct.Q4_1.gguf"
REDLINE = "target/release/redline"
TEMPLATE = "BEGINNING OF CONVERSATION: USER: ##Question: {question}\n##Answer: {answer}\n##Correction:  ASSISTANT:"
HERE = pathlib.Path(__file__).parent
THREADS = 2


def run(command, given=None):
    done = subprocess.run(command, input=given and json.dumps(given), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    return done.stdout


def redline(*options):
    return run([REDLINE, *map(str, options), "--threads", str(THREADS)])


def seconds_of(*options):
    started = time.perf_counter()
    redline(*options)
    return time.perf_counter() - started


def peak_megabytes(*options):
    """Resident memory of a command at its highest."""
    command = [REDLINE, *map(str, options), "--threads", str(THREADS)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} failed")
    return usage.ru_maxrss / 1024


def peer(name, work, given, repeats=1, model=MODEL):
    """What a peer printed for a work: seconds of each run, unless the work says otherwise."""
    script = HERE / f"peer_{name}.py"
    return json.loads(run([sys.executable, script, work, model, str(repeats), str(THREADS)], given))


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]
