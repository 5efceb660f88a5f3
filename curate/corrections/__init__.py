"""`curate correct`: the class or the score of a response, said by hand, with who and when."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from curate.corrections import store
from curate.errors import CurateError
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["Correction", "correct", "corrections", "render"]


@dataclass(frozen=True)
class Correction:
    """What holds for one response.

    Attributes:
        keys: The conversations that have it, several where there are copies; none = not in this workspace.
        turn: Index of the response.
        content_hash: Of the conversation.
        class_: The right class, or `unknown`; None = as the rules say.
        score: The right reward, 0 to 1; None = as the judge says.
        by: Who said so last.
        at: When, in ISO 8601, UTC.
        why: The reason given.
    """

    keys: tuple[int, ...]
    turn: int
    content_hash: str
    class_: str | None
    score: float | None
    by: str
    at: str
    why: str | None


def correct(
    workspace: str | Path,
    responses: Sequence[tuple[int, int]],
    *,
    class_: str | None = None,
    score: float | None = None,
    by: str | None = None,
    why: str | None = None,
    undo: bool = False,
    rules_file: str = "labels.toml",
    weights: str = "weights.toml",
) -> list[Correction]:
    """Say the right class or score of responses, or take back what was said; nothing is ever deleted.

    Args:
        workspace: Folder of the workspace.
        responses: Each a conversation's key and the turn.
        class_: One that the label rules or the weights know, or `unknown`.
        score: On the scale of rewards, 0 (worst) to 1 (best).
        by: Who says so; None = `CURATE_BY`, else the name of the account.
        why: The reason.
        undo: Take back all that was said of them instead.
        rules_file: Label rules, for the classes they know.
        weights: Class weights, for the classes they know.

    Returns:
        What holds now of these responses.

    Raises:
        CurateError: Nothing or too much is said, a class that nobody knows, a score out of bounds, or no such response.
        WorkspaceError: Another process writes to the workspace.
    """
    ws = Workspace(workspace)
    if not responses:
        raise CurateError("no response is named", hint="name it by conversation and turn: 17:3")
    _check(class_, score, undo, rules_file, weights)
    said_by = author(by)
    hashes = _hashes(ws, responses)
    said = {"class": class_, "reward": score, "undo": undo, "by": said_by, "at": datetime.now(UTC), "why": why or None}
    named = dict.fromkeys((hashes[key], turn) for key, turn in responses)
    if undo:
        known = set(store.current(ws).select(store.RESPONSE).iter_rows())
        if idle := [f"{key}:{turn}" for key, turn in responses if (hashes[key], turn) not in known]:
            raise CurateError(f"nothing was said of {idle[0]}", where=ws.path, hint="`curate correct --list`")
    store.append(ws, [{"content_hash": hash_, "turn": turn, **said} for hash_, turn in named])
    return [one for one in corrections(ws.path) if (one.content_hash, one.turn) in named]


def author(by: str | None = None) -> str:
    """Who corrects: the name given, else `CURATE_BY`, else the name of the account.

    Raises:
        CurateError: It is empty.
    """
    name = (by or os.environ.get("CURATE_BY") or getpass.getuser()).strip()
    if not name:
        raise CurateError("`by` is empty", hint="--by NAME")
    return name


def corrections(workspace: str | Path) -> list[Correction]:
    """Every correction that holds, the oldest first.

    Raises:
        WorkspaceError: Not a workspace.
    """
    ws = Workspace(workspace)
    rows = store.current(ws)
    keys = ws.scan("conversations").select("key", "content_hash").join(rows.lazy(), on="content_hash", how="semi")
    by_hash: dict[str, list[int]] = {}
    for key, hash_ in keys.collect().sort("key").iter_rows():
        by_hash.setdefault(hash_, []).append(key)
    return [
        Correction(
            tuple(by_hash.get(row["content_hash"], ())),
            row["turn"],
            row["content_hash"],
            row["class"],
            None if row["reward"] is None else round(row["reward"], 6),
            row["by"],
            row["at"].isoformat(timespec="seconds"),
            row["why"],
        )
        for row in rows.iter_rows(named=True)
    ]


def render(found: Iterable[Correction]) -> Iterator[str]:
    """The lines of a list; nothing in them can reach the terminal but as text."""
    from curate.console import plain

    for one in found:
        more = f" and {len(one.keys) - 1} copies" if len(one.keys) > 1 else ""
        name = (
            f"{one.keys[0]}:{one.turn}{more}" if one.keys else f"{one.content_hash}:{one.turn}, not in this workspace"
        )
        said = [f"class {one.class_}"] if one.class_ else []
        said += [] if one.score is None else [f"score {one.score:g}"]
        line = f"{name}  {', '.join(said)}  by {one.by}, {one.at}"
        yield plain(line + (f": {one.why}" if one.why else ""))


def _check(class_: str | None, score: float | None, undo: bool, rules_file: str, weights: str) -> None:
    from curate import reward, rules
    from curate.label import classes

    if undo == (class_ is not None or score is not None):
        what = "undo takes no class and no score" if undo else "neither a class nor a score is given"
        raise CurateError(what, hint="--class gpt-3.5, --score 0.2, or --undo")
    if score is not None and not 0 <= score <= 1:
        raise CurateError(f"the score is {score:g}, it must be between 0 (worst) and 1 (best)")
    if class_ is not None and class_ != store.UNKNOWN:
        known = rules.load(rules_file, "labels", check_cases=False)
        classes.check([(class_, "--class")], known, reward.read_weights(weights))


def _hashes(ws: Workspace, responses: Sequence[tuple[int, int]]) -> dict[int, str]:
    """The content hash of each conversation.

    Raises:
        CurateError: One is not there, or a turn of it is no response.
    """
    keys = {key for key, _ in responses}
    role = pl.col("messages").list.eval(pl.element().struct.field("role"))
    rows = ws.scan("conversations").filter(pl.col("key").is_in(keys)).select("key", "content_hash", role).collect()
    found = {key: (hash_, roles) for key, hash_, roles in rows.iter_rows()}
    for key, turn in responses:
        if key not in found:
            raise CurateError(f"there is no conversation {key}", where=ws.path, hint="keys are in the tables")
        if not 0 <= turn < len(found[key][1]) or found[key][1][turn] != "assistant":
            turns = ", ".join(str(place) for place, name in enumerate(found[key][1]) if name == "assistant")
            hint = f"its responses are the messages {turns}" if turns else "it has no response"
            raise CurateError(f"message {turn} of conversation {key} is no response", where=ws.path, hint=hint)
    return {key: hash_ for key, (hash_, _) in found.items()}
