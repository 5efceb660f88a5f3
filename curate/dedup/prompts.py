"""What a conversation asks for: its prompts, the unit of the semantic search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from curate.workspace import Workspace

_SAID = pl.element().struct.field("content")
_BY_USER = pl.element().struct.field("role") == "user"


def prompts(ws: Workspace, index: int) -> list[str]:
    """Of each conversation of a shard all that the user said, a line per prompt; empty where nothing was.

    All prompts and not the first: a dialogue that goes on in another way is another one.
    """
    asked = pl.col("messages").list.eval(_SAID.filter(_BY_USER)).list.join("\n")
    return ws.read("conversations", index, ["messages"]).select(asked).to_series().to_list()
