"""The same records out of Parquet, where every struct has all its fields and lists may be null, read the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import curate

READERS = Path(__file__).parents[2] / "readers"


def conversations(path: Path, place: Path) -> list[dict[str, Any]]:
    curate.ingest([path], place, quiet=True)
    rows = curate.Workspace(place).scan("conversations").collect().to_dicts()
    return [{name: row[name] for name in row if name != "source_file"} for row in rows]


@pytest.mark.parametrize("name", ["lmsys", "wildchat-first", "arena-prompts", "preference-transcripts", "ultrachat"])
def test_parquet_reads_as_json_does(name: str, tmp_path: Path) -> None:
    text = (READERS / name / "input.jsonl").read_text("utf-8")
    records = [json.loads(line) for line in text.splitlines()]
    columns = dict.fromkeys(key for record in records for key in record)
    records = [{key: record.get(key) for key in columns} for record in records]
    for number, record in enumerate(records):  # a column of Parquet has one type
        record["id"] = str(number)
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, records)), "utf-8")
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "rows.parquet")

    found = conversations(tmp_path / "rows.parquet", tmp_path / "parquet")

    assert found
    assert found == conversations(tmp_path / "rows.jsonl", tmp_path / "jsonl")
