"""A JSON array, or objects one after the other.

A chunk's structure comes from whole-array byte scans: quotes that are not escaped give what lies
inside strings, brackets outside strings give the nesting depth, depth gives where records begin and
end. One `orjson.loads` then parses all records of the chunk. Only when that fails is each record
looked at by itself, and what cannot be read is handed on as a `Reject` with its place and reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.ingest import window
from curate.ingest.decode import TOO_DEEP, UnreadableError, closing_end, parse_all, parse_one, value_end
from curate.ingest.structure import likely_pairs, spans
from curate.ingest.window import MAX_RAW, SPACE, Position, Readable, Record, Reject, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Bytes that one search for the next good record may look at before it gives up on the chunk.
SEARCH_BUDGET = 64 << 20
# What a candidate costs that is nested too deeply.
DEEP_COST = 64 << 10
# How far behind an error the end of a broken record is looked for.
MAX_TAIL = 64 << 10

_GAP = re.compile(rb"(?:[ \t\r\n,]|\xef\xbb\xbf)*")
_SPACES = re.compile(rb"[ \t\r\n]*")
_OPENING = re.compile(rb'\{[ \t\r\n]*"')
_FIRST_KEY = re.compile(rb'\{[ \t\r\n]*"([^"\\]*)"')
# A file that is one object around the lists of its records.
WRAPPED = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"(?:Sources|data|rows|train|test|validation)"\s*:\s*\[(?=\s*\{)')
_KEY = re.compile(rb'"([^"\\]{0,200})"\s*:\s*(?=[^\s])')
# What such a head may take.
HEAD = 4096

# Begins and ends of records in the buffer, and their values.
_Batch = tuple[list[int], list[int], list[dict[str, Any]]]


@dataclass
class _Broken:
    """A record that cannot be read and whose end is not found yet."""

    offset: int
    reason: str
    detail: str
    raw: bytes


class Values(Window):
    """Reads chunk by chunk while all is well, and value by value where it is not."""

    def __init__(self, stream: Readable, position: Position, is_record: Callable[[dict[str, Any]], bool]) -> None:
        super().__init__(stream, position, is_record)
        self.wrapped = self.mode == "wrapped"
        self.listed = position.offset > 0
        self.mode = "array" if self.wrapped else self.mode
        self.inside = self.mode == "array" and position.offset > 0
        self.broken: _Broken | None = None
        # Up to this offset, value by value.
        self.careful = 0
        # From where to where no other record begins inside a long one.
        self.alone = (-1, -1)
        self.separator = b""
        self.meeting = re.compile(b"")
        self.first_key = ""

    def fill(self) -> bytes:
        """Take in the next bytes."""
        block = super().fill()
        if self.broken:
            self.broken.raw += block[: MAX_RAW - len(self.broken.raw)]
        if self.wrapped and not self.inside and self.base == 0 and (head := WRAPPED.match(self.buffer)):
            self.at = head.end()
            self.inside = self.listed = True
        return block

    def read(self) -> Iterator[Record | Reject]:
        """Every record, good or bad."""
        while not self.final:
            self.fill()
            yield from self.values()
        if self.broken:
            self.inside = False
            yield self.mend(len(self.buffer))
        if self.cut:
            yield self.cut_off(len(self.buffer))
        elif self.inside:
            yield self.cut_off(len(self.buffer), "the array is not closed")

    def values(self) -> Iterator[Record | Reject]:
        """All that the buffer holds whole."""
        while True:
            if self.broken:
                place = self.find_record()
                if place is None:
                    return
                yield self.mend(place)
            self.skip_gap()
            if self.at == len(self.buffer):
                return
            if self.wrapped and self.buffer[self.at] in b'"{}' and (found := self.unwrap()) is not False:
                if found is None:
                    return
                if isinstance(found, Reject):
                    yield found
                continue
            if batch := self.batch():
                for begin, end, value in zip(*batch, strict=True):
                    yield self.record(value, begin, end)
                self.at = batch[1][-1]
                if self.separator and not self.final and len(self.buffer) - self.at < window.CHUNK:
                    return  # the rest is the beginning of a record
                continue
            item = self.one()
            if item:
                self.careful = max(self.careful, self.base + self.at + window.CHUNK)
                yield item
            elif not self.broken:
                return

    def skip_gap(self) -> None:
        """Stand at the next value; the brackets of the array around the values are no values."""
        while gap := _GAP.match(self.buffer, self.at):
            self.at = gap.end()
            bracket = self.buffer[self.at : self.at + 1]
            if self.mode != "array" or not (bracket == b"]" or (bracket == b"[" and not self.inside)):
                break
            self.inside = bracket == b"["
            self.listed = self.inside
            self.at += 1
        if self.mode == "array" and self.at < len(self.buffer):
            self.inside = True

    def unwrap(self) -> Reject | bool | None:
        """Pass over what stands around the lists of records; False for a record, None when more bytes are needed.

        Returns:
            A value that is no list of records as a `Reject`, so that it is counted.
        """
        begin, patient = self.at, not self.final and len(self.buffer) - self.at < HEAD
        if self.buffer[begin] == 0x7D:
            self.at, self.inside, self.listed = begin + 1, False, False
            return True
        if self.buffer[begin] == 0x7B:
            if self.listed:
                return False
            if head := WRAPPED.match(self.buffer, begin):
                self.at, self.listed = head.end(), True
                return True
            return None if patient else False
        key = _KEY.match(self.buffer, begin)
        if not key:
            return None if patient else False
        if self.buffer[key.end()] == 0x5B:
            self.at, self.listed = key.end() + 1, True
            return True
        found = value_end(self.buffer, key.end())
        if found is None or found[1]:
            return None if found is None and not self.final else False
        self.at, self.inside = found[0], False
        name = key[1].decode("utf-8", "replace")
        return self.reject(begin, found[0], "outside_list", f"`{name:.80}` is no list of records")

    def batch(self) -> _Batch | None:
        """The whole records of the buffer from here on; None when there is none, or one is not as it should be."""
        if self.base + self.at < self.careful or self.buffer[self.at] != 0x7B:
            return None
        found = self.guess() or self.scan()
        if found is None or len(self.buffer) - self.at <= window.LOOK_INSIDE:
            return found
        # What is long is looked at by itself, wherever the blocks end that it came in.
        sizes = enumerate(zip(found[0], found[1], strict=True))
        long = next((number for number, (begin, end) in sizes if end - begin > window.LOOK_INSIDE), len(found[0]))
        return (found[0][:long], found[1][:long], found[2][:long]) if long else None

    def guess(self) -> _Batch | None:
        """Cut where two records have met before; that one parse takes it all proves the cuts right."""
        last = self.buffer.rfind(self.separator, self.at) if self.separator else -1
        if last < 0:
            return None
        begin, end = self.at, last + 1
        gap = self.separator.index(b"{")
        meetings = [match.start() for match in self.meeting.finditer(self.buffer, begin, end)]
        block = self.buffer[begin:end]
        values = parse_all(b"[" + block + b"]", 1 + len(meetings), likely_pairs(block), self.first_key)
        if values is None:
            return None
        return [begin, *(place + gap for place in meetings)], [*(place + 1 for place in meetings), end], values

    def scan(self) -> _Batch | None:
        """Find the records by the structure of the buffer."""
        found_begins, found_ends, pairs = spans(self.buffer[self.at :])
        begins, ends = (found_begins + self.at).tolist(), (found_ends + self.at).tolist()
        if not ends:
            return None
        if self.mode == "array":
            joined = self.buffer[begins[0] : ends[-1]]
        elif all(_GAP.fullmatch(self.buffer, ends[i], begins[i + 1]) for i in range(len(ends) - 1)):
            joined = b",".join(self.buffer[begin:end] for begin, end in zip(begins, ends, strict=True))
        else:
            return None
        values = parse_all(b"[" + joined + b"]", len(ends), pairs)
        if values is None:
            return None
        if self.mode == "array" and len(ends) > 1 and (opening := _FIRST_KEY.match(self.buffer, begins[-1])):
            self.first_key = opening[1].decode()
            self.separator = self.buffer[ends[-2] - 1 : opening.end()]
            self.meeting = re.compile(re.escape(self.separator))
        return begins, ends, values

    def one(self) -> Record | Reject | None:
        """The next value by itself; None when more bytes are needed, or it is broken and its end not known."""
        begin = self.at
        found = value_end(self.buffer, begin)
        if found == (begin, TOO_DEEP):
            found = self.deep_end(begin)
        if found is None:
            return self.long(begin, None)
        end, message = found
        if message:
            return self.local(begin, end, message)
        if end - begin > window.LOOK_INSIDE:
            return self.long(begin, end)
        if self.buffer[begin] != 0x7B:
            after = self.following(end)
            if after is None:
                return None
            if after not in b",[]{":
                self.lose("invalid_json", f"not a record, at byte {self.base + begin:,}")
                return None
        return self.whole(begin, end)

    def whole(self, begin: int, end: int) -> Record | Reject:
        """A value whose end is known."""
        self.at = end
        try:
            return self.record(parse_one(self.buffer[begin:end]), begin, end)
        except UnreadableError as error:
            return self.reject(begin, end, error.reason, error.detail)

    def long(self, begin: int, end: int | None) -> Record | Reject | None:
        """A value that does not end, or not soon: perhaps it swallowed its neighbours for want of a bracket."""
        size = (end or len(self.buffer)) - begin
        stop = len(self.buffer) if self.final and not end else begin + window.LOOK_INSIDE
        if len(self.buffer) < stop:
            return None
        # Once for each record, and not again whenever more bytes of it have come.
        alone = self.base + begin, self.base + stop
        if self.alone != alone and self.search(begin + 1, stop, within=True)[0] is not None:
            self.lose("invalid_json", "not closed before the next record begins")
            return None
        self.alone = alone
        if size > window.MAX_RECORD:
            self.lose("too_large", f"a record of more than {window.MAX_RECORD:,} bytes")
        elif end:
            return self.whole(begin, end)
        elif self.final:
            self.inside = False
            self.at = len(self.buffer)
            return self.cut_off(begin)
        return None

    def local(self, begin: int, place: int, message: str) -> Reject | None:
        """A broken value: when its brackets pair up, it ends where they do; else at the next good record."""
        stop = place + MAX_TAIL
        if stop > len(self.buffer) and not self.final:
            return None
        end = closing_end(self.buffer, begin, min(stop, len(self.buffer))) if self.buffer[begin] == 0x7B else None
        detail = f"{message}, at byte {self.base + place:,}"
        if end is not None:
            inside, searched = self.search(begin + 1, end, patient=not self.final)
            over = self.is_over(begin, end)
            if over is None or (inside is None and searched < end):
                return None
            if inside is None and over:
                self.at = end
                return self.reject(begin, end, "invalid_json", detail)
        self.lose("invalid_json", detail)
        return None

    def deep_end(self, begin: int) -> tuple[int, str] | None:
        """The end of a value that is too deep for the strict parser: `parse_one` decides about it."""
        end = closing_end(self.buffer, begin, len(self.buffer))
        return None if end is None else (end, "")

    def is_over(self, begin: int, end: int) -> bool | None:
        """Whether what stands behind `end` says that the broken record from `begin` on is over, and not a piece of it.

        Nothing more, or the array's end, or another record: one that reads as such, or begins with the same key.
        """
        gap = _GAP.match(self.buffer, end)
        place = gap.end() if gap else end
        after = self.following(place)
        if after == b"]" and self.mode == "array":
            after = self.following(place + 1)
            return None if after is None else after in b"["
        if after != b"{":
            return None if after is None else not after
        mine, other = _FIRST_KEY.match(self.buffer, begin), _FIRST_KEY.match(self.buffer, place)
        if mine and other and mine[1] == other[1]:
            return True
        found = value_end(self.buffer, place)
        if found is None and not self.final and len(self.buffer) - place <= window.MAX_RECORD:
            return None
        return found is not None and not found[1] and self.reads(place, found[0])

    def following(self, end: int) -> bytes | None:
        """The next byte behind a value that is no white space; none at the end; None when not known yet."""
        match = _SPACES.match(self.buffer, end)
        after = self.buffer[match.end() : match.end() + 1] if match else b""
        return after if after or self.final else None

    def lose(self, reason: str, detail: str) -> None:
        """Remember a broken record until its end is found: where the next good one begins."""
        raw = self.buffer[self.at : self.at + MAX_RAW]
        self.broken = _Broken(self.base + self.at, reason, detail, raw)
        self.at += 1

    def mend(self, place: int) -> Reject:
        """The broken record, now that its end is known."""
        assert self.broken
        offset, end = self.broken.offset, self.base + place
        raw = self.broken.raw[: end - offset].rstrip(SPACE + b",")
        reject = Reject(self.row, offset, end, self.broken.reason, self.broken.detail, raw)
        self.row += 1
        self.at = place
        self.careful = max(self.careful, end + window.CHUNK)
        self.broken = None
        return reject

    def find_record(self) -> int | None:
        """Where the next good record begins, behind a broken one; what cannot be one is used up."""
        place, self.at = self.search(self.at, len(self.buffer), patient=not self.final)
        return place

    def search(
        self, begin: int, stop: int, *, patient: bool = False, within: bool = False
    ) -> tuple[int | None, int]:
        """Where the first object begins that is a whole record, and from where to search on with more bytes.

        Args:
            begin: From here on.
            stop: It begins before this place.
            patient: Wait for more bytes at the first object that is not whole yet.
            within: It also ends before `stop`.
        """
        budget = SEARCH_BUDGET
        place = begin
        while budget > 0 and (candidate := _OPENING.search(self.buffer, place, stop)):
            place = candidate.start()
            found = value_end(self.buffer, place)
            if found is None and patient and len(self.buffer) - place <= window.MAX_RECORD:
                return None, place
            end, message = found or (stop, "cut off")
            budget -= DEEP_COST if message == TOO_DEEP else end - place
            if message or (within and end > stop):
                place += 1
            elif self.reads(place, end):
                return place, place
            else:
                place = end
        opening = self.buffer.rfind(b"{", place, stop)
        return None, opening if opening >= 0 and not self.buffer[opening + 1 : stop].strip(SPACE) else stop

    def reads(self, begin: int, end: int) -> bool:
        """Whether these bytes are a whole record."""
        try:
            return self.is_record(parse_one(self.buffer[begin:end]))
        except UnreadableError:
            return False
