"""Other sets that a text may duplicate: their copy always stays, whatever the policy says.

A set is another workspace (its signatures are read, and the text of candidates only), an index that
`curate dedup --index` wrote, or a shared index in Redis.
"""

from __future__ import annotations

from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from curate.dedup import prefix
from curate.dedup.kinds import EXACT, KEPT, NEAR, PREFIX
from curate.dedup.minhash import jaccard
from curate.dedup.near import CANDIDATE_LIMIT, FEWEST_SHINGLES
from curate.dedup.second_pass import read_again
from curate.dedup.tokens import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

    from numpy.typing import NDArray

    from curate.dedup.corpus import Corpus
    from curate.dedup.second_pass import ShingleSets
    from curate.dedup.tokens import Hashes, Integers
    from curate.workspace import Workspace

PAIRS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Query:
    """The texts that are looked up in another set.

    Attributes:
        ws: Their workspace.
        unit: One of `texts.UNITS`.
        corpus: All texts of the workspace.
        rows: Those that are looked up: the best of every group of equal ones, ascending.
        long: Those of them that say enough to be compared by similarity.
        values: Signature values per band.
        threshold: Jaccard similarity from which on two texts are duplicates.
    """

    ws: Workspace
    unit: str
    corpus: Corpus
    rows: NDArray[np.int64]
    long: NDArray[np.int64]
    values: int
    threshold: float


@dataclass
class Elsewhere:
    """What other sets have, per row of the corpus.

    Attributes:
        names: The sets.
        sets: Which one has the text, as an index of `names`; -1 = none.
        kinds: `KEPT`, `EXACT`, `PREFIX` or `NEAR`.
        similarities: To the text there.
        keys: Its conversation.
        turns: The response that it is; -1 = not a single response.
        limited: Whether it was not compared with all candidates.
    """

    names: tuple[str, ...]
    sets: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    similarities: NDArray[np.float32]
    keys: NDArray[np.uint64]
    turns: NDArray[np.int32]
    limited: NDArray[np.bool_]

    @property
    def has(self) -> NDArray[np.bool_]:
        """The rows that another set has."""
        return self.sets >= 0


class Reference(Protocol):
    """Another set."""

    @property
    def name(self) -> str:
        """As messages and tables call it; without a password."""
        ...

    def stamp(self) -> object:
        """Changes when what it holds changes."""
        ...

    def look_up(self, query: Query) -> Matches:
        """What this set has of the texts."""
        ...


@dataclass(frozen=True)
class Matches:
    """Rows that another set has, each once, as `Elsewhere` has them; and rows that are `limited`."""

    rows: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    similarities: NDArray[np.float32]
    keys: NDArray[np.uint64]
    turns: NDArray[np.int32]
    limited: NDArray[np.int64]


def search(query: Query, references: Sequence[Reference]) -> Elsewhere:
    """Look texts up in other sets; of several that have a text the first is named."""
    size = len(query.corpus.keys)
    if not references:
        return nothing(size)
    found = Elsewhere(
        tuple(reference.name for reference in references),
        np.full(size, -1, np.int64),
        np.full(size, KEPT, np.uint8),
        np.ones(size, np.float32),
        np.zeros(size, np.uint64),
        np.full(size, -1, np.int32),
        np.zeros(size, np.bool_),
    )
    for number, reference in enumerate(references):
        matches = reference.look_up(query)
        new = matches.rows[found.sets[matches.rows] < 0]
        own = np.isin(matches.rows, new)
        found.sets[new], found.kinds[new] = number, matches.kinds[own]
        found.similarities[new] = matches.similarities[own]
        found.keys[new], found.turns[new] = matches.keys[own], matches.turns[own]
        found.limited[matches.limited] = True
    return found


def nothing(size: int) -> Elsewhere:
    """What no other set has of so many texts: one value for all, in no memory to speak of."""
    values = (np.int64(-1), np.uint8(KEPT), np.float32(1), np.uint64(0), np.int32(-1), np.bool_(False))
    arrays: list[Any] = [np.broadcast_to(value, size) for value in values]
    return Elsewhere((), *arrays)


class Candidates(Protocol):
    """The sets of some texts of another set."""

    def __call__(self, file: IO[bytes], rows: NDArray[np.int64]) -> ShingleSets:
        """Those of `rows`, ascending, by way of a temporary file."""
        ...


