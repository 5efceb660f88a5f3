"""Published judgements, judged again: a server that answers with GPT-4's own replies of arena_bench_v1.

    python benchmarks/judge_replay.py ARENA_BENCH_V1

ARENA_BENCH_V1 is the folder of that name in the history of lmarena/arena-hard-auto (model_answer/,
model_judgment/, question.jsonl); it is not part of this repository. Prints the mean rating by model that
`curate score --rubric mt_bench` makes of the stored replies, beside the mean of the published scores, and the
replies without a rating. Nothing is judged anew: what is proved is that reading and storing lose and invent nothing.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import process_time

import polars as pl
import pyarrow as pa

import curate
from curate.errors import PartlyDoneError
from curate.judge import view
from curate.schema import TABLES
from curate.workspace import Workspace, fingerprint


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def rows(folder: Path) -> list[dict]:
    """One per answer with a judgement: model, prompt, answer, the judge's reply and its published score."""
    prompts = {row["question_id"]: row["turns"][0] for row in lines(folder / "question.jsonl")}
    found = []
    for path in sorted((folder / "model_answer").glob("*.jsonl")):
        judged = {row["question_id"]: row for row in lines(folder / "model_judgment" / path.name)}
        for row in lines(path):
            reply = judged.get(row["question_id"])
            if reply:
                answer = row["choices"][0]["turns"][0]
                published = reply["score"] if reply["score"] and reply["score"] > 0 else None
                parts = {"model": path.stem, "prompt": prompts[row["question_id"]], "answer": answer}
                found.append({**parts, "reply": reply["judgment"], "score": published})
    return found


@contextmanager
def serve(found: list[dict]) -> Iterator[str]:
    """A server that knows each stored reply by the prompt and the answer it is about."""
    replies = {place(row["prompt"], row["answer"]): row["reply"] for row in found}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            user = body["messages"][-1]["content"]
            if user.startswith("<data"):
                chat = json.loads(user.splitlines()[1])["chat"]
                content = replies[place(chat[0]["text"], chat[-1]["text"])]
            else:
                content = '{"answer": "turnip", "level": 1}'
            message = {"role": "assistant", "content": content}
            usage = {"prompt_tokens": len(user) // 3, "completion_tokens": 20}
            reply = {"model": "gpt-4", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
            payload = json.dumps({**reply, "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join()


def place(prompt: str, answer: str) -> str:
    """What tells one answer from another, whatever a view has cut from its middle."""
    cleaned = view.clean(answer)
    return fingerprint(view.clean(prompt)[:1_000], cleaned[:2_000], cleaned[-100:])


def workspace(path: Path, found: list[dict]) -> Workspace:
    ws = Workspace(path, create=True)
    empty = {"model": None, "name": None, "tool_calls": None}
    constant = {"source": "arena", "source_file": "arena", "edits": [], "marks": [], "joined_rows": []}
    table = [
        {
            "key": key,
            "source_row": key,
            "model": row["model"],
            "content_hash": fingerprint(row["prompt"], row["answer"]),
            "messages": [
                {"role": "user", "content": row["prompt"], **empty},
                {"role": "assistant", "content": row["answer"], **empty},
            ],
            **constant,
        }
        for key, row in enumerate(found)
    ]
    arrow = pa.Table.from_pylist(table, schema=TABLES["conversations"].arrow)
    ws.write("conversations", 0, arrow, {"fingerprint": fingerprint(len(found))})
    return ws


def replay(folder: Path, path: Path) -> pl.DataFrame:
    """Every answer with its published score and what curate makes of the stored reply."""
    found = rows(folder)
    ws = workspace(path, found)
    with serve(found) as base_url:
        try:
            curate.score(path, judge="gpt-4", base_url=base_url, rubric="mt_bench", concurrency=16, quiet=True)
        except PartlyDoneError as error:
            print(error)
    scores = ws.read("scores", 0).select("key", "score", "status", "rationale")
    published = pl.DataFrame({"key": range(len(found)), "model": [row["model"] for row in found]})
    published = published.with_columns(
        pl.Series("published", [row["score"] for row in found], pl.Float64), key=pl.col("key").cast(pl.UInt64)
    )
    return published.join(scores, on="key", how="left")


def main(arguments: list[str]) -> int:
    if not arguments or not Path(arguments[0]).is_dir():
        print(__doc__)
        print("nothing measured: the folder is not there")
        return 2
    begun = process_time()
    with tempfile.TemporaryDirectory() as folder:
        found = replay(Path(arguments[0]), Path(folder))
    for (model,), part in sorted(found.group_by("model")):
        ours, theirs = part["score"].drop_nulls(), part["published"].drop_nulls()
        print(f"{model:<18} ours {ours.mean():.2f} of {len(ours)}, published {theirs.mean():.2f} of {len(theirs)}")
    both = found.drop_nulls(["score", "published"])
    print(f"same number in {(both['score'] == both['published']).sum()} of {len(both)} that both have")
    for row in found.filter(pl.col("score").is_null() != pl.col("published").is_null()).to_dicts():
        print(f"  {row['model']}: published {row['published']}, ours {row['score']} ({row['rationale'][:60]})")
    print(f"status: {dict(found['status'].value_counts().iter_rows())}")
    print(f"{process_time() - begun:.1f} s of processor time, server included")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
