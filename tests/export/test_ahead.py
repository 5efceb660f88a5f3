"""Batches are made two ahead, in order, and no more of them are held than that."""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from curate.export.ahead import ahead

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_results_come_in_order_however_long_each_takes() -> None:
    def slow_at_first(number: int) -> int:
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number

    assert list(ahead(slow_at_first, range(10))) == list(range(10))


@pytest.mark.parametrize("given", [[], [7]])
def test_one_batch_or_none_needs_no_thread(given: list[int]) -> None:
    assert list(ahead(lambda number: (number, threading.current_thread()), given)) == [
        (number, threading.main_thread()) for number in given
    ]


@pytest.mark.parametrize("many", [1, 2, 3])
def test_whoever_is_slow_to_take_is_not_flooded(many: int) -> None:
    made: list[int] = []
    most = 0
    for taken, _ in enumerate(ahead(made.append, range(20), many), 1):
        time.sleep(0.005)
        most = max(most, len(made) - taken)
    assert len(made) == 20
    assert most == many


def test_what_was_given_is_let_go() -> None:
    class Given:
        pass

    kept: list[weakref.ref[Given]] = []

    def given() -> Iterator[Given]:
        for _ in range(10):
            one = Given()
            kept.append(weakref.ref(one))
            yield one
            del one

    for taken, _ in enumerate(ahead(lambda one: None, given())):
        time.sleep(0.005)
        assert sum(ref() is not None for ref in kept) <= 3, taken


def test_an_error_comes_in_its_turn_and_no_thread_stays_behind() -> None:
    def refuses(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    taken: list[int] = []
    with pytest.raises(ValueError, match="three"):
        taken.extend(ahead(refuses, range(100)))
    assert taken == [0, 1, 2]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("curate-ahead")]
