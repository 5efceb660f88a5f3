"""Reading the response under the cursor beside the screen: who moves on quickly does not wait for those passed over."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.message import Message

from curate.browse.listing import TROUBLE
from curate.browse.response import fetch

if TYPE_CHECKING:
    from typing import Any

    from textual.app import App

    from curate.browse.edit import Place
    from curate.browse.response import Response
    from curate.workspace import Workspace


class Opened(Message):
    """The response that is wanted has been read, or cannot be.

    Attributes:
        place: Its conversation and turn.
        response: What was read; None = it cannot be.
        error: Why not.
    """

    def __init__(self, place: Place, response: Response | None = None, error: Exception | None = None) -> None:
        super().__init__()
        self.place, self.response, self.error = place, response, error


class Opening:
    """Reads one response at a time, and then the one that is wanted by then.

    Args:
        app: Told by `Opened`, of the one wanted last alone.
        ws: The workspace.
    """

    def __init__(self, app: App[None], ws: Workspace) -> None:
        self._app, self._ws = app, ws
        self._wanted: dict[str, Any] | None = None
        self._busy = False

    def want(self, row: dict[str, Any] | None) -> None:
        """Read the response of a row of the list; None = none any more."""
        self._wanted = row
        if row is not None and not self._busy:
            self._busy = True
            self._app.run_worker(partial(self._fetch, row), thread=True, group="response")

    def _fetch(self, row: dict[str, Any]) -> None:
        opened = Opened((row["key"], row["turn"]))
        try:
            opened.response = fetch(self._ws, row["shard"], *opened.place)
        except TROUBLE as error:
            opened.error = error
        self._app.call_from_thread(self._fetched, row, opened)

    def _fetched(self, row: dict[str, Any], opened: Opened) -> None:
        self._busy = False
        if row == self._wanted:
            self._app.post_message(opened)
        else:
            self.want(self._wanted)
