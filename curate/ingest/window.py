"""A window over a stream of bytes, and what is read through it: records, good or bad, with their places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

# Bytes read at a time: few enough to stay in the processor's cache while they are searched and parsed.
CHUNK = 512 << 10
# The longest record; what is longer is set aside.
MAX_RECORD = 64 << 20
# A record that is not closed after so many bytes is searched for neighbours that it may have swallowed.
LOOK_INSIDE = 16 << 20
# Bytes of a rejected record that are kept.
MAX_RAW = 64 << 10

BOM = b"\xef\xbb\xbf"
SPACE = b" \t\r\n"


class Readable(Protocol):
    """What records are read from: bytes, in order."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end. A container that is cut off or damaged raises EOFError."""


class Position(NamedTuple):
    """A place between two records: byte offset in the decompressed file, next row, container mode."""

    offset: int = 0
    row: int = 0
    mode: str = ""


class Record(NamedTuple):
    """A record that was read: its bytes are those from `offset` to `end`, where the stream continues.

    A row of a table has no bytes of its own: its `offset` is -1, its `end` the number of the next row, and
    `size` about what it takes.
    """

    row: int
    offset: int
    end: int
    value: dict[str, Any]
    buffer: bytes = b""
    begin: int = 0
    size: int = 0

    def reject(self, reason: str, detail: str) -> Reject:
        """The same record, set aside."""
        return Reject(self.row, self.offset, self.end, reason, detail, self.text()[:MAX_RAW].rstrip(SPACE))

    def text(self) -> bytes:
        """Its bytes; those of a table's row as JSON."""
        size = self.size or self.end - self.offset
        own = self.buffer[self.begin : self.begin + size]
        return own or orjson.dumps(self.value, default=str, option=orjson.OPT_NON_STR_KEYS)


class Reject(NamedTuple):
    """A record that cannot be read, and why."""

    row: int
    offset: int
    end: int
    reason: str
    detail: str
    raw: bytes


class Window:
    """`buffer` holds bytes of the stream, the first of them at offset `base`; those before `at` are used up.

    What comes out must depend on the bytes alone, never on where one buffer ends and the next begins:
    an ingest that was interrupted reads on from another offset and has to find the same records.
    """

    def __init__(self, stream: Readable, position: Position, is_record: Callable[[dict[str, Any]], bool]) -> None:
        self.stream = stream
        self.base, self.row, self.mode = position
        self.is_record = is_record
        self.buffer = b""
        self.at = 0
        self.final = False
        self.cut = ""

    def fill(self) -> bytes:
        """Take in the next bytes: more at a time, up to a limit, while a long record is not complete."""
        rest = self.buffer[self.at :]
        self.base += self.at
        self.at = 0
        block = self.take(max(CHUNK, min(len(rest), LOOK_INSIDE)))
        if self.base == 0 and not rest:
            while 0 < len(block) < len(BOM) and (more := self.take(CHUNK)):
                block += more
            self.at = len(BOM) if block.startswith(BOM) else 0
        self.final = not block
        self.buffer = rest + block
        return block

    def take(self, size: int) -> bytes:
        """Up to `size` bytes of the stream; none at its end, or where it is cut off."""
        try:
            return self.stream.read(size)
        except EOFError as error:
            self.cut = str(error)
            return b""

    def record(self, value: dict[str, Any], begin: int, end: int) -> Record:
        """The next row, good."""
        self.row += 1
        return Record(self.row - 1, self.base + begin, self.base + end, value, self.buffer, begin)

    def reject(self, begin: int, end: int, reason: str, detail: str) -> Reject:
        """The next row, set aside."""
        self.row += 1
        raw = self.buffer[begin : min(end, begin + MAX_RAW)].rstrip(SPACE)
        return Reject(self.row - 1, self.base + begin, self.base + end, reason, detail, raw)

    def cut_off(self, begin: int, detail: str = "the file ends inside this record") -> Reject:
        """The last row of a stream that ends too early."""
        end = len(self.buffer)
        detail, self.cut = f"{self.cut or detail}, at byte {self.base + end:,}", ""
        return self.reject(begin, end, "truncated", detail)
