"""The servers of the matrix: the scripted upstream, llama-cpp-python's with SmolLM2, and Redline in front of either."""
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
START_SECONDS = 120


class CannotStart(Exception):
    """Why a server does not run."""


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


@contextmanager
def running(command, url, log, **more):
    """A server from when it answers at a URL until the block ends."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, **more)
    try:
        end = time.monotonic() + START_SECONDS
        while not answers(url):
            if process.poll() is not None or time.monotonic() > end:
                raise CannotStart(f"{' '.join(map(str, command[:3]))} does not answer; see {log}")
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextmanager
def scripted_upstream(logs):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running([sys.executable, HERE / "scripted_upstream.py", str(port)], f"{url}/seen", logs / "scripted-upstream.log"):
        yield url


@contextmanager
def llama_cpp(python, model, logs):
    """The server of llama-cpp-python, and what it calls the model."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [python, "-m", "llama_cpp.server", "--model", model, "--port", str(port), "--n_ctx", "2048"]
    with running(command, f"{url}/v1/models", logs / "llama-cpp.log"):
        with urllib.request.urlopen(f"{url}/v1/models") as reply:
            yield url, json.loads(reply.read())["data"][0]["id"]


@contextmanager
def redline(program, upstream, logs, name):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # a proxy of the environment would stand between Redline and an upstream on this machine
    own = {key: value for key, value in os.environ.items() if not re.search("proxy|^REDLINE", key, re.I)}
    command = [program, "serve", "--port", str(port), "--upstream", f"{upstream}/v1"]
    with running(command, f"{url}/readyz", logs / f"redline-{name}.log", env=own):
        yield url
