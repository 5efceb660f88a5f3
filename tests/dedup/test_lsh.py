"""Bands are many enough for the promised recall, and no more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.dedup.buckets import buckets
from curate.dedup.lsh import RECALL, bands
from curate.errors import CurateError


def test_the_usual_threshold_takes_what_64_permutations_give():
    assert bands(0.7, 64, 17_000) == (16, 4)


@pytest.mark.parametrize(("rows", "values"), [(10**6, 4), (10**6 + 1, 5), (10**7, 5), (10**7 + 1, 6), (10**9 + 1, 7)])
def test_larger_corpora_have_wider_bands(rows, values):
    assert bands(0.7, 512, rows)[1] == values


@given(st.floats(0.2, 1), st.integers(64, 512), st.integers(0, 10**10))
def test_the_smallest_number_of_bands_that_finds_a_pair_at_the_threshold(threshold, num_perm, rows):
    try:
        count, values = bands(threshold, num_perm, rows)
    except CurateError:
        assert 1 - (1 - threshold) ** num_perm < RECALL
        return
    assert count * values <= num_perm
    assert 1 - (1 - threshold**values) ** count >= RECALL - 1e-9
    assert count == 1 or 1 - (1 - threshold**values) ** (count - 1) < RECALL + 1e-9


@pytest.mark.parametrize("threshold", [0, -0.1, 1.01, float("nan"), float("inf")])
def test_a_threshold_outside_0_to_1_is_an_error(threshold):
    with pytest.raises(CurateError, match="threshold") as error:
        bands(threshold, 128, 10)
    assert error.value.exit_code == 2
    assert error.value.hint


@pytest.mark.parametrize("num_perm", [0, -1, 4097, 1.5, True])
def test_nonsense_permutations_are_an_error(num_perm):
    with pytest.raises(CurateError, match="permutations") as error:
        bands(0.7, num_perm, 10)
    assert error.value.exit_code == 2


def test_too_few_permutations_say_how_many_it_takes():
    with pytest.raises(CurateError, match="cannot find") as error:
        bands(0.01, 128, 10)
    assert "433" in str(error.value.hint)
    assert bands(0.01, 433, 10) == (433, 1)


def test_rows_share_a_bucket_when_and_only_when_they_share_a_key():
    keys = [np.array(band, np.uint64) for band in ([1, 1, 2, 3, 9], [5, 6, 6, 7, 9])]
    found = buckets(keys, np.array([0, 1, 2, 3]), len(keys))
    mine = [set(found.numbers[a:b].tolist()) for a, b in zip(found.starts, found.starts[1:], strict=False)]
    assert found.rows.tolist() == [0, 1, 2]
    assert [len(mine[0] & mine[1]), len(mine[1] & mine[2]), len(mine[0] & mine[2])] == [1, 1, 0]
    assert sorted(set().union(*mine)) == list(range(found.count))


def test_no_rows_have_no_buckets():
    found = buckets([np.array([1, 1], np.uint64)], np.empty(0, np.int64), 1)
    assert found.rows.tolist() == []
    assert found.starts.tolist() == [0]
