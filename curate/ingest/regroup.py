"""Files whose groups lie apart: shuffled fragments, trees stored in order of time.

Only what a first reading could not bring together leads here. The file is read once for the places of its
records, then again in an order in which groups are whole: that of each group's first record.
"""

from __future__ import annotations

import pickle
from array import array
from contextlib import ExitStack
from itertools import groupby
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from curate.ingest.pieces import packed, unpacked
from curate.ingest.stream import Position
from curate.ingest.window import Record, Reject
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import polars as pl
    from numpy.typing import NDArray

    from curate.ingest.inputs import Input

    Pieces = NDArray[Any]

# Reasons of rejects that another order of the records would mend.
APART = ("orphan",)
# More rows of one base than this are a numbered set and no fragments of a conversation.
MOST_PIECES = 200
# What is remembered of a piece while it is not known whether others lie elsewhere. Pieces wait on disk, those of one
# conversation together, in so many parts that the pieces of few shards are in memory at a time.
PIECE = np.dtype([(name, "i8") for name in ("file", "row", "slack", "number", "turns", "joined")] + [("base", "u8")])
PART_SHARDS, MOST_PARTS = 32, 128


def scattered(ws: Workspace, shards: Iterable[int], inputs: list[Input], *, joins: bool) -> list[int]:
    """Numbers of the files in which pieces of one conversation lie apart.

    Args:
        ws: Where they were written to.
        shards: The shards of this ingest.
        inputs: What was read.
        joins: Whether fragments are joined at all.
    """
    import polars as pl

    files = {item.source.file: number for number, item in enumerate(inputs) if not item.stream}
    numbers = list(shards)
    found: set[int] = set()
    with ExitStack() as stack:
        count = min(MOST_PARTS, 1 + len(numbers) // PART_SHARDS)
        parts = [stack.enter_context(TemporaryFile(dir=ws.path)) for _ in range(count)]
        for shard in numbers:
            if ws.stamp("conversations", shard)["rejects"].keys() & set(APART):
                rejects = ws.read("rejects", shard, ["source_file", "reason"])
                names = set(rejects.filter(pl.col("reason").is_in(APART))["source_file"])
                found |= {files[name] for name in names if name in files}
            if joins:
                pieces = _pieces(ws, shard, files)
                for number, part in enumerate(parts):
                    part.write(pieces[pieces["base"] % count == number].data)
        for part in parts:
            part.seek(0)
            found |= _meeting(np.frombuffer(part.read(), PIECE))
    return sorted(found)


def _meeting(pieces: Pieces) -> set[int]:
    """Numbers of the files in which pieces of one conversation lie apart; all pieces of a conversation are there."""
    import polars as pl

    ends = (pl.col("number") + pl.col("turns")).shift(1).over("file", "base")
    meeting = (
        pl.DataFrame({name: pieces[name] for name in PIECE.names or ()})
        .group_by("file", "base", "number", "slack")  # a dump may be there twice
        .agg(pl.len(), pl.col("turns", "row").max(), pl.col("joined").sum(), first=pl.col("row").min())
        .sort("file", "base", "number")
        # Slack: a turn less than was there, for an advert that is gone; or one that must be common.
        .with_columns(meets=ends + pl.col("slack") >= pl.col("number"))
        .group_by("file", "base")
        .agg(
            pl.col("len").sum(),
            pl.col("meets").any(),
            apart=pl.col("row").max() - pl.col("first").min() >= pl.col("len").sum() + pl.col("joined").sum(),
        )
        .filter(pl.col("meets") & pl.col("apart") & (pl.col("len") <= MOST_PIECES))
    )
    return set(meeting["file"])


def _pieces(ws: Workspace, shard: int, files: dict[str, int]) -> Pieces:
    """The conversations of a shard whose id is that of a fragment, without their texts.

    Args:
        ws: Where they are.
        shard: The shard.
        files: The number of each file that counts.
    """
    import polars as pl
    import pyarrow.parquet as pq

    names = ["source_file", "source_row", "source_id", "messages.list.element.role", "joined_rows"]
    rows = cast("pl.DataFrame", pl.from_arrow(pq.ParquetFile(ws.shard("conversations", shard)).read(names)))
    id_ = pl.col("source_id").str.extract(r"^(.+)_[0-9]{1,6}$")
    is_sharegpt = id_.str.contains(r"^[A-Za-z0-9_-]{7}$") & ~id_.str.contains(r"^([a-z]+|[0-9]+)$")
    number = pl.col("source_file").replace_strict(files, default=None, return_dtype=pl.Int64)
    frame = (
        rows.with_columns(
            row="source_row",
            file=number,
            base=id_.hash(),
            slack=is_sharegpt.cast(pl.Int64) * 2 - 1,
            number=pl.col("source_id").str.extract(r"_([0-9]{1,6})$").cast(pl.Int64),
            turns=pl.col("messages").list.len(),
            joined=pl.col("joined_rows").list.len(),
        )
        # The hash of null is a number.
        .filter(pl.col("number").is_not_null() & ~pl.struct("source_file", "source_row").is_duplicated())
        .drop_nulls("file")
    )
    pieces = np.empty(len(frame), PIECE)
    for name in PIECE.names or ():
        pieces[name] = frame[name].to_numpy()
    return pieces


def regrouped(item: Input, start: int, folder: Path) -> Iterator[tuple[int, list[Record | Reject]]]:
    """Every group of a file, whole, with the number of its first record in the new order.

    Args:
        item: The file; not stdin.
        start: Number of the record in the new order to begin with.
        folder: Where its records are put down meanwhile.
    """
    with TemporaryFile(dir=folder) as spool:
        places = _places(item, spool)
        order = np.argsort(places[:, 2], kind="stable").tolist()
        for _, run in groupby(range(start, len(order)), key=lambda number: places[order[number], 2]):
            members = list(run)
            yield members[0], [_record(spool, *places[order[number], :2].tolist()) for number in members]


def _places(item: Input, spool: IO[bytes]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Where in the spool each record begins and ends, and which was the first of its group."""
    places = array("q")
    firsts: dict[str, int] = {}
    for own, record in enumerate(item.records(Position(mode=item.mode))):
        begin = spool.tell()
        pickle.dump(packed(record), spool)
        key = item.group(record.value) if isinstance(record, Record) else None
        places.extend((begin, spool.tell(), own if key is None else firsts.setdefault(key, own)))
    return np.frombuffer(places, np.int64).reshape(-1, 3)


def _record(spool: IO[bytes], begin: int, end: int) -> Record | Reject:
    spool.seek(begin)
    return unpacked(pickle.loads(spool.read(end - begin)))
