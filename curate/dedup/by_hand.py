"""Removals taken back by hand: such texts stay, whatever a later run would say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curate.errors import CurateError
from curate.schema import TABLES
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from curate.dedup.corpus import Corpus
    from curate.workspace import Workspace

    # A conversation, and one of its responses or None.
    Name = tuple[int, int | None]


def rows(ws: Workspace, corpus: Corpus) -> NDArray[np.bool_]:
    """Whether the removal of each text was taken back."""
    found = [np.zeros(end - first, np.bool_) for _, first, end in corpus.shards]
    for place, (index, first, end) in enumerate(corpus.shards):
        if ws.shard("restored", index).exists():
            kept = set(ws.read("restored", index).fill_null(-1).rows())
            texts = zip(corpus.keys[first:end].tolist(), corpus.turns[first:end].tolist(), strict=True)
            found[place] = np.array([text in kept for text in texts], np.bool_)
    return np.concatenate([np.empty(0, np.bool_), *found])


def is_restored(ws: Workspace, index: int, key: int, turn: int | None) -> bool:
    """Whether the removal of one text was taken back."""
    return ws.shard("restored", index).exists() and (key, turn) in ws.read("restored", index).rows()


def check(ws: Workspace, names: Iterable[Name]) -> None:
    """Refuse texts that are not there.

    Raises:
        CurateError: With the first of them.
    """
    wanted = {*names}
    for index in ws.shards("conversations"):
        messages = pl.col("messages").list.eval(pl.element().struct.field("role"))
        keys = ws.read("conversations", index, ["key"])["key"]
        mine = {name for name in wanted if len(keys) and keys[0] <= name[0] <= keys[-1]}
        if any(turn is not None for _, turn in mine):
            roles = dict(ws.read("conversations", index, ["key", "messages"]).select("key", messages).iter_rows())
            for key, turn in mine:
                if turn is not None and (turn >= len(roles[key]) or roles[key][turn] != "assistant"):
                    raise CurateError(f"message {turn} of conversation {key} is no response", where=ws.path)
        wanted -= mine
    if wanted:
        missing = min(key for key, _ in wanted)
        raise CurateError(f"there is no conversation {missing}", where=ws.path, hint="keys are in the tables")


def change(ws: Workspace, restored: Iterable[Name], again: Iterable[Name]) -> None:
    """Take removals back, or let texts be removed again; they are there, as `check` has told.

    Args:
        ws: The workspace, locked.
        restored: Texts that shall stay.
        again: Texts about which `dedup` decides again.
    """
    plus, minus = {*restored}, {*again}
    for index in ws.shards("conversations"):
        keys = ws.read("conversations", index, ["key"])["key"]
        changed = {name for name in plus | minus if len(keys) and keys[0] <= name[0] <= keys[-1]}
        if not changed:
            continue
        path = ws.shard("restored", index)
        before = {*ws.read("restored", index).rows()} if path.exists() else set()
        after = sorted((before | (changed & plus)) - (changed & minus), key=lambda name: (name[0], name[1] or -1))
        if after:
            table = pl.DataFrame(after, {"key": pl.UInt64, "turn": pl.Int32}, orient="row").to_arrow()
            ws.write("restored", index, table.cast(TABLES["restored"].arrow), {"fingerprint": fingerprint(after)})
        else:
            path.unlink(missing_ok=True)
