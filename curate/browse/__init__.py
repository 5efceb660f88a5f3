"""`curate browse`: page through responses in the terminal, see why they are scored so, and correct them by hand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from curate.errors import CurateError, MissingExtraError
from curate.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path


def browse(
    workspace: str | Path,
    *,
    where: str | None = None,
    sort: str = "key",
    by: str | None = None,
    seed: int = 0,
    limit: int | None = None,
) -> int:
    """Open the browser and stay until it is quit; every correction is on disk when the screen says so.

    Args:
        workspace: Folder of the workspace.
        where: Polars SQL condition over the columns of `curate.scan`; it can be changed in the browser.
        sort: `key`, `reward` (the worst first), `-reward` or `random`.
        by: Who corrects; None = `CURATE_BY`, else the name of the account.
        seed: Seed of the random order.
        limit: Most responses in the list, the first in the order; None = all.

    Returns:
        How many corrections and undoings were stored.

    Raises:
        CurateError: No terminal, no such order, or `where` is no condition.
        WorkspaceError: Not a workspace.
        MissingExtraError: Textual is not installed.
    """
    ws = Workspace(workspace)
    _check(ws, where, sort)
    try:
        from curate.browse.app import Browser
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "textual":
            raise
        raise MissingExtraError("textual", "browse") from None
    from curate.browse.edit import Session

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CurateError("`curate browse` needs a terminal", hint="`curate browse --json` prints the list")
    session = Session(ws.path, by)
    app = Browser(ws, session, where, sort, seed, limit)
    app.run()
    if app.return_code:
        hint = "this is a bug: please report it with the lines above; what was saved is kept"
        raise CurateError("the browser ended with an error", hint=hint)
    return session.made


def _check(ws: Workspace, where: str | None, sort: str) -> None:
    """Refuse what can never be shown before the screen is taken."""
    from curate.browse.rows import SCHEMA, in_order
    from curate.where import matching

    in_order(SCHEMA.to_frame(), sort)
    if where is not None and (shards := ws.shards("conversations")):
        matching(ws, where, shards[0])
