"""Records out of JSON arrays, JSON Lines and concatenated JSON, in bounded memory.

A chunk's structure comes from whole-array byte scans: quotes that are not escaped give what lies
inside strings, brackets outside strings give the nesting depth, depth gives where records begin and
end. One `orjson.loads` then parses all records of the chunk. Only when that fails is each record
looked at by itself, and what cannot be read is handed on as a `Reject` with its place and reason.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

from curate.errors import InputError
from curate.ingest.decode import (
    UnreadableError,
    balanced_end,
    ends_early,
    parse_all,
    parse_one,
    parses,
    reads,
    syntax_error,
)
from curate.ingest.structure import likely_pairs, spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 4 << 20
MAX_RECORD = 256 << 20
# Bytes that a search for the next good record may look at before it gives up on the chunk.
SEARCH_BUDGET = 64 << 20
# Bytes of a rejected record that are kept.
MAX_RAW = 64 << 10

_SPACE = b" \t\r\n"
_BETWEEN = _SPACE + b",[]"
# Begins and ends of records in the buffer, and their values when all of them parsed.
_Batch = tuple[list[int], list[int], list[dict[str, Any]] | None]
_OPENING = re.compile(rb'\{\s*"((?:[^"\\]|\\.)*)"')


class Readable(Protocol):
    """What records are read from: bytes, in order."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""


class Position(NamedTuple):
    """A place between two records: byte offset in the decompressed file, next row, container mode."""

    offset: int = 0
    row: int = 0
    mode: str = ""


class Record(NamedTuple):
    """A record that was read; the stream continues at `end`."""

    row: int
    offset: int
    end: int
    value: dict[str, Any]

    def reject(self, reason: str, detail: str) -> Reject:
        """The same record, set aside."""
        return Reject(self.row, self.offset, self.end, reason, detail, orjson.dumps(self.value)[:MAX_RAW])


class Reject(NamedTuple):
    """A record that cannot be read, and why."""

    row: int
    offset: int
    end: int
    reason: str
    detail: str
    raw: bytes


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
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(_SPACE)
    if not text:
        raise InputError("the file is empty", where=where)
    if text.startswith(b"["):
        return "array"
    lines = [line.strip() for line in text.splitlines() if line.strip()][:100]
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
    yield from (_Lines if position.mode == "lines" else _Values)(stream, position, is_record).read()


class _Reader:
    """A window over the stream: `buffer` holds the bytes from `base` on that are not used up."""

    def __init__(self, stream: Readable, position: Position, is_record: Callable[[dict[str, Any]], bool]) -> None:
        self.stream = stream
        self.base, self.row, self.mode = position
        self.is_record = is_record
        self.buffer = b""
        self.final = False
        self.cut = ""

    def fill(self) -> None:
        """Take in the next bytes: more at a time while a long record is not complete."""
        try:
            block = self.stream.read(max(CHUNK, len(self.buffer)))
        except (EOFError, OSError) as error:
            block, self.cut = b"", f"the compressed stream ends early: {error}"
        if self.base == 0 and not self.buffer and block.startswith(b"\xef\xbb\xbf"):
            block = block[3:]
            self.base = 3
        self.final = not block
        self.buffer += block

    def drop(self, count: int) -> None:
        self.buffer = self.buffer[count:]
        self.base += count

    def record(self, value: dict[str, Any], begin: int, end: int) -> Record:
        self.row += 1
        return Record(self.row - 1, self.base + begin, self.base + end, value)

    def reject(self, begin: int, end: int, reason: str, detail: str) -> Reject:
        self.row += 1
        raw = self.buffer[begin : min(end, begin + MAX_RAW)]
        return Reject(self.row - 1, self.base + begin, self.base + end, reason, detail, raw)

    def cut_off(self, begin: int) -> Reject:
        place = self.base + len(self.buffer)
        detail, self.cut = self.cut or f"the file ends inside this record, at byte {place:,}", ""
        return self.reject(begin, len(self.buffer), "truncated", detail)


