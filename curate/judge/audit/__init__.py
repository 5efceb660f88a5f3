"""`curate judges audit`: how far a judge can be trusted, on sets that somebody else labelled.

Every figure stands beside three baselines that know nothing: the length of the answer, a constant, and chance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.judge.audit import metrics, null, preference
from curate.judge.audit.judged import judge as judge_all
from curate.judge.audit.metrics import Interval
from curate.judge.audit.null import Null
from curate.judge.audit.shapes import LabelledSet, read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BAD = 0.25  # of the labels' scale; at or below, an answer is a bad one
TOP = 0.99  # of the reward; at or above, the judge's scale is used up
LEVEL = 0.25  # of the reward
NONE = Interval(None)
FORMATTING = ("**", "\n- ", "\n* ", "\n#", "\n1.", "```", "|")


@dataclass(frozen=True)
class Agreement:
    """How far one set of numbers agrees with the labels; None = the set cannot tell.

    Attributes:
        pairs: Share of decided pairs in which the same answer is preferred, equal numbers half.
        spearman: Rank correlation with the scores.
        kappa: Quadratic kappa on five levels.
        exact: Share on the same of five levels.
        within_one: Share at most one level off.
        bad: AUC for answers that the labels call bad.
    """

    pairs: Interval
    spearman: Interval
    kappa: float | None = None
    exact: float | None = None
    within_one: float | None = None
    bad: Interval = NONE


@dataclass(frozen=True)
class Bias:
    """What moves a judge besides the quality; correlations within prompts, beside those of the labels.

    Attributes:
        length: Of the reward with the length of the answer.
        length_labels: Of the labels with it, for comparison; None = pairs only.
        formatting: Of the reward with marks of formatting.
        formatting_labels: Of the labels with them.
        sources: Mean reward less mean label (both as ranks, 0 to 1) by who wrote the answers: the gap that a
            preference for one's own kind would show.
        first: Of the pairs that judge and labels decide, the share in which the judge prefers the answer that stands
            first, less the labels' share.
        preferred: Of the same pairs, by who wrote an answer, the share that it wins by the judge, less that by the
            labels.
        akin: Those of the writers that are of the judge's own family, by name.
    """

    length: float | None
    length_labels: float | None
    formatting: float | None
    formatting_labels: float | None
    sources: dict[str, float] = field(default_factory=dict)
    first: Interval = NONE
    preferred: dict[str, Interval] = field(default_factory=dict)
    akin: tuple[str, ...] = ()


@dataclass(frozen=True)
class SetAudit:
    """What an audit found on one set.

    Attributes:
        gain: Pair accuracy less that of length; of a set without pairs, Spearman less that of length.
        beats_length: Whether the whole interval of the gain is above 0.
        saturated: Share of the scored answers with the top reward.
        retest: Mean standard deviation over repeats; None = there was one answer each.
        unstable: Share of answers whose repeats differ by a level or more; None likewise.
        samples: Mean number of readable answers per scored response.
        null: What constant answers that say nothing get in this set, by kind.
    """

    name: str
    answers: int
    prompts: int
    pairs: int
    skipped: dict[str, int]
    unscored: float
    judge: Agreement
    baselines: dict[str, Agreement]
    gain: Interval
    beats_length: bool
    bias: Bias
    saturated: float | None
    retest: float | None
    unstable: float | None
    samples: float | None = None
    null: dict[str, Null] = field(default_factory=dict)


@dataclass(frozen=True)
class Audit:
    """What `curate judges audit` found.

    Attributes:
        note: What a reader of the figures must know.
    """

    judge: str
    rubric: str
    sets: list[SetAudit]
    note: str


def audit(
    paths: Sequence[str | Path], workspace: str | Path = "judge-audit", *, seed: int = 0, **options: Any
) -> Audit:
    """Judge labelled sets and compare.

    Args:
        paths: Labelled sets, see `curate.judge.audit.shapes`.
        workspace: Where answers and judgements are kept; not the workspace of a data set.
        seed: Of the resampling and of the random baseline.
        **options: Arguments of `curate.score`: `judge`, `base_url`, `rubric`, `repeats` …

    Raises:
        InputError: A set cannot be read.
        CurateError: What `curate.score` raises.
    """
    from curate.judge import LOCAL_NOTE

    sets = [read(path) for path in paths]
    nulls = [null.asked(one, seed) for one in sets]
    judged = judge_all([*sets, *nulls], workspace, options)
    begin, parts = 0, []
    for one in (*sets, *nulls):
        rows = slice(begin, begin + len(one.turns))
        parts.append((judged.rewards[rows], judged.spreads[rows], judged.samples[rows]))
        begin += len(one.turns)
    found = [
        _audit(one, *part, seed, judged.judge, null.of(constant, answers, part[0]))
        for one, part, constant, (answers, *_) in zip(sets, parts, nulls, parts[len(sets) :], strict=False)
    ]
    note = LOCAL_NOTE if judged.judge == "local" else "each answer is judged by itself and sees no other"
    return Audit(judged.judge, judged.rubric, found, note)


def _audit(
    found: LabelledSet,
    rewards: np.ndarray,
    spreads: np.ndarray,
    samples: np.ndarray,
    seed: int,
    judge: str,
    constant: dict[str, Null],
) -> SetAudit:
    lengths = np.asarray([float(len(turns[-1][1])) for turns in found.turns])
    marks = np.asarray([float(sum(turns[-1][1].count(mark) for mark in FORMATTING)) for turns in found.turns])
    labels = np.asarray([np.nan if label is None else label for label in found.labels])
    chance = np.random.default_rng(seed).random(len(rewards))
    scored = np.isfinite(rewards)
    # The baselines speak of the same answers, so that nobody wins by leaving out the hard ones.
    agreement = {
        name: _agreement(found, np.where(scored, numbers, np.nan), labels, seed, scale)
        for name, numbers, scale in (
            ("judge", rewards, (0.0, 1.0)),
            ("length", lengths, (float(lengths.min()), float(lengths.max()))),
            ("constant", np.zeros(len(rewards)), (0.0, 1.0)),
            ("random", chance, (0.0, 1.0)),
        )
    }
    gain = _gain(found, rewards, lengths, labels, seed)
    spread = spreads[np.isfinite(spreads)]
    return SetAudit(
        found.name,
        len(rewards),
        len(set(found.clusters)),
        len(found.pairs),
        dict(found.skipped),
        float(1 - scored.mean()),
        agreement.pop("judge"),
        agreement,
        gain,
        gain.low is not None and gain.low > 0,
        _bias(found, rewards, lengths, marks, labels, judge),
        float((rewards[scored] >= TOP).mean()) if scored.any() else None,
        float(spread.mean()) if len(spread) else None,
        float((spread >= LEVEL / 2).mean()) if len(spread) else None,
        float(samples[scored].mean()) if scored.any() else None,
        constant,
    )


def _agreement(
    found: LabelledSet, numbers: np.ndarray, labels: np.ndarray, seed: int, scale: tuple[float, float]
) -> Agreement:
    agreed, clusters = _agreed(found, numbers)
    pairs = metrics.interval(lambda rows: float(np.mean(agreed[rows])), clusters, seed)
    both = np.flatnonzero(np.isfinite(numbers) & np.isfinite(labels))
    if not len(both):
        return Agreement(pairs, NONE)
    ours, theirs = numbers[both], labels[both]
    prompts = [found.clusters[row] for row in both]
    lowest, highest = float(np.nanmin(labels)), float(np.nanmax(labels))
    bad = (theirs - lowest) <= BAD * (highest - lowest)
    one, other = metrics.levels(ours, *scale), metrics.levels(theirs, lowest, highest)
    kappa = metrics.quadratic_kappa(one, other)
    return Agreement(
        pairs,
        metrics.interval(lambda rows: metrics.spearman(ours[rows], theirs[rows]), prompts, seed),
        kappa if np.isfinite(kappa) else None,
        float((one == other).mean()),
        float((np.abs(one - other) <= 1).mean()),
        metrics.interval(lambda rows: metrics.auc(-ours[rows], bad[rows]), prompts, seed),
    )


def _agreed(found: LabelledSet, numbers: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """By decided pair of which both answers have a number: agreement, and the prompt."""
    if not found.pairs:
        return np.empty(0), []
    left, right, preference = (np.asarray(part) for part in zip(*found.pairs, strict=True))
    agreed = metrics.pair_accuracy(numbers[left], numbers[right], preference)
    usable = np.flatnonzero(np.isfinite(agreed) & np.isfinite(numbers[left]) & np.isfinite(numbers[right]))
    return agreed[usable], [found.clusters[left[row]] for row in usable]


def _gain(
    found: LabelledSet, rewards: np.ndarray, lengths: np.ndarray, labels: np.ndarray, seed: int
) -> Interval:
    lengths = np.where(np.isfinite(rewards), lengths, np.nan)
    if found.pairs:
        ours, clusters = _agreed(found, rewards)
        theirs, _ = _agreed(found, lengths)
        return metrics.interval(lambda rows: float(np.mean(ours[rows] - theirs[rows])), clusters, seed)
    both = np.flatnonzero(np.isfinite(rewards) & np.isfinite(labels))
    numbers, long, wanted = rewards[both], lengths[both], labels[both]

    def better(rows: np.ndarray) -> float:
        return metrics.spearman(numbers[rows], wanted[rows]) - metrics.spearman(long[rows], wanted[rows])

    return metrics.interval(better, [found.clusters[row] for row in both], seed)


def _bias(
    found: LabelledSet,
    rewards: np.ndarray,
    lengths: np.ndarray,
    marks: np.ndarray,
    labels: np.ndarray,
    judge: str,
) -> Bias:
    from scipy.stats import rankdata

    def partial(numbers: np.ndarray, other: np.ndarray) -> float | None:
        known = np.flatnonzero(np.isfinite(numbers))
        prompts = [found.clusters[row] for row in known]
        if not len(known):
            return None
        value = metrics.spearman(metrics.within(numbers[known], prompts), metrics.within(other[known], prompts))
        return value if np.isfinite(value) else None

    sources: dict[str, float] = {}
    both = np.flatnonzero(np.isfinite(rewards) & np.isfinite(labels))
    if len(both):
        gaps = (rankdata(rewards[both]) - rankdata(labels[both])) / len(both)
        named: dict[str, list[float]] = {}
        for row, gap in zip(both, gaps, strict=True):
            named.setdefault(found.sources[row] or "unknown", []).append(float(gap))
        sources = {name: float(np.mean(values)) for name, values in sorted(named.items())}
    preferred = preference.sources(found, rewards)
    return Bias(
        partial(rewards, np.log1p(lengths)),
        partial(labels, np.log1p(lengths)),
        partial(rewards, marks),
        partial(labels, marks),
        sources,
        preference.first(found, rewards),
        preferred,
        tuple(writer for writer in preferred if preference.akin(judge, writer)),
    )
