"""Work of which the greatest part holds no lock of Python's, done a little ahead of whoever takes it."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Given = TypeVar("Given")
Made = TypeVar("Made")


def ahead(make: Callable[[Given], Made], given: Iterable[Given], many: int = 2) -> Iterator[Made]:
    """`map(make, given)`, in its order, with the next ones being made while one is used.

    Args:
        make: Of one item; several at a time.
        given: The items.
        many: How many are made ahead. Two, so that while the results of one batch become arrays, the tokenizer has
            another. No more than that are held at any time, however slowly they are taken.
    """
    rest = iter(given)
    first = list(islice(rest, 2))
    alone = len(first) < 2
    rest = chain(map(first.pop, [0] * len(first)), rest)  # each is let go as it is taken
    if alone:
        yield from map(make, rest)
        return
    pool = ThreadPoolExecutor(many, thread_name_prefix="curate-ahead")
    try:
        making: deque[Future[Made]] = deque(pool.submit(make, one) for one in islice(rest, many))
        while making:
            made = making.popleft().result()
            making.extend(pool.submit(make, one) for one in islice(rest, 1))
            yield made
            del made
    finally:
        pool.shutdown(cancel_futures=True)
