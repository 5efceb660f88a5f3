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

Body = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes | Callable[[Body], bytes]]
GOOD = {"evidence": "nothing wrong", "correct": 4, "follows": 3, "complete": 4, "clear": 4, "flags": []}
JSON = {"Content-Type": "application/json"}
PROBE = "This is a probe"


def completion(content: str | None, *, finish: str = "stop", refusal: str | None = None, **more: Any) -> bytes:
    message = {"role": "assistant", "content": content, "refusal": refusal}
    body = {
        "id": "x",
        "object": "chat.completion",
        "model": "fake-2026",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 700, "completion_tokens": 50, "total_tokens": 750},
    }
    return json.dumps(body | more).encode()


def chat(content: str | None, *, finish: str = "stop", refusal: str | None = None) -> Answer:
    return 200, JSON, completion(content, finish=finish, refusal=refusal)


def good(**levels: Any) -> Answer:
    """The same grade for every response that is asked about."""
    return 200, JSON, lambda body: completion(grades(body, **levels))


def grades(body: Body, **levels: Any) -> str:
    return json.dumps(dict.fromkeys(slots(body), GOOD | levels))


def slots(body: Body) -> list[str]:
    """The responses that a request asks about: r1, r2 …"""
    return [message["grade"] for message in data(body)["chat"] if "grade" in message]


def responses(body: Body) -> list[str]:
    """Their texts."""
    return [message["text"] for message in data(body)["chat"] if "grade" in message]


def prompt(body: Body) -> str:
    """The last user message that the judge sees."""
    return [message["text"] for message in data(body)["chat"] if message["role"] == "user"][-1]


def capable(body: Body) -> bytes:
    """What a server that does all it is told answers to the questions of a probe."""
    asked = body["messages"][-1]["content"]
    if asked.startswith("Count"):
        return completion("1 2 3", finish="length")
    if "word0" in asked:
        usage = {"prompt_tokens": 3 * asked.count("word"), "completion_tokens": 2}
        return completion("yes", usage=usage)
    return completion('{"answer": "turnip", "level": 1}')


def error(status: int, message: str = "no", code: str | None = None, **headers: str) -> Answer:
    body = {"error": {"message": message, "type": "error", "code": code, "param": None}}
    return status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode()


@dataclass
class Fake:
    """What the server was asked.

    `script` maps a request body and its count so far to an answer; `pause` are seconds between two bytes of it.
    Probes are answered by `probe` and are no part of `bodies`; files and batches go to `batches`.
    """

    script: Callable[[Body, int], Answer]
    base_url: str = ""
    pause: float = 0.0
    probe: Callable[[Body], Answer] = lambda body: (200, JSON, capable(body))
    probes: list[Body] = field(default_factory=list)
    batches: Any = None
    bodies: list[Body] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


def nonce(body: Body) -> str:
    """The hash of the judged data: tells one response from another."""
    found = re.match(r"<data (\w+)>", str((body.get("messages") or body.get("input") or [{}])[-1].get("content")))
    return found[1] if found else ""


def data(body: Body) -> dict[str, Any]:
    """The conversation as the judge sees it."""
    value: dict[str, Any] = json.loads((body.get("messages") or body["input"])[-1]["content"].splitlines()[1])
    return value


@contextmanager
def serve(script: Callable[[Body, int], Answer], *, like_probe: bool = False) -> Iterator[Fake]:
    """A server; with `like_probe` a probe gets what the script refuses, too."""
    fake = Fake(script)
    if like_probe:

        def probe(body: Body) -> Answer:
            answer = script(body, 0)
            return answer if answer[0] != 200 else (200, JSON, capable(body))

        fake.probe = probe

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(*fake.batches.get(self.path))

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.endswith(("/files", "/batches")):
                self.answer(*fake.batches.post(self.path, raw))
                return
            body = json.loads(raw)
            probing = PROBE in str(body.get("messages", [{}])[0].get("content"))
            with fake.lock:
                (fake.probes if probing else fake.bodies).append(body)
                fake.asked[nonce(body)] += not probing
                count = len(fake.bodies)
            status, headers, payload = fake.probe(body) if probing else fake.script(body, count)
            payload = payload(body) if callable(payload) else payload
            self.answer(status, headers, payload)
            with fake.lock:
                fake.answered[nonce(body)] += status == 200 and not probing

        def answer(self, status: int, headers: dict[str, str], payload: Any) -> None:
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
