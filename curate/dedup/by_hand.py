"""Removals taken back by hand: such conversations stay, whatever a later run would say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.schema import TABLES
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from curate.workspace import Workspace


def keys(ws: Workspace) -> NDArray[np.uint64]:
    """The conversations whose removal was taken back, ascending."""
    parts = [ws.read("restored", index)["key"].to_numpy() for index in ws.shards("restored")]
    return np.concatenate([np.empty(0, np.uint64), *parts])


def change(ws: Workspace, restored: Iterable[int], again: Iterable[int]) -> None:
    """Take removals back, or let conversations be removed again.

    Args:
        ws: The workspace, locked.
        restored: Conversations that shall stay.
        again: Conversations about which `dedup` decides again.

    Raises:
        CurateError: There is no such conversation; nothing has changed then.
    """
    plus, minus = ({*map(int, numbers)} for numbers in (restored, again))
    spans = {index: ws.read("conversations", index, ["key"])["key"] for index in ws.shards("conversations")}
    known = {index: (plus | minus) & {*column.to_list()} for index, column in spans.items()}
    if missing := (plus | minus) - set().union(*known.values()):
        raise CurateError(f"there is no conversation {min(missing)}", where=ws.path, hint="keys are in the tables")
    for index, changed in known.items():
        if not changed:
            continue
        path = ws.shard("restored", index)
        before = {*ws.read("restored", index)["key"].to_list()} if path.exists() else set()
        after = sorted((before | (changed & plus)) - (changed & minus))
        if after:
            table = pa.table({"key": pa.array(after, pa.uint64())}, TABLES["restored"].arrow)
            ws.write("restored", index, table, {"fingerprint": fingerprint(after)})
        else:
            path.unlink(missing_ok=True)
