"""However large the file, the reader holds no more than a record or two of it."""

from __future__ import annotations

import pytest

from curate.ingest import window
from curate.ingest.stream import Position, read


def test_memory_does_not_grow_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also not when nothing in it can be read."""

    class Endless:
        """A stream of blocks that are all alike."""

        def __init__(self, block: bytes, count: int) -> None:
            self.block, self.left, self.largest = block, count, 0

        def read(self, size: int, /) -> bytes:
            self.largest = max(self.largest, size)
            self.left -= 1
            return self.block if self.left >= 0 else b""

    for name, size in {"CHUNK": 1 << 14, "LOOK_INSIDE": 1 << 16, "MAX_RECORD": 1 << 17}.items():
        monkeypatch.setattr(window, name, size)
    for block, mode in [
        (b'{"a": 1}\n' * 2000, "lines"),
        (b'{"a": 1}\n' * 2000, "objects"),
        (b"no json at all " * 1000, "objects"),
        (b"no line's end " * 1000, "lines"),
        (b'{"a": "b ' * 1000, "array"),
        (b"[" * 10_000, "array"),
    ]:
        stream = Endless(block, 300)
        for _ in read(stream, Position(0, 0, mode), lambda _: False):
            pass
        assert stream.largest <= 4 * window.MAX_RECORD
