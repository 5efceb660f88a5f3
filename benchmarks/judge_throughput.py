"""What judging costs beside the judge: overhead per judgement, use of a rate limit, resume.

    python benchmarks/judge_throughput.py [--responses 2000] [--rate 40] [--seconds 60] [--peers FOLDER] [--json]
    python benchmarks/judge_throughput.py --tokens 300000 [--seconds 120]

A server on this machine answers at once with a good grade, so everything measured is ours. Processor seconds are those
of the scoring process; the server runs in another. The rate limit is a token bucket that answers 429 with Retry-After;
beside `curate score` stand the OpenAI client's own retries (2, its default, and 10) with a fixed number in flight, and
with `--peers` distilabel, which is installed into an environment of its own below that folder. With `--tokens` only a
limit of so many tokens a minute is measured, prompt and longest reply counted when a call comes in, by a server that
says in `x-ratelimit-*` headers what is left and by one that is silent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
import venv
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import perf_counter, process_time

import pyarrow as pa

import curate
from curate.errors import PartlyDoneError
from curate.schema import TABLES
from curate.workspace import Workspace, fingerprint

GRADE = {"evidence": "nothing wrong", "correct": 4, "follows": 3, "complete": 4, "clear": 4, "flags": []}


def workspace(path: Path, responses: int) -> Workspace:
    ws = Workspace(path, create=True)
    empty = {"model": None, "name": None, "tool_calls": None}
    constant = {"source": "b", "source_file": "b", "content_hash": "0", "edits": [], "marks": [], "joined_rows": []}
    rows = [
        {
            "key": key,
            "source_row": key,
            "messages": [
                {"role": "user", "content": f"What is {key} + 1? " + "Give a reason. " * 20, **empty},
                {"role": "assistant", "content": f"It is {key + 1}. " + "One more is the next number. " * 30, **empty},
            ],
            **constant,
        }
        for key in range(responses)
    ]
    table = pa.Table.from_pylist(rows, schema=TABLES["conversations"].arrow)
    ws.write("conversations", 0, table, {"fingerprint": fingerprint(responses)})
    return ws


def answer(body: dict) -> bytes:
    user = body["messages"][-1]["content"]
    content, finish = '{"answer": "turnip", "level": 1}', "stop"
    if user.startswith("<data"):
        chat = json.loads(user.splitlines()[1])["chat"]
        content = json.dumps({message["grade"]: GRADE for message in chat if "grade" in message})
    usage = {"prompt_tokens": len(user) // 3, "completion_tokens": 20}
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}
    return json.dumps({"model": "m", "choices": [choice], "usage": usage}).encode()


def serve(rate: float, tokens: float, headers: bool) -> None:
    """Print the address and serve; with a rate, at most so many answers a second, with tokens so many a minute."""
    bucket = {"left": rate / 4, "at": time.monotonic()}
    meter = {"left": tokens, "at": time.monotonic()}
    counts = {"asked": 0, "refused": 0, "answered": 0}
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply(200, json.dumps(counts).encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                now = time.monotonic()
                bucket["left"] = min(max(rate / 4, 1), bucket["left"] + (now - bucket["at"]) * rate)
                bucket["at"] = now
                allowed = not rate or bucket["left"] >= 1
                bucket["left"] -= allowed
                counts["asked"] += 1
                if tokens:
                    allowed = self.metered(body, now)
                counts["answered" if allowed else "refused"] += 1
            if not allowed:
                self.reply(429, b'{"error": {"message": "slow down"}}')
                return
            if rate or tokens:
                time.sleep(0.2)
            self.reply(200, answer(body))

        def metered(self, body: dict, now: float) -> bool:
            meter["left"] = min(tokens, meter["left"] + (now - meter["at"]) * tokens / 60)
            meter["at"] = now
            cost = sum(len(message["content"]) for message in body["messages"]) / 3.6 + body.get("max_tokens", 0)
            allowed = meter["left"] >= cost
            meter["left"] -= cost * allowed
            counts["tokens"] = counts.get("tokens", 0) + cost * allowed
            return allowed

        def reply(self, status: int, payload: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if rate:
                self.send_header("Retry-After", "1")
            if tokens and headers:
                self.send_header("x-ratelimit-limit-tokens", f"{tokens:.0f}")
                self.send_header("x-ratelimit-remaining-tokens", f"{meter['left']:.0f}")
                self.send_header("x-ratelimit-reset-tokens", f"{(1 - meter['left'] / tokens) * 60:.3f}s")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.request_queue_size = 256
        print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
        server.serve_forever()


class Server:
    """The server in a process of its own."""

    def __init__(self, rate: float, tokens: float = 0, *, headers: bool = False) -> None:
        command = [sys.executable, __file__, "--serve", str(rate), "--tokens", str(tokens)]
        command += ["--headers"] * headers
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def overhead(responses: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, Server(0) as base_url:
        path = Path(folder)
        workspace(path, responses)
        options = {"judge": "m", "base_url": base_url, "rubric": "general", "concurrency": 32, "quiet": True}
        curate.score(path, limit=1, **options)
        begun = process_time()
        curate.score(path, **options)
        first = process_time() - begun
        begun = process_time()
        curate.score(path, **options)
        again = process_time() - begun
    say(f"overhead: {1_000 * first / responses:.2f} ms of processor per judgement, {responses:,} judgements")
    say(
        f"resume with nothing left to do: {again:.2f} s of processor, {1_000 * again / responses:.3f} ms per response"
    )
    return {"ms_per_judgement": 1_000 * first / responses, "ms_per_response_again": 1_000 * again / responses}


def limited(responses: int, rate: float, peers: Path | None) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder, Server(rate) as base_url:
        path = Path(folder)
        ws = workspace(path, responses)
        options = {"judge": "m", "base_url": base_url, "rubric": "general", "concurrency": 64, "quiet": True}
        begun = perf_counter()
        curate.score(path, limit=1, **options)
        say(f"start, probe and first judgement: {perf_counter() - begun:.1f} s, in none of the rates below")
        begun = perf_counter()
        try:
            curate.score(path, **options)
        except PartlyDoneError as error:
            say(str(error))
        seconds = perf_counter() - begun
        done = int((ws.read("scores", 0)["status"] == "ok").sum())
        what = f"curate score, up to 64 in flight ({_refused(base_url)} refused)"
        found = [line(what, done, responses, seconds, rate)]
    for in_flight, retries in ((8, 2), (64, 2), (64, 10)):
        with Server(rate) as base_url:
            begun = perf_counter()
            done = asyncio.run(client(base_url, responses, in_flight, retries))
            seconds = perf_counter() - begun
            refused = _refused(base_url)
        what = f"openai client, {in_flight} in flight, {retries} retries ({refused} refused)"
        found.append(line(what, done, responses, seconds, rate))
    if peers:
        with Server(rate) as base_url:
            command = [distilabel(peers), Path(__file__).with_name("judge_distilabel.py"), base_url, str(responses)]
            said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
            told = json.loads(said.stdout.splitlines()[-1])
            what = f"distilabel 1.5.3, batches of 64 ({_refused(base_url)} refused)"
        found.append(line(what, told["done"], responses, told["seconds"], rate))
    return found


def metered(tokens: float, seconds: float) -> None:
    """A limit of tokens a minute, told and not told; the first filling of the bucket is not counted as throughput."""
    for headers in (True, False):
        with tempfile.TemporaryDirectory() as folder, Server(0, tokens, headers=headers) as base_url:
            path = Path(folder)
            # 1,700 tokens each, by the server's count: rules and rubric, an answer, the longest reply.
            workspace(path, int(tokens * (1 + seconds / 60) / 1_700))
            options = {"judge": "m", "base_url": base_url, "rubric": "general", "concurrency": 64, "quiet": True}
            curate.score(path, limit=1, **options)
            before = _counts(base_url)
            begun = perf_counter()
            curate.score(path, **options)
            spent = perf_counter() - begun
            after = _counts(base_url)
        used = (after["tokens"] - before["tokens"] - tokens) / (spent / 60)
        told = "told in headers" if headers else "not told"
        refused = after["refused"] - before["refused"]
        print(f"{tokens:,.0f} tokens a minute, {told}: {used / tokens:.0%} of them used, {refused:.0f} refusals")


def distilabel(peers: Path) -> Path:
    """The interpreter of distilabel's environment, which is built where it is not there yet."""
    interpreter, ready = peers / "distilabel" / "bin" / "python", peers / "distilabel" / "ready"
    if not ready.exists():
        venv.create(peers / "distilabel", with_pip=True, clear=True)
        # Two packages that it imports and does not ask for.
        needed = ("distilabel[openai]==1.5.3", "requests", "beautifulsoup4")
        subprocess.run([interpreter, "-m", "pip", "install", "--quiet", *needed], check=True)
        ready.touch()
    return interpreter


