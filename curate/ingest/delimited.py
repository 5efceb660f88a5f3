"""CSV and TSV: the first row names the columns, every other is a record of texts."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from curate.ingest import window
from curate.ingest.window import Position, Readable, Record, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DELIMITERS = ",;|\t"


class _Bytes(io.RawIOBase):
    """A stream as Python's text layer wants it; what is wrong with its container comes out at the end."""

    def __init__(self, stream: Readable) -> None:
        self.stream = stream
        self.cut = ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            block = self.stream.read(len(buffer))
        except EOFError as error:
            self.cut = str(error)
            return 0
        buffer[: len(block)] = block
        return len(block)


class Delimited:
    """Reads row by row; an ingest that goes on reads the rows before its position again and passes over them."""

    def __init__(self, stream: Readable, position: Position, is_record: Callable[[dict[str, Any]], bool]) -> None:
        self.bytes = _Bytes(stream)
        self.start = position.row
        self.tab = position.mode == "tsv"

    def read(self) -> Iterator[Record | Reject]:
        """Every row with as many fields as there are columns, and the others set aside."""
        text = io.TextIOWrapper(io.BufferedReader(self.bytes, 1 << 16), "utf-8-sig", "surrogateescape", newline="")
        head = text.readline(window.MAX_RECORD)
        delimiter = "\t" if self.tab else max(DELIMITERS, key=head.count)
        previous = csv.field_size_limit(window.MAX_RECORD)
        row = -1
        try:
            columns = next(csv.reader([head], delimiter=delimiter), [])
            for row, fields in enumerate(csv.reader(text, delimiter=delimiter, strict=True)):
                if row >= self.start and fields:
                    yield self.record(row, columns, fields)
        except csv.Error as error:
            detail = f"the table cannot be read any further: {error}"
            yield Reject(row + 1, -1, row + 2, "truncated", detail, b"")
        else:
            if self.bytes.cut:
                yield Reject(row + 1, -1, row + 2, "truncated", self.bytes.cut, b"")
        finally:
            csv.field_size_limit(previous)

    def record(self, row: int, columns: list[str], fields: list[str]) -> Record | Reject:
        """One row."""
        raw = "\n".join(fields).encode("utf-8", "surrogateescape")[: window.MAX_RAW]
        if len(fields) != len(columns):
            detail = f"{len(fields)} fields under {len(columns)} columns"
            return Reject(row, -1, row + 1, "wrong_columns", detail, raw)
        value = dict(zip(columns, fields, strict=True))
        try:
            size = len("".join(fields).encode())
        except UnicodeEncodeError as error:
            byte = ord(error.object[error.start]) & 0xFF
            return Reject(row, -1, row + 1, "invalid_utf8", f"byte 0x{byte:02x} in row {row}", raw)
        if len(value) < len(columns):
            return Reject(row, -1, row + 1, "duplicate_keys", "two columns have the same name", raw)
        return Record(row, -1, row + 1, value, size=size)
