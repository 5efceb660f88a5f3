"""The truth that benchmarks/dedup judges by is exact, and the judgement means what it says."""

from itertools import combinations

import numpy as np
import pytest
from corpus import block
from quality import Quality, judge
from tokens import KINDS, WIDTH
from truth import Pairs, find


@pytest.fixture(scope="module")
def chats():
    return [tuple(zip(*row.messages, strict=True)) for row in block(1, 0)[:250]]


def pairs(*ends):
    left, right = zip(*ends, strict=True) if ends else ((), ())
    return Pairs(np.array(left, int), np.array(right, int), np.ones(len(ends)))


def found(documents, kind, threshold):
    result = find(documents, kind, threshold)
    return {
        (left, right): similarity
        for left, right, similarity in zip(
            result.left.tolist(), result.right.tolist(), result.similarity.tolist(), strict=True
        )
    }


@pytest.mark.parametrize(("kind", "threshold"), [("common", 0.5), ("common", 0.7), ("daft", 0.7), ("gaoya", 0.7)])
def test_the_truth_is_what_comparing_each_with_each_gives(chats, kind, threshold):
    words = [KINDS[kind](roles, contents) for roles, contents in chats]
    sets = [{tuple(own[i : i + WIDTH]) for i in range(len(own) - WIDTH + 1)} for own in words]
    expected = {}
    for left, right in combinations(range(len(sets)), 2):
        similarity = len(sets[left] & sets[right]) / len(sets[left] | sets[right])
        if similarity >= threshold:
            expected[left, right] = similarity
    assert len(expected) > 30
    assert found(chats, kind, threshold) == pytest.approx(expected)


def test_planted_copies_are_found_and_strangers_are_not():
    rows = block(1, 0)
    true = found([tuple(zip(*row.messages, strict=True)) for row in rows], "common", 0.7)
    assert all(rows[left].base == rows[right].base for left, right in true)
    equals = {row for pair, similarity in true.items() if similarity == 1 for row in pair}
    assert {position for position, row in enumerate(rows) if row.kind in ("exact", "formatting")} <= equals
    edited = [position for position, row in enumerate(rows) if row.kind == "words"]
    similar = {row for pair in true for row in pair}
    assert 0.5 < sum(position in similar for position in edited) / len(edited) < 0.99


def test_a_sample_has_the_pairs_among_its_documents():
    every = pairs((0, 1), (1, 5), (4, 5))
    assert every.at_least(0.7, documents=5).right.tolist() == [1]
    assert not len(every.at_least(1.1, documents=9).left)


def test_who_speaks_counts_only_for_curate():
    text = " ".join(f"word{number}" for number in range(60))
    swapped = [(("user", "assistant"), (text, text)), (("assistant", "user"), (text, text))]
    assert found(swapped, "common", 0.7)[0, 1] == 1
    assert found(swapped, "curate", 0.7)[0, 1] < 1


def test_a_short_text_is_for_curate_a_duplicate_of_its_equal_only():
    short = [(("user",), ("one two three four five six seven",)), (("user",), ("One two three four five six seven!",))]
    assert found(short, "common", 0.7) == {(0, 1): 1}
    assert not found(short, "curate", 0.7)
    assert found([short[0], short[0]], "curate", 0.7) == {(0, 1): 1}


def test_documents_that_are_all_different_have_no_pairs():
    assert not found([(("user",), (f"text {number} " * 20,)) for number in range(3)], "common", 0.7)


@pytest.mark.parametrize(
    ("removed", "expected"),
    [
        pytest.param({1}, Quality(1.0, 1.0, 0), id="the middle of a chain, both ends of which stay"),
        pytest.param({1, 2}, Quality(1.0, 1.0, 1), id="a chain to its first row: the last has no duplicate left"),
        pytest.param(set(), Quality(0.0, None, 0), id="nothing"),
        pytest.param({3}, Quality(0.0, 0.0, 1), id="a stranger"),
        pytest.param({0, 1, 2}, Quality(1.0, 1.0, 3), id="all of a cluster"),
    ],
)
def test_a_removal_is_judged_by_what_stays(removed, expected):
    assert judge(removed, pairs((0, 1), (1, 2))) == expected


def test_what_still_has_to_go_lowers_recall():
    assert judge({1}, pairs((0, 1), (2, 3))).recall == 0.5
    assert judge(set(), pairs()) == Quality(None, None, 0)
