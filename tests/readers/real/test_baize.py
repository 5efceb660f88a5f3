"""Baize's self-chats in Korean, counted from the raw JSON."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

import curate

# Read before the tests clean the environment.
DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[4] / "shared" / "data")
CHATS = DATA / "baize" / "quora_chat_data.json"

pytestmark = pytest.mark.real


def test_every_turn_arrives_and_every_frame_goes(tmp_path: Path) -> None:
    if not CHATS.exists():
        pytest.skip("Baize's chats are not here: name the folder above them in CURATE_DATA")
    texts = [record["input"] for record in json.loads(CHATS.read_text("utf-8"))]
    asked, answered = (sum(text.count(marker) for text in texts) for marker in ("[|Human|]", "[|AI|]"))
    assert (len(texts), asked, answered) == (96, 324, 228)
    assert all(text.endswith("[|Human|] ") for text in texts)
    result = curate.ingest([CHATS], tmp_path / "ws", quiet=True)
    rows = curate.Workspace(tmp_path / "ws").scan("conversations").collect().to_dicts()
    assert (result.conversations, result.rejects) == (96, {})
    roles = Counter(message["role"] for row in rows for message in row["messages"])
    assert roles == {"user": asked - 96, "assistant": answered}
    for row, text in zip(rows, texts, strict=True):
        frame, first = text.split("\n", 1)
        assert {"preamble_dropped", "empty_turn_dropped"} <= set(row["edits"])
        assert first.removeprefix("[|Human|] ").startswith(row["messages"][0]["content"])
        assert not any(frame in message["content"] or "[|" in message["content"] for message in row["messages"])
        assert all(message["content"] and message["content"] in text for message in row["messages"])
