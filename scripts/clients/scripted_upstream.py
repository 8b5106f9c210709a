"""A scripted OpenAI-compatible server, for checks of Redline in front of one: scripted_upstream.py [PORT].

The reply is picked by the request's `model` up to an `@` (scripted_replies.py has the names); what follows the `@` only marks
the request. Replies are streamed only where `stream` asks for it. GET /seen?model=NAME lists the requests for that model as
they came (path, headers, body as text); without `model`, all of the last thousand. Standard library only."""
import base64
import hashlib
import json
import struct
import sys
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import scripted_replies as replies
import scripted_responses as responses

SEEN = deque(maxlen=1000)
FILES = {}
VECTOR = [0.25, -0.5, 1.0]
LIMITS = {"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "42"}


def embeddings(body):
    wanted = body["input"] if isinstance(body["input"], list) else [body["input"]]
    raw = base64.b64encode(struct.pack("<3f", *VECTOR)).decode()
    vector = raw if body.get("encoding_format") == "base64" else VECTOR
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, _ in enumerate(wanted)]
    return {"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": 3, "total_tokens": 3}}


def moderations(body):
    result = {"flagged": True, "categories": {"harassment": True}, "category_scores": {"harassment": 0.9}}
    return {"id": "modr-1", "model": body.get("model") or "moderator", "results": [result]}


def model_entry(name):
    return {"id": name, "object": "model", "created": 1700000000, "owned_by": "scripted"}


def file_entry(name):
    return {"id": name, "object": "file", "bytes": len(FILES[name]), "created_at": 1700000000, "filename": "rows.jsonl",
            "purpose": "batch", "status": "processed"}


def uploaded(raw, content_type):
    """The content of the part named `file` of a multipart body."""
    boundary = content_type.split("boundary=")[1].strip('"').encode()
    part = next(part for part in raw.split(b"--" + boundary) if b'name="file"' in part)
    return part.split(b"\r\n\r\n", 1)[1][:-2]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, value, headers=(), content_type="application/json"):
        raw = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        number = hashlib.sha256(raw).hexdigest()[:8]
        own = {"Content-Type": content_type, "x-request-id": f"req-upstream-{number}", **LIMITS, **dict(headers)}
        for name, text in {**own, "Content-Length": str(len(raw))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(raw)

    def send_events(self, events, named=False, ending=b"data: [DONE]\n\n"):
        raw = b""
        for event in events:
            name = f"event: {event['type']}\n".encode() if named else b""
            raw += name + b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"
        self.send(200, raw + ending, content_type="text/event-stream")

    def note(self, body=b""):
        text = body.decode("utf-8", "replace")
        SEEN.append({"method": self.command, "path": self.path, "headers": dict(self.headers), "body": text})

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/seen":
            model = parse_qs(url.query).get("model", [None])[0]
            return self.send(200, [seen for seen in SEEN if model is None or json.dumps(model) in seen["body"]])
        self.note()
        parts = url.path.strip("/").split("/")
        if parts == ["v1", "models"]:
            return self.send(200, {"object": "list", "data": [model_entry("plain"), model_entry("json")]})
        if parts[:2] == ["v1", "models"] and parts[2:] in (["plain"], ["json"]):
            return self.send(200, model_entry(parts[2]))
        if parts == ["v1", "files"]:
            return self.send(200, {"object": "list", "has_more": False, "data": [file_entry(name) for name in FILES]})
        if parts[:2] == ["v1", "files"] and parts[2:3] and parts[2] in FILES:
            if parts[3:] == ["content"]:
                return self.send(200, FILES[parts[2]], content_type="application/octet-stream")
            return self.send(200, file_entry(parts[2]))
        self.send(404, {"error": {"message": f"No such thing: {url.path}", "type": "invalid_request_error"}})

    def do_DELETE(self):
        self.note()
        name = urlsplit(self.path).path.split("/")[-1]
        gone = FILES.pop(name, None) is not None
        self.send(200 if gone else 404, {"id": name, "object": "file", "deleted": gone})

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.note(raw)
        path = urlsplit(self.path).path
        if path == "/v1/files":
            name = f"file-{len(FILES) + 1}"
            FILES[name] = uploaded(raw, self.headers["Content-Type"])
            return self.send(200, file_entry(name))
        body = json.loads(raw or b"{}")
        if path == "/v1/embeddings":
            return self.send(200, embeddings(body))
        if path == "/v1/moderations":
            return self.send(200, moderations(body))
        self.answer(path, body)

    def answer(self, path, body):
        known = {
            "/v1/chat/completions": (replies.chat, replies.chat_chunks),
            "/v1/completions": (replies.completion, replies.completion_chunks),
            "/v1/responses": (responses.response, responses.response_events),
        }
        if path not in known:
            # any other route produces text too, in a form of its own
            return self.send(200, {"response": replies.FLAWED, "content": [{"type": "text", "text": replies.FLAWED}]})
        failure = replies.failure(body)
        if failure:
            return self.send(*failure, headers=[("Retry-After", "7")] if failure[0] == 429 else [])
        whole, events = known[path]
        if body.get("stream") is not True:
            return self.send(200, whole(body))
        is_response = path.endswith("responses")
        self.send_events(events(body), is_response, b"" if is_response else b"data: [DONE]\n\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