class _Lines(_Reader):
    """JSON Lines: a record a line; blank lines count as rows and hold nothing."""

    def read(self) -> Iterator[Record | Reject]:
        while not self.final:
            self.fill()
            stop = len(self.buffer) if self.final else self.buffer.rfind(b"\n") + 1
            if stop == 0 and len(self.buffer) > MAX_RECORD:
                yield from self.skip_line()
            elif stop:
                yield from self.lines(stop)
                self.drop(stop)
        if self.cut:
            yield self.cut_off(0)

    def lines(self, stop: int) -> Iterator[Record | Reject]:
        lines = self.buffer[:stop].split(b"\n")
        if not lines[-1]:
            lines.pop()
        blank = [not line.strip(_SPACE) for line in lines]
        full = [line for line, empty in zip(lines, blank, strict=True) if not empty]
        values = iter(parse_all(joined := b"[" + b",".join(full) + b"]", len(full), likely_pairs(joined)) or ())
        end = 0
        for line, empty in zip(lines, blank, strict=True):
            begin, end = end, min(end + len(line) + 1, stop)
            if empty:
                self.row += 1
            elif (value := next(values, None)) is not None:
                yield self.record(value, begin, end)
            else:
                yield self.line(line, begin, end)

    def line(self, line: bytes, begin: int, end: int) -> Record | Reject:
        try:
            return self.record(parse_one(line), begin, end)
        except UnreadableError as error:
            if self.final and begin + len(line) == len(self.buffer) and ends_early(line):
                return self.cut_off(begin)
            return self.reject(begin, end, error.reason, error.detail)

    def skip_line(self) -> Iterator[Reject]:
        yield self.reject(0, len(self.buffer), "too_large", f"a line of more than {MAX_RECORD:,} bytes")
        while not self.final and b"\n" not in self.buffer:
            self.drop(len(self.buffer))
            self.fill()
        self.drop(self.buffer.find(b"\n") + 1)


