"""Records out of JSON, JSON Lines, Parquet, CSV and share pages, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.ingest.decode import parses
from curate.ingest.delimited import Delimited
from curate.ingest.lines import Lines
from curate.ingest.page import Page
from curate.ingest.parquet import MAGIC
from curate.ingest.values import WRAPPED, Values
from curate.ingest.window import BOM, SPACE, Position, Readable, Record, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Position", "Readable", "Record", "Reject", "read", "sniff"]


# How the records of a file are laid out, and what reads them; `parquet` has a reader of its own.
READERS: dict[str, type[Values] | type[Lines] | type[Delimited] | type[Page]] = {
    "array": Values,
    "wrapped": Values,
    "objects": Values,
    "lines": Lines,
    "csv": Delimited,
    "tsv": Delimited,
    "page": Page,
}


def sniff(head: bytes, where: object) -> str:
    """How records are laid out: one of `READERS`, or `parquet`.

    Args:
        head: The first bytes of the file.
        where: The file, for errors; its ending tells tables of text.

    Raises:
        InputError: Empty, or nothing that curate reads.
    """
    if head.startswith(MAGIC):
        return "parquet"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError("the file is UTF-16, not UTF-8", where=where, hint="iconv -f UTF-16 -t UTF-8 FILE > NEW")
    text = head.removeprefix(BOM).lstrip(SPACE)
    if not text:
        raise InputError("the file is empty", where=where, hint="leave it out, or fetch it again")
    name = str(where).lower().removesuffix(".gz").removesuffix(".zst")
    if name.endswith((".csv", ".tsv")):
        return name[-3:]
    if text.startswith(b"<"):
        return "page"
    if text.startswith(b"["):
        return "array"
    if WRAPPED.match(head):
        return "wrapped"
    lines = [line.strip() for line in text.split(b"\n") if line.strip()][:100]
    if text.startswith(b"{") and not (parses(lines[0]) or (len(lines) > 1 and lines[1].startswith(b"{"))):
        return "objects"
    if text.startswith(b"{") or any(line.startswith(b"{") and parses(line) for line in lines):
        return "lines"
    raise InputError(
        "the file is neither JSON, JSON Lines, Parquet, CSV nor a share page",
        where=where,
        hint="curate reads .json, .jsonl, .parquet, .csv, .tsv and .html; text also with gzip or zstd, or in a .zip",
    )


def read(
    stream: Readable, position: Position, is_record: Callable[[dict[str, Any]], bool]
) -> Iterator[Record | Reject]:
    """Every record of a stream, good or bad, in order.

    Args:
        stream: The decompressed bytes, standing at `position.offset`.
        position: Where to begin; `mode` says how records are laid out.
        is_record: Recognises a whole record when the reader has to find its way again after a bad one.

    Yields:
        `Record` or `Reject`; a cut-off stream ends with a `Reject` whose reason is `truncated`.
    """
    yield from READERS[position.mode](stream, position, is_record).read()
