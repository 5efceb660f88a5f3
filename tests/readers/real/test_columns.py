"""mnbvc's sample of Baidu Zhidao answers: rows of `input` and `output`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import curate

# Read before the tests clean the environment.
DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[4] / "shared" / "data")
FILE = DATA / "mnbvc_sharegpt" / "baiduzhidao-train-sample.jsonl"

pytestmark = pytest.mark.real


def test_each_row_is_a_question_and_its_answer(tmp_path: Path) -> None:
    if not FILE.exists():
        pytest.skip("mnbvc's samples are not here: name the folder above mnbvc_sharegpt in CURATE_DATA")
    records = [json.loads(line) for line in FILE.read_text("utf-8").split("\n") if line]
    result = curate.ingest([FILE], tmp_path / "ws", quiet=True)
    rows = curate.Workspace(tmp_path / "ws").scan("conversations").collect().to_dicts()
    assert result.rejects == {}
    assert len(rows) == 28
    assert [[message["content"] for message in row["messages"]] for row in rows] == [
        [record["input"], record["output"]] for record in records
    ]
    assert {row["model"] for row in rows} == {None}
