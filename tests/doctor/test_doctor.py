"""The doctor finds what is broken, sends nothing unasked, and never shows a key."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate.doctor import PROBLEM, render
from curate.schema import TABLES
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def ws(tmp_path: Path, dump: Callable[..., Path], chat: Callable[..., Any]) -> Workspace:
    records = [chat(f"Question {n}?", f"Answer {n}.", model="gpt-4", id=f"c{n}") for n in range(5)]
    curate.ingest([dump(tmp_path / "dump.json", records)], tmp_path / "ws", quiet=True)
    for stage in (curate.clean, curate.label, curate.dedup, curate.score):
        stage(tmp_path / "ws", quiet=True)
    return Workspace(tmp_path / "ws")


def problems(ws: Workspace) -> list[str]:
    return [f"{check.name}: {check.found}" for check in curate.doctor(ws.path).checks if check.status == PROBLEM]


def test_a_sound_workspace_has_no_problem(ws: Workspace) -> None:
    found = curate.doctor(ws.path)
    assert problems(ws) == []
    assert found.facts["tables"]["conversations"] == {"shards": 1, "rows": 5, "damaged": 0}
    assert found.facts["versions"]["polars"]
    assert list(render(found))[-1] == "no problem found"


@pytest.mark.parametrize("table", ["conversations", "labels", "signatures", "duplicates"])
def test_one_changed_byte_anywhere_is_found(ws: Workspace, table: str) -> None:
    path = ws.shard(table, 0)
    whole = path.read_bytes()
    for place in {4, len(whole) // 3, len(whole) // 2, len(whole) - 200, len(whole) - 9, len(whole) - 1}:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert problems(ws), f"byte {place}"
    path.write_bytes(whole)
    assert problems(ws) == []


def test_a_shard_that_is_cut_off_or_empty_is_found(ws: Workspace) -> None:
    path = ws.shard("scores", 0)
    whole = path.read_bytes()
    for content in (whole[:-50], b""):
        path.write_bytes(content)
        assert any("scores/part-00000.parquet" in line for line in problems(ws))


def test_rows_that_the_manifest_does_not_count_are_found(ws: Workspace) -> None:
    manifest = json.loads((ws.path / "manifest.json").read_text())
    manifest["stages"]["ingest"][0]["conversations"] = 7
    del manifest["digest"]  # as an older curate wrote it
    (ws.path / "manifest.json").write_text(json.dumps(manifest))
    assert "conversations: 5 rows, the manifest counts 7" in problems(ws)


def test_a_manifest_that_is_no_json_is_a_problem(ws: Workspace) -> None:
    (ws.path / "manifest.json").write_text("{")
    assert any("the manifest is not JSON" in line for line in problems(ws))


def test_a_table_of_other_conversations_is_found(ws: Workspace) -> None:
    data = ws.read("conversations", 0).to_arrow().cast(TABLES["conversations"].arrow)
    ws.write("conversations", 0, data, {**ws.stamp("conversations", 0), "fingerprint": "other"})
    assert "labels: the table `labels` was made from other conversations" in problems(ws)


def test_what_a_killed_run_left_is_told(ws: Workspace) -> None:
    (ws.path / "labels" / ".part-00001.parquet.tmp").write_bytes(b"half")
    checks = {check.name: check for check in curate.doctor(ws.path).checks}
    assert checks["unfinished files"].found == "labels/.part-00001.parquet.tmp"


def test_damaged_judgements_are_found(ws: Workspace) -> None:
    file = ws.path / "judgements.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE judgements (key TEXT, content BLOB)")
        connection.executemany("INSERT INTO judgements VALUES (?, ?)", [(str(n), os.urandom(500)) for n in range(99)])
    connection.close()
    assert problems(ws) == []
    content = bytearray(file.read_bytes())
    content[4096:4160] = b"\xff" * 64
    file.write_bytes(content)
    assert any(line.startswith("judgements.sqlite") for line in problems(ws))


def test_nothing_is_written(ws: Workspace, tree: Callable[[Path], dict[str, bytes]]) -> None:
    before = tree(ws.path)
    curate.doctor(ws.path)
    assert tree(ws.path) == before


def test_the_key_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> str:
        return "\n".join(render(curate.doctor(tmp_path / "none")))

    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-0123456789")
    one = said()
    assert "set" in one
    assert "secret" not in one
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    assert one.split("machine")[0] == said().split("machine")[0], "not even its length shows"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret\u00e9")
    assert "secret" not in said()


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps({"data": [{"id": "tiny\x1b[2J"}, {"id": "large"}]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silence."""

    web = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{web.server_port}/v1", asked
    web.shutdown()
    web.server_close()
    thread.join()


def test_a_server_is_asked_only_where_it_is_named(ws: Workspace, server: tuple[str, list[str]]) -> None:
    url, asked = server
    curate.doctor(ws.path)
    assert asked == []
    found = curate.doctor(ws.path, base_url=url)
    assert asked == ["/v1/models"]
    text = "\n".join(render(found))
    assert "2 models: tiny?[2J, large" in text
    assert found.problems == 0


def test_a_server_that_is_not_there_is_a_problem(ws: Workspace) -> None:
    found = curate.doctor(ws.path, base_url="http://127.0.0.1:9/v1")
    assert found.problems == 1