async def client(base_url: str, responses: int, in_flight: int, retries: int) -> int:
    import openai

    gate, done = asyncio.Semaphore(in_flight), 0

    async def one(number: int) -> None:
        nonlocal done
        async with gate:
            try:
                messages = [{"role": "user", "content": f"Grade answer {number}."}]
                await sdk.chat.completions.create(model="m", messages=messages)
                done += 1
            except openai.APIError:
                pass

    async with openai.AsyncOpenAI(api_key="x", base_url=base_url, max_retries=retries) as sdk:
        await asyncio.gather(*(one(number) for number in range(responses)))
    return done


def _refused(base_url: str) -> int:
    return int(_counts(base_url)["refused"])


def _counts(base_url: str) -> dict[str, float]:
    from urllib.request import urlopen

    with urlopen(base_url) as reply:
        return json.loads(reply.read())


def line(what: str, done: int, responses: int, seconds: float, rate: float) -> dict[str, object]:
    share = done / seconds / rate
    say(f"{what:<58} lost {responses - done:>5} of {responses:,}, {done / seconds:5.1f}/s, {share:4.0%} of the limit")
    return {"what": what, "lost": responses - done, "of": responses, "share": share}


def say(text: str) -> None:
    print(text, file=sys.stderr if "--json" in sys.argv else sys.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--responses", type=int, default=2_000)
    parser.add_argument("--rate", type=float, default=40.0)
    parser.add_argument("--seconds", type=float, default=60.0, help="of work at the limit")
    parser.add_argument("--peers", type=Path, help="measure distilabel too; its environment is kept here")
    parser.add_argument("--tokens", type=float, default=0.0, help="measure a limit of tokens a minute instead")
    parser.add_argument("--headers", action="store_true")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--serve", type=float)
    options = parser.parse_args()
    if options.serve is not None:
        serve(options.serve, options.tokens, options.headers)
        return
    if options.tokens:
        metered(options.tokens, options.seconds)
        return
    cost = overhead(options.responses)
    lines = limited(int(options.rate * options.seconds), options.rate, options.peers and options.peers.resolve())
    if options.json:
        print(json.dumps({**cost, "limited": lines}))


if __name__ == "__main__":
    main()
