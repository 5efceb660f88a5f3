"""Which conversation a name means: its key, its own id, its content hash, or the id of an exported row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from curate import redact
from curate.errors import CurateError
from curate.keys import shard_of

if TYPE_CHECKING:
    from curate.workspace import Workspace

# Conversations that are listed where a name means several.
MOST_LISTED = 20
# Digits by which a content hash is known.
LEAST_DIGITS = 8
MOST_KEY = 2**64 - 1
# CONTENT_HASH-KEY, and behind it the number of the condition, of the weight and of the window.
_EXPORTED = re.compile(r"([0-9a-f]{32})-([0-9]{1,20})((?:\.[0-9]+)?(?::[0-9]+)?(?:/[0-9]+)?)")
_TURN = re.compile(r"(.+):([0-9]{1,9})", re.DOTALL)
_NAMES = "a key (17), a response (17:3), an id of the source, 8 or more digits of a content hash, or --where"
_PLACE = ("key", "content_hash", "source_file", "source_row", "source_id")


class Found(NamedTuple):
    """A conversation: the shard it is in, its key, and the message that was named."""

    shard: int
    key: int
    turn: int | None


def find(ws: Workspace, name: str | int) -> Found:
    """The conversation of a name.

    Args:
        ws: The workspace.
        name: A key, the id that the conversation has in its source, its content hash or the first digits of it, or the
            id of an exported row; each but the last may be followed by `:TURN`.

    Raises:
        CurateError: Nothing has this name, or several have.
    """
    text = str(name).strip()
    found = _find(ws, text)
    if found is not None:
        return found
    if (parts := _TURN.fullmatch(text)) and (found := _find(ws, parts[1])) is not None:
        return found._replace(turn=int(parts[2]))
    rows = sum(ws.stamp("conversations", index).get("conversations", 0) for index in ws.shards("conversations"))
    hint = f"keys go from 0 to {rows - 1:,}" if rows and text.isdecimal() else _near(ws, text)
    raise CurateError(f"no conversation is called `{text[:100]}`", where=ws.path, hint=hint)


def _find(ws: Workspace, text: str) -> Found | None:
    if text.isascii() and text.isdecimal() and int(text) <= MOST_KEY:
        key = int(text)
        if (shard := shard_of(ws, key)) is not None:
            return Found(shard, key, None)
    if exported := _EXPORTED.fullmatch(text):
        return _exported(ws, exported[1], int(exported[2]))
    rows = _named(ws, pl.col("source_id") == text)
    if rows.is_empty() and len(text) >= LEAST_DIGITS and re.fullmatch(r"[0-9a-f]{8,32}", text):
        rows = _named(ws, pl.col("content_hash").str.starts_with(text))
    if rows.is_empty():
        return None
    if rows.height > 1:
        raise _ambiguous(ws, text, rows)
    return _place(ws, rows["key"][0])


def _exported(ws: Workspace, digest: str, key: int) -> Found | None:
    """The conversation of that key if it has that hash; else the one that has it, in a workspace made anew."""
    rows = _named(ws, pl.col("content_hash") == digest)
    if key in rows["key"] or rows.height == 1:
        return _place(ws, key if key in rows["key"] else rows["key"][0])
    if rows.height:
        raise _ambiguous(ws, digest, rows)
    return None


def _place(ws: Workspace, key: int) -> Found:
    shard = shard_of(ws, key)
    assert shard is not None
    return Found(shard, key, None)


def _named(ws: Workspace, condition: pl.Expr) -> pl.DataFrame:
    return ws.scan("conversations").filter(condition).select(_PLACE).collect().sort("key")


def _ambiguous(ws: Workspace, name: str, rows: pl.DataFrame) -> CurateError:
    lines = [f"{rows.height:,} conversations are called `{name[:100]}`:"]
    lines += [
        f"  {row['key']:>8}  {row['content_hash'][:12]}  {row['source_file'][-60:]}, row {row['source_row']:,}"
        for row in rows.head(MOST_LISTED).iter_rows(named=True)
    ]
    lines += [f"  and {rows.height - MOST_LISTED:,} more"] if rows.height > MOST_LISTED else []
    return CurateError("\n".join(lines), where=ws.path, hint=f"name one by its key: curate show {rows['key'][0]}")


def _near(ws: Workspace, text: str) -> str:
    """What else the name might be; ids are not told where what `--redact` found may stand in them."""
    if "flags" in redact.inputs(ws):
        return _NAMES
    begins = ws.scan("conversations").filter(pl.col("source_id").str.starts_with(text)).select("source_id")
    ids = begins.unique().sort("source_id").head(5).collect()["source_id"].to_list() if text else []
    if ids:
        return f"ids that begin so: {', '.join(f'`{name[:60]}`' for name in ids)}"
    return _NAMES
