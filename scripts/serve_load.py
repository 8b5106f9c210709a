#!/usr/bin/env python3
"""Corrections a second of `redline serve` by the number of clients that ask at a time, on loopback.

serve_load.py [--model PATH --vector NAME=FILE --range RANGE] --out STEM  writes STEM.json and STEM.svg. Needs the release build and
Python's standard library. Every reply is compared with the one that a single client got."""
import argparse
import gzip
import json
import math
import os
import platform
import subprocess
import threading
import time
import urllib.request

CLIENTS = [1, 2, 4, 8, 16, 32, 64]
COEFFICIENTS = [-1, -0.5, 0, 0.5, 1]
COLOURS = ["#b3122a", "#3b62be"]

parser = argparse.ArgumentParser()
parser.add_argument("--model")
parser.add_argument("--vector")
parser.add_argument("--range")
parser.add_argument("--threads")
parser.add_argument("--rows", type=int, default=128)
parser.add_argument("--repeats", type=int, default=3)
parser.add_argument("--out", required=True)
args = parser.parse_args()


def start(*more):
    command = ["target/release/redline", "serve", "--port", "0", "--json", *more]
    for name in ("model", "vector", "range", "threads"):
        if getattr(args, name):
            command += [f"--{name}", getattr(args, name)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    url = json.loads(process.stdout.readline())["url"]
    while True:
        try:
            urllib.request.urlopen(f"{url}/readyz").read()
            return process, url
        except OSError:
            time.sleep(0.1)


def bodies():
    with gzip.open("assets/aligner/held-out.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file][400 : 400 + args.rows]
    for i, row in enumerate(rows):
        steering = {"coefficient": COEFFICIENTS[i % len(COEFFICIENTS)]}
        yield {"question": row["question"], "answer": row["answer"], "steering": steering, "max_tokens": 160}


def ask(url, body):
    request = urllib.request.Request(
        f"{url}/v1/correct", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    return json.load(urllib.request.urlopen(request))


def run(url, requests, n_clients):
    """Seconds, replies in order."""
    replies, places, lock = [None] * len(requests), iter(range(len(requests))), threading.Lock()

    def client():
        while True:
            with lock:
                place = next(places, None)
            if place is None:
                return
            replies[place] = ask(url, requests[place])

    threads = [threading.Thread(target=client) for _ in range(n_clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started, replies


def measure(name, *more):
    process, url = start(*more)
    requests = list(bodies())
    alone = [reply["correction"] for reply in run(url, requests, 1)[1]]
    points = []
    for n_clients in CLIENTS:
        seconds = []
        for _ in range(args.repeats):
            took, replies = run(url, requests, n_clients)
            assert [reply["correction"] for reply in replies] == alone, "a reply differs from the single client's"
            seconds.append(took)
        tokens = sum(reply["usage"]["completion_tokens"] for reply in replies)
        best = sorted(seconds)[len(seconds) // 2]
        points.append({"clients": n_clients, "corrections_per_second": len(requests) / best, "tokens_per_second": tokens / best})
        print(name, points[-1], flush=True)
    process.terminate()
    assert process.wait() == 0
    return points


def figure(lines):
    width, height, left, bottom = 640, 360, 60, 50
    most = 40 * math.ceil(max(point["corrections_per_second"] for points in lines.values() for point in points) / 40)
    x = lambda clients: left + (width - left - 150) * CLIENTS.index(clients) / (len(CLIENTS) - 1)
    y = lambda value: height - bottom - (height - bottom - 20) * value / most
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<path d="M{left} 20V{height - bottom}H{width - 150}" fill="none" stroke="#555"/>',
    ]
    for clients in CLIENTS:
        parts.append(f'<text x="{x(clients)}" y="{height - bottom + 18}" text-anchor="middle">{clients}</text>')
    for i in range(5):
        value = most * i / 4
        parts.append(f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.0f}</text>')
    parts.append(f'<text x="{(left + width - 150) / 2}" y="{height - 10}" text-anchor="middle">clients at a time</text>')
    parts.append(f'<text x="14" y="14">corrections a second</text>')
    for (name, points), colour in zip(lines.items(), COLOURS):
        path = " ".join(f"{x(p['clients']):.1f},{y(p['corrections_per_second']):.1f}" for p in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    # names beside the ends of their lines, one above the other
    ends = sorted((y(points[-1]["corrections_per_second"]), name, colour) for (name, points), colour in zip(lines.items(), COLOURS))
    above = -math.inf
    for end, name, colour in ends:
        above = max(end, above + 16)
        parts.append(f'<text x="{width - 144}" y="{above + 4:.1f}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>\n"])


lines = {"drafted": measure("drafted"), "not drafted": measure("not drafted", "--max-drafted", "0")}
result = {
    "schema": "redline.serve-load.v1",
    "model": args.model or "redline-tiny",
    "rows": args.rows,
    "coefficients": COEFFICIENTS,
    "machine": {"cores": os.cpu_count(), "processor": platform.processor() or platform.machine()},
    "lines": lines,
}
for name, points in lines.items():
    result[f"gain, {name}"] = points[-1]["corrections_per_second"] / points[0]["corrections_per_second"]
    print(name, "gain", round(result[f"gain, {name}"], 2))
with open(f"{args.out}.json", "w") as file:
    json.dump(result, file, indent=1)
    file.write("\n")
with open(f"{args.out}.svg", "w") as file:
    file.write(figure(lines))