class _Values(_Reader):
    """A JSON array, or objects one after the other: records are the objects at depth `floor`."""

    def __init__(self, stream: Readable, position: Position, is_record: Callable[[dict[str, Any]], bool]) -> None:
        super().__init__(stream, position, is_record)
        self.floor = 1 if self.mode == "array" else 0
        self.depth = self.floor if position.offset else 0
        self.first_keys: set[bytes] = set()
        self.separator = b""
        self.meeting = re.compile(b"")
        self.lost: bool = False

    def read(self) -> Iterator[Record | Reject]:
        checked = CHUNK
        while not self.final:
            self.fill()
            if self.lost:
                self.find_way()
            while not self.lost and (batch := self.batch()):
                yield from self.records(batch)
            begin = self.begin_of_rest()
            if begin is None:
                checked = CHUNK
            elif self.final:
                yield from self.rest(begin)
            elif len(self.buffer) > checked * 2:
                # A long record, or one whose quotes or brackets swallowed its neighbours.
                checked = len(self.buffer)
                if checked > MAX_RECORD or not ends_early(self.buffer[begin:]):
                    yield from self.give_up(begin, checked > MAX_RECORD)
        if self.cut:
            yield self.cut_off(len(self.buffer))

    def batch(self) -> _Batch | None:
        """The whole records of the buffer; None when there is none."""
        return self.guess() or self.scan()

    def guess(self) -> _Batch | None:
        """Cut where two records have met before; that one parse takes it all proves the cuts right."""
        last = self.buffer.rfind(self.separator) if self.separator else -1
        if last < 0 or not (first := _OPENING.search(self.buffer, 0, last)):
            return None
        begin, end = first.start(), last + 1
        if self.buffer[:begin].strip(_BETWEEN):
            return None
        gap = self.separator.index(b"{")
        meetings = [match.start() for match in self.meeting.finditer(self.buffer, begin, end)]
        block = self.buffer[begin:end]
        values = parse_all(b"[" + block + b"]", 1 + len(meetings), likely_pairs(block))
        if values is None:
            return None
        return [begin, *(place + gap for place in meetings)], [*(place + 1 for place in meetings), end], values

    def scan(self) -> _Batch | None:
        """Find the records by the structure of the buffer."""
        found_begins, found_ends, pairs = spans(self.buffer, self.depth, self.floor)
        begins, ends = found_begins.tolist(), found_ends.tolist()
        if not ends:
            return None
        if self.buffer[: begins[0]].strip(_BETWEEN):
            return begins, ends, None
        if self.mode == "objects":
            joined = b",".join(self.buffer[begin:end] for begin, end in zip(begins, ends, strict=True))
        else:
            joined = self.buffer[begins[0] : ends[-1]]
        values = parse_all(b"[" + joined + b"]", len(ends), pairs)
        if values and self.mode == "array" and (opening := _OPENING.match(self.buffer, begins[-1])):
            self.first_keys.add(opening[1])
            if len(ends) > 1:
                self.separator = self.buffer[ends[-2] - 1 : opening.end()]
                self.meeting = re.compile(re.escape(self.separator))
        return begins, ends, values

    def records(self, batch: _Batch) -> Iterator[Record | Reject]:
        """The records of a batch; all bytes up to the last of them are used up."""
        begins, ends, values = batch
        if values is None:
            yield from self.one_by_one(begins, ends)
            return
        for value, begin, end in zip(values, begins, ends, strict=True):
            yield self.record(value, begin, end)
        self.use(ends[-1])

    def one_by_one(self, begins: list[int], ends: list[int]) -> Iterator[Record | Reject]:
        before = 0
        for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
            between = self.buffer[before:begin].strip(_BETWEEN)
            if between:
                yield self.reject(before, begin, "invalid_json", "text between two records")
            before = end
            try:
                value = parse_one(self.buffer[begin:end])
            except UnreadableError as error:
                follower = number + 1 < len(ends) and reads(self.buffer[begins[number + 1] : ends[number + 1]])
                place = self.find_record(begin + 1, end)
                if place is None and not follower and number + 1 < len(ends):
                    place = self.find_record(end, len(self.buffer))
                yield self.reject(begin, place or end, error.reason, error.detail)
                if place is not None:
                    self.use(place)
                    return
                continue
            yield self.record(value, begin, end)
        self.use(ends[-1])

    def rest(self, begin: int) -> Iterator[Record | Reject]:
        """What is left at the end of the stream: cut off, or broken with good records behind it."""
        found: int | None = begin
        while found is not None:
            early, message = syntax_error(self.buffer[found:])
            if early:
                yield self.cut_off(found)
                return
            place = self.find_record(found + 1, len(self.buffer))
            yield self.reject(found, place or len(self.buffer), "invalid_json", message)
            self.use(place or len(self.buffer))
            while batch := self.batch():
                yield from self.records(batch)
            found = self.begin_of_rest()

    def give_up(self, begin: int, too_large: bool) -> Iterator[Reject]:
        """Set a broken record aside and go on at the next good one, wherever that is."""
        place = None if too_large else self.find_record(begin + 1, len(self.buffer))
        reason, detail = (
            ("too_large", f"a record of more than {MAX_RECORD:,} bytes")
            if too_large
            else ("invalid_json", syntax_error(self.buffer[begin:])[1])
        )
        yield self.reject(begin, place or len(self.buffer), reason, detail)
        self.use(place or len(self.buffer))
        self.lost = place is None

    def find_way(self) -> None:
        """After a loss: stand at the next good record, or use up what cannot be one."""
        place = self.find_record(0, len(self.buffer))
        self.lost = place is None and not self.final
        if place is None:
            place = len(self.buffer) if self.final else max(0, len(self.buffer) - CHUNK)
        self.use(place)

    def find_record(self, begin: int, stop: int) -> int | None:
        """Where the next object begins that reads as a whole record."""
        budget = SEARCH_BUDGET
        for candidate in _OPENING.finditer(self.buffer, begin, stop):
            if self.first_keys and candidate[1] not in self.first_keys:
                continue
            end = balanced_end(self.buffer, candidate.start(), budget)
            budget -= (end or len(self.buffer)) - candidate.start()
            if end and reads(self.buffer[candidate.start() : end], self.is_record):
                return candidate.start()
            if budget <= 0:
                break
        return None

    def begin_of_rest(self) -> int | None:
        """Where the bytes behind the last whole record begin to mean something."""
        rest = self.buffer.lstrip(_BETWEEN)
        return len(self.buffer) - len(rest) if rest and not self.lost else None

    def use(self, count: int) -> None:
        self.drop(count)
        self.depth = self.floor
