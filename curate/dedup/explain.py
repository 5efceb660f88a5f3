"""Why a conversation, or a response, was removed or stays: the kept copy, the true similarity, the difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate import redact
from curate.console import plain
from curate.dedup import by_hand, diff
from curate.errors import CurateError, WorkspaceError
from curate.keys import shard_of
from curate.schema import TABLES
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.text import Text

# Removed copies that are named of one that stays.
MOST_NAMED = 20


@dataclass(frozen=True)
class Place:
    """Where a text came from.

    Attributes:
        key: Its conversation.
        turn: The response that it is; None = all of the conversation.
        source_file: File, as given on the command line.
        source_row: Record in it.
        source_id: Its id there.
        chars: Its length in characters.
    """

    key: int
    turn: int | None
    source_file: str
    source_row: int
    source_id: str | None
    chars: int


@dataclass(frozen=True)
class Explanation:
    """Why a text was removed or stays.

    Attributes:
        unit: What was compared: conversation, prompts or responses.
        text: The text.
        kind: exact, prefix, near or semantic; None = it stays.
        similarity: What the search found: 1 for exact and prefix, else Jaccard or cosine; None = it stays.
        kept: The text that stays for it; None = it stays, or its set is not there any more.
        against: The other set that has `kept`; None = this one.
        jaccard: Jaccard similarity of the two, computed now; None = nobody asked, or there are not two.
        containment: Share of its shingles that the kept one has, likewise.
        stands_for: Texts that were removed for this one, the first few.
        restored: Whether its removal was taken back by hand.
        similar_to: A kept conversation whose prompts mean the same, if there is one.
        cosine: How much they do.
        messages: What differs, message by message; personal data that `--redact` found is replaced.
    """

    unit: str
    text: Place
    kind: str | None
    similarity: float | None
    kept: Place | None
    against: str | None
    jaccard: float | None
    containment: float | None
    stands_for: tuple[tuple[int, int | None], ...]
    restored: bool
    similar_to: int | None
    cosine: float | None
    messages: tuple[diff.MessageDiff, ...]


def explain_duplicate(
    workspace: str | Path, key: int, turn: int | None = None, *, compare: bool = True
) -> Explanation:
    """Why a conversation was removed or stays.

    Args:
        workspace: Folder of the workspace.
        key: The conversation.
        turn: Index of a response in its messages: asks about that response instead (`--unit responses`).
        compare: Compute `jaccard` and `containment` too, for which the kernels are loaded.

    Raises:
        CurateError: There is no such conversation or response.
        WorkspaceError: Not a workspace, or `curate dedup` did not run.
    """
    ws = Workspace(workspace)
    unit = "responses" if turn is not None else _unit(ws)
    index, messages, place = _find(ws, key, turn, unit)
    verdict = _verdict(ws, index, key, turn)
    others: Workspace | None = ws
    kept = None
    if verdict["by"] is not None and verdict["against"]:
        try:
            others = Workspace(verdict["against"])
        except WorkspaceError:
            others = None
    if verdict["by"] is not None and others:
        kept = _find(others, verdict["by"], verdict["by_turn"], unit)
    jaccard, containment = _compare(messages, kept[1]) if kept and compare else (None, None)
    return Explanation(
        unit=unit,
        text=place,
        kind=verdict["kind"],
        similarity=verdict["similarity"],
        kept=kept[2] if kept else None,
        against=verdict["against"],
        jaccard=jaccard,
        containment=containment,
        stands_for=_stands_for(ws, key, turn),
        restored=by_hand.is_restored(ws, index, key, turn),
        similar_to=verdict["similar_to"],
        cosine=verdict["cosine"],
        messages=diff.messages(kept[1], messages) if kept else (),
    )


def _unit(ws: Workspace) -> str:
    """What the verdicts about conversations were found by."""
    options = ws.manifest.get("stages", {}).get("dedup", {}).get("options", {})
    return str(options.get("unit", "conversation"))


def _find(ws: Workspace, key: int, turn: int | None, unit: str) -> tuple[int, list[dict[str, Any]], Place]:
    """The shard, the messages and the place of a text."""
    index = shard_of(ws, key)
    if index is None:
        hint = "keys are in the tables of the workspace"
        raise CurateError(f"there is no conversation {key}", where=ws.path, hint=hint)
    columns = ["key", "messages", "source_file", "source_row", "source_id"]
    row = redact.read(ws, index, columns, keys=[key]).row(0, named=True)
    messages = row["messages"]
    if turn is not None:
        if not 0 <= turn < len(messages) or messages[turn]["role"] != "assistant":
            raise CurateError(f"message {turn} of conversation {key} is no response", where=ws.path)
        messages = [messages[turn]]
    elif unit == "prompts":
        messages = [message for message in messages if message["role"] == "user"]
    chars = sum(len(message["content"]) for message in messages)
    return index, messages, Place(key, turn, row["source_file"], row["source_row"], row["source_id"], chars)


def _verdict(ws: Workspace, index: int, key: int, turn: int | None) -> dict[str, Any]:
    nothing = {"by": None, "by_turn": None, "kind": None, "similarity": None, "against": None}
    nothing |= {"similar_to": None, "cosine": None}
    if turn is None:
        found = ws.read("duplicates", index).filter(pl.col("key") == key).rename({"removed_by": "by"})
    else:
        found = ws.read("repeats", index).filter((pl.col("key") == key) & (pl.col("turn") == turn))
        found = found.rename({"repeats": "by", "repeats_turn": "by_turn"})
    return {**nothing, **found.row(0, named=True)} if len(found) else nothing


def _stands_for(ws: Workspace, key: int, turn: int | None) -> tuple[tuple[int, int | None], ...]:
    own = pl.col("against").is_null()
    if turn is None:
        found = ws.scan("duplicates").filter((pl.col("removed_by") == key) & own).select("key").head(MOST_NAMED)
        return tuple((row[0], None) for row in found.collect().iter_rows())
    same = (pl.col("repeats") == key) & (pl.col("repeats_turn") == turn)
    return tuple(ws.scan("repeats").filter(same & own).select("key", "turn").head(MOST_NAMED).collect().iter_rows())


def _compare(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> tuple[float, float]:
    """Jaccard similarity of two texts, and the share of the first one's shingles that the second has."""
    from curate.dedup import minhash
    from curate.dedup.texts import texts

    column = pa.array([left, right], TABLES["conversations"].arrow.field("messages").type)
    arrays = texts(column).arrays
    _, tokens, _ = minhash.signatures(*arrays, *minhash.permutations(1))
    rows = np.arange(2)
    hashes, sizes = minhash.shingle_sets(*arrays, rows, tokens)
    jaccard = minhash.jaccard(hashes[: sizes[0]], hashes[sizes[0] :], 0.0)
    # Of a short text within a long one, which has wider shingles for itself.
    hashes, sizes = minhash.shingle_sets(*arrays, rows, tokens, minhash.width_of(tokens[0]))
    inside = np.isin(hashes[: sizes[0]], hashes[sizes[0] :])
    return jaccard, float(inside.mean()) if len(inside) else 1.0


