"""Prompts that ask for the same are flagged; they go only when somebody asks for it, and nobody is left behind."""

from __future__ import annotations

import pytest

from curate.dedup import dedup, restore
from curate.errors import CurateError

pytest.importorskip("sentence_transformers", reason="needs the extra `semantic`")

SAME = ["How can I learn to play the guitar on my own at home?", "How do I learn to play the guitar by myself at home?"]
OTHER = "Which vegetables grow best in the shade of a large tree?"


@pytest.fixture
def asked(workspace, words):
    """Two that ask for the same, a copy of the first, and a stranger; the second has the longest answer."""
    prompts = [SAME[0], SAME[1], SAME[0], OTHER]
    answers = [words(1, 50), words(2, 80), words(1, 50), words(3, 50)]
    return workspace([[("user", p), ("assistant", a)] for p, a in zip(prompts, answers, strict=True)])


def table(ws):
    columns = ["key", "removed_by", "kind", "similar_to"]
    return ws.scan("duplicates").select(columns).collect().rows()


def test_a_flag_removes_nothing(asked):
    result = dedup(asked.path, semantic="flag", quiet=True)
    assert table(asked) == [(0, None, None, 1), (1, None, None, None), (2, 0, "exact", None), (3, None, None, None)]
    assert (result.kept, result.similar, result.semantic) == (3, 1, 0)


def test_who_goes_takes_equal_copies_along(asked):
    result = dedup(asked.path, semantic="remove", quiet=True)
    assert [row[:3] for row in table(asked)] == [
        (0, 1, "semantic"), (1, None, None), (2, 1, "semantic"), (3, None, None)
    ]  # fmt: skip
    assert (result.kept, result.similar, result.semantic, result.exact) == (2, 1, 2, 0)
    frame = asked.scan("duplicates").drop_nulls("removed_by").collect()
    assert frame["similarity"].is_between(0.9, 1).all()


def test_who_stands_for_a_near_copy_stays(workspace, words):
    answer = words(1, 80)
    rows = [[("user", SAME[0]), ("assistant", answer + end)] for end in (" x", " and longer")]
    ws = workspace([*rows, [("user", SAME[1]), ("assistant", words(2, 200))]])
    result = dedup(ws.path, semantic="remove", quiet=True)
    assert [row[:3] for row in table(ws)] == [(0, 1, "near"), (1, None, None), (2, None, None)]
    assert (result.similar, result.semantic) == (1, 0)


def test_a_removal_that_was_taken_back_is_only_flagged(asked):
    dedup(asked.path, semantic="remove", quiet=True)
    restore(asked.path, [0], quiet=True)
    assert table(asked)[0] == (0, None, None, 1)


def test_responses_that_mean_the_same_are_flagged_one_by_one(workspace, words):
    answers = [
        "To learn the guitar at home, begin with open chords, practise changing between them slowly with a metronome, "
        "and play along with simple songs for twenty minutes every day until your fingers know where to go, since "
        "regular practice matters far more than long sessions that leave your hands tired.",
        "To learn the guitar at home, start with open chords, practise changing between them slowly to a metronome, "
        "and play along to simple songs for twenty minutes each day until your fingers know where to go, because "
        "regular practice matters much more than long sessions that leave your hands tired.",
    ]
    ws = workspace([[("user", words(i, 90)), ("assistant", answer)] for i, answer in enumerate(answers)])
    dedup(ws.path, quiet=True)
    result = dedup(ws.path, unit="responses", semantic="flag", threshold=0.95, quiet=True)
    assert (result.similar, result.semantic, result.kept) == (1, 0, 2)
    assert ws.scan("repeats").select("key", "turn", "repeats", "kind").collect().rows() == [(1, 1, 0, None)]
    result = dedup(ws.path, unit="responses", semantic="remove", threshold=0.95, quiet=True)
    assert (result.semantic, result.kept) == (1, 1)
    assert ws.scan("repeats").collect()["kind"].to_list() == ["semantic"]


def test_what_the_model_cannot_judge_is_counted(workspace, words):
    prompts = ["continue", "请 告诉 我 如何 在 家 学习 弹 吉他", OTHER]
    rows = [[("user", prompt), ("assistant", words(i, 50))] for i, prompt in enumerate(prompts)]
    assert dedup(workspace(rows).path, semantic="flag", quiet=True).left_out == {"short": 1, "foreign": 1}


@pytest.mark.parametrize("options", [{"semantic": "yes"}, {"semantic": "flag", "cosine": 0.0}, {"cosine": 1.5}])
def test_nonsense_is_refused(asked, options):
    with pytest.raises(CurateError):
        dedup(asked.path, quiet=True, **options)
    assert not asked.shards("duplicates")


def test_a_second_run_asks_the_model_nothing(asked, monkeypatch):
    from curate.embedding import Embedder

    dedup(asked.path, semantic="flag", quiet=True)
    monkeypatch.setattr(Embedder, "encode", None)
    dedup(asked.path, semantic="remove", quiet=True)
