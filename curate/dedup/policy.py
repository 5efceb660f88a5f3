"""Which copy stays: `rules/keep.toml` turned into a rank per conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from curate import rules
from curate.errors import RuleError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from curate.workspace import Workspace

CRITERIA = ("class", "reward", "length", "age")


@dataclass(frozen=True)
class Policy:
    """What makes a copy better.

    Attributes:
        path: The file it came from.
        order: Criteria, the deciding one first; age decides last whether named or not.
        classes: Best first; all others come after them, alike.
    """

    path: Path
    order: tuple[str, ...]
    classes: tuple[str, ...]


def load(name: str) -> Policy:
    """The policy of a file such as `keep.toml`.

    Raises:
        RuleError: There is no such file, or with every mistake in it.
    """
    path = rules.locate(name)
    value = rules.read_toml(path, "keep")
    known = {"schema", "kind", "order", "classes"}
    mistakes = [f"unknown key `{key}`; {did_you_mean(key, known)}" for key in value if key not in known]
    mistakes += _not_names(value, "order") + _not_names(value, "classes")
    if not mistakes:
        unknown = [word for word in value["order"] if word not in CRITERIA]
        mistakes += [f"`order`: unknown criterion `{word}`; {did_you_mean(word, CRITERIA)}" for word in unknown]
    if mistakes:
        count = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "a mistake"
        raise RuleError(f"the rule file has {count}:\n" + "\n".join(f"  - {m}" for m in mistakes), where=path)
    return Policy(path, tuple(value["order"]), tuple(value["classes"]))


def class_ranks(ws: Workspace, index: int, policy: Policy, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
    """The place of each conversation's class in `classes`; its length for an unknown class or none.

    Args:
        ws: The workspace; a shard without labels has no classes.
        index: The shard.
        policy: The order of the classes.
        keys: Conversations of the shard.
    """
    last = len(policy.classes)
    if not ws.shard("labels", index).exists():
        return np.full(len(keys), last, np.int32)
    place = pl.col("class").replace_strict(dict(zip(policy.classes, range(last), strict=True)), default=last)
    worst = (
        ws.read("labels", index, ["key", "class"])
        .drop_nulls("class")
        .group_by("key")
        .agg(value=place.max() if policy.classes else pl.lit(last))
    )
    return _by_key(worst, keys, pl.Int32).fill_null(last).to_numpy()


def rewards(ws: Workspace, index: int, keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    """The mean reward of each conversation's scored responses; -1 where none is scored."""
    scores = ws.read("scores", index, ["key", "reward"])
    means = scores.group_by("key").agg(value=pl.col("reward").cast(pl.Float64).mean())
    return _by_key(means, keys, pl.Float64).fill_null(-1.0).to_numpy()


def best_first(policy: Policy, columns: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
    """The rows in the order in which they deserve to stay.

    Args:
        policy: The order of the criteria.
        columns: `class` (place, 0 = best), `length`, `age` (the key) and perhaps `reward`, per row.
    """
    better_is_greater = ("reward", "length")
    # numpy's last key decides first.
    criteria = ["age", *(name for name in reversed(policy.order) if name in columns)]
    order: NDArray[np.int64] = np.lexsort(
        [-columns[name] if name in better_is_greater else columns[name] for name in criteria]
    )
    return order


def _by_key(values: pl.DataFrame, keys: NDArray[np.uint64], dtype: type[pl.DataType]) -> pl.Series:
    rows = pl.DataFrame({"key": keys}, schema={"key": pl.UInt64})
    return rows.join(values, on="key", how="left", maintain_order="left")["value"].cast(dtype)


def _not_names(value: dict[str, Any], key: str) -> list[str]:
    names = value.get(key)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return [f"`{key}` is missing or not a list of names"]
    return [f"`{key}` names `{name}` twice" for name in dict.fromkeys(names) if names.count(name) > 1]
