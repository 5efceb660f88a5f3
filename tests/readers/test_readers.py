"""Every input format on made-up rows with the dirt of real ones: one line of `expected.jsonl` for each outcome.

A new format brings a folder of its own name with `input.json` (or `.jsonl`, `.csv`, `.html` …) and `expected.jsonl`;
what follows a `-` in the folder's name tells several of one format apart. `companion.jsonl` holds prompts that the
answers need, `options.json` arguments of `curate.ingest`.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate.ingest import formats
from curate.ingest.stream import Position, Record, read, sniff

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
FOLDERS = sorted(path.parent for path in HERE.glob("*/expected.jsonl"))
KEPT = ("source_id", "model", "language", "task", "edits", "marks", "rank", "joined_rows")


def outcome(row: dict[str, Any]) -> dict[str, Any]:
    """A row of either table, without its place and without what is not known."""
    if "reason" in row:
        return {"reason": row["reason"], "detail": row["detail"]}
    messages = [{name: value for name, value in message.items() if value is not None} for message in row["messages"]]
    kept = {name: row[name] for name in KEPT if row[name] not in (None, [])}
    if row["created_at"]:
        kept["created_at"] = row["created_at"].isoformat()
    return {"messages": messages, **kept}


def source(folder: Path) -> Path:
    return next(folder.glob("input.*"))


def options(folder: Path) -> dict[str, Any]:
    path = folder / "options.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_record_becomes_what_is_expected(folder: Path, tmp_path: Path) -> None:
    prompts = list(folder.glob("companion.*"))
    result = curate.ingest([source(folder)], tmp_path / "ws", prompts=prompts, quiet=True, **options(folder))
    ws = curate.Workspace(tmp_path / "ws")
    rows = [row for name in ("conversations", "rejects") for row in ws.scan(name).collect().to_dicts()]
    found = [outcome(row) for row in sorted(rows, key=lambda row: row["source_row"])]
    expected = [json.loads(line) for line in (folder / "expected.jsonl").read_text("utf-8").splitlines()]
    assert found == expected
    assert result.records + result.split == result.conversations + sum(result.rejects.values()) + result.joined
    assert curate.funnel(tmp_path / "ws").balanced


def test_every_format_has_its_example() -> None:
    assert {folder.name.partition("-")[0] for folder in FOLDERS} == set(formats.names())


@pytest.mark.parametrize("name", formats.names())
def test_every_format_shows_an_example(name: str) -> None:
    """As an indented block between its words, which the documentation sets as JSON."""
    _, *paragraphs = (inspect.getdoc(formats.load(name)) or "").split("\n\n")
    blocks = [block for block in paragraphs if all(line.startswith("    ") for line in block.splitlines())]
    assert blocks
    assert all(block.startswith("    {") for block in blocks)


def records(folder: Path) -> Iterator[dict[str, Any]]:
    path = source(folder)
    with path.open("rb") as stream:
        mode = sniff(stream.read(1 << 20), path)
        stream.seek(0)
        for record in read(stream, Position(mode=mode), lambda _: True):
            if isinstance(record, Record):
                yield record.value


@pytest.mark.parametrize("folder", [f for f in FOLDERS if not options(f)], ids=lambda folder: folder.name)
def test_a_format_recognises_its_own_rows_only(folder: Path) -> None:
    """No other format takes them: the order in which formats are tried decides nothing."""
    for record in records(folder):
        matching = {other for other in formats.names() if formats.load(other).matches(record)}
        assert matching <= {folder.name.partition("-")[0]}
