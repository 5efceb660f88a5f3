"""AlpacaEval's answers, GPTeacher and LLaMA-Factory's demo in Alpaca's shape, counted from the raw JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import curate

# Read before the tests clean the environment.
DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[4] / "shared" / "data")

pytestmark = pytest.mark.real


def raw(folder: str) -> dict[Path, list[dict[str, Any]]]:
    """The rows of every file of a folder that has rows of this shape."""
    if not (DATA / folder).is_dir():
        pytest.skip(f"{folder} is not here: name the folder above it in CURATE_DATA")
    files = {path: json.loads(path.read_text("utf-8")) for path in sorted((DATA / folder).glob("*.json"))}
    return {path: rows for path, rows in files.items() if isinstance(rows, list) and "instruction" in rows[0]}


def ingested(paths: list[Path], place: Path) -> list[dict[str, Any]]:
    result = curate.ingest(paths, place / "ws", quiet=True)
    assert result.rejects == {}
    return curate.Workspace(place / "ws").scan("conversations").collect().to_dicts()


def asked_and_answered(row: dict[str, Any]) -> tuple[str, str]:
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
    return row["messages"][0]["content"], row["messages"][1]["content"]


def test_alpaca_eval_names_who_answered(tmp_path: Path) -> None:
    files = raw("alpaca_eval")
    rows = ingested(list(files), tmp_path)
    expected = [row for rows in files.values() for row in rows]
    assert len(files) == 11
    assert len(expected) == 10 * 805 + 804
    for found, row in zip(rows, expected, strict=True):
        unchanged = asked_and_answered(found) == (row["instruction"], row["output"])
        assert unchanged == (found["edits"] == [])
    assert [row["model"] for row in rows] == [row["generator"] for row in expected]


def test_empty_answers_are_kept(tmp_path: Path) -> None:
    files = raw("alpaca_eval")
    empty = sum(row["output"] == "" for rows in files.values() for row in rows)
    assert empty == 2
    assert sum(asked_and_answered(row)[1] == "" for row in ingested(list(files), tmp_path)) == empty


def test_gpteacher_calls_the_answer_response(tmp_path: Path) -> None:
    files = raw("gpteacher")
    rows = ingested(list(files), tmp_path)
    expected = [row for rows in files.values() for row in rows]
    assert len(expected) == 1_923 + 7_673 + 2_396 + 3_487 + 4_709 + 5_959
    for found, row in zip(rows, expected, strict=True):
        if "zero_width" in found["edits"]:
            continue
        question, answer = asked_and_answered(found)
        assert answer == row["response"]
        assert question.startswith(row["instruction"])
        assert question.endswith(row["input"])
        assert (question == row["instruction"]) == (row["input"] == "")
        assert found["edits"] == (["example_input_dropped"] if "example_input" in row else [])


def test_an_input_that_says_that_there_is_none_is_left_out(tmp_path: Path) -> None:
    files = {path: rows for path, rows in raw("llamafactory_demo").items() if "output" in rows[0]}
    rows = ingested(list(files), tmp_path)
    inputs = [row["input"].strip().lower() for rows in files.values() for row in rows]
    assert len(rows) == len(inputs) == 999 + 1_000 + 91
    marked = [row for row in rows if "no_input" in row["edits"]]
    assert len(marked) == sum(text in ("<noinput>", "noinput", "n/a", "no input") for text in inputs) == 5
    assert all("noinput" not in asked_and_answered(row)[0].lower() for row in marked)
