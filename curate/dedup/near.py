"""The search itself: every candidate verified, every removal justified by a text that stays.

Texts come in the order in which they deserve to stay. Each is compared with the kept ones that contain
it, and with those that share a band with it; if one of them truly is similar enough, the newcomer goes,
else it stays. So no chain of small steps removes a text that resembles nothing kept, as connected
components do: of 24,561 rows they removed, 12 % were below the threshold to the row they were removed for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from curate.dedup.kinds import NEAR, PREFIX
from curate.dedup.minhash import jaccard
from curate.dedup.tokens import compiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from curate.dedup.buckets import Buckets, Numbers
    from curate.dedup.prefix import Pairs
    from curate.dedup.second_pass import ShingleSets
    from curate.dedup.tokens import Hashes, Integers

# Fewer different shingles than this say too little: such a text is a duplicate only when it is equal.
FEWEST_SHINGLES = 16
# Kept texts that one bucket remembers, and candidates that one text is compared with: without them a
# million texts from one template would be compared each with each.
BUCKET_LIMIT = 256
CANDIDATE_LIMIT = 128
# Texts after which the pages of their sets leave memory.
STRETCH = 128


@dataclass(frozen=True)
class Found:
    """What the search found, per row.

    Attributes:
        by: The kept row that it duplicates; -1 = it stays.
        kinds: `KEPT`, `PREFIX` or `NEAR`.
        similarities: True Jaccard similarity to that row; 1 where that row contains it.
        links: Pairs of a removed row and a kept one that is similar enough, the keeper among them (pairs x 2).
        verified: Pairs whose true similarity was computed.
        limited: Per row, whether its candidates were cut to the limits: a duplicate of its may stay.
    """

    by: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    similarities: NDArray[np.float32]
    links: NDArray[np.int64]
    verified: int
    limited: NDArray[np.bool_]


def search(
    buckets: Buckets,
    sets: ShingleSets,
    pairs: Pairs,
    rank: NDArray[np.int64],
    stays: NDArray[np.bool_],
    threshold: float,
    advance: Callable[[int], None],
) -> Found:
    """Remove what truly resembles something better, or is contained in something that stays.

    Args:
        buckets: The rows that share a band with another.
        sets: The shingle set of each of them.
        pairs: Who contains whom.
        rank: Per row of the corpus, its place among those that deserve to stay; 0 = first.
        stays: Per row, whether it may not be removed.
        threshold: Jaccard similarity from which on two texts are duplicates.
        advance: Told the number of rows that are done.
    """
    by = np.full(len(rank), -1, np.int64)
    kinds = np.zeros(len(rank), np.uint8)
    similarities = np.ones(len(rank), np.float32)
    rows = np.union1d(buckets.rows, pairs.short)
    rows = rows[np.argsort(rank[rows])]
    # Where in `buckets.rows` each row is, -1 = nowhere; and who contains it.
    places = np.full(len(rank), -1, np.int64)
    places[buckets.rows] = np.arange(len(buckets.rows))
    places = places[rows]
    better = rank[pairs.long] < rank[pairs.short]
    short, long = pairs.short[better], pairs.long[better]
    longer = np.searchsorted(short, rows), np.searchsorted(short, rows, side="right")
    standing = rank[buckets.rows]
    # Kept rows by bucket, as linked lists; a place that was seen for a row is stamped with it.
    heads = np.full(buckets.count, -1, buckets.numbers.dtype)
    fill = np.zeros(buckets.count, np.int32)
    following, members = np.empty_like(buckets.numbers), np.empty_like(buckets.numbers)
    stamps, shares = np.full(len(buckets.rows), -1, np.int64), np.zeros(len(buckets.rows), np.int64)
    links, counts, limited = [np.empty((0, 2), np.int64)], np.zeros(2, np.int64), np.zeros(len(rank), np.bool_)
    limited[pairs.limited] = True
    for first in range(0, len(rows), STRETCH):
        some = slice(first, first + STRETCH)
        links.append(
            _search(
                rows[some], places[some], longer[0][some], longer[1][some], long,
                buckets.rows, buckets.starts, buckets.numbers, standing, sets.hashes, sets.starts,
                heads, fill, following, members, stamps, shares,
                stays, threshold, BUCKET_LIMIT, CANDIDATE_LIMIT, by, kinds, similarities, counts, limited,
            )
        )  # fmt: skip
        sets.forget()
        advance(len(rows[some]))
    return Found(by, kinds, similarities, np.concatenate(links), int(counts[1]), limited)


@compiled
def _search(
    rows: Integers,
    places: Integers,
    longer_from: Integers,
    longer_to: Integers,
    longer: Integers,
    bucket_rows: Integers,
    bucket_starts: Integers,
    bucket_numbers: Numbers,
    standing: Integers,
    hashes: Hashes,
    set_starts: Integers,
    heads: Numbers,
    fill: NDArray[np.int32],
    following: Numbers,
    members: Numbers,
    stamps: Integers,
    shares: Integers,
    stays: NDArray[np.bool_],
    threshold: float,
    bucket_limit: int,
    candidate_limit: int,
    by: Integers,
    kinds: NDArray[np.uint8],
    similarities: NDArray[np.float32],
    counts: Integers,
    limited: NDArray[np.bool_],
) -> Integers:
    """Decide a stretch of rows, best first; `heads` to `limited` carry over to the next stretch.

    `counts` are the entries of the linked lists and the pairs verified. Places are
    positions in `bucket_rows`; `standing` is the rank of each.
    """
    links, linked = np.empty((rows.size * candidate_limit, 2), np.int64), 0
    candidates, chances = np.empty(bucket_rows.size, np.int64), np.empty(bucket_rows.size, np.int64)
    for i in range(rows.size):
        row, place = rows[i], places[i]
        if not stays[row]:
            for at in range(longer_from[i], longer_to[i]):
                if by[longer[at]] < 0:
                    by[row], kinds[row] = longer[at], PREFIX
                    links[linked, 0], links[linked, 1] = row, longer[at]
                    linked += 1
                    break
        if by[row] >= 0 or place < 0:
            continue
        size = set_starts[place + 1] - set_starts[place]
        if size < FEWEST_SHINGLES:
            continue
        own = hashes[set_starts[place] : set_starts[place + 1]]
        found = 0
        for at in range(bucket_starts[place], bucket_starts[place + 1]):
            entry = heads[bucket_numbers[at]]
            while entry >= 0:
                other = members[entry]
                if stamps[other] != place:
                    stamps[other], shares[other] = place, 0
                    other_size = set_starts[other + 1] - set_starts[other]
                    # The smaller set within the larger is the best case.
                    if min(size, other_size) / max(size, other_size) >= threshold:
                        candidates[found] = other
                        found += 1
                shares[other] += 1
                entry = following[entry]
        if found > candidate_limit:
            limited[row] = True
            # Those that share the most bands, of them those that deserve to stay the most.
            for k in range(found):
                chances[k] = standing[candidates[k]] - (shares[candidates[k]] << 40)
            order, found = np.argsort(chances[:found])[:candidate_limit], candidate_limit
            for k in range(found):
                chances[k] = candidates[order[k]]
            candidates, chances = chances, candidates
        best, best_similarity = np.int64(-1), 0.0
        if not stays[row]:
            for k in range(found):
                other = candidates[k]
                similarity = jaccard(own, hashes[set_starts[other] : set_starts[other + 1]], threshold)
                if similarity < threshold:
                    continue
                links[linked, 0], links[linked, 1] = row, bucket_rows[other]
                linked += 1
                tie = similarity == best_similarity and standing[other] < standing[best]
                if similarity > best_similarity or tie:
                    best, best_similarity = other, similarity
            counts[1] += found
        if best >= 0:
            by[row], kinds[row], similarities[row] = bucket_rows[best], NEAR, best_similarity
        else:
            for at in range(bucket_starts[place], bucket_starts[place + 1]):
                bucket = bucket_numbers[at]
                if fill[bucket] >= bucket_limit:
                    limited[row] = True
                    continue
                members[counts[0]], following[counts[0]] = place, heads[bucket]
                heads[bucket] = counts[0]
                counts[0] += 1
                fill[bucket] += 1
    return links[:linked].copy()
