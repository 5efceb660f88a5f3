"""Two passes over the workspace that keep only a few numbers per conversation in memory.

Band keys (pass one) and the shingle sets of candidates (pass two) go to temporary files without a
name, which the system removes even when the process is killed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from errno import EIO
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from curate.dedup import minhash
from curate.dedup.texts import batches, characters, in_order, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

    from curate.workspace import Workspace


@dataclass(frozen=True)
class Corpus:
    """What is remembered of every conversation, shard after shard.

    Attributes:
        shards: Number of each shard, its first row here and the row after its last.
        keys: The conversations.
        hashes: Content hashes (conversations x 2).
        lengths: Characters.
        shingles: Number of shingles, repeats included.
        bands: Number of bands.
        file: Band keys: per shard, bands x conversations.
    """

    shards: tuple[tuple[int, int, int], ...]
    keys: NDArray[np.uint64]
    hashes: NDArray[np.uint64]
    lengths: NDArray[np.int64]
    shingles: NDArray[np.int64]
    bands: int
    file: IO[bytes]

    def band_keys(self) -> Iterator[NDArray[np.uint64]]:
        """For each band, the key of every conversation."""
        for band in range(self.bands):
            parts = [
                _pread(self.file, self.bands * first + band * (end - first), end - first)
                for _, first, end in self.shards
            ]
            yield np.concatenate([np.empty(0, np.uint64), *parts])


@dataclass(frozen=True)
class ShingleSets:
    """The sets of some rows, on disk.

    Attributes:
        file: Sorted distinct shingle hashes, row after row.
        starts: Where each row's begin, and the end of the last.
    """

    file: IO[bytes]
    starts: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Shingles in each set."""
        return np.diff(self.starts)

    def __getitem__(self, position: int) -> NDArray[np.uint64]:
        start = int(self.starts[position])
        return _pread(self.file, start, int(self.starts[position + 1]) - start)


def survey(
    ws: Workspace, file: IO[bytes], bands: tuple[int, int], num_perm: int, advance: Callable[[int], None]
) -> Corpus:
    """Pass one: sizes, content hashes and band keys of every conversation.

    Args:
        ws: The workspace.
        file: Takes the band keys.
        bands: Number of bands, and signature values in each.
        num_perm: Permutations to take those values from.
        advance: Told the number of conversations that are done.
    """
    count, values = bands
    a, b = (half[: count * values] for half in minhash.permutations(num_perm))

    def sign(batch: pa.RecordBatch) -> tuple[NDArray[Any], ...]:
        keys, totals = minhash.band_keys(*texts(batch["messages"]).arrays, a, b, values)
        hashes = np.frombuffer(bytes.fromhex("".join(batch["content_hash"].to_pylist())), ">u8").astype(np.uint64)
        return batch["key"].to_numpy(), hashes.reshape(-1, 2), characters(batch["messages"]), totals, keys

    columns: list[tuple[NDArray[Any], ...]] = []
    shards, rows = [], 0
    for index in ws.shards("conversations"):
        first, band_keys = rows, []
        for *column, keys in in_order(sign, batches(ws, index, ("key", "content_hash"))):
            columns.append(tuple(column))
            band_keys.append(keys)
            rows += keys.shape[1]
            advance(keys.shape[1])
        if band_keys:
            file.write(np.concatenate(band_keys, axis=1).data)
        shards.append((index, first, rows))
    file.flush()
    nothing = np.empty(0, np.uint64), np.empty((0, 2), np.uint64), np.empty(0, np.int64), np.empty(0, np.int64)
    keys, hashes, lengths, shingles = (np.concatenate(parts) for parts in zip(nothing, *columns, strict=True))
    return Corpus(tuple(shards), keys, hashes, lengths, shingles, count, file)


def collect(
    ws: Workspace, file: IO[bytes], corpus: Corpus, rows: NDArray[np.int64], advance: Callable[[int], None]
) -> ShingleSets:
    """Pass two: the shingle sets of the candidates.

    Args:
        ws: The workspace.
        file: Takes the sets.
        corpus: What pass one remembers.
        rows: The candidates, ascending.
        advance: Told the number of conversations that are done.
    """

    def shingle(work: tuple[pa.RecordBatch, int, NDArray[np.int64]]) -> list[NDArray[np.uint64]]:
        batch, first, wanted = work
        data, offsets, roles, starts = texts(batch["messages"]).arrays
        return [
            _distinct(
                minhash.shingle_hashes(data, offsets, roles, starts[row], starts[row + 1], corpus.shingles[first + row])
            )
            for row in wanted - first
        ]

    def wanted_batches() -> Iterator[tuple[pa.RecordBatch, int, NDArray[np.int64]]]:
        for index, first, end in corpus.shards:
            if not len(_between(rows, first, end)):
                continue
            for batch in batches(ws, index):
                wanted = _between(rows, first, first + len(batch))
                if len(wanted):
                    yield batch, first, wanted
                first += len(batch)

    sizes = [0]
    for sets in in_order(shingle, wanted_batches()):
        for hashes in sets:
            file.write(hashes.data)
            sizes.append(len(hashes))
        advance(len(sets))
    file.flush()
    return ShingleSets(file, np.cumsum(sizes))


def _between(rows: NDArray[np.int64], first: int, end: int) -> NDArray[np.int64]:
    low, high = np.searchsorted(rows, [first, end])
    return rows[low:high]


def _distinct(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    hashes.sort()
    return hashes[np.r_[True, hashes[1:] != hashes[:-1]]] if len(hashes) else hashes


def _pread(file: IO[bytes], start: int, count: int) -> NDArray[np.uint64]:
    """Numbers of 8 bytes from a place in a file; a read may come in pieces (Linux stops at 2 GB)."""
    values = np.empty(count, np.uint64)
    view, done = values.data.cast("B"), 0
    while done < len(view):
        read = os.preadv(file.fileno(), [view[done:]], start * 8 + done)
        if not read:
            raise OSError(EIO, os.strerror(EIO))
        done += read
    return values
