"""Work of which the greatest part holds no lock of Python's, done a little ahead of whoever takes it."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Given = TypeVar("Given")
Made = TypeVar("Made")

# Two, so that while the results of one batch become arrays, the tokenizer has another.
_THREADS = 2


def ahead(make: Callable[[Given], Made], given: Iterable[Given]) -> Iterator[Made]:
    """`map(make, given)`, in its order, with the next two being made while one is used.

    No more than that are held at any time, however slowly they are taken.
    """
    rest = iter(given)
    first = list(islice(rest, 2))
    if len(first) < 2:
        yield from map(make, first)
        return
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="curate-ahead")
    try:
        making: deque[Future[Made]] = deque(pool.submit(make, one) for one in first)
        while making:
            made = making.popleft().result()
            making.extend(pool.submit(make, one) for one in islice(rest, 1))
            yield made
            del made
    finally:
        pool.shutdown(cancel_futures=True)