def look_up(query: Query, other: Corpus, others: NDArray[np.int64], sets: Candidates) -> Matches:
    """What a set whose signatures we have holds of some texts.

    Args:
        query: The texts.
        other: The other set.
        others: Its texts that count, ascending.
        sets: Gives their shingles.
    """
    corpus = query.corpus
    exact = _equal(corpus.hashes()[query.rows], other.hashes()[others])
    found: dict[int, tuple[NDArray[np.int64], NDArray[np.int64], Any]] = {}
    found[EXACT] = query.rows[exact >= 0], others[exact[exact >= 0]], 1.0
    left = np.setdiff1d(query.long, found[EXACT][0], assume_unique=True)
    others = others[other.tokens[others] > 0]
    begun = prefix.starting_with(corpus, left, other, others)
    rows, first = np.unique(begun.short[begun.known], return_index=True)
    found[PREFIX] = rows, begun.long[begun.known][first], 1.0
    left = np.setdiff1d(left, rows, assume_unique=True)
    candidates, limited = _sharing_a_band(corpus, left, other, others)
    with TemporaryFile(dir=query.ws.path) as own_file, TemporaryFile(dir=query.ws.path) as other_file:
        own_rows, other_rows = np.unique(candidates[:, 0]), np.unique(candidates[:, 1])
        own_sets, _ = read_again(query.ws, query.unit, own_file, corpus, own_rows)
        other_sets = sets(other_file, other_rows)
        best, similarities = _most_similar(
            np.searchsorted(own_rows, candidates[:, 0]), np.searchsorted(other_rows, candidates[:, 1]),
            own_sets.hashes, own_sets.starts, other_sets.hashes, other_sets.starts, query.threshold,
        )  # fmt: skip
    similar = best >= 0
    found[NEAR] = own_rows[similar], other_rows[best[similar]], similarities[similar].astype(np.float32)
    rows, there = (np.concatenate([found[kind][part] for kind in found]) for part in (0, 1))
    return Matches(
        rows,
        np.concatenate([np.full(len(found[kind][0]), kind, np.uint8) for kind in found]),
        np.concatenate([np.broadcast_to(np.float32(found[kind][2]), len(found[kind][0])) for kind in found]),
        other.keys[there],
        other.turns[there],
        limited,
    )


def _equal(own: NDArray[np.uint64], theirs: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each hash of two numbers, the first place among the others with the same; -1 = none."""
    pairs = np.dtype([("high", np.uint64), ("low", np.uint64)])
    left, right = (np.ascontiguousarray(hashes).view(pairs).ravel() for hashes in (own, theirs))
    found = np.full(len(left), -1, np.int64)
    values, first = np.unique(right, return_index=True)
    _, inner, outer = np.intersect1d(left, values, return_indices=True)
    found[inner] = first[outer]
    return found


def _sharing_a_band(
    corpus: Corpus, rows: NDArray[np.int64], other: Corpus, others: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of a text and another set's that share a band, ascending; and texts with more than are compared."""
    pairs, crowded = np.empty((0, 3), np.int64), np.zeros(len(rows), np.bool_)
    for own_keys, other_keys in zip(corpus.band_keys(), other.band_keys(), strict=True):
        own_keys, other_keys = own_keys[rows], other_keys[others]
        order = np.argsort(other_keys)
        low = np.searchsorted(other_keys[order], own_keys)
        all_sizes = np.searchsorted(other_keys[order], own_keys, side="right") - low
        sizes = np.minimum(all_sizes, CANDIDATE_LIMIT)
        crowded |= all_sizes > CANDIDATE_LIMIT
        places = np.repeat(low - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
        found = np.c_[np.repeat(rows, sizes), others[order[places]], np.ones(len(places), np.int64)]
        pairs = np.concatenate([pairs, found])
        if len(pairs) > PAIRS_AT_ONCE:
            pairs = _summed(pairs)
    pairs = _summed(pairs)
    # The pairs of each text that share the most bands.
    pairs = pairs[np.lexsort([pairs[:, 1], -pairs[:, 2], pairs[:, 0]])]
    starts = np.flatnonzero(np.r_[True, pairs[1:, 0] != pairs[:-1, 0]]) if len(pairs) else np.empty(0, np.int64)
    sizes = np.diff(np.r_[starts, len(pairs)])
    place = np.arange(len(pairs)) - np.repeat(starts, sizes)
    limited = np.union1d(rows[crowded], pairs[starts[sizes > CANDIDATE_LIMIT], 0])
    return pairs[place < CANDIDATE_LIMIT, :2], limited


def _summed(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each pair once, with the sum of its bands."""
    order = np.lexsort([pairs[:, 1], pairs[:, 0]])
    pairs = pairs[order]
    new = np.r_[True, (pairs[1:, :2] != pairs[:-1, :2]).any(axis=1)] if len(pairs) else np.empty(0, np.bool_)
    starts = np.flatnonzero(new)
    shares = np.add.reduceat(pairs[:, 2], starts) if len(starts) else starts
    summed: NDArray[np.int64] = np.c_[pairs[starts, :2], shares]
    return summed


@compiled
def _most_similar(
    left: Integers,
    right: Integers,
    left_hashes: Hashes,
    left_starts: Integers,
    right_hashes: Hashes,
    right_starts: Integers,
    threshold: float,
) -> tuple[Integers, NDArray[np.float64]]:
    """For each set on the left, the most similar one on the right among the pairs (-1 = none is), and how similar."""
    best = np.full(left_starts.size - 1, -1, np.int64)
    similarities = np.zeros(best.size, np.float64)
    for i in range(left.size):
        own = left_hashes[left_starts[left[i]] : left_starts[left[i] + 1]]
        other = right_hashes[right_starts[right[i]] : right_starts[right[i] + 1]]
        if min(own.size, other.size) < FEWEST_SHINGLES:
            continue
        similarity = jaccard(own, other, threshold)
        if similarity >= threshold and similarity > similarities[left[i]]:
            best[left[i]], similarities[left[i]] = right[i], similarity
    return best, similarities
