"""What the fuzzers found, by its shortest input, and the seeds of every target."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from targets import TARGETS

from curate.ingest.sources import Stream, zstd

FINDINGS: list[tuple[str, bytes]] = [
    # A bare number beyond 64 bits ended the ingest with a TypeError.
    ("values", b"111111111111911111116"),
    ("ingests", b"\x01" + b'{"conversations": []}\n111111111111911111116\n'),
    # The end of a file that is cut off has no bytes of its own.
    ("records", b'\x07{"id"\x00: "0"}\n{"id": "6", "data": [null]}\n'),
    ("records", b"\x00Nr,Frage#\n1,Rhin\x9b\xd1,E+glish\n2,\n"),
]


@pytest.mark.parametrize(("target", "data"), FINDINGS)
def test_what_was_found_is_mended(target: str, data: bytes) -> None:
    TARGETS[target](data)


def parquet() -> bytes:
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}]
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{"id": str(n), "conversations": turns} for n in range(5)]), stream)
    return stream.getvalue()


def test_a_parquet_file_with_any_one_byte_changed_is_rows_rejects_or_an_error() -> None:
    """Its metadata named other columns than text, and damaged statistics ended the whole process."""
    whole = parquet()
    TARGETS["parquets"](whole)
    for place in range(4, len(whole)):
        for change in (0x01, 0x80):
            TARGETS["parquets"](whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 :])


def test_a_few_bytes_that_unpack_to_megabytes_are_read_in_small_pieces_at_once() -> None:
    """Each small read copied all that was unpacked and not read yet: 123 bytes took 5 s."""
    stream = Stream(io.BufferedReader(io.BytesIO(zstd.compress(b"\n" * (4 << 20)))))  # type: ignore[type-var]
    assert stream.peek(5) == b"\n" * 5
    began, count = time.process_time(), 0
    while block := stream.read(64):
        assert len(block) <= 64
        count += len(block)
    assert count == 4 << 20
    assert time.process_time() - began < 1.5


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_holds_for_its_first_seeds(target: str) -> None:
    readers = Path(__file__).parents[1] / "readers"
    files = sorted(readers.glob("*/input.json*"))[:6]
    for data in (b"", b"\0", b"\xff" * 9, *(path.read_bytes()[:700] for path in files)):
        for first in (b"", b"\0", b"\1\0", b"\4"):
            TARGETS[target](first + data)
