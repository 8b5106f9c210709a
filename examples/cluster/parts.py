# What Dask and Ray do alike: run one part, and put all parts together. The program finds what a worker that was lost has written, and goes on there.
import ctypes
import subprocess
import sys
from pathlib import Path

PR_SET_PDEATHSIG, SIGKILL = 1, 9


def end_with_worker():
    """A worker that is killed takes the program with it, which would hold the file of the part otherwise (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)


def part(program, options, number, of, folder):
    """Runs part `number` of `of` of a sweep (options: a list, without --shard and --out); returns its file."""
    out = Path(folder) / f"part-{number}.jsonl"
    command = [program, "sweep", *options, "--shard", f"{number}/{of}", "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=end_with_worker)
    return str(out)


def merge(program, parts, out):
    subprocess.run([program, "merge", *parts, "--out", str(out), "--force"], check=True)
