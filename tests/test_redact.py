"""After `curate clean --redact` nothing that was found leaves the workspace: not to a shard, not to a judge."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate
from curate import redact
from curate.errors import WorkspaceError
from curate.judge.sample import kept_conversations
from curate.schema import TABLES
from curate.workspace import Workspace, fingerprint

PIECES = (
    "ada.l@fernmail.org",
    "+44 20 8366 1177",
    "(212) 736-5000",
    "4539 1488 0343 6467",
    "GB98MIDL07009312345678",
    "AIza" + "SyD9f3kLq2mXv8RtB7wYc4uNh6jPe1sGaZoKi"[:35],
)
NOISE = ("Hello. ", "\n", " ", "é", "茶 ", "[EMAIL]", "x", "{} ", "\\n", '"')


def talk(*texts: str) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]}


def make(path: Path, rows: list[dict[str, Any]]) -> Workspace:
    ws = Workspace(path, create=True)
    records = [
        {"key": key, "source": "made up", "source_file": "dump.json", "source_row": key, "edits": [], "marks": []}
        | {"joined_rows": [], "content_hash": fingerprint(row)}
        | row
        for key, row in enumerate(rows)
    ]
    table = pa.Table.from_pylist(records, TABLES["conversations"].arrow)
    ws.write("conversations", 0, table, {"fingerprint": fingerprint(records)})
    return ws


def contents(ws: Workspace) -> list[str]:
    return [message["content"] for chat in redact.read(ws, 0)["messages"] for message in chat]


def test_spans_become_placeholders_and_the_rest_stays(tmp_path: Path) -> None:
    said = talk("Ask ada.l@fernmail.org, é, ada.l@fernmail.org", "Or (212) 736-5000!")
    ws = make(tmp_path / "ws", [said, talk("a", "b")])
    before = ws.shard("conversations", 0).read_bytes()
    curate.clean(ws.path, quiet=True, redact=True)
    assert contents(ws) == ["Ask [EMAIL], é, [EMAIL]", "Or [PHONE]!", "a", "b"]
    assert ws.shard("conversations", 0).read_bytes() == before
    assert redact.read(ws, 0).schema == ws.read("conversations", 0).schema


def test_without_redact_nothing_is_replaced(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", [talk("Ask ada.l@fernmail.org", "No.")])
    assert contents(ws)[0] == "Ask ada.l@fernmail.org"
    curate.clean(ws.path, quiet=True, redact=True)
    curate.clean(ws.path, quiet=True)
    assert contents(ws)[0] == "Ask ada.l@fernmail.org"


def test_a_tool_call_loses_what_was_found_too(tmp_path: Path) -> None:
    row = talk("Mail ada.l@fernmail.org", "Done.")
    row["messages"][1]["tool_calls"] = '{"to": "ada.l@fernmail.org"}'
    ws = make(tmp_path / "ws", [row])
    curate.clean(ws.path, quiet=True, redact=True)
    assert redact.read(ws, 0)["messages"][0][1]["tool_calls"] == '{"to": "[EMAIL]"}'


def test_a_judge_sees_placeholders_and_judges_again_when_they_come(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", [talk("Ask ada.l@fernmail.org", "No.")])
    curate.score(ws.path, quiet=True)
    before = ws.stamp("scores", 0)
    curate.clean(ws.path, quiet=True, redact=True)
    assert "fernmail" not in str(kept_conversations(ws, 0).to_dicts())
    curate.score(ws.path, quiet=True)
    assert ws.stamp("scores", 0) != before


def test_a_shard_that_was_not_cleaned_never_leaves_unredacted(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", [talk("Ask ada.l@fernmail.org", "No.")])
    curate.clean(ws.path, quiet=True, redact=True)
    ws.shard("flags", 0).unlink()
    with pytest.raises(WorkspaceError):
        curate.export(ws.path, tmp_path / "out", quiet=True)
    with pytest.raises(WorkspaceError):
        curate.score(ws.path, quiet=True)


texts = st.lists(st.sampled_from((*PIECES, *NOISE)), min_size=1, max_size=6).map("".join)


@given(st.lists(texts, min_size=2, max_size=4))
@settings(max_examples=10, deadline=None)
@pytest.mark.parametrize("format", ["crlft", "openchat-jsonl"])
def test_nothing_found_is_in_any_exported_file(format: str, said: list[str]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder)
        ws = make(path / "ws", [talk(*said)])
        keep = list(curate.clean(ws.path, quiet=True, redact=True).rules)
        curate.export(ws.path, path / "out", format=format, keep_flagged=keep, quiet=True)
        written = "".join(exported(file) for file in (path / "out").rglob("*") if file.is_file())
        spans = ws.read("flags", 0, ["key", "redact"]).explode("redact", keep_nulls=False, empty_as_null=False)
        for _, span in spans.iter_rows():
            piece = said[span["turn"]][span["begin"] : span["end"]]
            assert piece not in written
            assert json.dumps(piece)[1:-1] not in written
        assert not any(piece in (ws.path / "manifest.json").read_text() for piece in PIECES)


def exported(file: Path) -> str:
    if file.suffix != ".parquet":
        return file.read_text("utf-8")
    return json.dumps(pl.read_parquet(file).to_dicts(), ensure_ascii=False, default=str)
