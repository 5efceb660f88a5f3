"""The byte of a record is where the record is, whatever the container; where there is none, that is said."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import curate

Chat = Callable[..., Any]


def records(chat: Chat, count: int) -> list[Any]:
    return [chat(f"Ask {n} \u00fc", f"Answer {n}, quite its own: {n * n}.", id=f"r{n}") for n in range(count)]


@pytest.mark.parametrize("layout", ["lines", "array", "pretty", "objects", "wrapped", "blank lines"])
def test_it_is_the_byte_of_the_record(layout: str, tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = records(chat, 40)
    texts = {
        "lines": "\n".join(map(json.dumps, rows)),
        "array": json.dumps(rows),
        "pretty": json.dumps(rows, indent=2, ensure_ascii=False),
        "objects": "\n".join(json.dumps(row, indent=1) for row in rows),
        "wrapped": json.dumps({"data": rows}),
        "blank lines": "\n\n".join(map(json.dumps, rows)) + "\n",
    }
    data = b"\xef\xbb\xbf" * (layout == "lines") + texts[layout].encode()
    (tmp_path / "d.json").write_bytes(data)
    monkeypatch.setattr(import_module("curate.ingest.table"), "SHARD_BYTES", 1500)
    curate.ingest([tmp_path / "d.json"], tmp_path / "ws", quiet=True)
    assert len(curate.Workspace(tmp_path / "ws").shards("conversations")) > 2
    for key in range(40):
        origin = curate.show(tmp_path / "ws", key).origin
        assert origin.byte is not None, origin.why_no_byte
        assert origin.bytes is not None
        assert json.loads(data[origin.byte : origin.byte + origin.bytes]) == rows[key]


def test_of_several_files_each_begins_at_its_own(tmp_path: Path, chat: Chat, dump: Callable[..., Path]) -> None:
    rows = records(chat, 6)
    files = [dump(tmp_path / f"{name}.json", part) for name, part in (("a", rows[:3]), ("b", rows[3:]))]
    curate.ingest(files, tmp_path / "ws", quiet=True)
    for key in range(6):
        origin = curate.show(tmp_path / "ws", key).origin
        data = Path(origin.file).read_bytes()
        assert origin.byte is not None
        assert json.loads(data[origin.byte : origin.byte + (origin.bytes or 0)])["id"] == f"r{key}"


@pytest.mark.parametrize("kind", ["packed", "table", "csv", "moved", "apart"])
def test_where_there_is_none_it_is_said_why(kind: str, tmp_path: Path, chat: Chat) -> None:
    rows = records(chat, 4)
    file, why = tmp_path / "d.json", ""
    if kind == "packed":
        file, why = tmp_path / "d.jsonl.gz", "the file is packed"
        file.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    elif kind == "table":
        file, why = tmp_path / "d.parquet", "a row of a table"
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif kind == "csv":
        file, why = tmp_path / "d.csv", "a row of a table"
        file.write_text("prompt,response\nHi there,Hello to you\n")
    elif kind == "moved":
        why = "not here any more"
        file.write_text(json.dumps(rows))
    else:
        why = "another order"
        apart = [chat("A?", "One.", id="Ab3_x9Q_0"), *rows, chat("B?", "Two.", id="Ab3_x9Q_2")]
        file.write_text(json.dumps(apart))
    curate.ingest([file], tmp_path / "ws", quiet=True)
    if kind == "moved":
        file.rename(tmp_path / "e.json")
    origin = curate.show(tmp_path / "ws", 0).origin
    assert (origin.byte, origin.bytes) == (None, None)
    assert why in (origin.why_no_byte or "")