_HOW = {"exact": "an exact copy of", "prefix": "it is the beginning of", "near": "a near copy of"}
_HOW |= {"semantic": "it asks for the same as"}


def render(found: Explanation) -> Iterator[Text]:
    """An explanation for a terminal."""
    from rich.text import Text

    if found.kind is None:
        state = " (taken back by hand)" if found.restored else ""
        yield Text(f"{_name(found.text)} stays{state}")
    elif found.kept or found.against:
        whose = f" in {plain(found.against)}" if found.against else ""
        kept = _name(found.kept) if found.kept else "a text"
        prompts = " (its prompts, compared with the prompts there)" if found.unit == "prompts" else ""
        yield Text(f"{_name(found.text)} was removed: {_HOW[found.kind]} {kept}{whose}{prompts}")
    if found.kind is not None:
        exact = "" if found.jaccard is None else f"; Jaccard {found.jaccard:.4f}"
        exact += "" if found.containment is None else f", {found.containment:.1%} of it is in the kept one"
        yield Text(f"similarity {found.similarity:.4f}{exact}")
    for name, place in (("kept", found.kept), ("removed" if found.kind else "text", found.text)):
        if place:
            identity = f", id {plain(place.source_id, 60)}" if place.source_id else ""
            where = f"{plain(place.source_file, 100)}:{place.source_row}{identity}"
            yield Text(f"  {name:<8} {where}, {place.chars:,} characters")
    if found.stands_for:
        names = ", ".join(str(key) if turn is None else f"{key}:{turn}" for key, turn in found.stands_for)
        more = " …" if len(found.stands_for) == MOST_NAMED else ""
        yield Text(f"stands for {names}{more}")
    if found.similar_to is not None:
        yield Text(f"its prompts mean the same as those of {found.similar_to} (cosine {found.cosine:.4f})")
    if found.messages:
        yield Text("[-only in the kept one-] {+only in the removed one+}", "dim")
        yield from diff.render(found.messages)


def _name(place: Place) -> str:
    return f"conversation {place.key}" if place.turn is None else f"response {place.key}:{place.turn}"
