"""Shards made side by side in processes of this machine, where Python would keep all but one processor waiting.

Workers are this program started again, so nothing of what a process has open or runs in threads is copied, and no
script of a user is run twice. They are asked over their standard input and end with it: however the process that
started them ends, none is left behind.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar, cast

from curate.engine import THREADS
from curate.errors import CurateError
from curate.memory import allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")

# What a worker needs of memory, its libraries and a shard together.
MEMORY = 1 << 30
# Of a Parquet table; less is done before a worker has started.
WORTH = 4 << 20


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes(size: int | None) -> int:
    """How many workers are worth starting: `CURATE_PROCESSES`, else one per processor and gigabyte of memory.

    Args:
        size: Bytes of Parquet that are to be read; None when nobody knows.

    Raises:
        CurateError: The variable is no number.
    """
    if told := os.environ.get("CURATE_PROCESSES"):
        if not (told.isdecimal() and int(told)):
            raise CurateError(f"`{told}` is no number of processes", where="CURATE_PROCESSES", hint="1, or more")
        return int(told)
    most = min(processors(), allowed() // MEMORY)
    return max(1, most if size is None else min(most, size // WORTH))


class Processes:
    """As many workers as there are items to make, up to a number.

    Args:
        count: How many at the most.
    """

    name = "local"

    def __init__(self, count: int) -> None:
        self.count = count

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """As of `Engine`."""
        return self._spread(function, items, lambda item, ask: cast("Result", ask(item)))

    def chain(self, function: Callable[[Any], Any], items: Iterable[Any], start: Result) -> Iterator[Result]:
        """What each item adds to a sum, in the order of the items, of a function that has to know the sum before it.

        Args:
            function: It is called twice: with the item, then with the sum of those before it. It returns what it adds
                both times; None at first where that is not known yet, so that the items behind it wait longer.
            items: As of `map`.
            start: The sum before the first.
        """
        links: deque[Future[Any]] = deque([Future()])
        links[0].set_result(start)

        def linked() -> Iterator[tuple[Any, Future[Any], Future[Any]]]:
            for item in items:
                links.append(Future())
                yield item, links.popleft(), links[0]

        def turn(link: tuple[Any, Future[Any], Future[Any]], ask: Callable[[Any], Any]) -> Any:
            item, before, after = link
            try:
                added = ask(item)
                if added is not None:
                    after.set_result(before.result() + added)
                made = ask(before.result())
                if added is None:
                    after.set_result(before.result() + made)
            except BaseException as error:
                if not after.done():
                    after.set_exception(error)
                raise
            return made

        return self._spread(function, linked(), turn)

    def _spread(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Item],
        turn: Callable[[Item, Callable[[Any], Any]], Result],
    ) -> Iterator[Result]:
        """The results of `turn`, which is given an item and a way to call the function in one of the workers."""
        import cloudpickle

        items = iter(items)
        ahead = list(islice(items, 2))
        alone = len(ahead) < 2 or self.count == 1
        items = chain(map(ahead.pop, [0] * len(ahead)), items)  # each is let go as it is taken
        if alone:
            for item in items:
                yield turn(item, function)
            return
        shipped = cloudpickle.dumps(function)
        idle, workers = SimpleQueue[_Worker](), list[_Worker]()

        def ask(item: Item) -> Result:
            worker = idle.get()
            try:
                return turn(item, worker.ask)
            finally:
                idle.put(worker)

        pending = deque[Future[Result]]()
        threads = ThreadPoolExecutor(self.count)
        try:
            for item in items:
                if len(workers) < self.count:
                    workers.append(_Worker(shipped))
                    idle.put(workers[-1])
                pending.append(threads.submit(ask, item))
                if len(pending) > self.count:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for worker in workers:
                worker.end()
            threads.shutdown(cancel_futures=True)


class _Worker:
    """A process that makes one item after the other.

    Args:
        shipped: The pickled function of an item.
    """

    def __init__(self, shipped: bytes) -> None:
        alone = dict.fromkeys(THREADS, "1")
        path = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
        # -P: what lies in the current folder is imported only where this process would.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "curate.engine.worker"],
            env={**os.environ, **alone, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # Ctrl-C goes to all of a group; whoever started the workers ends them
        )
        self._shipped: bytes | None = shipped

    def ask(self, item: object) -> Any:
        """The function of an item.

        Raises:
            CurateError: What the function raised, or the worker is gone.
        """
        try:
            pipe = cast("Any", self._process.stdin)
            if self._shipped is not None:
                pipe.write(self._shipped)
                self._shipped = None
            pickle.dump(item, pipe)
            pipe.flush()
            well, answer = pickle.load(cast("Any", self._process.stdout))
        except (EOFError, BrokenPipeError, pickle.UnpicklingError, ValueError) as error:
            what = f"a worker process is gone, exit code {self._process.wait()}"
            hint = "what is finished stays: run it again; if memory ran out, with CURATE_PROCESSES=1 in the environment"
            raise CurateError(what, hint=hint) from error
        if not well:
            raise answer
        return answer

    def end(self) -> None:
        """Whatever it does is lost; a shard that is half written does not count."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                cast("Any", pipe).close()
