"""ShareGPT mirrors of the mnbvc project in shapes of their own, counted from the raw JSON."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import curate

# Read before the tests clean the environment.
DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[4] / "shared" / "data")
FOLDER = DATA / "mnbvc_sharegpt"
HEADINGS = {"**Sistema**": "system", "**Usuario**": "user", "**Asistente**": "assistant", "**User**": "user"}

pytestmark = pytest.mark.real


def ingested(name: str, folder: Path) -> list[dict[str, Any]]:
    if not (FOLDER / name).exists():
        pytest.skip(f"{name} is not here: name the folder above it in CURATE_DATA")
    result = curate.ingest([FOLDER / name], folder / "ws", quiet=True)
    assert result.rejects == {}
    rows: list[dict[str, Any]] = curate.Workspace(folder / "ws").scan("conversations").collect().to_dicts()
    return rows


@pytest.mark.parametrize(("name", "pairs"), [("en", [4, 2, 2, 3, 4]), ("zh", [4, 1, 2, 3, 4])])
def test_shareai_pairs(name: str, pairs: list[int], tmp_path: Path) -> None:
    rows = ingested(f"common_{name}_sample_230805.json", tmp_path)
    lines = (FOLDER / f"common_{name}_sample_230805.json").read_text("utf-8").strip().split("\n")
    records = [json.loads(line) for line in lines]
    assert [len(record["conversation"]) for record in records] == pairs
    assert [len(row["messages"]) for row in rows] == [2 * count for count in pairs]
    for row, record in zip(rows, records, strict=True):
        said = [pair[key] for pair in record["conversation"] for key in ("human", "assistant")]
        assert [message["content"] for message in row["messages"]] == said
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"] * len(record["conversation"])
        assert row["source_id"] == record["conversation_id"]
        assert row["task"] in record["category"]
    assert [row["task"] for row in rows] == [
        "Finance, Business",
        "Business",
        "Marketing",
        "Natural Science",
        "Health and Medicine",
    ]


def test_the_multilingual_texts_are_cut_into_turns(tmp_path: Path) -> None:
    rows = ingested("multilang_sample_230914.json", tmp_path)
    records = json.loads((FOLDER / "multilang_sample_230914.json").read_text("utf-8"))
    assert [len(row["messages"]) for row in rows] == [22, 10, 1, 2, 45, 20]
    assert {row["language"] for row in rows} == {"en"}
    for row, record in zip(rows, records, strict=True):
        lines = record["text"].split("\n")
        marked = sum(line.startswith(("<|user|>:", "<|bot|>:")) for line in lines)
        headed = Counter(role for line in lines for heading, role in HEADINGS.items() if line.endswith(f">: {heading}"))
        assert len(row["messages"]) == marked
        assert headed in (Counter(), Counter(message["role"] for message in row["messages"]))
        assert ("roles_from_headings" in row["edits"]) == bool(headed)
    assert sum("roles_from_headings" in row["edits"] for row in rows) == 2
