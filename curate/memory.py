"""How much memory there is for us, and what was freed back to the system: allocators keep it, so it counts as ours."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def allowed(of: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes of memory: what the machine has, or less where a container or a batch system allows less.

    Args:
        of: Names the control groups of this process (`man 7 cgroups`, versions 1 and 2).
        root: Where they are.
    """
    found = [1 << 62]
    with suppress(AttributeError, ValueError, OSError):  # no POSIX
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(OSError):
        for line in of.read_text("utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if "memory" in controllers.split(",") or not controllers:
                group = root / ("memory" if controllers else "") / path.lstrip("/")
                for place in (group, *group.parents):
                    for name in ("memory.max", "memory.limit_in_bytes"):
                        with suppress(OSError, ValueError):  # not there, or `max`
                            found.append(int((place / name).read_text("utf-8")))
    return min(found)


def give_back() -> None:
    """Let go of what Arrow and the C library hold in store. Some milliseconds; for the ends of large steps.

    glibc hands arrays of up to 32 MB out of a heap that it does not shrink while anything lies behind them.
    """
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    if trim := _trim():
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    """`malloc_trim` of glibc; None where the C library is another one."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return found
