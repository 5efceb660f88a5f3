"""Seeded choices that depend on the key alone: the same for any order of shards and any number of workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    import numpy.typing as npt

    from curate.export.policy import Policy

    Keys = npt.NDArray[np.uint64]

# Apart, so that a sample, a cap and a split are not the same choice.
CAP, SAMPLE, SPLIT = 1_000_003, 2_000_003, 3_000_017


def shuffle_hash(values: Keys, seed: int) -> Keys:
    """SplitMix64 of each value, seeded: a permutation of the 64-bit integers (Steele et al. 2014)."""
    mixed = values.astype(np.uint64) + np.uint64((0x9E3779B97F4A7C15 * (seed + 1)) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def cap_hash(keys: pl.Series, seed: int) -> pl.Series:
    """The rank by which a capped source keeps its conversations: the least stay."""
    return pl.Series("hash", shuffle_hash(keys.to_numpy(), seed + CAP), pl.UInt64)


def stays(keys: pl.Series, sources: pl.Series, policy: Policy) -> pl.Series:
    """Whether the cap of its source leaves each conversation."""
    if not policy.limits:
        return pl.repeat(True, len(keys), eager=True)
    limit = sources.replace_strict(policy.limits, default=2**64 - 1, return_dtype=pl.UInt64)
    return cap_hash(keys, policy.shape.seed) <= limit


def sampled_out(keys: pl.Series, policy: Policy) -> pl.Expr:
    """Whether a response falls out of a sampled mixture; one conversation's responses share their draw."""
    if policy.factors is None or policy.shape.mixture != "sample":
        return pl.lit(False)
    draw = (shuffle_hash(keys.to_numpy(), policy.shape.seed + SAMPLE) >> np.uint64(11)) / 2.0**53
    return pl.Series(draw) >= pl.col("factor").fill_null(1.0)
