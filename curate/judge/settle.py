"""Asking again only where it is doubtful: more answers until the mean of a response's rewards is known well enough.

The interval is 1.96 s/√n. Two answers say little of their own spread, so the variance s² of a response is pooled with
that of all that were asked more than once, as if it had been seen once more.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from curate.judge.verdict import LEVEL

if TYPE_CHECKING:
    from collections.abc import Container

    from curate.judge.plan import Item
    from curate.judge.verdict import Verdict
    from curate.judge.writing import Scores

SIGMAS = 1.96
PILOT = 30  # responses that are asked twice before anything is known of the spread
BEFORE = (LEVEL / 2) ** 2  # variance, before there is a pilot


def half_width(found: Verdict, pooled: float) -> float:
    """Half the 95 % interval of the mean reward of one response.

    Args:
        found: Its verdict; with one answer, the probabilities of its levels tell the spread where there are any.
        pooled: Variance over repeats of all responses.
    """
    count = max(1, found.samples)
    if count == 1:
        own = pooled if found.doubt is None else (found.doubt * LEVEL) ** 2
        return SIGMAS * math.sqrt(own)
    own = (pooled + count * (found.spread or 0.0) ** 2) / count
    return SIGMAS * math.sqrt(own / count)


def unsettled(found: Scores, settle: float, most: int) -> dict[tuple[int, int], int]:
    """`key` and `turn` of the responses that need another answer, with how many they were asked for.

    Args:
        found: Of one judge, with all repeats that there may be.
        settle: The half-width that is small enough.
        most: Answers per response at most.
    """
    rows = [
        (item, one, _asked(item, found.places))
        for shard in found.plans[0].ws.shards("conversations")
        for item, one in found.of_shard(shard)
        if one.reward is not None
    ]
    several = [one for _, one, _ in rows if one.samples > 1]
    freedom = sum(one.samples - 1 for one in several)
    pooled = sum(one.samples * (one.spread or 0.0) ** 2 for one in several) / freedom if freedom else BEFORE
    wanting = {
        (item.key, item.turn): asked
        for item, one, asked in rows
        if asked < most and half_width(one, pooled) > settle
    }
    return wanting if freedom else _first(wanting)


def _asked(item: Item, places: Container[str]) -> int:
    return sum(i in places for i in item.ids)


def _first(wanting: dict[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    """A few, spread over all: what they show decides whether the others need more."""
    step = max(1, len(wanting) // PILOT)
    return {place: asked for number, (place, asked) in enumerate(wanting.items()) if number % step == 0}
