"""Which copy stays: `rules/keep.toml` turned into a rank per text."""

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

    from curate.dedup.corpus import Corpus
    from curate.workspace import Workspace

CRITERIA = ("class", "reward", "verified", "completeness", "length", "age")
BETTER_IS_GREATER = ("reward", "verified", "completeness", "length")
# The tables that criteria come from.
TABLES = {"class": "labels", "reward": "scores", "completeness": "flags"}


@dataclass(frozen=True)
class Policy:
    """What makes a copy better.

    Attributes:
        path: The file it came from.
        order: Criteria, the deciding one first; age decides last whether named or not.
        classes: Best first; all others come after them, alike.
        incomplete: Cleaning rules whose flag says that something is missing.
    """

    path: Path
    order: tuple[str, ...]
    classes: tuple[str, ...]
    incomplete: tuple[str, ...]


def load(name: str) -> Policy:
    """The policy of a file such as `keep.toml`.

    Raises:
        RuleError: There is no such file, or with every mistake in it.
    """
    path = rules.locate(name)
    value = {"incomplete": []} | rules.read_toml(path, "keep")
    known = {"schema", "kind", "order", "classes", "incomplete"}
    mistakes = [f"unknown key `{key}`; {did_you_mean(key, known)}" for key in value if key not in known]
    mistakes += [mistake for key in ("order", "classes", "incomplete") for mistake in _not_names(value, key)]
    if not mistakes:
        unknown = [word for word in value["order"] if word not in CRITERIA]
        mistakes += [f"`order`: unknown criterion `{word}`; {did_you_mean(word, CRITERIA)}" for word in unknown]
    if mistakes:
        count = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "a mistake"
        raise RuleError(f"the rule file has {count}:\n" + "\n".join(f"  - {m}" for m in mistakes), where=path)
    return Policy(path, *(tuple(value[key]) for key in ("order", "classes", "incomplete")))


def tables(ws: Workspace, policy: Policy, by_reward: bool) -> list[str]:
    """The tables that a workspace has and the policy looks at."""
    wanted = [TABLES[name] for name in policy.order if name in TABLES and (name != "reward" or by_reward)]
    return [table for table in wanted if ws.shards(table)]


def criteria(ws: Workspace, policy: Policy, corpus: Corpus, by_reward: bool) -> dict[str, NDArray[Any]]:
    """What the policy orders by, per text; criteria whose stage did not run are left out.

    `class` is a place in `policy.classes` (its length = another class or none), of a conversation that of its worst
    response; `reward` a mean, -1 where none is scored; `verified` and `completeness` 1 or 0; `length` characters;
    `age` the place of the text.
    """
    have = {*tables(ws, policy, by_reward)}
    columns: dict[str, NDArray[Any]] = {"length": corpus.chars, "age": np.arange(len(corpus.keys))}
    makers = {"class": _class, "reward": _reward, "verified": _verified, "completeness": _completeness}
    for name in policy.order:
        if name in makers and (name not in TABLES or TABLES[name] in have) and corpus.shards:
            parts = []
            for index, first, end in corpus.shards:
                texts = pl.DataFrame({"key": corpus.keys[first:end], "turn": corpus.turns[first:end]})
                parts.append(makers[name](ws, index, policy, texts))
            columns[name] = np.concatenate(parts)
    return columns


def best_first(policy: Policy, columns: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
    """The rows in the order in which they deserve to stay.

    Args:
        policy: The order of the criteria.
        columns: From `criteria`.
    """
    # numpy's last key decides first.
    names = ["age", *(name for name in reversed(policy.order) if name in columns)]
    keys = [-columns[name].astype(np.float64) if name in BETTER_IS_GREATER else columns[name] for name in names]
    order: NDArray[np.int64] = np.lexsort(keys)
    return order


def _class(ws: Workspace, index: int, policy: Policy, texts: pl.DataFrame) -> NDArray[Any]:
    last = len(policy.classes)
    if not ws.shard("labels", index).exists():
        return np.full(len(texts), last, np.int32)
    place = pl.col("class").replace_strict(dict(zip(policy.classes, range(last), strict=True)), default=last)
    labels = ws.read("labels", index, ["key", "turn", "class"]).drop_nulls("class")
    worst = place.max() if policy.classes else pl.lit(last)
    return _of_texts(labels, texts, worst, pl.Int32).fill_null(last).to_numpy()


def _reward(ws: Workspace, index: int, policy: Policy, texts: pl.DataFrame) -> NDArray[Any]:
    scores = ws.read("scores", index, ["key", "turn", "reward"])
    mean = pl.col("reward").cast(pl.Float64).mean()
    return _of_texts(scores, texts, mean, pl.Float64).fill_null(-1.0).to_numpy()


def _verified(ws: Workspace, index: int, policy: Policy, texts: pl.DataFrame) -> NDArray[Any]:
    marks = ws.read("conversations", index, ["key", "marks"])
    verified = pl.col("marks").list.contains("verified").first()
    return _of_texts(marks, texts, verified, pl.Int8).fill_null(0).to_numpy()


def _completeness(ws: Workspace, index: int, policy: Policy, texts: pl.DataFrame) -> NDArray[Any]:
    if not ws.shard("flags", index).exists():
        return np.ones(len(texts), np.int8)
    flags = ws.read("flags", index, ["key", "rules", "turns"])
    if (texts["turn"] >= 0).any():
        flags = flags.explode("turns", empty_as_null=False, keep_nulls=False).unnest("turns")
        whole = ~pl.col("rule").is_in(policy.incomplete).any()
    else:
        whole = ~pl.col("rules").list.eval(pl.element().is_in(policy.incomplete)).list.any().any()
    return _of_texts(flags, texts, whole, pl.Int8).fill_null(1).to_numpy()


def _of_texts(rows: pl.DataFrame, texts: pl.DataFrame, value: pl.Expr, dtype: type[pl.DataType]) -> pl.Series:
    """One value per text: over the rows of its conversation, or of its response where it is one."""
    on = ["key", "turn"] if "turn" in rows.columns and (texts["turn"] >= 0).any() else ["key"]
    values = rows.group_by(on).agg(value=value)
    return texts.join(values, on=on, how="left", maintain_order="left")["value"].cast(dtype)


def _not_names(value: dict[str, Any], key: str) -> list[str]:
    names = value.get(key)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return [f"`{key}` is missing or not a list of names"]
    return [f"`{key}` names `{name}` twice" for name in dict.fromkeys(names) if names.count(name) > 1]
