"""Where a conversation went: its rows in the folders that the workspace was exported to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError, InputError
from curate.seal import unsealed
from curate.show import rows as find_rows
from curate.show.decision import decide
from curate.show.story import Exported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from curate.workspace import Workspace

MANIFEST = "manifest.json"
MOST_BYTES = 64 << 20  # of a manifest
NOT_WORKED_OUT = "why is not known: by the tables as they are now it would be exported"
NOT_DRAWN = "rows were drawn by weight, and none of its was; or its roles do not suit the format"


def exports(
    ws: Workspace, shard: int, key: int, content_hash: str, messages: Sequence[Mapping[str, Any]], more: Sequence[str]
) -> tuple[Exported, ...]:
    """What became of a conversation in each export, the latest last.

    Args:
        ws: The workspace.
        shard: The shard of the conversation.
        key: The conversation.
        content_hash: Its hash.
        messages: As exports have them: redacted if the workspace is.
        more: Folders of exports beside those that the workspace knows of.

    Raises:
        InputError: One of `more` is no export.
    """
    from curate.export import inputs

    stages = ws.manifest.get("stages", {})
    known = stages.get("export", {}).get("folders") or {}
    now = inputs(ws) if known else None
    places: dict[Path, bool | None] = {_resolved(ws, name): made_from != now for name, made_from in known.items()}
    for folder in more:
        if _manifest(Path(folder)) is None:
            raise InputError("no export is in this folder", where=folder, hint="name one that `curate export -o` wrote")
        places.setdefault(Path(folder).resolve(), None)
    return tuple(
        _export(ws, place, stale, shard, key, content_hash, messages) for place, stale in places.items()
    )


def _resolved(ws: Workspace, name: str) -> Path:
    """A folder that the manifest tells relative to the workspace."""
    return Path(os.path.normpath(ws.path.resolve() / name))


def _shown(place: Path) -> str:
    """As one would type it: from where we are, if it is below."""
    here = Path.cwd()
    return str(place.relative_to(here)) if place.is_relative_to(here) else str(place)


def _manifest(folder: Path) -> dict[str, Any] | None:
    file = folder / MANIFEST
    try:
        if file.stat().st_size > MOST_BYTES:
            return None
        value = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or unsealed(value) is None:
        return None
    whole = "curate_export" in value and isinstance(value.get("files"), dict)
    return value if whole and isinstance(value.get("policy"), dict) else None


def _export(
    ws: Workspace,
    place: Path,
    stale: bool | None,
    shard: int,
    key: int,
    content_hash: str,
    messages: Sequence[Mapping[str, Any]],
) -> Exported:
    manifest = _manifest(place)
    if manifest is None:
        damaged = "the folder is not an export any more, or its manifest is damaged"
        note = damaged if place.exists() else "the folder is not there any more"
        return Exported(_shown(place), None, "gone", None, None, (), (), note)
    decision = decide(ws, shard, key, manifest["policy"])
    notes = [decision.note] if decision and decision.note else []
    responses = decision.responses if decision and decision.dropped is None else ()
    told = decision.dropped if decision else None
    try:
        rows = find_rows.find(place, list(manifest["files"]), key, content_hash, messages)
    except CurateError as error:
        rows, notes = [], [*notes, f"{error.what}: {error.where}"]
        state = "cannot tell"
    else:
        state = "cannot tell" if rows is None else "there" if rows else "left out"
    if rows and rows[0].id is None and told and (told == "duplicate" or not stale):
        rows, state = [], "left out"
        notes.append("a copy with the same texts is there")
    if rows is None:
        notes.append("its rows hold token ids and no ids of conversations")
    elif rows and rows[0].id is None:
        notes.append("the format has no ids: rows are found by their texts")
    if state != "left out":
        # What is there is not left out, whatever the tables say by now.
        told = None if state == "there" else told
    elif told is None:
        notes.append(NOT_DRAWN if manifest.get("emulate_weights") else NOT_WORKED_OUT)
    format = manifest.get("format")
    return Exported(
        folder=_shown(place),
        format=format if isinstance(format, str) else None,
        state=state,
        reason=told,
        stale=stale,
        rows=tuple(rows or ())[: find_rows.MOST_ROWS],
        responses=responses,
        note="; ".join(notes) or None,
    )
