#!/usr/bin/env python3
"""Hostile requests against a running `redline serve`, on loopback, with an upstream server of the script's own.

serve_hostile.py [--requests N] [--seconds S]  needs the release build, Linux, and Python's standard library. It fails when a
request gets no reply that fits, when the server ends, when its memory stays more than 100 MB above what it was after some good
requests, or when eight bodies of 4 MB at a time take it above 600 MB."""
import argparse
import json
import random
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MOST_LEFT = 100 << 10  # KiB
MOST_AT_ONCE = 600 << 10  # KiB
BODY = (4 << 20) - 4096  # bytes, just below what the server takes
CLIENTS = 4
QUESTION = "What is the capital of France?"
FLAWED = "You are a complete fool. The capital of France is Paris."

parser = argparse.ArgumentParser()
parser.add_argument("--program", default="target/release/redline")
parser.add_argument("--requests", type=int, default=20_000)
parser.add_argument("--seconds", type=float, default=1200, help="longest time for all of it")
args = parser.parse_args()
end = time.monotonic() + args.seconds


def completion(text):
    message = {"role": "assistant", "content": text}
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()


def filled(start, piece, close, size):
    """A JSON text of about `size` bytes: `piece` again and again between `start` and `close`."""
    n = max(1, (size - len(start) - len(close)) // (len(piece) + 1))
    return (start + ",".join([piece] * n) + close).encode()


REPLIES = {
    "ok": lambda: completion(FLAWED),
    "big": lambda: completion("The capital of France is Paris. " * ((16 << 20) // 33)),
    "big-list": lambda: filled('{"choices":[', '{"":0}', "]}", (16 << 20) - 100),
    "too-big": lambda: b" " * (17 << 20),
    "deep": lambda: b'{"choices":' + b"[" * 200_000,
    "no-json": lambda: b"\xff\xfe<html>",
    "cut": lambda: completion(FLAWED)[:-20],
}


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        name = next((name for name in REPLIES if b'"model":"%s"' % name.encode() in body), "ok")
        reply = REPLIES[name]()
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)
        except OSError:
            pass  # the other side has enough

    def log_message(self, *_):
        pass


def raw(address, data, half_close=False, slow=0.0):
    """Sends bytes on a connection of their own; the status of the reply, 0 where the connection was closed without one."""
    with socket.create_connection(address, timeout=60) as stream:
        try:
            if slow:
                for at in range(0, len(data), 64):
                    stream.sendall(data[at : at + 64])
                    time.sleep(slow)
            else:
                stream.sendall(data)
            if half_close:
                stream.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was refused before it was read; the reply may be there all the same
        head = b""
        try:
            while b"\r\n" not in head and (piece := stream.recv(4096)):
                head += piece
            while stream.recv(65536):
                pass
        except ConnectionError:
            pass
    parts = head.split(b" ", 2)
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0


def post(path, body, kind="application/json", more="", length=None):
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n{more}"
    return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


def chat(model="ok", **more):
    fields = {"model": model, "messages": [{"role": "user", "content": QUESTION}], **more}
    return json.dumps(fields, separators=(",", ":")).encode()


def large(rng):
    """A body as large as the server takes, of very many small values."""
    piece = rng.choice(['{"":0}', "[]", "{}", "0", '""', '{"":{"":[]}}', '{"type":"text","text":""}', '{"role":"user","content":"x"}'])
    names = rng.choice([piece, f'"a":{piece}'])
    inside = rng.choice(
        [
            ('{"model":"ok","messages":[', piece, "]}"),
            ('{"model":"ok","messages":[{"role":"user","content":[', piece, "]}]}"),
            ('{"model":"ok","messages":[{"role":"user","content":"x"}],"tools":[', piece, "]}"),
            ('{"model":"ok","messages":[{"role":"user","content":"x"}],"x":{', f'"a":{piece}', "}}"),
            ('{"model":"ok","messages":[{"role":"user","content":"x"}],"response_format":{', f'"a":{piece}', "}}"),
            ('{"model":"ok","messages":[{"role":"user","content":"x"}],"stop":[', piece, "]}"),
            ('{"model":"ok","messages":{', f'"a":{piece}', "}}"),
            ("{", names, "}"),
            ("[", names, "]"),
        ]
    )
    path = rng.choice(["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/correct", "/v1/scan"])
    start, piece, close = inside
    if path == "/v1/responses":
        start = start.replace('"messages"', '"input"')
    return path, filled(start, piece, close, BODY)


def hostile(address, rng, i):
    """Sends one request; its kind and status."""
    path = rng.choice(["/v1/chat/completions", "/v1/correct", "/v1/completions", "/v1/responses", "/v1/scan"])
    if i % 100 == 0:
        return "large", raw(address, post(*large(rng)))
    if i % 400 == 50:
        model = rng.choice(["big", "big-list", "too-big"])
        return "large reply", raw(address, post("/v1/chat/completions", chat(model, stream=rng.random() < 0.5)))
    if i % 500 == 70:
        return "slow", raw(address, post(path, chat()), slow=0.02)
    kind = rng.randrange(13)
    if kind == 0:
        depth = rng.choice([100, 127, 128, 5_000, 100_000])
        return "deep", raw(address, post(path, rng.choice([b"[", b'{"messages":', b'{"":[']) * depth))
    if kind == 1:
        number = rng.choice(["1e999", "-1e999", "9" * 400, "0." + "1" * 100_000, "18446744073709551616", "-0", "1e-999"])
        name = rng.choice(["max_tokens", "n", "temperature", "seed", "x"])
        body = b'{"model":"ok","messages":[{"role":"user","content":"x"}],"%s":%s}' % (name.encode(), number.encode())
        return "number", raw(address, post(path, body))
    if kind == 2:
        body = bytearray(chat())
        for _ in range(rng.randrange(1, 5)):
            body[rng.randrange(len(body))] = rng.randrange(128, 256)
        return "utf-8", raw(address, post(path, bytes(body)))
    if kind == 3:
        body = chat()
        return "truncated", raw(address, post(path, body[: rng.randrange(len(body))]))
    if kind == 4:
        body = chat()
        cut = rng.randrange(len(body))
        return "broken off", raw(address, post(path, body[:cut], length=len(body)), half_close=True)
    if kind == 5:
        wrong = rng.choice(["text/plain", "application/x-www-form-urlencoded", "", "application/json\x01", "multipart/form-data"])
        return "type", raw(address, post(path, chat(), kind=wrong))
    if kind == 6:
        more = rng.choice([f"X-Long: {'a' * rng.choice([8_000, 100_000, 600_000])}\r\n", "X-A: b\r\n" * 2_000])
        return "headers", raw(address, post(path, chat(), more=more))
    if kind == 7:
        return "half-closed", raw(address, post("/v1/correct", json.dumps({"question": "?", "answer": "Yes."}).encode()), half_close=True)
    if kind == 8:
        return "upstream", raw(address, post("/v1/chat/completions", chat(rng.choice(["deep", "no-json", "cut"]), stream=rng.random() < 0.5)))
    if kind == 9:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunks = rng.choice([b"zz\r\n", b"ffffffffffffffff\r\nx", b"1\r\n{\r\n" * 500 + b"0\r\n\r\n", b"-1\r\n\r\n", b"5\r\n{}"])
        return "chunks", raw(address, head.encode() + chunks, half_close=True)
    if kind == 10:
        return "length", raw(address, post(path, b"{}", length=rng.choice([5_000_000, 10**30, "-1", "x"])), half_close=True)
    if kind == 11:
        host = rng.choice(["[::1].evil.example", "evil.example", "localhost:80@evil.example", ""])
        return "host", raw(address, f"GET /v1/steering HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    escapes = rng.choice(['"\\ud800"', '"\\u0000"', '"\\', "nul", "[" * 50 + "]" * 49, '{"a":1,"a":2}', "\ufeff{}"])
    return "JSON", raw(address, post(path, b'{"model":"ok","messages":%s}' % escapes.encode()))


def good(address):
    status = raw(address, post("/v1/chat/completions", chat()))
    assert status == 200, f"a good request has status {status}"


class Memory:
    """Resident memory of a process, in KiB, looked at often."""

    def __init__(self, pid):
        self.path, self.peak = f"/proc/{pid}/status", 0
        threading.Thread(target=self.watch, daemon=True).start()

    def now(self):
        with open(self.path) as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def watch(self):
        try:
            while True:
                self.peak = max(self.peak, self.now())
                time.sleep(0.005)
        except (OSError, StopIteration):
            pass  # the process has ended

    def settled(self, most=0, seconds=30):
        """What stays once nothing runs: the server gives memory back every two seconds, where the machine lets it."""
        for _ in range(seconds):
            time.sleep(1)
            if self.now() <= most:
                break
        return self.now()


def together(work):
    """Runs work in threads; the first error is told."""
    errors = []

    def run(one):
        try:
            one()
        except Exception as error:  # told below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def attack(address, process):
    seen, lock, numbers = {}, threading.Lock(), iter(range(args.requests))

    def client(seed):
        rng = random.Random(seed)
        while True:
            with lock:
                i = next(numbers, None)
            if i is None:
                return
            assert time.monotonic() < end, f"{args.seconds} s are over after {i} requests"
            assert process.poll() is None, "the server has ended"
            kind, status = hostile(address, rng, i)
            # a head that is no HTTP may get nothing but the end of the connection
            fits = {200, 400, 403, 404, 405, 408, 413, 415, 422, 429, 431, 502, 503, 504}
            assert status in fits or (status == 0 and kind in ("headers", "length", "chunks", "broken off")), f"{kind}: status {status}"
            with lock:
                seen[kind, status] = seen.get((kind, status), 0) + 1

    together([lambda seed=seed: client(seed) for seed in range(CLIENTS)])
    return seen


def main():
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    upstream.daemon_threads = True
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    command = [args.program, "serve", "--port", "0", "--json", "--quiet", "--upstream", f"http://127.0.0.1:{upstream.server_port}/v1"]
    process = subprocess.Popen([*command, "--upstream-timeout", "20"], stdout=subprocess.PIPE)
    try:
        address = ("127.0.0.1", int(json.loads(process.stdout.readline())["address"].rsplit(":", 1)[1]))
        while raw(address, b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") != 200:
            time.sleep(0.1)
        for _ in range(20):
            good(address)
        memory = Memory(process.pid)
        before = memory.settled(seconds=8)
        seen = attack(address, process)
        after, peak = memory.settled(before + MOST_LEFT), memory.peak
        for (kind, status), n in sorted(seen.items()):
            print(f"{n:6} {kind}: {status or 'closed'}")
        memory.peak = 0
        rng = random.Random(9)
        for _ in range(6):
            bodies = [post(*large(rng)) for _ in range(8)]
            together([lambda body=body: raw(address, body) for body in bodies])
        at_once, last = memory.peak, memory.settled(before + MOST_LEFT)
        good(address)
    finally:
        process.terminate()
        process.wait(timeout=60)
    mib = lambda kib: f"{kib / 1024:.0f} MiB"
    print(f"memory: {mib(before)} before, {mib(after)} after {args.requests} requests, {mib(peak)} at the peak; {mib(at_once)} with eight large bodies at a time, {mib(last)} after them")
    assert process.returncode == 0, f"the server ended with {process.returncode}"
    assert max(after, last) - before <= MOST_LEFT, "memory stays"
    assert at_once <= MOST_AT_ONCE, "eight large bodies take too much"


try:
    main()
except AssertionError as error:
    sys.exit(f"error: {error}")
