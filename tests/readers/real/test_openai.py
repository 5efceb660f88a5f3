"""LLaMA-Factory's demo files in OpenAI's shape, counted from the raw JSON."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import curate

# Read before the tests clean the environment.
DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[4] / "shared" / "data") / "llamafactory_demo"

pytestmark = pytest.mark.real


def raw(name: str) -> list[dict[str, Any]]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"LLaMA-Factory's {name} is not here: name the folder above its folder in CURATE_DATA")
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        records: list[dict[str, Any]] = json.loads(text)
        return records
    return [json.loads(line) for line in text.split("\n") if line]


def ingested(name: str, place: Path) -> tuple[list[dict[str, Any]], dict[str, int]]:
    result = curate.ingest([DATA / name], place / "ws", quiet=True)
    return curate.Workspace(place / "ws").scan("conversations").collect().to_dicts(), result.rejects


def test_loss_weights_are_kept(tmp_path: Path) -> None:
    records = raw("v1_sft_demo.jsonl")
    stated = [(turn["role"], turn["loss_weight"]) for record in records for turn in record["messages"]]
    assert Counter(stated) == {("user", 0.0): 500, ("assistant", 1.0): 500}
    rows, rejects = ingested("v1_sft_demo.jsonl", tmp_path)
    assert (len(rows), rejects) == (500, {})
    assert [(message["role"], message["weight"]) for row in rows for message in row["messages"]] == stated


def test_answers_that_nobody_wants_are_marked(tmp_path: Path) -> None:
    records = raw("kto_en_demo.json")
    assert Counter(record["label"] for record in records) == {True: 150, False: 150}
    rows, rejects = ingested("kto_en_demo.json", tmp_path)
    assert rejects == {}
    assert [row["marks"] == ["undesirable"] for row in rows] == [not record["label"] for record in records]


def test_reasoning_and_calls_of_an_agent(tmp_path: Path) -> None:
    name = "reason_tool_use_demo_50.jsonl"
    records = raw(name)
    turns = [turn for record in records for turn in record["messages"]]
    kinds = [[part["type"] for part in turn["content"]] for turn in turns]
    calls = [json.loads(part["value"]) for turn in turns for part in turn["content"] if part["type"] == "tool_call"]
    thoughtful = sum("reasoning" in kind and "text" in kind for kind in kinds)
    offers = sum(bool(json.loads(record["tools"])) for record in records)
    assert (len(records), len(turns), len(calls), thoughtful, offers) == (50, 274, 68, 59, 48)
    rows, rejects = ingested(name, tmp_path)
    assert (len(rows), rejects) == (50, {})
    messages = [message for row in rows for message in row["messages"]]
    assert Counter(message["role"] for message in messages) == Counter(turn["role"] for turn in turns)
    spoken = [message for message in messages if message["role"] == "assistant"]
    assert [call for message in spoken for call in json.loads(message["tool_calls"] or "[]")] == calls
    assert sum(message["content"].startswith("<think>\n") for message in spoken) == thoughtful
    assert sum(message["role"] == "system" and message["tool_calls"] is not None for message in messages) == offers


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("v1_multimodal_demo.jsonl", 24),
        ("mllm_demo.json", 6),
        ("mllm_audio_demo.json", 3),
        ("mllm_video_demo.json", 3),
        ("mllm_video_audio_demo.json", 3),
    ],
)
def test_pictures_and_sounds_are_set_aside(name: str, count: int, tmp_path: Path) -> None:
    assert len(raw(name)) == count
    rows, rejects = ingested(name, tmp_path)
    assert (rows, rejects) == ([], {"not_text": count})
