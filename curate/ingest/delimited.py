"""CSV and TSV: the first row names the columns, every other is a record of texts."""

from __future__ import annotations

import csv
import io
from itertools import chain
from typing import TYPE_CHECKING, Any

from curate.ingest import window
from curate.ingest.window import Position, Readable, Record, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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


class _Rows:
    """Rows of fields with their own lines; a row that cannot be read costs its first line only."""

    def __init__(self, lines: Iterator[str], delimiter: str) -> None:
        self.lines = lines
        self.delimiter = delimiter
        self.taken: list[str] = []

    def read(self) -> Iterator[tuple[list[str], str, str]]:
        """Fields, text, and what is wrong with the row, if anything is: then there are no fields."""
        while True:
            reader = csv.reader(self._noted(self.lines), delimiter=self.delimiter, strict=True)
            try:
                for fields in reader:
                    yield fields, "".join(self.taken), ""
                    self.taken.clear()
            except csv.Error as error:
                first, *rest = self.taken
                self.taken.clear()
                self.lines = chain(rest, self.lines)
                yield [], first, str(error)
                continue
            return

    def _noted(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self.taken.append(line)
            yield line


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
            rows = _Rows(chain([head], iter(lambda: text.readline(window.MAX_RECORD), "")), delimiter).read()
            columns, raw, _ = next(rows, ([], "", ""))
            if _invalid(raw):
                detail = "the names of the columns are not UTF-8: iconv -f LATIN1 -t UTF-8 FILE > NEW"
                yield Reject(0, -1, 1, "invalid_utf8", detail, _bytes(raw))
                return
            for row, (fields, raw, problem) in enumerate(rows):
                if row >= self.start and (fields or problem):
                    yield self.record(row, columns, fields, raw, problem)
            if self.bytes.cut:
                yield Reject(row + 1, -1, row + 2, "truncated", self.bytes.cut, b"")
        finally:
            csv.field_size_limit(previous)

    def record(self, row: int, columns: list[str], fields: list[str], raw: str, problem: str) -> Record | Reject:
        """One row."""
        value = dict(zip(columns, fields, strict=False))
        reason = ""
        if problem:
            reason, detail = "invalid_row", problem
        elif len(fields) != len(columns):
            reason, detail = "wrong_columns", f"{len(fields)} fields under {len(columns)} columns"
        elif byte := _invalid(raw):
            reason, detail = "invalid_utf8", f"byte {byte} in row {row}"
        elif len(value) < len(columns):
            reason, detail = "duplicate_keys", "two columns have the same name"
        if reason:
            return Reject(row, -1, row + 1, reason, detail, _bytes(raw))
        return Record(row, -1, row + 1, value, _bytes(raw), size=len(raw))


def _bytes(raw: str) -> bytes:
    return raw.rstrip("\r\n").encode("utf-8", "surrogateescape")[: window.MAX_RAW]


def _invalid(text: str) -> str:
    """The first byte that is no UTF-8, in hex; empty when there is none."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"0x{ord(error.object[error.start]) & 0xFF:02x}"
    return ""
