"""MOSS's example of a conversation with the calculator."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import curate

# Read before the tests clean the environment.
DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[4] / "shared" / "data")
EXAMPLE = DATA / "moss" / "calculator_plugin_conversation_1.json"

pytestmark = pytest.mark.real


def between(text: str, opening: str, closing: str) -> str:
    return text.partition(opening)[2].rpartition(closing)[0].strip()


def test_the_calculator_is_called_in_the_second_turn(tmp_path: Path) -> None:
    if not EXAMPLE.exists():
        pytest.skip("the MOSS example is not here: name the folder above it in CURATE_DATA")
    record = json.loads(EXAMPLE.read_text("utf-8"))
    first, second = record["chat"]["turn_1"], record["chat"]["turn_2"]
    assert "None" in first["Commands"]
    curate.ingest([EXAMPLE], tmp_path / "ws", quiet=True)
    (row,) = curate.Workspace(tmp_path / "ws").scan("conversations").collect().to_dicts()
    system, *turns = row["messages"]
    assert system["content"] == record["meta_instruction"].strip()
    assert [(turn["role"], turn["content"]) for turn in turns] == [
        ("user", between(first["Human"], "<|Human|>:", "<eoh>")),
        ("assistant", between(first["MOSS"], "<|MOSS|>:", "<eom>")),
        ("user", between(second["Human"], "<|Human|>:", "<eoh>")),
        ("assistant", ""),
        ("tool", between(second["Tool Responses"], "<|Results|>:", "<eor>")),
        ("assistant", between(second["MOSS"], "<|MOSS|>:", "<eom>")),
    ]
    (call,) = json.loads(turns[3]["tool_calls"])
    assert call["content"] == between(second["Commands"], "<|Commands|>:", "<eoc>")
    assert {"markers_stripped", "thoughts_dropped"} <= set(row["edits"])
    assert (row["source_id"], row["task"], row["model"]) == ("1", "tool", None)
    thought = between(first["Inner Thoughts"], "<|Inner Thoughts|>:", "<eot>")
    assert thought not in json.dumps(row, ensure_ascii=False, default=str)
