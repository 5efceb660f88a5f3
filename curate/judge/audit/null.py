"""Answers that say nothing, put in the place of every real one: what a judge gives for them is given for nothing.

One constant text is ranked above the real models of AlpacaEval by GPT-4 (Zheng et al. 2024, arXiv 2410.07137). These
two are plain, without any word to the grader; for those see `curate judges attack`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curate.judge.audit.shapes import LabelledSet

MOST_PROMPTS = 40

ANSWERS = {
    "polite": "Thank you for your question! This is an interesting topic that can be looked at from several sides, and "
    "the best answer depends on the details. I hope this helps, and please let me know if you have other questions.",
    "polished": "## Overview\n\nHere is a complete, well-structured answer to your request.\n\n**Key points**\n\n"
    "1. **Context:** every relevant aspect has been considered with care.\n"
    "2. **Analysis:** the most important factors were weighed against each other.\n"
    "3. **Result:** the solution follows directly and fulfils all requirements.\n\n"
    "## Conclusion\n\nIn summary, all parts of the question are answered above, step by step and in full detail.",
}


@dataclass(frozen=True)
class Null:
    """What a judge gives for one constant answer to many prompts.

    Attributes:
        answers: Prompts that it was given to.
        unscored: Those of them without a reward.
        mean: Mean reward; None = all are unscored.
        beats: Share of the set's real answers with a lower reward, equal ones half; None likewise.
    """

    answers: int
    unscored: int
    mean: float | None
    beats: float | None


def asked(found: LabelledSet, seed: int) -> LabelledSet:
    """The constant answers to a sample of a set's prompts, one kind after the other."""
    first = {cluster: row for row, cluster in reversed(list(enumerate(found.clusters)))}
    rows = sorted(first.values())
    if len(rows) > MOST_PROMPTS:
        rows = sorted(np.random.default_rng(seed).choice(rows, MOST_PROMPTS, replace=False).tolist())
    nulls = LabelledSet(f"{found.name}, constant answers")
    for name, text in ANSWERS.items():
        for row in rows:
            nulls.add((*found.turns[row][:-1], ("assistant", text)), found.clusters[row], name)
    return nulls


def of(nulls: LabelledSet, rewards: np.ndarray, real: np.ndarray) -> dict[str, Null]:
    """By kind of constant answer, what it got.

    Args:
        nulls: As of `asked`.
        rewards: Of these answers; nan = unscored.
        real: Rewards of the set's own answers.
    """
    known = np.sort(real[np.isfinite(real)])
    return {name: _of(rewards[[source == name for source in nulls.sources]], known) for name in ANSWERS}


def _of(rewards: np.ndarray, real: np.ndarray) -> Null:
    scored = rewards[np.isfinite(rewards)]
    if not len(scored):
        return Null(len(rewards), len(rewards), None, None)
    beaten = (np.searchsorted(real, scored, "left") + np.searchsorted(real, scored, "right")) / 2
    beats = float(beaten.mean() / len(real)) if len(real) else None
    return Null(len(rewards), len(rewards) - len(scored), float(scored.mean()), beats)


