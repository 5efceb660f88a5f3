"""DialogStudio's example of a converted file beside the original that it was made from."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import curate

# Read before the tests clean the environment.
DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[4] / "shared" / "data")
FOLDER = DATA / "dialogstudio_sharegpt"

pytestmark = pytest.mark.real


def test_the_converted_file_says_what_the_original_says(tmp_path: Path) -> None:
    if not FOLDER.exists():
        pytest.skip("DialogStudio's examples are not here: name the folder above them in CURATE_DATA")
    originals = json.loads((FOLDER / "original_example.json").read_text("utf-8"))
    result = curate.ingest([FOLDER / "converted_example.json"], tmp_path / "ws", quiet=True)
    assert (result.conversations, result.rejects) == (5, {})
    rows = curate.Workspace(tmp_path / "ws").scan("conversations").collect().to_dicts()
    assert [row["source_id"] for row in rows] == [original["id"] for original in originals]
    assert [[message["content"] for message in row["messages"]] for row in rows] == [
        [turn["value"] for turn in original["conversations"]] for original in originals
    ]
    # DialogStudio filled in a model that the original does not name.
    assert {row["model"] for row in rows} == {"gpt-3.5-turbo"}
    assert {original["model"] for original in originals} == {""}
