"""`curate show`: the whole history of one conversation, and the conversations that a condition holds for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.show.matches import Match, Matches, search
from curate.show.story import Story

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Match", "Matches", "Story", "search", "show"]


def show(
    workspace: str | Path, name: str | int, *, turn: int | None = None, exports: Sequence[str | Path] = ()
) -> Story:
    """Everything that the workspace knows of one conversation; nothing is written.

    Args:
        workspace: Folder of the workspace.
        name: Its key (17, or 17:3 for one response), the id that it has in its source, its content hash or 8 or more
            digits of it, or the id of an exported row.
        turn: Index of the one response that is asked about; None = as `name` says.
        exports: Folders of exports beside those that the workspace knows of.

    Raises:
        CurateError: Nothing has this name, or several have, or there is no such response.
        WorkspaceError: Not a workspace, or a table that was made from other conversations.
        InputError: One of `exports` is no export.
    """
    from curate.show import find, gather
    from curate.workspace import Workspace

    ws = Workspace(workspace)
    found = find.find(ws, name)
    if turn is not None:
        found = found._replace(turn=turn)
    return gather.gather(ws, found, [str(folder) for folder in exports])
