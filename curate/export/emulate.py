"""Weights for targets that cannot carry them: one weight per row, or rows drawn as often as they weigh.

Resampling is unbiased: a row of weight 0.1 is there in one draw of ten, one of weight 2.5 twice or three times, so
that the expected gradient is that of the weighted loss; each epoch is another draw. Dropping is not: it keeps what
weighs at least half of the heaviest, and forgets how much.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.errors import CurateError
from curate.export.hashing import shuffle_hash
from curate.export.mix import Mixed
from curate.export.ragged import regrouped

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from curate.export.shuffle import Stored

EMULATIONS = ("resample", "drop")
# What of a weight a target carries: that of each message, one per row, or none.
CARRIES = ("message", "row", "none")
# Keeps the draw apart from the shuffle, which hashes the same numbers.
_DRAW = 1 << 40


class Division:
    """Rows as a target can take them, shard by shard.

    Args:
        name: The target's name.
        writer: Its module; see `curate.export.formats`.
        how: One of `EMULATIONS`; None = weights must get through as they are.
    """

    def __init__(self, name: str, writer: Any, how: str | None) -> None:
        self.name, self.how = name, how
        self.carries: str = getattr(writer, "WEIGHTS", "message")
        self.last_only: bool = getattr(writer, "LAST_ONLY", False)
        self.roles: str | None = getattr(writer, "ROLES", None)
        self.full: bool = getattr(writer, "NO_EMPTY_RESPONSE", False)
        self.seen: float | None = None

    def divide(self, mixed: Mixed) -> Mixed:
        """One shard.

        Returns:
            Where the target does not carry the weight of each message, rows have one weight each, in `weight`, and
            their messages weigh 1 or 0; where weights are emulated that is in `draw`, and `weight` is 1. Conversations
            whose roles the target refuses are dropped as `target_roles`.

        Raises:
            CurateError: Weights differ, and the target carries none.
        """
        rows, conversations = mixed.rows, mixed.conversations
        if self.last_only:
            rows = _by_response(rows)
        elif self.how or self.carries != "message":
            rows = _by_weight(rows)
        if self.roles:
            rows = _trimmed(rows)
            fits = _roles(rows).str.contains(self.roles)
            if self.full:
                fits &= ~_empty_response(rows)
            # Not of rows but of conversations, so that each is in one bucket.
            refused = rows.filter(~fits)["key"].unique()
            rows = rows.filter(~pl.col("key").is_in(refused.implode()))
            why = pl.when(pl.col("dropped").is_null() & pl.col("key").is_in(refused.implode()))
            conversations = conversations.with_columns(dropped=why.then(pl.lit("target_roles")).otherwise("dropped"))
        if self.how:
            rows = rows.with_columns(draw="weight", weight=pl.lit(1.0, pl.Float32))
        elif self.carries == "none":
            self._require_one(rows["weight"])
            rows = rows.with_columns(weight=pl.lit(1.0, pl.Float32))
        return replace(mixed, rows=rows, conversations=conversations)

    def see(self, weight: float | None) -> None:
        """Compare with what this or another process saw: the one weight of all rows so far; None = nothing.

        Raises:
            CurateError: It is another one.
        """
        self._require_one(pl.Series([weight], dtype=pl.Float32).drop_nulls())

    def _require_one(self, weights: pl.Series) -> None:
        found = set(weights.unique().to_list()) | ({self.seen} if self.seen is not None else set())
        if len(found) > 1:
            low, high = min(found), max(found)
            raise CurateError(
                f"`{self.name}` carries no fractional weight, and responses here weigh {low:.3g} and {high:.3g}",
                hint="--emulate-weights resample draws rows as often as they weigh; --emulate-weights drop keeps "
                "those that weigh at least half of the heaviest",
            )
        self.seen = next(iter(found), None)


@dataclass(frozen=True)
class Drawn:
    """Stored rows, each as often as its `draw` says.

    Attributes:
        how: One of `EMULATIONS`.
        total: Sum of the draws: the rows to expect.
        heaviest: The largest draw.
        seed: Another seed, another draw.
    """

    stored: Stored
    how: str
    total: float
    heaviest: float
    seed: int = 0

    @property
    def parts(self) -> int:
        """As of `Stored`, for the rows to expect."""
        rows = self.stored.rows if self.how == "drop" else int(self.total)
        return replace(self.stored, rows=rows, nbytes=int(self.stored.nbytes * rows / max(1, self.stored.rows))).parts

    def __iter__(self) -> Iterator[pa.Table]:
        for table in self.stored:
            order = table["order"].to_numpy()
            times = copies(table["draw"].to_numpy(), order, self.how, self.heaviest, self.seed)
            place = np.repeat(np.arange(len(order)), times)
            copy = (np.arange(len(place)) - np.repeat(np.cumsum(times) - times, times)).astype(np.uint64)
            own = np.where(copy > 0, shuffle_hash(order[place] + copy, 1), order[place])
            taken = table.drop_columns(["order", "draw"]).take(place)
            yield taken.append_column("order", pa.array(own, pa.uint64()))


def copies(
    draws: npt.NDArray[Any], order: npt.NDArray[np.uint64], how: str, heaviest: float, seed: int
) -> npt.NDArray[np.int64]:
    """How often each row is taken.

    Args:
        draws: The weight of each.
        order: A hash of each, from which its chance comes.
        how: `resample`: the expectation over seeds is the weight; `drop`: 1 or 0.
        heaviest: The largest weight of all.
        seed: Of the chance.
    """
    if how == "drop":
        kept: npt.NDArray[np.int64] = (draws >= heaviest / 2).astype(np.int64)
        return kept
    chance = shuffle_hash(order, seed + _DRAW).astype(np.float64) / 2.0**64
    whole = np.floor(draws)
    times: npt.NDArray[np.int64] = (whole + (chance < draws - whole)).astype(np.int64)
    return times


def _by_weight(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per row and distinct weight in it; `weight` is that, and the messages that have it weigh 1."""
    weight = pl.element().struct.field("weight")
    distinct = pl.col("messages").list.eval(weight.filter(weight > 0).unique(maintain_order=True))
    spread = _spread(rows.with_columns(own=distinct))
    lengths = spread["messages"].list.len().to_numpy()
    flat = spread["messages"].explode().struct.unnest()
    mine = flat["weight"].to_numpy() == np.repeat(spread["weight"].to_numpy(), lengths)
    flat = flat.with_columns(weight=pl.Series(mine).cast(pl.Float32))
    return spread.with_columns(messages=regrouped(flat, lengths))


