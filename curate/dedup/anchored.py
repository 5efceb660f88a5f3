"""Greedy removal over two kinds of vectors: cheap ones propose, dear ones decide; memory stays bounded.

Texts come in the order in which they deserve to stay, one block after another. A block is compared with
what was kept before it, then with itself, so no list of all pairs exists: a crowd of a million likenesses
costs no more than the few of them that stay. A text goes only for a kept one that truly is similar.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Rows = NDArray[np.int64]
    Pairs = tuple[Rows, Rows, Vectors]  # a text, a better one and their cosine

BLOCK = 1024  # texts compared at once
TILE = 8192  # kept texts they are compared with at once
# Of the kept texts that are near enough, so many are asked whether they agree: the closest. More of them come up
# only where a crowd looks alike and does not agree.
CLOSEST = 32
_NONE: Pairs = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


@dataclass
class Found:
    """What the pass found.

    Attributes:
        by: Per text, the kept better text closest to it; -1 = it stays.
        cosine: To that text; nan = it stays.
        proposed: Pairs whose cheap vectors are near enough.
        verified: Pairs among them whose cosine of dear vectors is high enough.
        limited: Texts with more such pairs than `CLOSEST`, none of the closest of which agreed.
    """

    by: Rows
    cosine: Vectors
    proposed: int = 0
    verified: int = 0
    limited: int = 0


def search(
    rough: Vectors,
    exact: Callable[[Rows], Vectors],
    groups: Rows,
    *,
    likely: float,
    threshold: float,
    agree: Callable[[int, int], bool],
    advance: Callable[[int], None],
) -> Found:
    """Find for each text the closest of the kept texts before it that is similar and agrees.

    Args:
        rough: A cheap vector of length 1 per text. Texts of one group stand together, the better ones first.
        exact: Given texts, their dear vectors, of length 1; asked only for those that a proposed pair needs.
        groups: Rising; texts of different groups are never similar.
        likely: Cosine of cheap vectors from which on a pair is verified.
        threshold: Cosine of dear vectors from which on two texts are similar.
        agree: Whether two such texts may replace each other.
        advance: Told how many texts are done.
    """
    count = len(rough)
    found = Found(np.full(count, -1, np.int64), np.full(count, np.nan, np.float32))
    kept = np.ones(count, bool)
    for first in range(0, count, BLOCK):
        block = np.arange(first, min(first + BLOCK, count))
        # Groups stand together, so only the first one of a block can have begun before it.
        continued = block[groups[block] == groups[first]]
        begun = int(np.searchsorted(groups, groups[first]))
        earlier = begun + np.flatnonzero(kept[begun:first])
        tiles = [(continued, earlier[start : start + TILE]) for start in range(0, len(earlier), TILE)]
        pairs = _NONE
        for rows, others in tiles:
            mask = rough[rows] @ rough[others].T >= likely
            # All of these stay, so no more than the closest are ever asked.
            pairs = _closest(_joined(pairs, _verified(found, mask, rows, others, exact, threshold)))
        mask = rough[block] @ rough[block].T >= likely
        mask &= (block[:, None] > block) & (groups[block][:, None] == groups[block])
        _decide(found, kept, _joined(pairs, _verified(found, mask, block, block, exact, threshold)), agree)
        advance(len(block))
    return found


def _verified(
    found: Found,
    mask: NDArray[np.bool_],
    rows: Rows,
    others: Rows,
    exact: Callable[[Rows], Vectors],
    threshold: float,
) -> Pairs:
    """Those of the proposed pairs that are similar enough."""
    row, column = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(row):
        return _NONE
    # All in one go: a model likes big batches.
    wanted = np.union1d(rows[row], others[column])
    vectors = exact(wanted)
    left, right = np.searchsorted(wanted, rows[row]), np.searchsorted(wanted, others[column])
    # The last digits of a matrix product depend on its shape; a result must not.
    cosine = (vectors[left] @ vectors[right].T).round(4)
    proposed = mask[np.ix_(row, column)]
    near, far = np.nonzero((cosine >= threshold) & proposed)
    found.proposed += int(proposed.sum())
    found.verified += len(near)
    return rows[row][near], others[column][far], cosine[near, far]


def _joined(left: Pairs, right: Pairs) -> Pairs:
    """Both, by row and then the closest first, of equally close ones the better."""
    row, other = np.concatenate([left[0], right[0]]), np.concatenate([left[1], right[1]])
    cosine = np.concatenate([left[2], right[2]])
    order = np.lexsort([other, -cosine, row])
    return row[order], other[order], cosine[order]


def _closest(pairs: Pairs) -> Pairs:
    """Of each row one pair more than will be asked, so that the cut shows."""
    row, other, cosine = pairs
    chosen = np.arange(len(row)) - np.searchsorted(row, row) <= CLOSEST
    return row[chosen], other[chosen], cosine[chosen]


def _decide(found: Found, kept: NDArray[np.bool_], pairs: Pairs, agree: Callable[[int, int], bool]) -> None:
    """Take the rows of a block in order; the other row of each pair is decided by then."""
    rows, others, cosines = pairs
    names, starts = np.unique(rows, return_index=True)
    for row, (start, end) in zip(names.tolist(), pairwise([*starts.tolist(), len(rows)]), strict=True):
        stay = start + np.flatnonzero(kept[others[start:end]])
        for place in stay[:CLOSEST]:
            if agree(row, int(others[place])):
                kept[row], found.by[row], found.cosine[row] = False, others[place], cosines[place]
                break
        else:
            found.limited += len(stay) > CLOSEST
