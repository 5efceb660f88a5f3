"""Reading and sorting the list beside the screen: whatever was asked for last counts, all before it comes too late."""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import polars as pl
from textual.message import Message

from curate.browse.rows import SCHEMA, SORTS, in_order, shards
from curate.errors import CurateError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from textual.app import App

    from curate.browse.edit import Session
    from curate.workspace import Workspace

# What a workspace that changes under us may raise.
TROUBLE = (CurateError, OSError, pl.exceptions.PolarsError)
_OFTEN = 0.2  # seconds between two looks at a list that is still being read


class Listed(Message):
    """Rows are there.

    Attributes:
        rows: All, or all so far.
        whole: Whether there are no more.
        first: Whether the cursor belongs on the first of them.
    """

    def __init__(self, rows: pl.DataFrame, *, whole: bool, first: bool) -> None:
        super().__init__()
        self.rows, self.whole, self.first = rows, whole, first


class Progressed(Message):
    """More of the list has been read."""


class Failed(Message):
    """The list cannot be made; the one before holds."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Listing:
    """The list that is wanted.

    Args:
        app: Told by `Listed`, `Progressed` and `Failed`.
        ws: The workspace.
        session: What was said by hand, which counts in the order.
        where: Condition of the first list; None = all.
        sort: The first order.
        seed: Of the random order.
        limit: Most rows; None = all.

    Attributes:
        where: Condition of the list that is there, or that is being read first.
        progress: What is being done, in words; empty = nothing.
    """

    def __init__(
        self,
        app: App[None],
        ws: Workspace,
        session: Session,
        where: str | None,
        sort: str,
        seed: int,
        limit: int | None,
    ) -> None:
        self.sort = sort
        self.where = where
        self.progress = ""
        self._app, self._ws, self._session, self._seed, self._limit = app, ws, session, seed, limit
        self._run = 0
        self._busy = self._whole = self._failed = False

    def resume(self) -> None:
        """Read the first list, shown as it grows; go on with it after another one could not be made."""
        if not (self._whole or self._failed):
            self._begin(partial(self._read, self.where, True))

    def read(self, where: str | None) -> None:
        """Read another list; the rows that are there stay until it has all been read.

        Args:
            where: Polars SQL condition over the columns of `curate.scan`; None = all.
        """
        self._begin(partial(self._read, where, False))

    def turn(self, rows: pl.DataFrame) -> None:
        """Put rows into the next order; if they are still being read, they will be in it."""
        self.sort = SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)]
        if not self._busy:
            self._begin(partial(self._again, rows))

    def stop(self) -> None:
        """Read no more."""
        self._run += 1

    def _begin(self, work: Callable[[int], Any]) -> None:
        self._run += 1
        self._busy = True
        self._app.run_worker(partial(work, self._run), thread=True, group="list")

    def _read(self, where: str | None, early: bool, run: int) -> None:
        frames, total, told = [SCHEMA.to_frame()], len(self._ws.shards("conversations")), 0.0
        try:
            if total:
                self._session.load()
            for number, frame in enumerate(shards(self._ws, where), start=1):
                frames.append(frame)
                if run != self._run:
                    return
                if monotonic() - told > _OFTEN:
                    self.progress, told = f"reading {number} of {total} shards", monotonic()
                    if early and self.sort == "key" and self._limit is None:
                        self._app.post_message(Listed(pl.concat(frames), whole=False, first=False))
                    self._app.post_message(Progressed())
            rows = self._in_order(pl.concat(frames))
        except TROUBLE as error:
            self._failed |= early
            self._end(run, Failed(error))
            return
        if run == self._run:
            self.where, self._whole = where, True
        self._end(run, Listed(rows if self._limit is None else rows.head(self._limit), whole=True, first=False))

    def _again(self, rows: pl.DataFrame, run: int) -> None:
        self._end(run, Listed(self._in_order(rows.sort("key", "turn")), whole=True, first=True))

    def _in_order(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows in the order that is wanted by the time they are in it."""
        found, sort = rows, "key"
        while sort != self.sort:
            sort = self.sort
            said = [(*place, one.score) for place, one in self._session.said.items() if one.score is not None]
            found = in_order(rows, sort, said=said, seed=self._seed)
        return found

    def _end(self, run: int, message: Message) -> None:
        if run == self._run:
            self._busy, self.progress = False, ""
            self._app.post_message(message)
