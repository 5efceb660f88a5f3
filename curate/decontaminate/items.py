"""The items of the lists as token hashes, each different text once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curate.dedup import tokens
from curate.errors import InputError
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from curate.decontaminate.lists import BenchmarkList

    Bytes = NDArray[np.uint8]
    Integers = NDArray[np.int64]
    Hashes = NDArray[np.uint64]

# Texts that are taken to token hashes at a time.
BATCH_BYTES = 4 << 20
# Tokens that all lists together may have: places among them are 32-bit numbers.
MOST_TOKENS = 2**31 - 1


@dataclass(frozen=True)
class Items:
    """The parts of all items, list after list. A part is one text of an item, most items have one.

    Attributes:
        lists: The lists.
        tokens: Token hashes of all parts.
        starts: Where each part begins among them, and the end of the last.
        dense: Whether most tokens of a part are single characters, as in Chinese.
        lists_of: Number of each part's list.
        rows: Row of each part's item in its list.
        places: Number of the part in its item, from 0.
        ids: Id of each part's item.
        items: Items of each list.
        ignored: Of each list, parts that say nothing, by reason: `duplicate` of one before, `no token`, and why
            records of the list could not be read.
    """

    lists: tuple[BenchmarkList, ...]
    tokens: Hashes
    starts: Integers
    dense: NDArray[np.bool_]
    lists_of: Integers
    rows: Integers
    places: Integers
    ids: list[str]
    items: list[int]
    ignored: list[Counter[str]]

    @property
    def lengths(self) -> Integers:
        """Tokens of each part."""
        return np.diff(self.starts)

    @property
    def fingerprint(self) -> str:
        """Changes when a name, an id or a token does."""
        names = [(one.benchmark, one.column) for one in self.lists]
        arrays = (self.tokens, self.starts, self.dense, self.lists_of, self.places)
        digests = [blake2b(np.ascontiguousarray(array).data, digest_size=16).hexdigest() for array in arrays]
        return fingerprint(names, digests, blake2b("\0".join(self.ids).encode(), digest_size=16).hexdigest())


def read(lists: Sequence[BenchmarkList], advance: Callable[[int], None] = lambda _: None) -> Items:
    """Read every list.

    Args:
        lists: From `lists.find`.
        advance: Told the number of each list that is done.

    Raises:
        InputError: A list of which nothing is left, or more tokens than we can count.
    """
    pieces: list[Hashes] = []
    lengths: list[Integers] = []
    dense: list[NDArray[np.bool_]] = []
    columns: list[tuple[int, int, int]] = []
    ids: list[str] = []
    counts, ignored = [], []
    total = 0
    for number, one in enumerate(lists):
        unread: Counter[str] = Counter()
        seen: set[bytes] = set()
        named: dict[str, int] = {}
        before = len(ids)
        for batch in _batches(one.items(unread)):
            hashes, starts, alone = _hashes([text for *_, text in batch])
            keep = []
            for part, (row, name, place, _) in enumerate(batch):
                digest = blake2b(hashes[starts[part] : starts[part + 1]].data, digest_size=16).digest()
                if starts[part] == starts[part + 1]:
                    unread["no token"] += 1
                elif digest in seen:
                    unread["duplicate"] += 1
                else:
                    seen.add(digest)
                    keep.append(part)
                    columns.append((number, row, place))
                    ids.append(name if named.setdefault(name, row) == row else f"{name}#{row}")
            kept = np.zeros(len(batch), np.bool_)
            kept[keep] = True
            pieces.append(hashes[np.repeat(kept, np.diff(starts))])
            lengths.append(np.diff(starts)[kept])
            dense.append(alone[kept])
            total += len(pieces[-1])
        if len(ids) == before:
            why = ", ".join(f"{count:,} {reason}" for reason, count in unread.most_common())
            raise InputError(f"nothing of the list can be looked for: {why or 'it is empty'}", where=one.source.file)
        if total > MOST_TOKENS:
            raise InputError("the lists have more than 2 billion tokens", where=one.source.file, hint="split them")
        counts.append(len({row for _, row, _ in columns[before:]}))
        ignored.append(unread)
        advance(number)
    of, rows, places = (np.array(column, np.int64) for column in zip(*columns, strict=True))
    return Items(
        lists=tuple(lists),
        tokens=np.concatenate(pieces),
        starts=np.r_[0, np.cumsum(np.concatenate(lengths))],
        dense=np.concatenate(dense),
        lists_of=of,
        rows=rows,
        places=places,
        ids=ids,
        items=counts,
        ignored=ignored,
    )


def _batches(items: Iterator[tuple[int, str, list[str]]]) -> Iterator[list[tuple[int, str, int, str]]]:
    """Row, id, number and text of parts, some megabytes at a time."""
    batch: list[tuple[int, str, int, str]] = []
    size = 0
    for row, name, texts in items:
        batch += [(row, name, place, text) for place, text in enumerate(texts)]
        size += sum(map(len, texts))
        if size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _hashes(texts: list[str]) -> tuple[Hashes, Integers, NDArray[np.bool_]]:
    _, offsets, data = pa.array(texts, pa.large_string()).buffers()
    places = np.frombuffer(offsets, np.int64)[: len(texts) + 1]
    hashes, starts, alone = _tokens(np.frombuffer(data or b"", np.uint8), places)
    return hashes, starts, alone * 2 > np.diff(starts)


@tokens.compiled
def _tokens(data: Bytes, offsets: Integers) -> tuple[Hashes, Integers, Integers]:
    """Token hashes of texts, where each text's begin, and how many of them are a single character."""
    hashes = np.empty(data.size // 2 + offsets.size + tokens.ROOM, np.uint64)
    starts = np.zeros(offsets.size, np.int64)
    alone = np.zeros(offsets.size - 1, np.int64)
    space = tokens.scratch()
    have = 0
    for text in range(offsets.size - 1):
        at, end = offsets[text], offsets[text + 1]
        while at < end:
            base = at
            at, have, _ = tokens.read_tokens(data, at, end, hashes, have, tokens.STEP, space)
            low, _, edges, _ = space
            token = 0
            while edges[0, token] < at - base:
                alone[text] += tokens.stands_alone(low, edges[0, token])
                token += 1
        starts[text + 1] = have
    return hashes[:have].copy(), starts, alone
