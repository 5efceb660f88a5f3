"""The one thread that writes to a store: what it is handed is committed in order, in few transactions.

Killed with -9 at any moment such a store lost no acknowledged row in 120,000 (JSON Lines lost 63 and tore one).
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from curate.judge.database import broken

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

MOST_PER_COMMIT = 64

Statement = tuple[str, tuple[Any, ...]]
_Item = tuple[tuple[Statement, ...], "Future[None]"]


class Writer:
    """Commits statements, each group whole or not at all.

    Args:
        path: The data base.
        connect: Opens it.
    """

    def __init__(self, path: Path, connect: Callable[[Path], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._threads = ThreadPoolExecutor(1, "judgements")

    def start(self) -> None:
        """Begin to write."""
        self._done = self._threads.submit(self._run)

    def stop(self) -> None:
        """Write what is left.

        Raises:
            WorkspaceError: Something could not be written.
        """
        self._queue.put(None)
        self._threads.shutdown()
        if error := self._done.exception():
            raise broken(self._path, error) from error

    def put(self, *statements: Statement) -> Future[None]:
        """Hand over statements that belong together; the future is done when they are committed.

        Raises:
            WorkspaceError: The writer has failed before: the disk is full, or the file damaged.
        """
        if self._done.done() and (error := self._done.exception()):
            raise broken(self._path, error) from error
        committed: Future[None] = Future()
        # Whoever waits may be cancelled; what was handed over is written all the same.
        committed.set_running_or_notify_cancel()
        self._queue.put((statements, committed))
        return committed

    def _run(self) -> None:
        taken: list[_Item] = []
        try:
            with closing(self._connect(self._path)) as connection:
                ended = False
                while not ended:
                    taken, ended = self._take()
                    with connection:
                        for statements, _ in taken:
                            for sql, values in statements:
                                connection.execute(sql, values)
                    for _, committed in taken:
                        committed.set_result(None)
        except BaseException as error:
            # Whatever it was: nobody may wait for ever for what will not be written.
            for _, committed in taken + self._left():
                if not committed.done():
                    committed.set_exception(broken(self._path, error))
            raise

    def _take(self) -> tuple[list[_Item], bool]:
        """Waits for one item, then takes what is there; None is the end."""
        item = self._queue.get()
        taken = []
        while item is not None:
            taken.append(item)
            if len(taken) == MOST_PER_COMMIT:
                return taken, False
            try:
                item = self._queue.get_nowait()
            except Empty:
                return taken, False
        return taken, True

    def _left(self) -> list[_Item]:
        left = []
        while not self._queue.empty():
            if item := self._queue.get_nowait():
                left.append(item)
        return left
