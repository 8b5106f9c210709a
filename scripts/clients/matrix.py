"""Runs the cases of every client against Redline, each in a process of its own, and writes the table; see ../check_clients.sh."""
import argparse
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import reporting
import serving
from installing import CLIENTS, CannotInstall, install, python_client
from reporting import FAIL, NOT_TESTED, PASS

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build/clients"
LOGS = BUILD / "logs"
MODEL = ROOT / "models/SmolLM2-135M-Instruct.Q4_1.gguf"
CASES = json.loads((HERE / "expectations.json").read_text())["cases"]
SECONDS = 180

# no telemetry, no search for updates, no model hub; a proxy that leads nowhere for whoever tries all the same
QUIET = {
    "DO_NOT_TRACK": "1", "ANONYMIZED_TELEMETRY": "False", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1", "TRANSFORMERS_OFFLINE": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False",
    "LANGCHAIN_TRACING_V2": "false", "LANGSMITH_TRACING": "false", "LANGSMITH_TEST_TRACKING": "false", "NEXT_TELEMETRY_DISABLED": "1",
    "PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1", "INSPECT_TELEMETRY": "", "TQDM_DISABLE": "1",
    "HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost",
    "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1,localhost",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def options():
    parser = argparse.ArgumentParser(prog="scripts/check_clients.sh", description="Real clients against redline serve.")
    parser.add_argument("--without-llama-cpp", action="store_true", help="leave out the real upstream, which takes minutes to compile")
    parser.add_argument("--only", metavar="NAMES", help="clients whose name begins so, separated by commas: openai,langchain")
    parser.add_argument("--cases", metavar="NAMES", help="these cases alone, separated by commas")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the table there, and beside it as JSON")
    parser.add_argument("--redline", type=Path, metavar="FILE", help="the program [default: target/release/redline, built first]")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time [default: 2]")
    return parser.parse_args()


def chosen(only):
    if only is None:
        return list(CLIENTS)
    wanted = only.split(",")
    nobody = [name for name in wanted if not any(client.startswith(name) for client in CLIENTS)]
    if nobody:
        sys.exit(f"error: no client is called {', '.join(nobody)}\nhint: there are {', '.join(CLIENTS)}")
    return [client for client in CLIENTS if any(client.startswith(name) for name in wanted)]


def program(given):
    if given is None:
        subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
        return ROOT / "target/release/redline"
    return given.absolute()


def row(client, case, result, reason=""):
    return {"client": client, "case": case, "result": result, "reason": reason}


def run_case(client, installed, case, environment):
    """One case in a process of its own; its output is kept."""
    log = LOGS / f"{client}.{case}.log"
    try:
        done = subprocess.run([*installed.command, case], capture_output=True, text=True, errors="replace", timeout=SECONDS,
                              env={**os.environ, **QUIET, **environment}, cwd=BUILD)
    except subprocess.TimeoutExpired:
        return row(client, case, FAIL, f"no end within {SECONDS} s")
    log.write_text(done.stdout + done.stderr)
    last = (done.stdout.strip().splitlines() or [f"exit code {done.returncode}: {done.stderr[-300:]}"])[-1]
    kind = {0: PASS, 77: NOT_TESTED}.get(done.returncode, FAIL)
    return row(client, case, kind, "" if kind == PASS else last.removeprefix("FAIL: ").removeprefix("NOT TESTED: "))


def listed(installed):
    done = subprocess.run([*installed.command, "--list"], capture_output=True, text=True, env={**os.environ, **QUIET}, cwd=BUILD)
    if done.returncode != 0:
        raise CannotInstall("its cases cannot be listed: " + (done.stderr.strip().splitlines() or ["no word"])[-1])
    return done.stdout.split()


def real_upstream(stack, given, binary, versions):
    """Where clients find Redline in front of llama.cpp; a text says why they do not."""
    if given.without_llama_cpp:
        return None
    try:
        subprocess.run([ROOT / "scripts/fetch-smollm2.sh"], check=True, stdout=subprocess.DEVNULL)
        ready = python_client("llama-cpp", "", BUILD)
        versions["llama-cpp"] = ready.versions
        upstream, name = stack.enter_context(serving.llama_cpp(ready.command[0], MODEL, LOGS))
        server = stack.enter_context(serving.redline(binary, upstream, LOGS, "llama-cpp"))
    except (CannotInstall, serving.CannotStart, subprocess.CalledProcessError) as error:
        return str(error)
    return {"REDLINE_URL": server, "UPSTREAM_URL": upstream, "REAL_MODEL": name}


def scripted(stack, binary):
    upstream = stack.enter_context(serving.scripted_upstream(LOGS))
    server = stack.enter_context(serving.redline(binary, upstream, LOGS, "scripted"))
    return {"REDLINE_URL": server, "UPSTREAM_URL": upstream, "REAL_MODEL": ""}


def told(one):
    """Says how a case ended, as soon as it has."""
    print(f"{one['result']:<10}  {one['client']}  {one['case']}  {one['reason'][:400]}".rstrip(), flush=True)
    return one


def work_for(client, installed, scripted_server, real_server, wanted):
    """The cases of a client that can run, and rows for those that cannot."""
    ready, rows = [], []
    for case in listed(installed):
        if wanted and case not in wanted:
            continue
        server = real_server if case.startswith("real-") else scripted_server
        if isinstance(server, str):
            rows.append(told(row(client, case, NOT_TESTED, f"llama-cpp-python: {server}")))
        elif server:
            ready.append((client, installed, case, server))
    return ready, rows


def run_client(client, pool, servers, wanted, versions):
    """Installs a client and hands its cases to the pool; rows for what is known already, and the ones to come."""
    print(f"-- {client}", flush=True)
    try:
        installed = install(client, BUILD)
        ready, rows = work_for(client, installed, *servers, wanted)
    except CannotInstall as reason:
        return [told(row(client, "install", NOT_TESTED, f"cannot be installed, so none of its cases ran: {reason}"))], []
    versions[client] = installed.versions
    return [row(client, "install", PASS), *rows], [pool.submit(lambda one: told(run_case(*one)), one) for one in ready]


def main():
    given = options()
    clients, wanted = chosen(given.only), given.cases.split(",") if given.cases else None
    LOGS.mkdir(parents=True, exist_ok=True)
    rows, coming, versions = [], [], {}
    with ExitStack() as stack:
        binary = program(given.redline)
        servers = scripted(stack, binary), real_upstream(stack, given, binary, versions)
        pool = stack.enter_context(ThreadPoolExecutor(given.jobs))
        for client in clients:
            known, started = run_client(client, pool, servers, wanted, versions)
            rows, coming = rows + known, coming + started
        rows += [one.result() for one in coming]
    return given, rows, versions


def report(given, rows, versions):
    rows.sort(key=lambda one: (list(CLIENTS).index(one["client"]), list(CASES).index(one["case"])))
    print("\n" + reporting.as_text(rows, CASES, CLIENTS) + "\n")
    command = shlex.join(["scripts/check_clients.sh", *sys.argv[1:]])
    if given.out:
        given.out.write_text(reporting.as_markdown(rows, CASES, CLIENTS, versions, command))
        given.out.with_suffix(".json").write_text(reporting.as_json(rows, versions, command))
    for one in rows:
        if one["result"] != PASS:
            print(f"{one['result']}: {one['client']}, {one['case']}: {one['reason'][:1500]}")
    print(reporting.counts(rows))
    return 1 if any(one["result"] == FAIL for one in rows) else 0


if __name__ == "__main__":
    sys.exit(report(*main()))
