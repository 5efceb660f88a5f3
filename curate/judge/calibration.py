"""Rewards on the scale of labels: what `curate judges fit` learnt, and which column the weights use.

Isotonic regression (pool adjacent violators, Barlow et al. 1972): the best fit that never turns two rewards
round. It needs labels for responses that this judge scored; a curve of one judge says nothing about another.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from curate.errors import WorkspaceError
from curate.workspace import atomic, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.workspace import Workspace

FILE = "calibration.json"
LEAST = 200  # labels
USES = ("raw", "percentile", "calibrated")


@dataclass(frozen=True)
class Calibration:
    """What is known of one judge's scale.

    Attributes:
        judge: Whose rewards it is for.
        use: Which of `USES` the column `reward` takes.
        rewards: Ascending rewards of the curve's corners; empty = nothing was fitted.
        labels: Their labels, 0 to 1, never falling.
        count: Labels it was fitted on.
        error: Mean absolute error of labels that were held out.
        error_raw: That of the raw reward on the same.
    """

    judge: str
    use: str = "raw"
    rewards: tuple[float, ...] = ()
    labels: tuple[float, ...] = ()
    count: int = 0
    error: float | None = None
    error_raw: float | None = None

    @property
    def fingerprint(self) -> str:
        """Changes with what it makes of a reward."""
        return fingerprint(self.use, self.rewards, self.labels)

    def of(self, reward: float | None) -> float | None:
        """The reward on the scale of the labels, between the corners by straight lines."""
        if reward is None or not self.rewards:
            return None
        return float(np.interp(reward, self.rewards, self.labels))


def load(ws: Workspace, judge: str) -> Calibration | None:
    """What is known of a judge's scale in a workspace; None = nothing.

    Raises:
        WorkspaceError: The file is damaged.
    """
    path = ws.path / FILE
    if not path.exists():
        return None
    try:
        stored = json.loads(path.read_text("utf-8"))
        known = stored.get(judge)
        if known is None:
            return None
        return Calibration(**{**known, "rewards": tuple(known["rewards"]), "labels": tuple(known["labels"])})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        hint = "delete it and run `curate judges fit` again"
        raise WorkspaceError("the calibration is damaged", where=path, hint=hint) from error


def save(ws: Workspace, calibration: Calibration) -> None:
    """Keep what is known of a judge's scale beside that of others."""
    path = ws.path / FILE
    stored = json.loads(path.read_text("utf-8")) if path.exists() else {}
    with atomic(path) as temporary:
        value = {**stored, calibration.judge: asdict(calibration)}
        temporary.write_text(json.dumps(value, indent=2) + "\n", "utf-8")


def isotonic(rewards: Sequence[float], labels: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The corners of the never falling curve with the least squared error.

    Args:
        rewards: One per labelled response.
        labels: 0 to 1.
    """
    from scipy.optimize import isotonic_regression

    values, inverse, counts = np.unique(np.asarray(rewards), return_inverse=True, return_counts=True)
    means = np.bincount(inverse, weights=np.asarray(labels)) / counts
    fitted = isotonic_regression(means, weights=counts).x
    # The ends of every step are enough.
    keep = np.ones(len(values), bool)
    keep[1:-1] = (fitted[1:-1] != fitted[:-2]) | (fitted[1:-1] != fitted[2:])
    return tuple(map(float, values[keep])), tuple(map(float, fitted[keep]))
