"""The engine `ray`: one task of a Ray cluster per shard.

A shard is read from and written to storage that all machines see under one path, so nothing but shard numbers and
small results crosses the network, and a data frame engine would add nothing. When a node dies Ray runs its tasks
again elsewhere; a shard takes its place when it is whole, so a second run of one is no harm.
"""

from __future__ import annotations

import os
from collections import deque
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from curate.engine import THREADS
from curate.errors import CurateError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")

# Tasks that are submitted before the first of them is waited for, per processor of the cluster.
AHEAD = 2
# Runs of a task whose worker or node died, besides the first.
RETRIES = 3
# How a cluster of this machine alone is started.
LOCAL: dict[str, Any] = {"include_dashboard": False}
# What must be equal on all machines for tables to be equal byte for byte.
SAME = ("polars", "pyarrow", "numpy")


class Ray:
    """A Ray cluster: the one of `RAY_ADDRESS`, else one of this machine alone that ends with this process.

    `CURATE_TASK_CPUS` (1) is how many processors, and threads, a task has.

    Raises:
        MissingExtraError: Ray is not installed.
        CurateError: There is no cluster at that address.
    """

    name = "ray"

    def __init__(self) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("ray", "ray") from error
        self.ray = ray
        cpus = os.environ.get("CURATE_TASK_CPUS") or "1"
        if not (cpus.isdecimal() and int(cpus)):
            raise CurateError(f"`{cpus}` is no number of processors", where="CURATE_TASK_CPUS", hint="1, or more")
        self.cpus = int(cpus)
        if not ray.is_initialized():
            _connect(ray, self.cpus)
        self._call = ray.remote(num_cpus=self.cpus, max_retries=RETRIES)(call)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """As of `Engine`."""
        shipped, ours = self.ray.put(function), versions()
        waiting = deque[Any]()
        try:
            for item in items:
                waiting.append(self._call.remote(shipped, item, ours))
                if len(waiting) >= self._ahead():
                    yield self._result(waiting.popleft())
            while waiting:
                yield self._result(waiting.popleft())
        finally:
            for task in waiting:
                self.ray.cancel(task, force=True)

    def _ahead(self) -> int:
        """Asked anew each time, because a cluster may grow."""
        return max(1, AHEAD * int(self.ray.cluster_resources().get("CPU", 1)) // self.cpus)

    def _result(self, task: Any) -> Any:
        errors = self.ray.exceptions
        try:
            return self.ray.get(task)
        except errors.RayTaskError as error:
            # Ray's own class of both would print a traceback of another machine.
            raise (error.cause if isinstance(error.cause, CurateError) else error) from None
        except errors.RayError as error:
            what = f"the cluster lost a task {RETRIES + 1} times: {str(error).splitlines()[0]}"
            hint = "what is finished stays: run it again; if memory ran out, raise CURATE_TASK_CPUS"
            raise CurateError(what, hint=hint) from error


def _connect(ray: Any, cpus: int) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = os.environ.get("RAY_ADDRESS") or "local"
    threads = dict.fromkeys(THREADS, str(cpus))
    options: dict[str, Any] = {"runtime_env": {"env_vars": threads}, "log_to_driver": False, "logging_level": "warning"}
    if address == "local":
        # Without an address Ray would join any cluster that its folder for temporary files still tells of.
        options |= LOCAL
    try:
        ray.init(address=address, **options)
    except Exception as error:  # Ray raises that very class where a cluster does not start in time
        what = f"the Ray cluster does not answer: {str(error).splitlines()[0]}"
        raise CurateError(what, where=f"RAY_ADDRESS={address}", hint="start one with `ray start --head`") from error


def versions() -> dict[str, str]:
    """What this process works with."""
    from curate import __version__

    return {"curate": __version__} | {name: version(name) for name in SAME}


def call(function: Callable[[Item], Result], item: Item, wanted: dict[str, str]) -> Result:
    """The function of an item, in a worker.

    Raises:
        CurateError: The worker's machine has other versions.
    """
    if (found := versions()) != wanted:
        name = next(name for name in wanted if found[name] != wanted[name])
        what = f"a machine of the cluster has {name} {found[name]}, and not {wanted[name]}"
        raise CurateError(what, where=os.uname().nodename, hint="install the same versions everywhere")
    return function(item)