def _by_response(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per trained response: the conversation up to it, and that alone weighs 1."""
    weight = pl.element().struct.field("weight")
    places = pl.col("messages").list.eval(pl.arg_where(weight > 0))
    spread = _spread(rows.with_columns(own=places), "place")
    messages = pl.col("messages").list.head(pl.col("place") + 1)
    spread = spread.with_columns(messages=messages).with_columns(
        weight=pl.col("messages").list.last().struct.field("weight")
    )
    lengths = spread["messages"].list.len().to_numpy()
    last = np.zeros(lengths.sum(), np.float32)
    last[np.cumsum(lengths) - 1] = 1
    flat = spread["messages"].explode().struct.unnest().with_columns(weight=pl.Series(last))
    return spread.drop("place").with_columns(messages=regrouped(flat, lengths))


def _spread(rows: pl.DataFrame, name: str = "weight") -> pl.DataFrame:
    """One row per entry of `own`, under `name`; all but the first get an `id` and an `order` of their own."""
    number = pl.int_range(pl.len()).over("order")
    rows = rows.drop(name, strict=False).explode("own").rename({"own": name}).with_columns(number=number)
    order = shuffle_hash(rows["order"].to_numpy() + rows["number"].to_numpy().astype(np.uint64), 2)
    later = pl.col("number") > 0
    return rows.with_columns(
        order=pl.when(later).then(pl.Series(order, dtype=pl.UInt64)).otherwise("order"),
        id=pl.when(later).then(pl.col("id") + ":" + (pl.col("number") + 1).cast(pl.String)).otherwise("id"),
    ).drop("number")


def _trimmed(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows without what follows the last message that is learned."""
    weight = pl.element().struct.field("weight")
    last = pl.col("messages").list.eval(pl.arg_where(weight > 0)).list.last()
    return rows.with_columns(messages=pl.col("messages").list.head(last + 1))


def _roles(rows: pl.DataFrame) -> pl.Series:
    return rows["messages"].list.eval(pl.element().struct.field("role")).list.join(" ")


def _empty_response(rows: pl.DataFrame) -> pl.Series:
    message = pl.element().struct
    empty = (message.field("role") == "assistant") & (message.field("content") == "")
    return rows["messages"].list.eval(empty).list.any()
