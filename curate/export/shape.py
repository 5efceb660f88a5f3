"""What a user asks of weights, mixture and split, read from their short forms."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from curate.errors import CurateError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

# By what a mixture is told; all but the class are of the conversation.
DIMENSIONS = ("class", "task", "source", "language")
# What carries a target share: weights, or a seeded choice among the conversations.
MIXTURES = ("weight", "sample")
# What one weight is for: each token of a response (OpenChat's default), or all of them together.
PER = ("token", "response")
ROUNDING = ("none", "bf16")
GOALS = ("ratio", "share", "ess")


@dataclass(frozen=True)
class Goal:
    """What β is solved for.

    Attributes:
        what: `ratio` of the greatest to the least weight, `share` of a class in the loss mass, or `ess`, the
            effective sample size as a share of the responses.
        value: Above 1 for a ratio, else between 0 and 1.
        class_: Whose share.
    """

    what: str
    value: float
    class_: str | None = None


@dataclass(frozen=True)
class Shape:
    """All of it, checked.

    Attributes:
        goal: Set when β is solved for.
        floor: Least weight above zero; None = as the weights file says.
        ceiling: Greatest weight; None = as the weights file says.
        per: One of `PER`.
        rounding: One of `ROUNDING`.
        only: The classes to train; empty = all.
        shares: Target share of the loss mass, by dimension and value.
        mixture: One of `MIXTURES`.
        cap: Most conversations of any source.
        caps: Most conversations of a source.
        validation: Share of the conversations that are held out.
        seed: Of the cap, the sample and the split.
    """

    goal: Goal | None = None
    floor: float | None = None
    ceiling: float | None = None
    per: str = "token"
    rounding: str = "none"
    only: tuple[str, ...] = ()
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    mixture: str = "weight"
    cap: int | None = None
    caps: dict[str, int] = field(default_factory=dict)
    validation: float = 0.0
    seed: int = 0

    @property
    def needs_tokens(self) -> bool:
        """Whether anything is decided by how long responses are."""
        by_mass = self.goal is not None and self.goal.what == "share"
        return self.per == "response" or bool(self.shares) or by_mass


def read(
    *,
    solve: str | None,
    floor: float | None,
    ceiling: float | None,
    per: str,
    rounding: str,
    only: Sequence[str],
    shares: Sequence[str],
    mixture: str,
    caps: Sequence[str],
    validation: float,
    seed: int,
) -> Shape:
    """The options of `export`, checked.

    Raises:
        CurateError: One that cannot be.
    """
    for option, value, known in (("per", per, PER), ("rounding", rounding, ROUNDING), ("mixture", mixture, MIXTURES)):
        if value not in known:
            raise CurateError(f"unknown {option} `{value}`", hint=did_you_mean(value, known))
    for option, bound in (("floor", floor), ("ceiling", ceiling)):
        if bound is not None and not (math.isfinite(bound) and 0 < bound <= 1e6):
            raise CurateError(f"`{option}` is {bound}, it must be above 0", hint="--floor 0.01 --ceiling 1")
    if floor is not None and ceiling is not None and floor > ceiling:
        raise CurateError("`floor` is above `ceiling`", hint="change one of them")
    if not 0 <= validation < 1:
        raise CurateError(f"`validation` is {validation}, it is a share from 0 to below 1", hint="--validation 0.02")
    cap, named = _caps(caps)
    return Shape(
        goal=None if solve is None else _goal(solve),
        floor=floor,
        ceiling=ceiling,
        per=per,
        rounding=rounding,
        only=tuple(dict.fromkeys(only)),
        shares=_shares(shares),
        mixture=mixture,
        cap=cap,
        caps=named,
        validation=validation,
        seed=seed,
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _goal(text: str) -> Goal:
    hint = "--solve ratio=10, --solve share:gpt-4=0.6 or --solve ess=0.5"
    what, _, number = text.rpartition("=")
    value = _number(number)
    what, colon, class_ = what.partition(":")
    if what not in GOALS or bool(class_) != (what == "share") or (colon and not class_):
        raise CurateError(f"`--solve {text}` names nothing to solve for", hint=hint)
    fits = 1 < value <= 1e6 if what == "ratio" else 0 < value < 1
    if not fits:
        raise CurateError(f"`--solve {text}`: {number!r} cannot be a {what}", hint=hint)
    return Goal(what, value, class_ or None)


def _shares(texts: Sequence[str]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        dimension, _, value = name.partition(":")
        if dimension not in DIMENSIONS or not value:
            known = ", ".join(f"`{name}`" for name in DIMENSIONS)
            raise CurateError(f"`--share {text}` is not OF:VALUE=SHARE", hint=f"--share task:maths=0.3; OF is {known}")
        share = _number(number)
        if not 0 <= share <= 1:
            raise CurateError(f"`--share {text}`: {number!r} is not a share from 0 to 1", hint="--share task:maths=0.3")
        if value in found.setdefault(dimension, {}):
            raise CurateError(f"`--share` names `{dimension}:{value}` twice", hint="keep the right one")
        found[dimension][value] = share
    for dimension, shares in found.items():
        if sum(shares.values()) > 1 + 1e-9:
            what = f"the shares by {dimension} sum to {sum(shares.values()):g}, above 1"
            raise CurateError(what, hint="let them sum to 1 or less")
    return found


def _caps(texts: Sequence[str]) -> tuple[int | None, dict[str, int]]:
    cap, named = None, {}
    for text in texts:
        source, _, number = str(text).rpartition("=")
        if not (number.isascii() and number.isdigit() and int(number) > 0):
            raise CurateError(f"`--cap {text}` is not a number above 0", hint="--cap 5000, or --cap SOURCE=5000")
        if (source in named) if source else cap is not None:
            raise CurateError(f"`--cap {text}`: there is another cap for the same", hint="keep the right one")
        if source:
            named[source] = int(number)
        else:
            cap = int(number)
    return cap, named
