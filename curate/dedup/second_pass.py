"""Pass two: the text of candidates is read again, for their shingle sets and for digests at given places."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from curate.dedup import minhash
from curate.dedup.texts import batches, in_order, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

    from curate.dedup.corpus import Corpus
    from curate.workspace import Workspace


@dataclass(frozen=True)
class ShingleSets:
    """The sets of some texts, on disk and mapped into memory.

    Attributes:
        hashes: Sorted distinct shingle hashes, text after text.
        starts: Where each text's begin, and the end of the last.
        map: What lies behind `hashes`; None when there are none.
    """

    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    map: mmap.mmap | None

    @staticmethod
    def of(file: IO[bytes], sizes: NDArray[np.int64]) -> ShingleSets:
        """The sets that were written to a file: `sizes` is 0, then the size of each."""
        file.flush()
        starts = np.cumsum(sizes)
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if starts[-1] else None
        return ShingleSets(np.frombuffer(memory or b"", np.uint64), starts, memory)

    def forget(self) -> None:
        """Let the pages that were read so far leave our memory; they stay in the system's cache."""
        if self.map is not None:
            self.map.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class Places:
    """Numbers of tokens up to which texts shall be digested.

    Attributes:
        rows: The texts; one may stand here more than once.
        tokens: A number for each of them, none above its length.
    """

    rows: NDArray[np.int64]
    tokens: NDArray[np.int64]


NOWHERE = Places(np.empty(0, np.int64), np.empty(0, np.int64))


def read_again(
    ws: Workspace,
    unit: str,
    file: IO[bytes],
    corpus: Corpus,
    rows: NDArray[np.int64],
    places: Places = NOWHERE,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[ShingleSets, NDArray[np.uint64]]:
    """The shingle sets of some texts, and the digests of the beginnings of some.

    Args:
        ws: The workspace.
        unit: One of `texts.UNITS`.
        file: Takes the sets; a temporary file, empty.
        corpus: What pass one remembers.
        rows: The texts whose sets are wanted, ascending.
        places: Where digests are wanted.
        advance: Told the number of sets that are made.

    Returns:
        The sets of `rows`, and one digest per place.
    """
    order = np.lexsort([places.tokens, places.rows])
    digested, starts = np.unique(places.rows[order], return_index=True)
    starts, tokens = np.r_[starts, len(order)], places.tokens[order]

    def read(work: tuple[pa.RecordBatch, int, int]) -> tuple[NDArray[Any], ...]:
        batch, begin, end = work
        arrays = texts(batch["messages"], unit).arrays
        some, (low, high) = _between(rows, begin, end), np.searchsorted(digested, [begin, end])
        own = starts[low : high + 1]
        hashes, sizes = minhash.shingle_sets(*arrays, some - begin, corpus.tokens[some])
        found = minhash.digests_at(*arrays, digested[low:high] - begin, own - own[0], tokens[own[0] : own[-1]])
        return hashes, sizes, found

    sizes: list[NDArray[Any]] = [np.zeros(1, np.int64)]
    digests: list[NDArray[Any]] = [np.empty(0, np.uint64)]
    for hashes, counts, found in in_order(read, _batches_with(ws, corpus, np.union1d(rows, digested))):
        file.write(hashes.data)
        sizes.append(counts)
        digests.append(found)
        advance(len(counts))
    in_place = np.empty(len(order), np.uint64)
    in_place[order] = np.concatenate(digests)
    return ShingleSets.of(file, np.concatenate(sizes)), in_place


def _batches_with(
    ws: Workspace, corpus: Corpus, rows: NDArray[np.int64]
) -> Iterator[tuple[pa.RecordBatch, int, int]]:
    """Batches of conversations that have some of the texts; the first text of each, and the one after its last."""
    for index, first, end in corpus.shards:
        if not len(_between(rows, first, end)):
            continue
        keys = corpus.keys[first:end]
        for batch in batches(ws, index, ("key",)):
            own = batch["key"].to_numpy()
            begin, stop = first + np.searchsorted(keys, own[0]), first + np.searchsorted(keys, own[-1], side="right")
            if len(_between(rows, begin, stop)):
                yield batch, int(begin), int(stop)


def _between(rows: NDArray[np.int64], first: int, end: int) -> NDArray[np.int64]:
    low, high = np.searchsorted(rows, [first, end])
    return rows[low:high]
