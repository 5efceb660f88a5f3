"""What an export decides: its plan, settled by what the workspace holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from curate import reward
from curate.corrections import store
from curate.errors import WorkspaceError
from curate.export.shape import Shape
from curate.judge import LOCAL_NOTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from curate.console import Talk
    from curate.export.plan import Plan
    from curate.reward import Weights
    from curate.rules import RuleSet
    from curate.workspace import Workspace


@dataclass(frozen=True)
class Policy:
    """How conversations are chosen, conditioned and weighted.

    Attributes:
        tables: The tables beside `conversations` that take part.
        weighting: coarse, judge, mixed or local; `auto` is settled by now.
        judge: Who gave the rewards; None = there are none.
        dropping: Cleaning rules that drop a conversation.
        masking: Cleaning rules whose responses weigh 0.
        keeping: Cleaning rules that change nothing.
        shape: What was asked of weights and mixture.
        tokens: Counts the tokens of responses; None = they are estimated.
        limits: Greatest seeded hash of a conversation that stays, by capped source.
        factors: `factor` of the mixture by `cell_class`, `cell_task`, `cell_source` and `cell_language`.
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
    contaminated: str
    dropping: tuple[str, ...]
    masking: tuple[str, ...]
    keeping: tuple[str, ...]
    shape: Shape = field(default_factory=Shape)
    tokens: Callable[[list[str]], list[int]] | None = field(default=None, compare=False)
    limits: dict[str, int] = field(default_factory=dict)
    factors: pl.DataFrame | None = field(default=None, compare=False)

    @property
    def note(self) -> str | None:
        """What a reader of the weights must know of the judge."""
        return LOCAL_NOTE if self.judge == reward.LOCAL_JUDGE else None

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
            "note": self.note,
            "beta": self.beta if rewarded or self.beta != reward.DEFAULT_BETA else None,
            "mix": self.mix if self.weighting == "mixed" else None,
            "fallback": None if self.weighting == "coarse" else self.fallback,
            "unlabelled": self.unlabelled,
            "contaminated": self.contaminated if "contamination" in self.tables else None,
            "drop_flagged": list(self.dropping),
            "mask_flagged": list(self.masking),
            "keep_flagged": list(self.keeping),
            "weight_rules": {rule.name: rule.verdict for rule in self.weights.rules},
            "shape": asdict(self.shape),
        }


def settle(workspace: Workspace, plan: Plan, talk: Talk) -> Policy:
    """The policy for a workspace.

    Raises:
        CurateError: The weighting does not suit the scores.
        WorkspaceError: A table is only partly there, or scores of several judges are mixed.
    """
    tables = _tables(workspace, talk)
    judge = _judge(workspace) if "scores" in tables else None
    chosen = reward.choose_weighting(plan.weighting, judge)
    if plan.beta is not None and chosen not in ("judge", "mixed"):
        talk.warn(f"beta has no effect: the weighting is `{chosen}`")
    if chosen == "coarse" and "corrections" in tables and (idle := store.current(workspace)["reward"].count()):
        talk.warn(f"{idle:,} corrected scores have no effect: the weighting is `coarse`")
    flags = plan.flags if "flags" in tables or plan.flags_given else {}
    return Policy(
        tables=tables,
        conditions=plan.conditions,
        weights=plan.weights,
        weighting=chosen,
        judge=judge,
        beta=reward.DEFAULT_BETA if plan.beta is None or chosen not in ("judge", "mixed") else plan.beta,
        mix=plan.mix,
        fallback=plan.fallback,
        unlabelled=plan.unlabelled,
        contaminated=plan.contaminated,
        dropping=tuple(name for name, verdict in flags.items() if verdict == "drop"),
        masking=tuple(name for name, verdict in flags.items() if verdict == "mask"),
        keeping=tuple(name for name, verdict in flags.items() if verdict == "keep"),
        shape=plan.shape,
        tokens=plan.encoder.count if plan.encoder and plan.shape.needs_tokens else None,
    )


def default_policy(workspace: Workspace) -> Policy:
    """As `curate export` without options decides; nothing is said or written.

    Raises:
        CurateError: It would refuse.
    """
    from tempfile import TemporaryDirectory

    from curate.console import Silent
    from curate.export.plan import check

    with TemporaryDirectory() as nowhere:
        return settle(workspace, check(workspace.path, nowhere), Silent())


def _tables(workspace: Workspace, talk: Talk) -> tuple[str, ...]:
    """The finished tables; a half-finished one is an error, but scores may stop at a budget."""
    without = {
        "flags": "nothing is dropped for dirt; `curate clean` finds it",
        "duplicates": "duplicates are kept; `curate dedup` finds them",
        "repeats": None,
        "contamination": "items of benchmarks are kept, although `curate decontaminate` ran: run it again"
        if "decontaminate" in workspace.manifest.get("stages", {})
        else None,
        "labels": "every response is of unknown class; `curate label` labels them",
        "tasks": None,
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
        if table in ("duplicates", "repeats"):
            workspace.require_one_run(table)
        found.append(table)
    return (*found, "corrections") if workspace.shards("corrections") else tuple(found)


def _judge(workspace: Workspace) -> str | None:
    """Who gave the rewards; those of different judges are on different scales.

    One judge may have graded by several rubrics, each for its tasks: all of them end at 0 and 1.
    """
    rewarded = workspace.scan("scores").filter(pl.col("reward").is_not_null())
    judges = rewarded.select("judge").unique().collect(engine="streaming").sort("judge")["judge"].to_list()
    if len(judges) > 1:
        raise WorkspaceError(
            f"the scores are by more than one judge: {', '.join(f'`{judge}`' for judge in judges)}",
            where=workspace.path / "scores",
            hint="run `curate score` with one judge, or export with --weighting coarse from a workspace without scores",
        )
    return str(judges[0]) if judges else None
