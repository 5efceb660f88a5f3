"""Ranks of answers: one is the best, ties share a rank, what has no score has no rank."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from curate.ingest.conversation import Conversation
from curate.ingest.formats import arena, pairs, preference, ranked

SCORES = st.lists(st.one_of(st.none(), st.integers(-3, 3), st.floats(-2, 2)), min_size=1, max_size=6)


def ranks(outcomes: list[Any]) -> list[int | None]:
    assert all(isinstance(outcome, Conversation) for outcome in outcomes)
    return [outcome.rank for outcome in outcomes]


@given(SCORES)
def test_a_higher_score_has_a_better_rank(scores: list[float | None]) -> None:
    record = {"prompt": "Hi", "answers": [{"answer": str(number), "score": s} for number, s in enumerate(scores)]}
    found = list(zip(scores, ranks(ranked.convert(record)), strict=True))
    known = [(score, rank) for score, rank in found if score is not None and rank is not None]
    assert all((score is None) == (rank is None) for score, rank in found)
    assert not known or min(rank for _, rank in known) == 1
    for score, rank in known:
        assert rank == 1 + sum(other > score for other, _ in known)


@given(SCORES)
def test_ranks_and_scores_say_the_same(scores: list[float | None]) -> None:
    by_score = {"prompt": "Hi", "answers": [{"answer": "a", "score": s} for s in scores]}
    by_rank = {"prompt": "Hi", "answers": [{"answer": "a", "rank": None if s is None else -s} for s in scores]}
    assert ranks(ranked.convert(by_score)) == ranks(ranked.convert(by_rank))


@given(st.sampled_from(["model_a", "model_b", "tie", "both_bad", "tie (bothbad)", None, "?"]))
def test_a_battle_turned_around_has_its_ranks_turned_around(winner: str | None) -> None:
    battle = {
        "model_a": "x",
        "model_b": "y",
        "winner": winner,
        "conversation_a": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "x"}],
        "conversation_b": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "y"}],
    }
    turned = {key[:-2] + {"_a": "_b", "_b": "_a"}[key[-2:]]: battle[key] for key in battle if key != "winner"}
    turned["winner"] = {"model_a": "model_b", "model_b": "model_a"}.get(winner or "", winner)
    assert arena.convert(battle) == arena.convert(turned)[::-1]


def test_the_rejected_answer_is_never_better() -> None:
    record = {"prompt": "Hi", "chosen": "Hello!", "rejected": "What?", "score_chosen": 1.0}
    assert ranks(preference.convert(record)) == [1, 2]
    assert ranks(preference.convert({**record, "score_rejected": 1.0})) == [1, 1]
    assert ranks(preference.convert({**record, "score_rejected": 2.0})) == [1, 2]


@given(st.integers(-3, 3) | st.none())
def test_the_preferred_answer_of_a_pair_is_the_first(preference: int | None) -> None:
    """HelpSteer3: below zero the first one is better, above zero the second one."""
    record = {"context": [{"role": "user", "content": "Hi"}], "response1": "a", "response2": "b"}
    first, second = ranks(pairs.convert({**record, "overall_preference": preference}))
    if preference is None:
        assert (first, second) == (None, None)
    else:
        expected = (1, 2) if preference < 0 else (2, 1) if preference > 0 else (1, 1)
        assert (first, second) == expected
