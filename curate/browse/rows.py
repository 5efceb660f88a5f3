"""The list that `curate browse` pages through: light facts of every response, read a shard at a time, never a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from curate.corrections import store
from curate.errors import CurateError, did_you_mean
from curate.where import matching
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SORTS = ("key", "reward", "-reward", "random")
RESPONSE = ["key", "turn"]
# Texts that few responses do not share with many others take four bytes in a row.
_SHARED = pl.Categorical()
SCHEMA = pl.Schema(
    {
        "shard": pl.UInt32(),
        "key": pl.UInt64(),
        "turn": pl.Int32(),
        "class": _SHARED,
        "task": _SHARED,
        "reward": pl.Float32(),
        "score": pl.Float32(),
        "status": _SHARED,
        "source": _SHARED,
        "flags": _SHARED,
        "duplicate": _SHARED,
    }
)
# What each stage adds, and which column of ours it is.
_TABLES: dict[str, tuple[list[str], dict[str, str]]] = {
    "labels": (RESPONSE, {"class": "class"}),
    "tasks": (["key"], {"task": "task"}),
    "scores": (RESPONSE, {"reward": "reward", "score": "score", "status": "status"}),
    "flags": (["key"], {"rules": "flags"}),
    "duplicates": (["key"], {"kind": "duplicate"}),
}


def shards(ws: Workspace, where: str | None = None) -> Iterator[pl.DataFrame]:
    """The rows of one shard after the other, in order of `key` and `turn`.

    Args:
        ws: The workspace.
        where: Polars SQL condition over the columns of `curate.scan`.

    Returns:
        Frames of the schema `SCHEMA`: `flags` are joined by blanks, null = no stage has said it (yet).

    Raises:
        CurateError: `where` is no condition, or asks for a column that is not there.
        WorkspaceError: A shard is damaged, or made from other conversations.
    """
    for index in ws.shards("conversations"):
        rows = _shard(ws, index)
        if where is not None:
            rows = rows.join(matching(ws, where, index), on=RESPONSE, how="semi", maintain_order="left")
        yield rows


def in_order(
    rows: pl.DataFrame, sort: str, *, said: Iterable[tuple[int, int, float]] = (), seed: int = 0
) -> pl.DataFrame:
    """The same rows, sorted.

    Args:
        rows: Frame of the schema `SCHEMA`, in order of `key` and `turn`.
        sort: `key`, `reward` (the worst first), `-reward`, or `random`; what has no reward comes last.
        said: `key`, `turn` and reward of what was corrected by hand, which counts instead.
        seed: Of the random order, which depends on it, key and turn alone.

    Raises:
        CurateError: There is no such order.
    """
    if sort not in SORTS:
        raise CurateError(f"there is no order `{sort}`", where="--sort", hint=did_you_mean(sort, SORTS))
    if sort == "key":
        return rows
    if sort == "random":
        return rows[pl.Series(_ranks(rows, seed)).arg_sort()]
    schema = {"key": pl.UInt64, "turn": pl.Int32, "said": pl.Float32}
    by_hand = pl.DataFrame(list(said), schema=schema, orient="row")
    reward = rows.select(*RESPONSE, "reward").join(by_hand, on=RESPONSE, how="left", maintain_order="left")
    decisive = reward.select(pl.coalesce("said", "reward")).to_series()
    return rows[decisive.arg_sort(descending=sort == "-reward", nulls_last=True)]


def rows(
    workspace: str | Path, *, where: str | None = None, sort: str = "key", seed: int = 0, limit: int | None = None
) -> list[dict[str, Any]]:
    """The list as plain values, for who wants no terminal.

    Args:
        workspace: Folder of the workspace.
        where: Polars SQL condition over the columns of `curate.scan`.
        sort: `key`, `reward`, `-reward` or `random`.
        seed: Seed of the random order.
        limit: Most rows; None = all.

    Returns:
        Per response `key`, `turn`, `class`, `task`, `reward`, `score`, `status`, `source`, `flags` (list),
        `duplicate` (its kind), `corrected_class` and `corrected_reward`; null = not known, or not said.

    Raises:
        CurateError: As of `shards` and `in_order`.
        WorkspaceError: Not a workspace.
    """
    ws = Workspace(workspace)
    said = by_hand(ws)
    rewards = said.drop_nulls("corrected_reward").select(*RESPONSE, "corrected_reward").rows()
    found = in_order(pl.concat([SCHEMA.to_frame(), *shards(ws, where)]), sort, said=rewards, seed=seed)
    found = found.head(found.height if limit is None else limit).drop("shard")
    found = found.join(said, on=RESPONSE, how="left", maintain_order="left")
    flags = pl.col("flags").cast(pl.String).str.split(" ").list.eval(pl.element().filter(pl.element() != ""))
    return found.with_columns(pl.col(pl.Float32).cast(pl.Float64).round(6), flags=flags).to_dicts()


def by_hand(ws: Workspace) -> pl.DataFrame:
    """`key`, `turn`, `corrected_class` and `corrected_reward` of every corrected response that is here."""
    said = store.current(ws).select(*store.RESPONSE, corrected_class="class", corrected_reward="reward")
    if said.is_empty():
        return said.select(pl.lit(0, pl.UInt64).alias("key"), pl.exclude("content_hash")).clear()
    keys = ws.scan("conversations").select("key", "content_hash")
    return keys.join(said.lazy(), on="content_hash").drop("content_hash").collect()


def missing(ws: Workspace) -> list[str]:
    """What the list cannot show yet, each with the command that would make it."""
    if not ws.shards("conversations"):
        return ["no conversations: curate ingest"]
    stages = {"labels": "not labelled: curate label", "scores": "not scored: curate score"}
    return [said for table, said in stages.items() if not ws.has(table)]


def _shard(ws: Workspace, index: int) -> pl.DataFrame:
    # Of the messages, their roles alone are read.
    roles = ws.read("conversations", index, ["key", "source", "messages.list.element.role"])
    rows = (
        roles.select("key", "source", "messages", turn=pl.int_ranges(pl.col("messages").list.len(), dtype=pl.Int32))
        .explode("messages", "turn", empty_as_null=False, keep_nulls=False)
        .filter(pl.col("messages").struct.field("role") == "assistant")
        .select("key", "turn", "source")
    )
    for table, (on, names) in _TABLES.items():
        if ws.shard(table, index).exists():
            other = ws.read(table, index, [*on, *names]).rename(names)
            rows = rows.join(other, on=on, how="left", maintain_order="left")
        else:
            rows = rows.with_columns(pl.lit(None, SCHEMA[name]).alias(name) for name in names.values())
    if rows.schema["flags"] == pl.List(pl.String):
        rows = rows.with_columns(pl.col("flags").list.join(" "))
    return rows.with_columns(shard=pl.lit(index)).select(pl.col(name).cast(type_) for name, type_ in SCHEMA.items())


def _ranks(rows: pl.DataFrame, seed: int) -> Any:
    import numpy as np

    from curate.export.hashing import shuffle_hash

    turns = rows["turn"].to_numpy().astype(np.uint64)
    return shuffle_hash(shuffle_hash(rows["key"].to_numpy(), seed) + turns, seed)
