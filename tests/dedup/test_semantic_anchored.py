"""The pass over blocks finds what a look at all pairs finds, and never holds them all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedup import anchored

SETTINGS = settings(max_examples=60, deadline=None)


def made(seed: int, count: int, width: int = 3) -> np.ndarray:
    """Vectors of length 1, many of them near each other, no cosine within a hair of another."""
    source = np.random.default_rng(seed)
    vectors = source.integers(-2, 3, (count, width)) + source.normal(0, 0.2, (count, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def run(rough, exact, groups, likely=-1.0, threshold=0.9, agree=lambda left, right: True, told=lambda count: None):
    return anchored.search(
        rough, lambda rows: exact[rows], groups, likely=likely, threshold=threshold, agree=agree, advance=told
    )


def plainly(rough, exact, groups, likely, threshold, agree) -> list[int]:
    """One text after another against every kept one."""
    by: list[int] = []
    for row in range(len(exact)):
        near = [
            (round(float(exact[row] @ exact[other]), 4), -other)
            for other in range(row)
            if by[other] < 0 and groups[row] == groups[other] and rough[row] @ rough[other] >= likely
        ]
        near = [(cosine, other) for cosine, other in near if cosine >= threshold and agree(row, -other)]
        by.append(-max(near)[1] if near else -1)
    return by


@SETTINGS
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 40),
    block=st.integers(1, 9),
    tile=st.integers(1, 9),
    likely=st.sampled_from([-1.0, 0.5, 0.95]),
)
def test_it_removes_what_a_look_at_all_pairs_removes(seed: int, count: int, block: int, tile: int, likely: float):
    rough, exact = made(seed, count), made(seed + 1, count)
    groups = np.sort(np.random.default_rng(seed).integers(0, 3, count))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anchored, "BLOCK", block)
        patch.setattr(anchored, "TILE", tile)
        found = run(rough, exact, groups, likely, 0.8, lambda left, right: (left * right) % 3 != 1)
    assert found.by.tolist() == plainly(rough, exact, groups, likely, 0.8, lambda left, right: (left * right) % 3 != 1)
    assert found.limited == 0
    stays = found.by < 0
    assert stays[found.by[~stays]].all()
    assert np.isnan(found.cosine[stays]).all()
    assert (found.cosine[~stays] >= 0.8).all()


def test_a_chain_of_small_steps_keeps_every_second_text():
    angles = np.arange(6) * 0.4  # neighbours have a cosine of 0.92, the next but one 0.70
    chain = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert run(chain, chain, np.zeros(6, np.int64)).by.tolist() == [-1, 0, -1, 2, -1, 4]


def test_dear_vectors_are_made_only_for_texts_that_a_proposed_pair_needs():
    rough, asked = np.eye(5, dtype=np.float32), []
    rough[3] = rough[1]

    def exact(rows: np.ndarray) -> np.ndarray:
        asked.extend(rows.tolist())
        return rough[rows]

    found = anchored.search(
        rough,
        exact,
        np.zeros(5, np.int64),
        likely=0.5,
        threshold=0.9,
        agree=lambda left, right: True,
        advance=lambda count: None,
    )
    assert found.by.tolist() == [-1, -1, -1, 1, -1]
    assert asked == [1, 3]
    assert (found.proposed, found.verified) == (1, 1)


def test_a_crowd_of_likenesses_is_compared_with_the_few_that_stay(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(anchored, "BLOCK", 50)
    crowd = np.tile(made(1, 1), (5_000, 1))
    found = run(crowd, crowd, np.zeros(5_000, np.int64), 0.5)
    assert (found.by == 0).sum() == 4_999
    # Within each block all with all, and each with the one that stays: a fortieth of all pairs.
    assert found.proposed < 5_000 * 50


def test_a_crowd_that_never_agrees_asks_only_the_closest_and_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(anchored, "BLOCK", 50)
    crowd, asked = np.tile(made(1, 1), (300, 1)), []
    found = run(crowd, crowd, np.zeros(300, np.int64), agree=lambda left, right: bool(asked.append((left, right))))
    assert (found.by == -1).all()
    assert len(asked) <= 300 * anchored.CLOSEST
    assert found.limited == 300 - anchored.CLOSEST - 1


def test_it_tells_how_far_it_is():
    told: list[int] = []
    vectors = made(3, 2_500)
    run(vectors, vectors, np.arange(2_500), told=told.append)
    assert told == [1024, 1024, 452]


def test_nothing_in_gives_nothing_out():
    nothing = np.empty((0, 3), np.float32)
    assert run(nothing, nothing, np.empty(0, np.int64)).by.tolist() == []
