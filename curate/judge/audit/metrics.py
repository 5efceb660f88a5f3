"""How far numbers agree with labels, with intervals that know that answers to one prompt are not independent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Floats = np.ndarray
RESAMPLES = 400
LEVELS = 5


class Interval(NamedTuple):
    """A value with its 95 % interval over resampled prompts; None = it cannot be told."""

    value: float | None
    low: float | None = None
    high: float | None = None


def pair_accuracy(left: Floats, right: Floats, preference: Floats) -> Floats:
    """By decided pair 1 where the numbers prefer the same answer, ½ where they are equal, else 0; nan for ties."""
    ours = np.where(left > right, 1.0, np.where(left < right, 0.0, 0.5))
    agreed = np.where(ours == 0.5, 0.5, (ours == preference).astype(float))
    return np.where(preference == 0.5, np.nan, agreed)


def spearman(one: Floats, other: Floats) -> float:
    """Rank correlation; nan where either is constant."""
    from scipy.stats import rankdata

    if len(one) < 3:
        return float("nan")
    first, second = rankdata(one), rankdata(other)
    if first.std() == 0 or second.std() == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def quadratic_kappa(one: Floats, other: Floats) -> float:
    """Cohen's kappa with quadratic weights (Cohen 1968) over levels 0 to `LEVELS` - 1."""
    matrix = np.zeros((LEVELS, LEVELS))
    np.add.at(matrix, (one.astype(int), other.astype(int)), 1)
    weights = (np.arange(LEVELS)[:, None] - np.arange(LEVELS)[None, :]) ** 2
    chance = np.outer(matrix.sum(1), matrix.sum(0)) / matrix.sum()
    expected = float((weights * chance).sum())
    return float("nan") if expected == 0 else 1 - float((weights * matrix).sum()) / expected


def auc(number: Floats, positive: Floats) -> float:
    """Chance that a positive has the greater number, ties half; nan without both kinds."""
    from scipy.stats import rankdata

    count = int(positive.sum())
    others = len(positive) - count
    if not count or not others:
        return float("nan")
    return float((rankdata(number)[positive].sum() - count * (count + 1) / 2) / (count * others))


def within(number: Floats, clusters: Sequence[str]) -> Floats:
    """Numbers less the mean of their prompt."""
    _, inverse = np.unique(np.asarray(clusters), return_inverse=True)
    means = np.bincount(inverse, weights=number) / np.bincount(inverse)
    return number - means[inverse]


def levels(number: Floats, lowest: float, highest: float) -> Floats:
    """Numbers on `LEVELS` equal steps."""
    span = max(highest - lowest, 1e-12)
    return np.clip(np.round((number - lowest) / span * (LEVELS - 1)), 0, LEVELS - 1)


def interval(statistic: Callable[[Floats], float], clusters: Sequence[str], seed: int) -> Interval:
    """A statistic of rows, with its percentile interval over prompts drawn with replacement.

    Args:
        statistic: Of the indices of rows.
        clusters: The prompt of each row.
        seed: Of the draws.
    """
    rows = np.arange(len(clusters))
    value = statistic(rows) if len(rows) else float("nan")
    if not np.isfinite(value):
        return Interval(None)
    _, inverse = np.unique(np.asarray(clusters), return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    if len(members) < 2:
        return Interval(float(value))
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        chosen = random.integers(0, len(members), len(members))
        drawn.append(statistic(np.concatenate([members[i] for i in chosen])))
    finite = np.asarray([one for one in drawn if np.isfinite(one)])
    if not len(finite):
        return Interval(float(value))
    return Interval(float(value), float(np.quantile(finite, 0.025)), float(np.quantile(finite, 0.975)))
