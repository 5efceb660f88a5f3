"""Why something went: the kept copy, the true similarity, the difference; inert for a terminal."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from curate.cli import app
from curate.dedup import dedup, restore
from curate.dedup.explain import explain_duplicate, render
from curate.errors import CurateError, WorkspaceError


def lines(found):
    return [line.plain for line in render(found)]


@pytest.fixture
def near(workspace, words):
    text = words(1, 80).split()
    rows = []
    for change in ({}, {20: "changed"}):
        own = [change.get(i, word) for i, word in enumerate(text)]
        rows.append([("user", "the question"), ("assistant", " ".join(own) + " at last" * len(change))])
    ws = workspace(rows)
    dedup(ws.path, quiet=True)
    return ws


def test_a_near_copy_with_its_similarity_and_difference(near, plain_shingles, words):
    found = explain_duplicate(near.path, 0)
    assert (found.kind, found.kept.key, found.text.key) == ("near", 1, 0)
    assert found.similarity == pytest.approx(found.jaccard)
    text = "\n".join(lines(found))
    assert "conversation 0 was removed: a near copy of conversation 1" in text
    assert "… 1 message the same" in text
    assert f"[-changed-]{{+{words(1, 80).split()[20]}+}}" in text
    assert "[- at last-]" in text


def test_what_stays_says_for_whom(near):
    found = explain_duplicate(near.path, 1)
    assert (found.kind, found.stands_for, found.messages) == (None, ((0, None),), ())
    assert lines(found)[0] == "conversation 1 stays"
    assert "stands for 0" in lines(found)


def test_a_beginning_is_wholly_contained(workspace, words):
    dialogue = [(("user", "assistant")[i % 2], words(i, 40)) for i in range(4)]
    ws = workspace([dialogue[:2], dialogue])
    dedup(ws.path, quiet=True)
    found = explain_duplicate(ws.path, 0)
    assert (found.kind, found.containment) == ("prefix", 1.0)
    assert found.jaccard < 0.7
    assert "it is the beginning of conversation 1" in lines(found)[0]


def test_a_short_beginning_of_a_long_one_is_wholly_contained_too(workspace, words):
    dialogue = [(("user", "assistant")[i % 2], words(i, 12)) for i in range(6)]
    ws = workspace([dialogue[:2], dialogue])
    dedup(ws.path, quiet=True)
    found = explain_duplicate(ws.path, 0)
    assert (found.kind, found.containment) == ("prefix", 1.0)


def test_a_response_is_asked_about_by_its_turn(workspace, words):
    rows = [[("user", words(i, 60)), ("assistant", words(9, 120))] for i in range(2)]
    ws = workspace(rows)
    dedup(ws.path, quiet=True)
    dedup(ws.path, unit="responses", quiet=True)
    found = explain_duplicate(ws.path, 1, 1)
    assert (found.kind, found.kept.key, found.kept.turn) == ("exact", 0, 1)
    assert explain_duplicate(ws.path, 0, 1).stands_for == ((1, 1),)
    with pytest.raises(CurateError, match="message 0 of conversation 1 is no response"):
        explain_duplicate(ws.path, 1, 0)


def test_another_set_is_named_and_its_text_shown_while_it_is_there(workspace, words):
    old = workspace([[("user", words(1, 60) + " old")]], name="old")
    dedup(old.path, quiet=True)
    ws = workspace([[("user", words(1, 60) + " new")]])
    dedup(ws.path, against=[old.path], quiet=True)
    found = explain_duplicate(ws.path, 0)
    assert (found.against, found.kept.key) == (str(old.path), 0)
    assert "[-old-]{+new+}" in lines(found)[-1]
    old.path.rename(old.path.with_name("moved"))
    gone = explain_duplicate(ws.path, 0)
    assert (gone.kept, gone.jaccard, gone.messages) == (None, None, ())
    assert lines(gone)[0].endswith(f"a near copy of a text in {old.path}")


def test_a_restored_one_says_so(near):
    restore(near.path, [0], quiet=True)
    assert lines(explain_duplicate(near.path, 0))[0] == "conversation 0 stays (taken back by hand)"


def test_text_from_data_cannot_script_the_terminal(workspace, words):
    evil = "\x1b[31m\x1b]0;title\x07[bold]x[/bold]\u202e "
    ws = workspace([[("user", words(1, 60) + end)] for end in (evil, evil + " more of it")])
    dedup(ws.path, quiet=True)
    result = CliRunner().invoke(app, ["dedup", "-w", str(ws.path), "--explain", "0"])
    assert result.exit_code == 0
    assert not any(mark in result.output for mark in ("\x1b", "\x07", "\u202e"))
    assert "[bold]" in result.output or "the same" in result.output


def test_json_has_all_of_it(near):
    result = CliRunner().invoke(app, ["dedup", "-w", str(near.path), "--explain", "0", "--json"])
    found = json.loads(result.stdout)
    assert (found["kind"], found["kept"]["key"]) == ("near", 1)
    assert {piece["where"] for message in found["messages"] for piece in message["pieces"]} >= {"same", "kept only"}


@pytest.mark.parametrize("name", ["x", "1:", ":1", "-1", "1:x", "1:2:3"])
def test_what_is_no_key_is_told(near, name):
    result = CliRunner().invoke(app, ["dedup", "-w", str(near.path), f"--explain={name}"])
    assert result.exit_code != 0
    with pytest.raises(CurateError, match="no conversation 7"):
        explain_duplicate(near.path, 7)


def test_before_dedup_there_is_nothing_to_explain(workspace, words):
    ws = workspace([[("user", words(1, 30))]])
    with pytest.raises(WorkspaceError, match="duplicates"):
        explain_duplicate(ws.path, 0)


def test_very_long_texts_are_compared_in_bounded_time(workspace, words):
    long = "\n".join(words(i, 30) for i in range(3000))
    ws = workspace([[("user", long)], [("user", long.replace("a", "e", 40) + " end")]])
    dedup(ws.path, quiet=True)
    assert explain_duplicate(ws.path, 0).kind == "near"
