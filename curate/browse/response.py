"""One response with its conversation and all that the stages have said of it: read when it is shown, not before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from curate import redact
from curate.errors import CurateError, WorkspaceError

if TYPE_CHECKING:
    from curate.workspace import Workspace

# Tables that say something of a response or its conversation.
_TABLES = ("labels", "tasks", "scores", "flags", "duplicates", "repeats", "contamination")
_ONE_RESPONSE = ("labels", "scores", "repeats")


@dataclass(frozen=True)
class Response:
    """What there is to see of a response.

    Attributes:
        key: The conversation.
        turn: Index of the response in `messages`.
        messages: The whole conversation, as the judge gets to see it: redacted where `clean --redact` ran.
        record: The other columns of `conversations`.
        said: By table, its rows about this response or its conversation; a stage that has not seen it is not in it.
    """

    key: int
    turn: int
    messages: list[dict[str, Any]]
    record: dict[str, Any]
    said: dict[str, list[dict[str, Any]]]

    def one(self, table: str) -> dict[str, Any] | None:
        """The row of a table that has one per response or conversation."""
        return next(iter(self.said.get(table, ())), None)


def fetch(ws: Workspace, shard: int, key: int, turn: int) -> Response:
    """Read one response; of each table one shard is touched.

    Raises:
        CurateError: It is not there any more.
        WorkspaceError: A shard is damaged, made from other conversations, or not redacted as the others are.
    """
    conversation = _rows(ws, "conversations", shard, key)
    if conversation.is_empty() or turn >= len(conversation["messages"][0]):
        raise CurateError(f"there is no response {key}:{turn} any more", where=ws.path, hint="q, and start again")
    said: dict[str, list[dict[str, Any]]] = {}
    for table in _TABLES:
        if ws.shard(table, shard).exists():
            found = _rows(ws, table, shard, key)
            if table in _ONE_RESPONSE:
                found = found.filter(pl.col("turn") == turn)
            said[table] = found.drop("redact", strict=False).to_dicts()
    if "flags" in redact.inputs(ws):
        if not ws.stamp("flags", shard).get("redact"):
            what = "the last `curate clean` did not finish: not all conversations are redacted alike"
            raise WorkspaceError(what, where=ws.shard("flags", shard), hint="run `curate clean --redact` again")
        conversation = redact.redacted(conversation, _rows(ws, "flags", shard, key))
    (record,) = conversation.to_dicts()
    return Response(key, turn, record.pop("messages"), record, said)


def _rows(ws: Workspace, table: str, shard: int, key: int) -> pl.DataFrame:
    return ws.scan(table, shard).filter(pl.col("key") == key).collect()
