"""Figures of a sample: quantiles, a bootstrap interval of the mean, and how well a score tells two groups apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
# More conversations than this are put into as many groups, which are then drawn: of the variance, 1,000 are enough to
# know 96 % of the width of the interval.
CELLS = 1_000
DRAWS = 1_000


def quantiles(values: Values) -> tuple[float, ...] | None:
    """The `QUANTILES` of some values, by linear interpolation; None where there are none."""
    return tuple(float(value) for value in np.quantile(values, QUANTILES)) if len(values) else None


def mean_intervals(sums: Values, counts: Values) -> list[tuple[float, float] | None]:
    """95 % intervals of the means of groups, by the bootstrap over clusters (percentiles; Efron and Tibshirani 1993).

    The responses of one conversation are no independent draws, so whole conversations are drawn.

    Args:
        sums: Sum of the values by group and cluster, shape (groups, clusters).
        counts: How many values each is of, the same shape.

    Returns:
        Lower and upper end by group; None where fewer than two clusters have a value.
    """
    clusters = sums.shape[1]
    if clusters < 2:
        return [None] * len(sums)
    rng = np.random.default_rng(0)
    times = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=DRAWS).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (sums @ times.T) / (counts @ times.T)
    found: list[tuple[float, float] | None] = []
    for row, own in zip(means, counts, strict=True):
        if np.count_nonzero(own) < 2:
            found.append(None)
            continue
        low, high = np.nanquantile(row, (0.025, 0.975))
        found.append((float(low), float(high)))
    return found


def auc(values: Values, others: Values) -> float:
    """How often one of `values` is above one of `others`, a tie counting half: the area under the ROC curve.

    Mann and Whitney's U / (n·m) (1947). Both are sorted.
    """
    below = np.searchsorted(others, values, "left").sum(dtype=np.float64)
    not_above = np.searchsorted(others, values, "right").sum(dtype=np.float64)
    return float((below + not_above) / 2 / (len(values) * len(others)))
