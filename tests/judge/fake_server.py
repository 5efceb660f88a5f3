"""A small OpenAI-protocol server on localhost that answers from a script and counts what it was asked."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
GOOD = {"evidence": "nothing wrong", "correct": 4, "follows": 3, "complete": 4, "clear": 4}


def chat(content: str | None, *, finish: str = "stop", refusal: str | None = None) -> Answer:
    message = {"role": "assistant", "content": content, "refusal": refusal}
    body = {
        "id": "x",
        "object": "chat.completion",
        "model": "fake-2026",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 700, "completion_tokens": 50, "total_tokens": 750},
    }
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def good(**levels: int) -> Answer:
    return chat(json.dumps(GOOD | levels))


def error(status: int, message: str = "no", code: str | None = None, **headers: str) -> Answer:
    body = {"error": {"message": message, "type": "error", "code": code, "param": None}}
    return status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode()


@dataclass
class Fake:
    """What the server was asked.

    `script` maps a request body and its count so far to an answer; `pause` are seconds between two bytes of it.
    """

    script: Callable[[dict[str, Any], int], Answer]
    base_url: str = ""
    pause: float = 0.0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


def nonce(body: dict[str, Any]) -> str:
    """The hash of the judged data: tells one response from another."""
    found = re.match(r"<data (\w+)>", body["messages"][-1]["content"])
    assert found
    return found[1]


def data(body: dict[str, Any]) -> dict[str, Any]:
    """The conversation as the judge sees it."""
    value: dict[str, Any] = json.loads(body["messages"][-1]["content"].splitlines()[1])
    return value


@contextmanager
def serve(script: Callable[[dict[str, Any], int], Answer]) -> Iterator[Fake]:
    fake = Fake(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with fake.lock:
                fake.bodies.append(body)
                fake.asked[nonce(body)] += 1
                count = len(fake.bodies)
            status, headers, payload = fake.script(body, count)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            if fake.pause:
                for byte in payload:
                    self.wfile.write(bytes([byte]))
                    time.sleep(fake.pause)
            else:
                self.wfile.write(payload)
            if len(payload) < int(headers.get("Content-Length", 0)):
                self.close_connection = True
            with fake.lock:
                fake.answered[nonce(body)] += status == 200

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that went away is part of the tests."""

    with Server(("127.0.0.1", 0), Handler) as server:
        fake.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
