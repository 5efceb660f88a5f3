"""Where the shards of a stage are made: in this process or others beside it, or by a cluster over shared storage.

A stage is a function of one shard, and an engine is a way to call it for many: nothing else is different between
them, so their tables are equal. What decides (which shards are out of date, their stamps, the manifest, the lock)
stays in the process that was started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from curate.errors import CurateError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")

ENGINES = ("local", "ray")
# A worker is one of many on its machine: its libraries must not each take all processors.
THREADS = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "CURATE_THREADS", "CURATE_PROCESSES")


class Engine(Protocol):
    """A way to call a function for many items.

    Attributes:
        name: One of `ENGINES`.
    """

    name: str

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results in the order of the items; items are taken a few at a time, so neither is held as a whole.

        Args:
            function: Of one item. It may run in another process, on another machine, and more than once.
            items: Small things such as the numbers of shards.

        Raises:
            CurateError: What the function raised, or the workers were lost.
        """


class Local:
    """In this process, one item after the other: for stages whose own threads keep the processors busy."""

    name = "local"

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """As of `Engine`."""
        return map(function, items)


def engine(name: str) -> Engine:
    """The engine of that name.

    Raises:
        CurateError: There is none.
        MissingExtraError: It is not installed.
    """
    if name == "ray":
        from curate.engine.ray_tasks import Ray

        return Ray()
    if name != "local":
        raise CurateError(f"there is no engine `{name}`", where="--engine", hint=did_you_mean(name, ENGINES))
    return Local()
