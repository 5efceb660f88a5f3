"""LLaMA-Factory's preference pairs, counted from the raw JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import curate

# Read before the tests clean the environment.
DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[4] / "shared" / "data") / "llamafactory_demo"
ROLES = {"system": "system", "human": "user", "gpt": "assistant"}

pytestmark = pytest.mark.real


def ingested(name: str, place: Path) -> tuple[str, list[dict[str, Any]]]:
    """The raw text of a file, and its conversations."""
    if not (DATA / name).exists():
        pytest.skip(f"LLaMA-Factory's {name} is not here: name the folder above its folder in CURATE_DATA")
    result = curate.ingest([DATA / name], place / "ws", quiet=True)
    assert result.rejects == {}
    rows = curate.Workspace(place / "ws").scan("conversations").collect().to_dicts()
    return (DATA / name).read_text("utf-8"), rows


def said(row: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in row["messages"]]


@pytest.mark.parametrize("name", ["dpo_en_demo.json", "dpo_zh_demo.json"])
def test_each_pair_is_two_ranked_conversations(name: str, tmp_path: Path) -> None:
    text, rows = ingested(name, tmp_path)
    records = json.loads(text)
    assert len(rows) == 2 * len(records) == 600
    for number, record in enumerate(records):
        chosen, rejected = rows[2 * number : 2 * number + 2]
        prompt = [(ROLES[turn["from"]], turn["value"]) for turn in record["conversations"]]
        for row, side in ((chosen, "chosen"), (rejected, "rejected")):
            unchanged = said(row) == [*prompt, ("assistant", record[side]["value"])]
            assert unchanged == (row["edits"] == [])
        assert (chosen["rank"], rejected["rank"]) == (1, 2)


def test_the_newer_shape_keeps_its_loss_weights(tmp_path: Path) -> None:
    text, rows = ingested("v1_dpo_demo.jsonl", tmp_path)
    records = [json.loads(line) for line in text.split("\n") if line]
    sides = [record[side] for record in records for side in ("chosen_messages", "rejected_messages")]
    assert len(rows) == len(sides) == 20
    for row, turns in zip(rows, sides, strict=True):
        assert said(row) == [(turn["role"], turn["content"][0]["value"]) for turn in turns]
        assert [message["weight"] for message in row["messages"]] == [turn["loss_weight"] for turn in turns]
