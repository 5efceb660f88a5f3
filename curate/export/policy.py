"""What an export decides: everything it was told, checked against the workspace before any work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from curate import reward, rules
from curate.errors import CurateError, WorkspaceError, did_you_mean
from curate.export import conditions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.console import Talk
    from curate.reward import Weights
    from curate.rules import RuleSet
    from curate.workspace import Workspace

# What to do with a response without a class: train on it under its own condition, drop its
# conversation, or train nothing on it.
UNLABELLED = ("keep", "drop", "mask")
# What to do with a response without a reward, where rewards count: weigh it by its class alone,
# drop its conversation, or train nothing on it.
FALLBACKS = ("coarse", "drop", "mask")


@dataclass(frozen=True)
class Policy:
    """How conversations are chosen, conditioned and weighted.

    Attributes:
        tables: The tables beside `conversations` that take part.
        weighting: coarse, judge, mixed or local; `auto` is settled by now.
        judge: Who gave the rewards; None = there are none.
        dropping: Cleaning rules that drop a conversation.
        keeping: Cleaning rules that do not.
    """

    tables: tuple[str, ...]
    conditions: RuleSet
    weights: Weights
    weighting: str
    judge: str | None
    beta: float
    mix: float
    fallback: str
    unlabelled: str
    dropping: tuple[str, ...]
    keeping: tuple[str, ...]

    @property
    def options(self) -> dict[str, object]:
        """The policy as plain values: for the manifest, the card and the fingerprint."""
        rewarded = self.weighting in ("judge", "mixed")
        return {
            "tables": list(self.tables),
            "conditions": {rule.name: rule.verdict for rule in self.conditions.rules},
            "conditions_fingerprint": self.conditions.fingerprint,
            "class_weights": {**self.weights.classes, "unknown": self.weights.unknown},
            "weights_fingerprint": self.weights.fingerprint,
            "weighting": self.weighting,
            "judge": self.judge,
            "beta": self.beta if rewarded else None,
            "mix": self.mix if self.weighting == "mixed" else None,
            "fallback": None if self.weighting == "coarse" else self.fallback,
            "unlabelled": self.unlabelled,
            "drop_flagged": list(self.dropping),
            "keep_flagged": list(self.keeping),
        }


def settle(
    workspace: Workspace,
    *,
    weighting: str,
    beta: float | None,
    mix: float,
    fallback: str,
    unlabelled: str,
    conditions_file: str,
    weights_file: str,
    clean_file: str,
    keep_flagged: Sequence[str],
    drop_flagged: Sequence[str],
    talk: Talk,
) -> Policy:
    """The policy for a workspace.

    Raises:
        CurateError: An option is unknown, out of range, or does not suit the scores.
        RuleError: A rule or weights file has mistakes.
        WorkspaceError: A table is only partly there, or scores of several judges are mixed.
    """
    for option, value, known in (("unlabelled", unlabelled, UNLABELLED), ("fallback", fallback, FALLBACKS)):
        if value not in known:
            raise CurateError(f"unknown `{option}` policy `{value}`", hint=did_you_mean(value, known))
    if beta is not None and not (math.isfinite(beta) and beta > 0):
        raise CurateError(f"`beta` is {beta}, it must be above 0", hint="0.434 spans 10:1 between best and worst")
    if not 0 <= mix <= 1:
        raise CurateError(f"`mix` is {mix}, it must be between 0 (rewards only) and 1 (classes only)")
    tables = _tables(workspace, talk)
    judge = _judge(workspace) if "scores" in tables else None
    chosen = reward.choose_weighting(weighting, judge)
    if beta is not None and chosen not in ("judge", "mixed"):
        talk.warn(f"beta has no effect: the weighting is `{chosen}`")
    dropping: tuple[str, ...] = ()
    keeping: tuple[str, ...] = ()
    if "flags" in tables or keep_flagged or drop_flagged:
        dropping, keeping = _flag_policy(clean_file, keep_flagged, drop_flagged)
    return Policy(
        tables=tables,
        conditions=conditions.load(conditions_file),
        weights=reward.read_weights(weights_file),
        weighting=chosen,
        judge=judge,
        beta=reward.DEFAULT_BETA if beta is None else beta,
        mix=mix,
        fallback=fallback,
        unlabelled=unlabelled,
        dropping=dropping,
        keeping=keeping,
    )


def _tables(workspace: Workspace, talk: Talk) -> tuple[str, ...]:
    """The finished tables; a half-finished one is an error, but scores may stop at a budget."""
    without = {
        "flags": "nothing is dropped for dirt; `curate clean` finds it",
        "duplicates": "duplicates are kept; `curate dedup` finds them",
        "labels": "every response is of unknown class; `curate label` labels them",
        "scores": None,
    }
    found = []
    everything = len(workspace.shards("conversations"))
    for table, consequence in without.items():
        there = len(workspace.shards(table))
        if not there:
            if consequence:
                talk.warn(f"the workspace has no `{table}`: {consequence}")
            continue
        if not workspace.has(table):
            lack = f"the table `{table}` has {there} of {everything} shards"
            if table != "scores":
                raise WorkspaceError(lack, where=workspace.path, hint="run its stage again: it makes the missing ones")
            talk.warn(f"{lack}: responses of the others have no reward")
        found.append(table)
    return tuple(found)


def _judge(workspace: Workspace) -> str | None:
    """Who gave the rewards; rewards of different judges or rubrics are on different scales."""
    rewarded = workspace.scan("scores").filter(pl.col("reward").is_not_null())
    judges = rewarded.select("judge", "rubric").unique().collect(engine="streaming").sort("judge", "rubric").rows()
    if len(judges) > 1:
        names = ", ".join(f"`{judge}` with `{rubric}`" for judge, rubric in judges)
        raise WorkspaceError(
            f"the scores are by more than one judge: {names}",
            where=workspace.path / "scores",
            hint="run `curate score` with one judge and one rubric, or export with --weighting coarse from a "
            "workspace without scores",
        )
    return str(judges[0][0]) if judges else None


def _flag_policy(
    clean_file: str, keep_flagged: Sequence[str], drop_flagged: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    verdicts = {rule.name: str(rule.verdict) for rule in rules.load(clean_file, "clean", check_cases=False).rules}
    for name in (*keep_flagged, *drop_flagged):
        if name not in verdicts:
            raise CurateError(f"no cleaning rule `{name}`", where=clean_file, hint=did_you_mean(name, verdicts))
    if both := set(keep_flagged) & set(drop_flagged):
        raise CurateError(f"`{min(both)}` is to be kept and dropped at once", hint="name it once")
    verdicts |= dict.fromkeys(keep_flagged, "keep") | dict.fromkeys(drop_flagged, "drop")
    dropping = tuple(name for name, verdict in verdicts.items() if verdict == "drop")
    return dropping, tuple(name for name in verdicts if name not in dropping)
