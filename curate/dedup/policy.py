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

CRITERIA = ("exported", "class", "reward", "verified", "completeness", "length", "age")
BETTER_IS_GREATER = ("exported", "reward", "verified", "completeness", "length")
# The tables that criteria come from.
TABLES = {
    "exported": ("flags", "contamination"),
    "class": ("labels",),
    "reward": ("scores",),
    "completeness": ("flags",),
}


@dataclass(frozen=True)
class Policy:
    """What makes a copy better.

    Attributes:
        path: The file it came from.
        order: Criteria, the deciding one first; age decides last whether named or not.
        classes: Best first; all others come after them, alike.
        left_out: Cleaning rules whose flag makes `export` leave a text out.
        incomplete: Cleaning rules whose flag says that something is missing.
    """

    path: Path
    order: tuple[str, ...]
    classes: tuple[str, ...]
    left_out: tuple[str, ...]
    incomplete: tuple[str, ...]


def load(name: str) -> Policy:
    """The policy of a file such as `keep.toml`.

    Raises:
        RuleError: There is no such file, or with every mistake in it.
    """
    path = rules.locate(name)
    lists = ("order", "classes", "left_out", "incomplete")
    value = {"left_out": [], "incomplete": []} | rules.read_toml(path, "keep")
    known = {"schema", "kind", *lists}
    mistakes = [f"unknown key `{key}`; {did_you_mean(key, known)}" for key in value if key not in known]
    mistakes += [mistake for key in lists for mistake in _not_names(value, key)]
    if not mistakes:
        unknown = [word for word in value["order"] if word not in CRITERIA]
        mistakes += [f"`order`: unknown criterion `{word}`; {did_you_mean(word, CRITERIA)}" for word in unknown]
    if mistakes:
        count = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "a mistake"
        raise RuleError(f"the rule file has {count}:\n" + "\n".join(f"  - {m}" for m in mistakes), where=path)
    return Policy(path, *(tuple(value[key]) for key in lists))


def tables(ws: Workspace, policy: Policy, by_reward: bool) -> list[str]:
    """The tables that a workspace has and the policy looks at."""
    names = [name for name in policy.order if name in TABLES and (name != "reward" or by_reward)]
    wanted = dict.fromkeys(table for name in names for table in TABLES[name])
    return [table for table in wanted if ws.shards(table)]


def criteria(ws: Workspace, policy: Policy, corpus: Corpus, by_reward: bool) -> dict[str, NDArray[Any]]:
    """What the policy orders by, per text; criteria whose stage did not run are left out.

    `exported` is 0 for what `export` leaves out: a flag of `policy.left_out`, a benchmark item. `class` is a place in
    `policy.classes` (its length = another class or none), of a conversation that of its worst response; `reward` a
    mean, -1 where none is scored; `verified` and `completeness` 1 or 0; `length` characters; `age` the place of the
    text.
    """
    have = {*tables(ws, policy, by_reward)}
    columns: dict[str, NDArray[Any]] = {"length": corpus.chars(), "age": np.arange(len(corpus.keys))}
    makers = {
        "exported": _exported, "class": _class, "reward": _reward, "verified": _verified, "completeness": _completeness
    }  # fmt: skip
    for name in policy.order:
        if name in makers and (name not in TABLES or have & {*TABLES[name]}) and corpus.shards:
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
    order: NDArray[np.int64] = np.argsort(columns["age"], kind="stable")
    # The deciding one last: equals stay in the order of those before it. One at a time, for the sake of memory.
    for name in reversed([name for name in policy.order if name in columns]):
        order = order[np.argsort(_ascending(name, columns[name][order]), kind="stable")]
    return order


def _ascending(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """The better, the smaller."""
    if name not in BETTER_IS_GREATER:
        return values
    return ~values if values.dtype == np.bool_ else -values


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


def _exported(ws: Workspace, index: int, policy: Policy, texts: pl.DataFrame) -> NDArray[Any]:
    """Not what a conversation is dropped for, not a response that is masked, and not a conversation of nothing else."""
    out: list[int] = []
    masked = pl.DataFrame(schema={"key": pl.UInt64, "turn": pl.Int32})
    if ws.shard("contamination", index).exists():
        out += ws.read("contamination", index, ["key"])["key"].to_list()
    if ws.shard("flags", index).exists():
        fired, masked = _fired(ws, index, policy.left_out)
        out += fired["key"].to_list()
        role = pl.element().struct.field("role") == "assistant"
        roles = ws.read("conversations", index, ["key", "messages.list.element.role"])
        counts = roles.select("key", responses=pl.col("messages").list.eval(role).list.sum())
        counts = counts.join(masked.group_by("key").agg(masked=pl.len()), on="key")
        out += counts.filter(pl.col("masked") >= pl.col("responses"))["key"].to_list()
    of_all, own = texts["key"].is_in(list(set(out))), _among(texts, masked)
    return ~(of_all | own).to_numpy()


def _completeness(ws: Workspace, index: int, policy: Policy, texts: pl.DataFrame) -> NDArray[Any]:
    if not ws.shard("flags", index).exists():
        return np.ones(len(texts), np.bool_)
    fired, hit = _fired(ws, index, policy.incomplete)
    whole = (texts["turn"] < 0).all()
    keys = [*fired["key"], *hit["key"]] if whole else fired["key"].to_list()
    return ~(texts["key"].is_in(list(set(keys))) | _among(texts, hit)).to_numpy()


def _fired(ws: Workspace, index: int, names: tuple[str, ...]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Conversations on which some of these rules fired as a whole, and messages on which one did."""
    flags = ws.read("flags", index, ["key", "rules", "turns"])
    fired = flags.select("key", rule="rules").explode("rule", empty_as_null=False, keep_nulls=False)
    hits = flags.select("key", "turns").explode("turns", empty_as_null=False, keep_nulls=False).unnest("turns")
    fired, hits = (rows.filter(pl.col("rule").is_in(names)) for rows in (fired, hits))
    return fired.join(hits, on=["key", "rule"], how="anti"), hits.select("key", "turn").unique()


def _among(texts: pl.DataFrame, messages: pl.DataFrame) -> pl.Series:
    """Whether each text is one of these messages."""
    marked = messages.with_columns(found=pl.lit(True))
    return texts.join(marked, on=["key", "turn"], how="left", maintain_order="left")["found"].fill_null(False)


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
