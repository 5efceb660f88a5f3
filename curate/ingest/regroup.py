"""Files whose groups lie apart: shuffled fragments, trees stored in order of time.

Only what a first reading could not bring together leads here. The file is read once for the places of its
records, then again in an order in which groups are whole: that of each group's first record.
"""

from __future__ import annotations

import tempfile
from itertools import groupby
from typing import IO, TYPE_CHECKING, cast

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from curate.ingest.decode import UnreadableError, parse_one
from curate.ingest.stream import Position
from curate.ingest.window import Record, Reject
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from curate.ingest.inputs import Input

# Reasons of rejects that another order of the records would mend.
APART = ("orphan",)


def scattered(ws: Workspace, shards: Iterable[int], inputs: list[Input]) -> list[int]:
    """Numbers of the files in which pieces of one conversation lie apart."""
    files = {item.source.file: number for number, item in enumerate(inputs) if not item.stream}
    found: set[str] = set()
    frames = []
    for shard in shards:
        if ws.stamp("conversations", shard)["rejects"].keys() & set(APART):
            rejects = ws.read("rejects", shard, ["source_file", "reason"])
            found |= set(rejects.filter(pl.col("reason").is_in(APART))["source_file"])
        rows = _pieces(ws, shard)
        if rows.height:
            frames.append(rows)
    before = pl.all().shift(1).over("source_file", "base").name.prefix("before_")
    shared = pl.col("before_number") + pl.col("before_turns") - pl.col("number")
    goes_on = (pl.col("before_last") == pl.col("first")) == (shared == 1)  # the same turn, or the other side's
    if frames:
        meeting = (
            pl.concat(frames)
            .sort("source_file", "base", "number")
            .with_columns(before)
            .group_by("source_file", "base")
            .agg(most=shared.max(), meet=(shared.is_in([0, 1]) & goes_on).any())
            .filter(pl.col("meet") & (pl.col("most") <= 1))
        )
        found |= set(meeting["source_file"])
    return sorted(files[file] for file in found if file in files)


def _pieces(ws: Workspace, shard: int) -> pl.DataFrame:
    """The conversations of a shard whose id is that of a fragment, without their texts."""
    names = ["source_file", "source_row", "source_id", "messages.list.element.role"]
    rows = cast("pl.DataFrame", pl.from_arrow(pq.ParquetFile(ws.shard("conversations", shard)).read(names)))
    roles = pl.col("messages").list.eval(pl.element().struct.field("role"))
    return (
        rows.with_columns(
            base=pl.col("source_id").str.extract(r"^(.+)_[0-9]{1,6}$").hash(),
            number=pl.col("source_id").str.extract(r"_([0-9]{1,6})$").cast(pl.Int64),
            turns=roles.list.len(),
            first=roles.list.first(),
            last=roles.list.last(),
        )
        .filter(pl.col("base").is_not_null() & ~pl.struct("source_file", "source_row").is_duplicated())
        .select("source_file", "base", "number", "turns", "first", "last")
    )


def regrouped(item: Input, start: int) -> Iterator[tuple[int, list[Record | Reject]]]:
    """Every group of a file, whole, with the number of its first record in the new order.

    Args:
        item: The file; not stdin.
        start: Number of the record in the new order to begin with.
    """
    with tempfile.TemporaryFile() as spool:
        places, reasons, order = _places(item, spool)
        numbers = range(start, len(order))
        for _, run in groupby(numbers, key=lambda number: places[order[number], 3]):
            members = list(run)
            yield members[0], [_record(spool, places[order[number]], reasons) for number in members]


def _places(
    item: Input, spool: IO[bytes]
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.int64]], dict[int, Reject], list[int]]:
    """Where each record's text lies in the spool (begin, end, row, group), the rejects, and the new order."""
    places: list[tuple[int, int, int, int]] = []
    rejects: dict[int, Reject] = {}
    firsts: dict[str, int] = {}
    for record in item.records(Position(mode=item.mode)):
        begin = spool.tell()
        own = len(places)
        if isinstance(record, Reject):
            rejects[record.row] = record
        else:
            spool.write(record.text())
            key = item.group(record.value)
            own = own if key is None else firsts.setdefault(key, own)
        places.append((begin, spool.tell(), record.row, own))
    table = np.array(places, np.int64).reshape(-1, 4)
    return table, rejects, np.argsort(table[:, 3], kind="stable").tolist()


def _record(spool: IO[bytes], place: Iterable[int], rejects: dict[int, Reject]) -> Record | Reject:
    begin, end, row, _ = (int(number) for number in place)
    if row in rejects:
        return rejects[row]
    spool.seek(begin)
    text = spool.read(end - begin)
    try:
        return Record(row, -1, row + 1, parse_one(text), text, size=len(text))
    except UnreadableError as error:
        return Reject(row, -1, row + 1, error.reason, error.detail, text)
