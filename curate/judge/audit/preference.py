"""On pairs: whether a judge prefers a side, or whoever it is akin to, more often than the labels do.

Only pairs that both of them decide count: who gives the same number to both answers prefers nobody.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from curate.judge.audit import metrics
from curate.judge.audit.metrics import Interval

if TYPE_CHECKING:
    from curate.judge.audit.shapes import LabelledSet

LEAST_PAIRS = 10


def first(found: LabelledSet, rewards: np.ndarray) -> Interval:
    """Share of pairs in which the judge prefers the answer that stands first, less the labels' share."""
    left, _, wanted, ours = _pairs(found, rewards)
    prompts = [found.clusters[row] for row in left]
    return metrics.interval(lambda rows: float(np.mean(ours[rows] - wanted[rows])), prompts, 0)


def sources(found: LabelledSet, rewards: np.ndarray) -> dict[str, Interval]:
    """By who wrote an answer: share of its pairs that it wins by the judge, less its share by the labels.

    Only pairs of two different writers count, and writers with `LEAST_PAIRS` of them.
    """
    left, right, wanted, ours = _pairs(found, rewards)
    gaps: dict[str, list[tuple[float, str]]] = {}
    for one, other, label, judged in zip(left, right, wanted, ours, strict=True):
        writers = found.sources[one], found.sources[other]
        if None in writers or writers[0] == writers[1]:
            continue
        for writer, gap in zip(writers, (judged - label, label - judged), strict=True):
            gaps.setdefault(str(writer), []).append((float(gap), found.clusters[one]))
    enough = {writer: pairs for writer, pairs in sorted(gaps.items()) if len(pairs) >= LEAST_PAIRS}
    return {writer: _mean(pairs) for writer, pairs in enough.items()}


def akin(judge: str, writer: str) -> bool:
    """Whether two models are of one family, by the first word of their names: `gpt-6-luna` and `gpt4_turbo`."""
    return family(judge) == family(writer) != ""


def family(model: str) -> str:
    """The first word of a model's name: letters, in lower case."""
    found = re.match(r"[a-z]+", model.rpartition("/")[2].lower())
    return found[0] if found else ""


def _mean(pairs: list[tuple[float, str]]) -> Interval:
    numbers = np.asarray([gap for gap, _ in pairs])
    return metrics.interval(lambda rows: float(numbers[rows].mean()), [prompt for _, prompt in pairs], 0)


def _pairs(found: LabelledSet, rewards: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the pairs that both decide: indices of both answers, and whether labels and judge prefer the first, 1 or 0."""
    if not found.pairs:
        empty = np.empty(0)
        return empty.astype(int), empty.astype(int), empty, empty
    left, right, wanted = (np.asarray(part) for part in zip(*found.pairs, strict=True))
    scored = np.isfinite(rewards[left]) & np.isfinite(rewards[right])
    decided = scored & (wanted != 0.5) & (rewards[left] != rewards[right])
    left, right, wanted = left[decided], right[decided], wanted[decided]
    return left, right, wanted, (rewards[left] > rewards[right]).astype(float)
