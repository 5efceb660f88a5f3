"""Mid-rank percentiles: where a reward stands among those of the same judge, rubric and task.

A judge that gives 4 of 4 to two thirds of the answers has no fine scale; ranks have one, and need no labels. They
are never taken across judges: two judges' ranks mean the same only over the same responses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

LEAST = 20  # rewards; a rank among fewer says nothing


class Ranks:
    """Sorted rewards by group."""

    def __init__(self, rewards: Mapping[Any, Sequence[float]]) -> None:
        self._sorted = {group: np.sort(np.asarray(values)) for group, values in rewards.items()}

    def of(self, group: Hashable, reward: float | None) -> float | None:
        """(rewards below + half of the equal ones) / all, 0 to 1; None = no reward, or too few to rank among."""
        values = self._sorted.get(group)
        if reward is None or values is None or len(values) < LEAST:
            return None
        below, up_to = np.searchsorted(values, reward, "left"), np.searchsorted(values, reward, "right")
        return float(below + up_to) / (2 * len(values))


