"""The weight of each response of a shard: class or rule, reward, bounds, share of the mixture, length, rounding."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curate.reward import DEFAULT_BETA, response_weight
from curate.rules import evaluating

if TYPE_CHECKING:
    import numpy.typing as npt

    from curate.export.policy import Policy
    from curate.reward import Weights

# UTF-8 bytes per token where no tokenizer says: English near 4, and Chinese, at 3 bytes a character, still near.
BYTES_PER_TOKEN = 4
CELL = ("class", "task", "source", "language")


def weigh(responses: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Add what each response weighs.

    Args:
        responses: With `class`, `task`, `source`, `language`, `reward`, `content` and the columns of `conditions`.
        policy: β, bounds and the factors of the mixture.

    Returns:
        The frame with `base` (the class's or a rule's weight; null = none), `weight` (float32, in the loss of each
        token), `size` (tokens with the end of turn, float64) and `factor` (of the mixture).
    """
    weights = bounds(policy)
    frame = responses.with_columns(base=base(weights), size=sizes(responses["content"], policy))
    if policy.factors is not None:
        cells = [pl.col(name).fill_null("unknown").alias(f"cell_{name}") for name in CELL]
        frame = frame.with_columns(cells).join(
            policy.factors, on=[f"cell_{name}" for name in CELL], how="left", maintain_order="left"
        )
    else:
        frame = frame.with_columns(factor=pl.lit(1.0))
    reward = pl.col("reward").cast(pl.Float64)
    with evaluating(weights.rule_set):
        weight = weights.bounded(raw(reward, policy))
        if policy.shape.mixture == "weight":
            weight = weight * pl.col("factor").fill_null(1.0)
        if policy.shape.per == "response":
            weight = weight / pl.col("size")
        frame = frame.with_columns(weight=weight.cast(pl.Float32))
    if policy.shape.rounding == "bf16":
        frame = frame.with_columns(weight=bf16(frame["weight"]))
    return frame


def raw(reward: pl.Expr, policy: Policy) -> pl.Expr:
    """The weight of the reward of a response whose `base` is known, before bounds.

    A class weight w stands for the reward 1 + β₀·ln w at the default β₀, so that a coarse weight at another β is
    w^(β₀/β).
    """
    if policy.weighting == "coarse":
        return pl.col("base").pow(DEFAULT_BETA / policy.beta)
    return response_weight(pl.col("base"), reward, policy.weighting, policy.beta, policy.mix)


def base(weights: Weights) -> pl.Expr:
    """What a response weighs before its reward: by the first rule that fires, else by its class."""
    return pl.coalesce(
        [pl.when(rule.expression).then(pl.lit(float(rule.verdict))) for rule in weights.rules]
        + [weights.of_class(pl.col("class"))]
    )


def bounds(policy: Policy) -> Weights:
    """The weights file with the bounds that the user gave."""
    floor, ceiling = policy.shape.floor, policy.shape.ceiling
    weights = policy.weights
    return replace(
        weights,
        floor=weights.floor if floor is None else floor,
        ceiling=weights.ceiling if ceiling is None else ceiling,
    )


def sizes(contents: pl.Series, policy: Policy) -> pl.Series:
    """Tokens of each response with its end of turn: counted by the tokenizer, without one estimated."""
    if policy.tokens is None:
        return contents.str.len_bytes() / BYTES_PER_TOKEN + 1
    return pl.Series(policy.tokens(contents.to_list()), dtype=pl.Float64)


def bf16(weights: pl.Series) -> pl.Series:
    """Float32 rounded to the nearest bfloat16, ties to even, as trainers cast; null stays null."""
    bits: npt.NDArray[np.uint32] = weights.fill_null(0.0).to_numpy().astype(np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    found = pl.Series(weights.name, rounded.view(np.float32))
    return pl.select(pl.when(weights.is_not_null()).then(found)).to_series()
