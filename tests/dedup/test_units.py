"""Prompts, and single long responses, instead of whole conversations."""

from __future__ import annotations

import pytest

import curate
from curate.dedup import dedup
from curate.errors import CurateError, WorkspaceError


def gone(ws, table="duplicates"):
    frame = ws.scan(table).drop_nulls("kind").collect()
    columns = ["key", "removed_by", "kind"] if table == "duplicates" else ["key", "turn", "repeats", "repeats_turn"]
    return frame.select(columns).rows()


def test_conversations_with_one_prompt_are_duplicates_by_prompts(workspace, words):
    prompts = [words(1, 30), words(1, 30), words(2, 30), words(1, 30) + " please"]
    ws = workspace([[("user", prompt), ("assistant", words(10 + i, 50 + i))] for i, prompt in enumerate(prompts)])
    assert dedup(ws.path, quiet=True).kept == 4
    result = dedup(ws.path, unit="prompts", quiet=True)
    assert gone(ws) == [(0, 3, "near"), (1, 3, "near")]
    assert (result.unit, result.texts, result.copies) == ("prompts", 4, 1)


@pytest.mark.parametrize("prompt", ["continue", "hi", "thanks a lot"])
def test_a_word_in_common_is_no_duplicate_prompt(workspace, words, prompt):
    ws = workspace([[("user", prompt), ("assistant", words(i, 50))] for i in range(4)])
    assert dedup(ws.path, unit="prompts", quiet=True).kept == 4


def test_a_short_question_asked_again_is(workspace, words):
    ws = workspace([[("user", "What is the capital of France?"), ("assistant", words(i, 50))] for i in range(4)])
    assert dedup(ws.path, unit="prompts", quiet=True).exact == 3


def test_prompts_with_more_turns_contain_those_with_fewer(workspace, words):
    asked = [("user", words(1, 30)), ("assistant", words(2, 30))]
    ws = workspace([asked, [*asked[:1], ("assistant", words(3, 30)), ("user", words(4, 30))]])
    assert dedup(ws.path, unit="prompts", quiet=True).prefix == 1


def test_long_responses_that_repeat_another_are_named_one_by_one(workspace, words):
    long, other = words(1, 120), words(2, 120)
    ws = workspace(
        [
            [("user", "a b c"), ("assistant", long), ("user", "and more"), ("assistant", other)],
            [("user", "quite another question"), ("assistant", long)],
            [("user", "a third"), ("assistant", other + " indeed"), ("user", "again"), ("assistant", "Acknowledged.")],
            [("user", "a fourth"), ("assistant", "Acknowledged.")],
        ]
    )
    result = dedup(ws.path, unit="responses", quiet=True)
    assert gone(ws, "repeats") == [(0, 3, 2, 1), (1, 1, 0, 1)]
    assert (result.texts, result.kept, result.exact, result.near) == (6, 4, 1, 1)


def test_a_response_of_a_removed_conversation_stands_for_none(workspace, words):
    long = words(1, 120)
    first = [("user", words(5, 60)), ("assistant", long)]
    ws = workspace([first, first, [("user", "something else"), ("assistant", long)]])
    dedup(ws.path, quiet=True)
    result = dedup(ws.path, unit="responses", quiet=True)
    assert gone(ws, "repeats") == [(2, 1, 0, 1)]
    assert (result.texts, result.kept) == (2, 1)


def test_export_masks_repeated_responses_and_counts_them(workspace, words, tmp_path):
    long, other = words(1, 120), words(2, 120)
    ws = workspace(
        [
            [("user", words(3, 90)), ("assistant", long)],
            [("user", "another"), ("assistant", other), ("user", "and"), ("assistant", long)],
            [("user", words(4, 90)), ("assistant", long)],
        ]
    )
    dedup(ws.path, quiet=True)
    dedup(ws.path, unit="responses", quiet=True)
    result = curate.export(ws.path, tmp_path / "out", quiet=True)
    assert result.masked == {"repeats": 1}
    assert result.dropped == {"repeats": 1}
    assert (result.exported, result.responses) == (2, 2)


def test_export_refuses_repeats_that_were_found_among_other_conversations(workspace, words, tmp_path):
    ws = workspace([[("user", words(i, 30)), ("assistant", words(7, 120))] for i in range(3)])
    dedup(ws.path, quiet=True)
    dedup(ws.path, unit="responses", quiet=True)
    dedup(ws.path, threshold=0.5, quiet=True)
    with pytest.raises(WorkspaceError, match="before other conversations were removed") as error:
        curate.export(ws.path, tmp_path / "out", quiet=True)
    assert "--unit responses" in str(error.value.hint)


def test_an_unknown_unit_names_the_nearest(workspace, words):
    ws = workspace([[("user", words(1, 30))]])
    with pytest.raises(CurateError, match="no unit `prompt`") as error:
        dedup(ws.path, unit="prompt", quiet=True)
    assert "prompts" in str(error.value.hint)
