"""What was shared again after more turns stays; the shorter one, whose text it has, goes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.dedup import dedup


@pytest.fixture
def turns(words):
    """Six messages of a dialogue."""
    return [(("user", "assistant")[i % 2], words(i, 40)) for i in range(6)]


def removals(ws):
    frame = ws.scan("duplicates").select("key", "removed_by", "kind", "similarity").drop_nulls("removed_by").collect()
    return {key: (by, kind, similarity) for key, by, kind, similarity in frame.iter_rows()}


@pytest.mark.parametrize("length", [2, 4])
def test_the_shorter_goes_for_the_longer(workspace, turns, length):
    ws = workspace([turns[:length], turns])
    result = dedup(ws.path, quiet=True)
    assert removals(ws) == {0: (1, "prefix", 1.0)}
    assert (result.prefix, result.near, result.kept) == (1, 0, 1)


def test_an_answer_that_was_cut_off_goes_for_the_whole_one(workspace, turns):
    (_, question), (_, answer) = turns[:2]
    ws = workspace([[("user", question), ("assistant", " ".join(answer.split()[:15]))], turns], shard_rows=1)
    dedup(ws.path, quiet=True)
    assert removals(ws) == {0: (1, "prefix", 1.0)}


def test_several_lengths_all_go_for_the_one_that_stays(workspace, turns):
    ws = workspace([turns[:2], turns, turns[:4], turns[:2]])
    dedup(ws.path, quiet=True)
    assert {key: by for key, (by, _, _) in removals(ws).items()} == {0: 1, 2: 1, 3: 1}


def test_the_end_or_the_middle_of_another_is_no_beginning(workspace, turns):
    ws = workspace([turns[2:], turns[2:4], turns])
    assert removals(dedup(ws.path, quiet=True) and ws) == {1: (0, "prefix", 1.0)}


def test_case_and_punctuation_do_not_matter(workspace, turns):
    ws = workspace([[(role, text.upper() + "!") for role, text in turns[:2]], turns])
    dedup(ws.path, quiet=True)
    assert removals(ws)[0][1] == "prefix"


def test_another_answer_is_not_contained(workspace, turns, words):
    ws = workspace([[turns[0], ("assistant", words(77, 40))], turns])
    assert dedup(ws.path, quiet=True).kept == 2


def test_a_greeting_is_not_removed_for_everyone_who_greets(workspace, words):
    hello = [("user", "hi"), ("assistant", "Hello! How can I assist you today?")]
    rest = [[("user", words(i, 30)), ("assistant", words(i + 50, 30))] for i in range(4)]
    ws = workspace([hello, *(hello + more for more in rest)])
    assert dedup(ws.path, quiet=True).kept == 5


def test_a_better_class_stays_beside_the_longer_one(workspace, turns, write):
    ws = workspace([turns[:2], turns])
    write(ws, "labels", "class", {0: ["gpt-4"], 1: ["gpt-3.5"] * 3})
    assert dedup(ws.path, quiet=True).kept == 2
    write(ws, "labels", "class", {0: ["gpt-4"], 1: ["gpt-4"] * 3})
    assert dedup(ws.path, quiet=True).kept == 1


def test_the_longer_one_that_another_set_has_is_no_reason(workspace, turns, words):
    """Who goes itself stands for nobody: the shorter one stays when the longer one went for a near copy elsewhere."""
    changed = [*turns[:5], ("assistant", turns[5][1].replace(turns[5][1].split()[3], "changed"))]
    ws = workspace([turns[:2], turns, [*changed[:1], *changed[1:]]])
    dedup(ws.path, threshold=0.6, quiet=True)
    gone = removals(ws)
    assert all(by not in gone for by, _, _ in gone.values())


def test_a_crowd_with_one_question_is_bounded_and_counted(workspace, words, monkeypatch):
    from curate.dedup import prefix

    monkeypatch.setattr(prefix, "LIMIT", 3)
    question = ("user", words(1, 30))
    ws = workspace([[question, ("assistant", words(i, 20 + i))] for i in range(20)], shard_rows=20)
    assert dedup(ws.path, quiet=True).limited > 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.integers(0, 40)), min_size=1, max_size=8))
def test_found_is_what_a_plain_comparison_finds(workspace, words, tmp_path_factory, plan):
    """A family, so many messages of it, and so many words of the last (0 = all)."""
    rows = []
    for family, length, cut in plan:
        row = [(("user", "assistant")[i % 2], words(family * 10 + i, 40)) for i in range(length)]
        role, text = row[-1]
        rows.append([*row[:-1], (role, " ".join(text.split()[: cut or 40]))])
    ws = workspace(rows, name=tmp_path_factory.mktemp("prefix").name, shard_rows=len(rows))
    dedup(ws.path, threshold=1.0, quiet=True)
    flat = [[token for role, text in row for token in (f"<{role}>", *text.split())] for row in rows]
    gone = removals(ws)
    for key, row in enumerate(rows):
        if len(flat[key]) < 18:
            continue
        containing = [
            other
            for other in range(len(rows))
            if len(flat[other]) > len(flat[key])
            and flat[other][: len(flat[key])] == flat[key]
            and (len(row) > 1 or rows[other][0] == row[0])
        ]
        if key in gone and gone[key][1] == "prefix":
            assert gone[key][0] in containing
        elif key not in gone:
            assert not containing
