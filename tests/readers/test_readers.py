"""Every input format on made-up rows with the dirt of real ones: one line of `expected.jsonl` for each record.

A new format brings a folder of its own name with `input.jsonl` or `input.json`, and `expected.jsonl`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import curate
from curate.ingest import formats

HERE = Path(__file__).parent
FOLDERS = sorted(path.parent for path in HERE.glob("*/expected.jsonl"))


def outcome(row: dict[str, Any]) -> dict[str, Any]:
    """A row of either table, without its place and without what is not known."""
    if "reason" in row:
        return {"reason": row["reason"], "detail": row["detail"]}
    messages = [{name: value for name, value in message.items() if value is not None} for message in row["messages"]]
    kept = {name: row[name] for name in ("source_id", "model", "language", "task", "edits") if row[name]}
    return {"messages": messages, **kept}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_record_becomes_what_is_expected(folder: Path, tmp_path: Path) -> None:
    curate.ingest([next(folder.glob("input.*"))], tmp_path / "ws", quiet=True)
    ws = curate.Workspace(tmp_path / "ws")
    rows = [row for name in ("conversations", "rejects") for row in ws.scan(name).collect().to_dicts()]
    found = [outcome(row) for row in sorted(rows, key=lambda row: row["source_row"])]
    expected = [json.loads(line) for line in (folder / "expected.jsonl").read_text("utf-8").splitlines()]
    assert found == expected


def test_every_format_has_its_example() -> None:
    assert {folder.name for folder in FOLDERS} == set(formats.names())


@pytest.mark.parametrize("name", formats.names())
def test_a_format_recognises_its_own_rows_only(name: str) -> None:
    """No other format takes them: the order in which formats are tried decides nothing."""
    path = next((HERE / name).glob("input.*"))
    text = path.read_text("utf-8")
    records = json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]
    for record in records:
        matching = {other for other in formats.names() if formats.load(other).matches(record)}
        assert matching <= {name}
