"""A removal that was taken back by hand stays taken back."""

from __future__ import annotations

import pytest

from curate.dedup import dedup, restore
from curate.errors import CurateError, WorkspaceError


@pytest.fixture
def family(workspace, words):
    """A text, an equal one, a near one and a stranger; the near one stays, as it is longer."""
    text = words(1, 80)
    rows = [[("user", text)], [("user", text)], [("user", text + " and longer")], [("user", words(2, 60))]]
    ws = workspace(rows, shard_rows=2)
    dedup(ws.path, quiet=True)
    return ws


def kept(ws):
    frame = ws.scan("duplicates").collect()
    return frame.filter(frame["removed_by"].is_null())["key"].to_list()


def test_what_was_taken_back_stays_in_every_later_run(family):
    assert kept(family) == [2, 3]
    assert restore(family.path, [0], quiet=True).restored == 1
    assert kept(family) == [0, 2, 3]
    dedup(family.path, threshold=0.5, quiet=True)
    assert kept(family) == [0, 2, 3]


def test_copies_of_it_still_go(family):
    restore(family.path, [1], quiet=True)
    assert kept(family) == [1, 2, 3]


def test_new_conversations_do_not_remove_it(workspace, words, family):
    restore(family.path, [0], quiet=True)
    rows = [[("user", words(1, 80) + end)] for end in ("", "", " and longer")] + [[("user", words(2, 60))]]
    ws = workspace([*rows, [("user", words(1, 80) + " and much longer still")]], shard_rows=2)
    dedup(ws.path, quiet=True)
    assert 0 in kept(ws)


def test_the_options_of_the_last_run_hold(family):
    dedup(family.path, threshold=1.0, quiet=True)
    restore(family.path, [1], quiet=True)
    assert kept(family) == [0, 1, 2, 3]
    assert family.manifest["stages"]["dedup"]["options"]["threshold"] == 1.0


def test_it_can_be_given_back(family):
    restore(family.path, [0, 1], quiet=True)
    restore(family.path, again=[0, 1], quiet=True)
    assert kept(family) == [2, 3]
    assert not family.shards("restored")


def test_a_conversation_that_is_not_there_changes_nothing(family):
    with pytest.raises(CurateError, match="no conversation 99"):
        restore(family.path, [0, 99], quiet=True)
    assert not family.shards("restored")


def test_before_anything_was_removed_there_is_nothing_to_take_back(workspace, words):
    ws = workspace([[("user", words(1, 30))]])
    with pytest.raises(WorkspaceError, match="nothing was removed yet"):
        restore(ws.path, [0], quiet=True)


def test_export_takes_it(family, tmp_path, workspace, words):
    import curate

    ws = workspace([[("user", "q"), ("assistant", words(1, 50))]] * 2, name="pair")
    dedup(ws.path, quiet=True)
    assert curate.export(ws.path, tmp_path / "one", quiet=True).exported == 1
    restore(ws.path, [1], quiet=True)
    assert curate.export(ws.path, tmp_path / "two", quiet=True).exported == 2


def test_a_response_is_taken_back_by_its_turn(workspace, words):
    ws = workspace([[("user", words(i, 60)), ("assistant", words(9, 120))] for i in range(3)])
    dedup(ws.path, quiet=True)
    assert dedup(ws.path, unit="responses", quiet=True).kept == 1
    result = restore(ws.path, [(1, 1)], quiet=True)
    assert (result.unit, result.kept, result.restored) == ("responses", 2, 1)
    assert ws.scan("repeats").collect()["key"].to_list() == [2]
    assert restore(ws.path, again=[(1, 1)], quiet=True).kept == 1
    with pytest.raises(CurateError, match="message 0 of conversation 1 is no response"):
        restore(ws.path, [(1, 0)], quiet=True)
    with pytest.raises(CurateError, match="one kind at a time"):
        restore(ws.path, [1, (1, 1)], quiet=True)


def test_when_another_set_is_gone_nothing_changes_until_it_is_named(workspace, words):
    old = workspace([[("user", words(1, 60))]], name="old")
    dedup(old.path, quiet=True)
    ws = workspace([[("user", words(1, 60))], [("user", words(2, 60))]])
    dedup(ws.path, against=[old.path], quiet=True)
    moved = old.path.with_name("moved")
    old.path.rename(moved)
    with pytest.raises(CurateError, match="nothing to compare with"):
        restore(ws.path, [0], quiet=True)
    assert not ws.shards("restored")
    restore(ws.path, [0], against=[moved], quiet=True)
    assert kept(ws) == [0, 1]
