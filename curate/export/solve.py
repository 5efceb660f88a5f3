"""β solved for what a user can picture: a ratio, a class's share of the loss mass, an effective sample size."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curate.errors import CurateError
from curate.export.mix import survey
from curate.export.weights import bounds, raw
from curate.reward import DEFAULT_BETA, effective_sample_size

if TYPE_CHECKING:
    from curate.console import Talk
    from curate.export.policy import Policy
    from curate.export.shape import Goal
    from curate.workspace import Workspace

# Below the least, exp(-1/β) leaves float32; above the most, all weights are the same to three digits.
LEAST, MOST = 0.0125, 1000.0
_STEPS = 160
# Rewards are told apart this finely, so that memory is bounded whatever the judge's scale.
_REWARDS = 1 << 14


def solve(ws: Workspace, policy: Policy, talk: Talk) -> Policy:
    """The policy with the β at which its goal holds, of several the one nearest to the default.

    Raises:
        CurateError: No β reaches the goal, or β changes nothing.
    """
    goal = policy.shape.goal
    if goal is None:
        return policy
    if policy.weighting == "local":
        raise CurateError(
            "the weights of the local judge have no β to solve for: they are class weight × (1 - severity)",
            hint="use --weighting coarse, or score with `curate score --judge MODEL`",
        )
    groups = _groups(ws, policy)
    if not groups.height:
        raise CurateError("there is no response to solve β for", where=ws.path, hint="see `curate export --dry-run`")
    if goal.class_ is not None and goal.class_ not in groups["class"].to_list():
        known = ", ".join(f"`{name}`" for name in sorted(set(groups["class"])))
        raise CurateError(f"no trained response is of the class `{goal.class_}`", hint=f"there are {known}")
    beta = root(groups, policy, goal)
    talk.say(f"beta {beta:.6g} gives {goal.what} {measure(groups, replace(policy, beta=beta), goal):.6g}")
    return replace(policy, beta=beta)


def _groups(ws: Workspace, policy: Policy) -> pl.DataFrame:
    """Trained responses by what decides their weight: `n`, and `size`, their tokens, or n where each counts once."""
    parts = []
    size = pl.lit(1.0) if policy.shape.per == "response" else pl.col("size")
    for index in ws.shards("conversations"):
        trained = survey(ws, index, policy).with_columns(
            pl.col("class").fill_null("unknown"),
            reward=(pl.col("reward").cast(pl.Float64) * _REWARDS).round() / _REWARDS,
        )
        parts.append(trained.group_by("class", "base", "reward").agg(n=pl.len(), size=size.sum()))
    by = ["class", "base", "reward"]
    return pl.concat(parts).group_by(by).agg(pl.col("n", "size").sum()).sort(by)


def measure(groups: pl.DataFrame, policy: Policy, goal: Goal) -> float:
    """What the goal speaks of, at the policy's β."""
    weight = bounds(policy).bounded(raw(pl.col("reward"), policy))
    found = groups.with_columns(weight=weight).filter(pl.col("weight") > 0)
    weights, n, size = (found[name].to_numpy().astype(np.float64) for name in ("weight", "n", "size"))
    if not len(weights):
        return math.nan
    if goal.what == "ratio":
        return float(weights.max() / weights.min())
    if goal.what == "share":
        mass = weights * size
        return float(mass[(found["class"] == goal.class_).to_numpy()].sum() / mass.sum())
    return effective_sample_size(float((weights * n).sum()), float((weights**2 * n).sum())) / float(n.sum())


def root(groups: pl.DataFrame, policy: Policy, goal: Goal) -> float:
    """The β nearest to the default at which `measure` is the goal's value.

    Raises:
        CurateError: There is none.
    """

    def off(log_beta: float) -> float:
        return measure(groups, replace(policy, beta=math.exp(log_beta)), goal) - goal.value

    grid = np.linspace(math.log(LEAST), math.log(MOST), _STEPS).tolist()
    near = math.log(DEFAULT_BETA)
    grid = sorted([*grid, near])
    values = [off(place) for place in grid]
    if abs(off(near)) <= 1e-9 * max(1.0, goal.value):
        return DEFAULT_BETA
    crossings = [place for place, (low, high) in enumerate(pairwise(values)) if low * high <= 0]
    if not crossings:
        low, high = min(values) + goal.value, max(values) + goal.value
        name = f"{goal.what} of `{goal.class_}`" if goal.class_ else goal.what
        raise CurateError(
            f"no beta gives the {name} {goal.value:g}: with `{policy.weighting}` weights it goes from "
            f"{low:.4g} to {high:.4g}",
            hint="ask for one between, or change class weights, floor and ceiling",
        )
    place = min(crossings, key=lambda at: abs(grid[at] - near))
    low, high = grid[place], grid[place + 1]
    rising = values[place + 1] > values[place]
    for _ in range(60):
        middle = (low + high) / 2
        if (off(middle) > 0) == rising:
            high = middle
        else:
            low = middle
    return math.exp((low + high) / 2)
