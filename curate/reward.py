"""From class and reward to the weight of a response in the loss.

C-RLFT (Wang et al., OpenChat, arXiv 2309.11235) maximises the mean of exp(r/β)·log π(y | x, c): weighted
cross-entropy Σ w·CE / Σ w with w = exp(r/β). A constant factor cancels, so the best reward is 1 and
weighs 1 here: w = exp((r − 1)/β).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError, RuleError, did_you_mean
from curate.rules import Rule, RuleSet, locate, read_blocks, read_toml
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

WEIGHTINGS = ("auto", "coarse", "judge", "mixed", "local")
LOCAL_JUDGE = "local"
# Far within float32; only ratios matter, so nobody needs more.
MOST = 1e6


@dataclass(frozen=True)
class Weights:
    """What a class weighs, and the bounds of every weight above zero.

    Attributes:
        classes: Weight by class, 0 to `MOST`.
        unknown: Weight of a response without a class.
        floor: Least weight above zero.
        ceiling: Greatest weight; null = unbounded.
        rules: What weighs something else than its class; the first that fires wins.
    """

    path: Path
    classes: dict[str, float]
    unknown: float
    floor: float = 0.0
    ceiling: float | None = None
    rules: tuple[Rule, ...] = ()

    @property
    def rule_set(self) -> RuleSet:
        """The rules as those of any other file; there may be none."""
        return RuleSet("weights", self.path, self.rules)

    @property
    def fingerprint(self) -> str:
        """Changes when a weight may change."""
        return fingerprint(self.classes, self.unknown, self.floor, self.ceiling, self.rule_set.fingerprint)

    def of_class(self, name: pl.Expr) -> pl.Expr:
        """Weight by class: null where the file does not name the class."""
        import polars as pl

        known = name.replace_strict(self.classes, default=None, return_dtype=pl.Float64)
        return pl.when(name.is_null()).then(self.unknown).otherwise(known)

    def bounded(self, weight: pl.Expr) -> pl.Expr:
        """Weights above zero brought between floor and ceiling; zero stays zero."""
        import polars as pl

        return pl.when(weight <= 0).then(0.0).otherwise(weight.clip(self.floor, self.ceiling))


def read_weights(name: str) -> Weights:
    """The class weights of a file.

    Raises:
        RuleError: With every mistake of the file.
    """
    path = locate(name)
    value = read_toml(path, "weights")
    known = {"schema", "kind", "unknown", "floor", "ceiling", "classes", "rule"}
    mistakes = [f"unknown key `{key}`; {did_you_mean(key, known)}" for key in value if key not in known]
    classes = value.get("classes")
    if not isinstance(classes, dict) or not classes:
        mistakes.append("[classes] is missing: it gives each class its weight")
        classes = {}
    numbers = {f"classes.{key}": weight for key, weight in classes.items()}
    numbers |= {key: value[key] for key in ("unknown", "floor", "ceiling") if key in value}
    mistakes += [f"`{key}` is not a number from 0 to {MOST:,.0f}" for key, value in numbers.items() if not _fits(value)]
    blocks = value.get("rule", [])
    if not isinstance(blocks, list):
        mistakes.append("`rule` is not a list of tables; each begins with [[rule]]")
        blocks = []
    wrong, found = read_blocks(blocks, "weights")
    mistakes += wrong
    mistakes += [
        f"rule `{r.name}`: `weight` is not a number from 0 to {MOST:,.0f}" for r in found if not _fits(r.verdict)
    ]
    if not mistakes and value.get("floor", 0) > value.get("ceiling", math.inf):
        mistakes.append("`floor` is above `ceiling`")
    if mistakes:
        count = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "a mistake"
        raise RuleError(f"the weights file has {count}:\n" + "\n".join(f"  - {m}" for m in mistakes), where=path)
    weights = {key: float(weight) for key, weight in classes.items()}
    ceiling = value.get("ceiling")
    return Weights(
        path,
        weights,
        unknown=float(value.get("unknown", min(weights.values()))),
        floor=float(value.get("floor", 0.0)),
        ceiling=None if ceiling is None else float(ceiling),
        rules=tuple(found),
    )


def beta_for_ratio(ratio: float) -> float:
    """The β at which the best reward (1) weighs `ratio` times the worst (0): β = 1/ln ratio.

    The published weights 1.0 and 0.1 are the ratio 10.
    """
    return 1 / math.log(ratio)


DEFAULT_BETA = beta_for_ratio(10)


def class_reward(weight: float, beta: float = DEFAULT_BETA) -> float:
    """The coarse reward behind a class weight, r = 1 + β·ln w: 1 for weight 1, −∞ for weight 0."""
    return 1 + beta * math.log(weight) if weight > 0 else -math.inf


def judge_weight(reward: pl.Expr, beta: float = DEFAULT_BETA) -> pl.Expr:
    """W = exp((r − 1)/β): 1 for the best reward, null where the reward is null."""
    return ((reward - 1) / beta).exp()


def mixed_weight(class_weight: pl.Expr, reward: pl.Expr, beta: float = DEFAULT_BETA, mix: float = 0.5) -> pl.Expr:
    """The weight of the mixed reward r = λ·r_class + (1 − λ)·r_judge.

    Put into exp((r − 1)/β) this is the geometric mean w_class^λ · w_judge^(1−λ), which also holds for a
    class of weight 0, whose reward is −∞.
    """
    return class_weight.pow(mix) * judge_weight(reward, beta).pow(1 - mix)


def local_weight(class_weight: pl.Expr, reward: pl.Expr) -> pl.Expr:
    """W = w_class·r: the local judge finds defects only (r = 1 − severity), so it never raises a weight."""
    return class_weight * reward


def response_weight(class_weight: pl.Expr, reward: pl.Expr, weighting: str, beta: float, mix: float) -> pl.Expr:
    """The weight by one of the `WEIGHTINGS` but `auto`; the class weight where the reward is null."""
    weights = {
        "coarse": class_weight,
        "judge": judge_weight(reward, beta),
        "mixed": mixed_weight(class_weight, reward, beta, mix),
        "local": local_weight(class_weight, reward),
    }
    return weights[weighting].fill_null(class_weight)


def choose_weighting(weighting: str, judge: str | None) -> str:
    """What `auto` means for these scores, and whether a given weighting suits them.

    Args:
        weighting: One of `WEIGHTINGS`.
        judge: Who gave the rewards; None = there are none.

    Raises:
        CurateError: Unknown weighting, or one that does not suit the judge.
    """
    if weighting not in WEIGHTINGS:
        raise CurateError(f"unknown weighting `{weighting}`", hint=did_you_mean(weighting, WEIGHTINGS))
    if weighting == "auto":
        return "coarse" if judge is None else "local" if judge == LOCAL_JUDGE else "mixed"
    if weighting != "coarse" and judge is None:
        raise CurateError(
            f"the weighting `{weighting}` needs rewards, and the workspace has none",
            hint="run `curate score` first, or use --weighting coarse",
        )
    if weighting in ("judge", "mixed") and judge == LOCAL_JUDGE:
        raise CurateError(
            f"the weighting `{weighting}` needs the rewards of a model; these are of the local judge, which finds "
            "defects and cannot tell a good answer from a plain one",
            hint="use --weighting local, or score with `curate score --judge openai/MODEL`",
        )
    if weighting == "local" and judge != LOCAL_JUDGE:
        raise CurateError(
            f"the weighting `local` is for the local judge; these rewards are by `{judge}`",
            hint="use --weighting mixed or --weighting judge",
        )
    return weighting


def effective_sample_size(total: float, squares: float) -> float:
    """How many equally weighted responses carry as much: (Σw)²/Σw² (Kish 1965); 0 for none."""
    return total * total / squares if squares > 0 else 0.0


def _fits(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST
