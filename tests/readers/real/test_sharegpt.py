"""Real ShareGPT-shaped files: FastChat's, DialogStudio's, mnbvc's and LLaMA-Factory's, counted from the raw JSON."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import curate
from curate.ingest import formats

# Read before the tests clean the environment.
DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[4] / "shared" / "data")
# File, conversations, turns of people, turns of models; from the documentation of the files, not from our reader.
FILES = [
    ("fastchat/dummy_conversation.json", 500, 1_000, 1_000),
    ("dialogstudio_sharegpt/original_example.json", 5, 14, 14),
    ("mnbvc_sharegpt/gpt4_final_data_sample_230629.json", 1, 7, 6),
    ("mnbvc_sharegpt/vicuna_sample_230629.json", 11, 236, 236),
    ("llamafactory_demo/glaive_toolcall_en_demo.json", 300, 746, 746 + 211),
    ("llamafactory_demo/glaive_toolcall_zh_demo.json", 300, 722, 724 + 216),
]

pytestmark = pytest.mark.real


def raw(name: str) -> list[dict[str, Any]]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not here: name the folder above it in CURATE_DATA")
    records: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return records


@pytest.mark.parametrize(("name", "conversations", "people", "models"), FILES, ids=[file[0] for file in FILES])
def test_every_conversation_and_turn_arrives(
    name: str, conversations: int, people: int, models: int, tmp_path: Path
) -> None:
    records = raw(name)
    said = Counter(turn["from"] for record in records for turn in record["conversations"])
    assert (len(records), said["human"], said["gpt"] + said["function_call"]) == (conversations, people, models)
    result = curate.ingest([DATA / name], tmp_path / "ws", quiet=True)
    rows = curate.Workspace(tmp_path / "ws").scan("conversations").collect().to_dicts()
    assert (result.records, result.rejects) == (conversations, {})
    assert result.conversations == conversations - result.joined
    ids = [record.get("id") for record in records]
    assert [row["source_id"] for row in rows] == [ids[row["source_row"]] for row in rows]
    assert {row["model"] for row in rows} == {None}  # DialogStudio's is "", the others have none
    roles = Counter(message["role"] for row in rows for message in row["messages"])
    assert (roles["user"], roles["assistant"], roles["tool"]) == (people, models, said["observation"])


@pytest.mark.parametrize("name", [file[0] for file in FILES])
def test_the_words_of_a_turn_are_those_of_the_file(name: str) -> None:
    for record in raw(name):
        conversation = formats.load("sharegpt").convert(record)
        assert not isinstance(conversation, list)
        words = [turn["value"] for turn in record["conversations"] if turn["from"] != "function_call"]
        silent = [message for message in conversation.messages if message.tool_calls]
        assert [message.content for message in conversation.messages if message not in silent] == words
        assert {message.content for message in silent} <= {""}


@pytest.mark.parametrize(("name", "calls", "offers"), [("en", 211, 191), ("zh", 216, 200)])
def test_calls_and_tools_are_kept_as_json(name: str, calls: int, offers: int) -> None:
    records = raw(f"llamafactory_demo/glaive_toolcall_{name}_demo.json")
    written = [
        json.loads(turn["value"])
        for record in records
        for turn in record["conversations"]
        if turn["from"] == "function_call"
    ]
    tools = [found for record in records if (found := json.loads(record["tools"] or "[]"))]
    assert (len(written), len(tools)) == (calls, offers)
    kept: dict[str, list[Any]] = {"assistant": [], "system": []}
    for record in records:
        conversation = formats.load("sharegpt").convert(record)
        assert not isinstance(conversation, list)
        for message in conversation.messages:
            if message.tool_calls:
                kept[message.role].append(json.loads(message.tool_calls))
    assert [call for turn in kept["assistant"] for call in turn] == [
        call for call in written for call in (call if isinstance(call, list) else [call])
    ]
    assert [message["tools"] for message in kept["system"]] == tools
