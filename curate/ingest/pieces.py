"""Pieces of an ingest: records that fill a shard, converted and written wherever, in whatever order.

What a piece holds is known when it is read. The number of its shard and the keys of its conversations are known when
all pieces before it are converted.
"""

from __future__ import annotations

import gc
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from curate.ingest.decode import parse_one
from curate.ingest.groups import convert
from curate.ingest.table import Shard
from curate.ingest.window import Record, Reject
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curate.ingest.inputs import Input
    from curate.workspace import Workspace


class Cursor(NamedTuple):
    """Where a piece begins: number of the file, place in it, records seen in all files."""

    file: int = 0
    offset: int = 0
    row: int = 0
    seen: int = 0


@dataclass(frozen=True)
class Reached:
    """Number of the next shard and key of the next conversation; or how many of them were made."""

    shard: int
    key: int

    def __add__(self, made: Reached) -> Reached:
        return Reached(self.shard + made.shard, self.key + made.key)


class Packed(NamedTuple):
    """A record as its bytes, which are parsed again sooner than objects are sent to another process."""

    row: int
    offset: int
    end: int
    text: bytes


def packed(record: Record | Reject) -> Record | Reject | Packed:
    """A record to be sent; that of a table stays as it is."""
    if isinstance(record, Reject) or record.size:
        return record
    return Packed(record.row, record.offset, record.end, record.text())


def unpacked(record: Record | Reject | Packed) -> Record | Reject:
    """The record that was `packed`, whose text was checked when it was read."""
    if not isinstance(record, Packed):
        return record
    try:
        value = orjson.loads(record.text)
    except orjson.JSONDecodeError:  # NaN, or too deep
        value = parse_one(record.text)
    return Record(record.row, record.offset, record.end, value, record.text)


@dataclass
class Piece:
    """Neighbouring records of one file or several.

    Attributes:
        begin: Where they begin.
        groups: Those that belong together, with the number of their file.
        following: Where the next piece begins; None behind the last.
    """

    begin: Cursor
    groups: list[tuple[int, list[Record | Reject | Packed]]]
    following: Cursor | None = None


class Maker:
    """Makes the shards of one piece after the other. It is told a piece, and then what the pieces before it reached.

    A piece is one shard, but for records that hold far more than their bytes.

    Args:
        ws: Where they are written to.
        inputs: The files.
        source: Name of the data set; None for each file's own.
        stamp: What the stamp of each shard says besides.
    """

    def __init__(self, ws: Workspace, inputs: list[Input], source: str | None, stamp: dict[str, Any]) -> None:
        self.ws = ws
        self.inputs = [replace(item, stream=None, _converters={}) for item in inputs]
        self.source = source
        self.stamp = stamp

    def __call__(self, told: Piece | Reached) -> Reached | None:
        """Of a piece: how much it makes, None while that is not known. Of what was reached before it: the same."""
        with no_garbage_collection():
            return self.convert(told) if isinstance(told, Piece) else self.write(told)

    def convert(self, piece: Piece) -> Reached | None:
        """Convert the records of a piece, or as many of them as are a shard."""
        self.piece = piece
        self.left = deque(piece.groups)
        piece.groups.clear()
        self.fill()
        return None if self.left else Reached(1, len(self.shard.conversations))

    def fill(self) -> None:
        """The next shard."""
        self.shard = Shard()
        while self.left and not self.shard.full:
            number, group = self.left.popleft()
            item = self.inputs[number]
            source = self.source or item.source.name
            self.shard.take(convert(list(map(unpacked, group)), item), len(group), source, item.source.file)

    def write(self, before: Reached) -> Reached:
        """Write the shard that is full, and then the rest of the piece."""
        made = Reached(0, 0)
        while True:
            self.put(before + made)
            made += Reached(1, len(self.shard.conversations))
            if not self.left:
                del self.shard
                return made
            self.fill()

    def put(self, place: Reached) -> None:
        """One shard of both tables."""
        conversations, rejects, content = self.shard.tables(place.key)
        stamp = {
            **self.stamp,
            **self.shard.counted(),
            "fingerprint": content,
            "ends": not self.left,
            "next": self.piece.begin if self.left else self.piece.following,
        }
        own = fingerprint(self.stamp["plan"], place.shard)
        self.ws.write("rejects", place.shard, rejects, {"fingerprint": own})
        self.ws.write("conversations", place.shard, conversations, stamp)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Millions of parsed objects and no cycle among them: the cycle collector would only walk them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
