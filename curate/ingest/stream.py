"""Records out of JSON arrays, JSON Lines and concatenated JSON, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.ingest.decode import parses
from curate.ingest.lines import Lines
from curate.ingest.values import Values
from curate.ingest.window import BOM, SPACE, Position, Readable, Record, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Position", "Readable", "Record", "Reject", "read", "sniff"]


def sniff(head: bytes, where: object) -> str:
    """How records are laid out: `array`, `lines` (JSON Lines) or `objects` (one after the other).

    Args:
        head: The first bytes of the file.
        where: The file, for errors.

    Raises:
        InputError: Empty, or not JSON.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError("the file is UTF-16, not UTF-8", where=where, hint="iconv -f UTF-16 -t UTF-8 FILE > NEW")
    text = head.removeprefix(BOM).lstrip(SPACE)
    if not text:
        raise InputError("the file is empty", where=where, hint="leave it out, or fetch it again")
    if text.startswith(b"["):
        return "array"
    lines = [line.strip() for line in text.split(b"\n") if line.strip()][:100]
    if text.startswith(b"{") and not (parses(lines[0]) or (len(lines) > 1 and lines[1].startswith(b"{"))):
        return "objects"
    if text.startswith(b"{") or any(line.startswith(b"{") and parses(line) for line in lines):
        return "lines"
    raise InputError(
        "the file is neither JSON nor JSON Lines",
        where=where,
        hint="curate reads .json and .jsonl, plain or compressed with gzip or zstd",
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
    yield from (Lines if position.mode == "lines" else Values)(stream, position, is_record).read()
