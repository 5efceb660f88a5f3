"""JSON Lines: a record a line; blank lines count as rows and hold nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.ingest import window
from curate.ingest.decode import UnreadableError, parse_lines, parse_one, value_end
from curate.ingest.window import BOM, MAX_RAW, SPACE, Record, Reject, Window

if TYPE_CHECKING:
    from collections.abc import Iterator


class Lines(Window):
    """Reads line by line, so that a bad line never costs its neighbour."""

    def read(self) -> Iterator[Record | Reject]:
        """Every line that is not blank."""
        while not self.final:
            self.fill()
            stop = len(self.buffer) if self.final else self.buffer.rfind(b"\n") + 1
            if stop > self.at:
                yield from self.lines(stop)
            elif len(self.buffer) - self.at > window.MAX_RECORD:
                yield self.skip_line()
        if self.cut:
            yield self.cut_off(self.at)

    def lines(self, stop: int) -> Iterator[Record | Reject]:
        """The whole lines up to `stop`."""
        block = self.buffer[self.at : stop]
        if block.isspace():  # a packed file may have very many blank lines
            self.row += block.count(b"\n") + (not block.endswith(b"\n"))
            self.at = stop
            return
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        blank = [not line or line.isspace() for line in lines]
        full = [line for line, empty in zip(lines, blank, strict=True) if not empty]
        # A line that is too long is set aside wherever the blocks end that it came in.
        too_long = len(block) > window.MAX_RECORD and any(len(line) > window.MAX_RECORD for line in full)
        values = iter(() if too_long else parse_lines(full, block) or ())
        end = self.at
        for line, empty in zip(lines, blank, strict=True):
            begin, end = end, min(end + len(line) + 1, stop)
            if empty:
                self.row += 1
            elif (value := next(values, None)) is not None:
                yield self.record(value, begin, end)
            else:
                yield self.line(line, begin, end)
        self.at = stop

    def line(self, line: bytes, begin: int, end: int) -> Record | Reject:
        """One line by itself."""
        if line.startswith(BOM):  # files that were put together with `cat`
            line = line[len(BOM) :]
            begin += len(BOM)
        if len(line) > window.MAX_RECORD:
            return self.reject(begin, end, *_too_long())
        try:
            return self.record(parse_one(line), begin, end)
        except UnreadableError as error:
            last = self.final and end == len(self.buffer) and not line.endswith(b"\n")
            if last and value_end(line, 0) is None:
                return self.cut_off(begin)
            return self.reject(begin, end, error.reason, error.detail)

    def skip_line(self) -> Reject:
        """Pass over a line that is too long to be held."""
        offset, raw = self.base + self.at, self.buffer[self.at : self.at + MAX_RAW]
        while (stop := self.buffer.find(b"\n", self.at) + 1) == 0 and not self.final:
            self.at = len(self.buffer)
            raw += self.fill()[: MAX_RAW - len(raw)]
        self.at = stop or len(self.buffer)
        self.row += 1
        end = self.base + self.at
        return Reject(self.row - 1, offset, end, *_too_long(), raw[: end - offset].rstrip(SPACE))


def _too_long() -> tuple[str, str]:
    return "too_large", f"a line of more than {window.MAX_RECORD:,} bytes"
