"""Memory that was freed, back to the system: allocators keep it for later, and so it counts as ours."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


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
