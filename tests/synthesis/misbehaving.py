"""A real HTTP server that speaks the chat-completions protocol, and misbehaves as it is told to.

It annotates by rules: names are runs of capitalised words, and the first is related to each other one. A text says in
its words what goes wrong with it, so that what happens does not depend on the order of requests:

| word | what happens, so many times as the text says (`flaky2`), then the answer |
|---|---|
| `slowN` | nothing for N tenths of a second, every time |
| `busyN` | HTTP 429 with `Retry-After: 0.05` |
| `limitN` | HTTP 429 without it |
| `brokenN` | HTTP 500 |
| `cutN` | the connection is closed in the middle of the body |
| `htmlN` | HTTP 200 with a page |
| `garbageN` | an answer that is prose |
| `shortN` | an answer that is cut off, with `finish_reason` "length" |
| `strangeN` | JSON with other fields |

As a program it prints its address and serves until it is killed: `python misbehaving.py COUNTS`, where COUNTS is a
file to which it appends a line with the text of each request that it has answered in full.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NAME = re.compile(r"[A-Z][\w’]*(?: [A-Z][\w’]*)*")
WRONG = re.compile(r"\b(slow|busy|limit|broken|cut|html|garbage|short|strange)(\d+)\b")
TEXT = re.compile(r"<text>\n(.*?)\n</text>", re.DOTALL)


class Server(ThreadingHTTPServer):
    """The server; `answered` counts texts of requests that were answered in full, `received` all that came."""

    daemon_threads = True

    def __init__(self, counts: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.received: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.refuses: str | None = None  # a field of requests that it does not know
        self.status: int | None = None  # what it answers to everything
        self.says = "as it was told"  # and says of it
        self.retry_after: str | None = None
        self.location: str | None = None  # where it sends requests on to
        self.invented = False  # whether it names an entity that no text has
        self.counts = counts

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of clients that hang up."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = text_of(body)
        with self.server.lock:
            self.server.times.append(time.monotonic())
            self.server.bodies.append(body)
            self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.server.received[text] += 1
            times = self.server.received[text]
        if self.server.status is not None:
            said = {"Retry-After": self.server.retry_after, "Location": self.server.location}
            headers = {name: value for name, value in said.items() if value is not None}
            return self.send(self.server.status, json.dumps({"error": {"message": self.server.says}}), headers)
        if self.server.refuses is not None and self.server.refuses in body:
            message = f"{self.server.refuses} is not supported; use max_completion_tokens"
            return self.send(400, json.dumps({"error": {"message": message}}))
        wrongs = {kind: int(number) for kind, number in WRONG.findall(text)}
        time.sleep(wrongs.pop("slow", 0) / 10)
        for kind, number in wrongs.items():
            if times <= number:
                return self.misbehave(kind, text)
            times -= number
        return self.complete(text, answer(body, self.server.invented))

    def misbehave(self, kind: str, text: str) -> None:
        if kind == "busy":
            return self.send(429, "{}", {"Retry-After": "0.05"})
        if kind == "limit":
            return self.send(429, "{}")
        if kind == "broken":
            return self.send(500, "it broke")
        if kind == "html":
            return self.send(200, "<html>maintenance</html>")
        if kind == "cut":
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "5000")
            self.end_headers()
            self.wfile.write(b'{"id": "1", "choices": [{"mess')
            self.wfile.flush()
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        if kind == "garbage":
            return self.complete(text, "I would rather talk about the weather { today }.")
        if kind == "strange":
            return self.complete(text, '{"nodes": [], "edges": []}')
        assert kind == "short", kind
        return self.complete(text, '{"entities": [{"id": 0, "te', "length")

    def complete(self, text: str, content: str, finish_reason: str = "stop") -> None:
        message = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": content}}
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        reply = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "system_fingerprint": ""}
        self.send(200, json.dumps({**reply, "choices": [message], "usage": usage}))
        with self.server.lock:
            self.server.answered[text] += 1
            if self.server.counts is not None:
                with self.server.counts.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(text) + "\n")

    def send(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
        data = body.encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()


def text_of(body: dict[str, Any]) -> str:
    """The text that a request is about."""
    found = TEXT.search(body["messages"][1]["content"])
    assert found is not None
    return found[1]


def answer(body: dict[str, Any], invented: bool = False) -> str:
    """The annotation by rules, in the form that the request's schema, or else its prompt, asks for."""
    asked = body["messages"][1]["content"]
    text = text_of(body)
    if "Entities, by number:" in asked:
        ids = [int(number) for number in re.findall(r"^(\d+): ", asked.split("Entities, by number:")[1], re.MULTILINE)]
        related = [{"head": ids[0], "relation": "is_linked_to", "tail": other, "evidence": [0]} for other in ids[1:]]
        return "<think>Let me see { .</think>```json\n" + json.dumps({"relations": related}) + "\n```"
    if re.match(r"\[0\] ", text):
        mentions: dict[str, list[dict[str, Any]]] = {}
        for number, sentence in re.findall(r"^\[(\d+)\] (.*)$", text, re.MULTILINE):
            for name in NAME.findall(sentence):
                mentions.setdefault(name, []).append({"text": name, "sentence": int(number)})
        clusters = [{"id": n, "type": "thing", "mentions": found} for n, found in enumerate(mentions.values())]
        return json.dumps({"entities": clusters})
    names = list(dict.fromkeys(NAME.findall(text)))
    entities = [{"id": number, "text": name, "type": "Thing"} for number, name in enumerate(names)]
    related = [{"head": 0, "relation": "is_linked_to", "tail": n, "group": "spatial"} for n in range(1, len(names))]
    if "annotation so far" in asked:
        related = related[:1]
    if invented:
        entities.append({"id": len(names), "text": "Nobody Here", "type": "person"})
        related.append({"head": 0, "relation": "knows", "tail": len(names), "group": "spatial"})
    return json.dumps({"entities": entities, "relations": related})


if __name__ == "__main__":
    serving = Server(Path(sys.argv[1]))
    print(serving.url, flush=True)
    serving.serve_forever()
