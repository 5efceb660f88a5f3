"""Every response gets the class that its record states, or none; the rule and what it saw stand beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate.errors import CurateError
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Row = dict[str, Any]


def talk(*speakers: str | Row, **fields: Any) -> Row:
    """A conversation: for each speaker a prompt, and a response with the given fields of its message."""
    messages: list[Row] = []
    for speaker in speakers:
        own = speaker if isinstance(speaker, dict) else {"model": speaker}
        messages += [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"} | own]
    return {"messages": messages} | fields


def labels(ws: Workspace, **options: Any) -> list[Row]:
    curate.label(ws.path, quiet=True, **options)
    return ws.scan("labels").collect().to_dicts()


def classes(ws: Workspace, **options: Any) -> list[str | None]:
    return [row["class"] for row in labels(ws, **options)]


def test_the_model_of_the_conversation_gives_the_class(workspace: Callable[..., Workspace]) -> None:
    (row,) = labels(workspace(talk({}, model="gpt-4-0314")))
    assert row == {
        "key": 0,
        "turn": 1,
        "class": "gpt-4",
        "rule": "gpt4_model_name",
        "evidence": "model = gpt-4-0314",
        "conflicts": [],
    }


def test_the_model_of_the_message_wins_over_that_of_the_conversation(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(talk("gpt-3.5-turbo", {}, "llama-7b", model="gpt-4"))
    assert classes(ws) == ["gpt-3.5", "gpt-4", None]


def test_only_responses_are_labelled_and_turns_count_all_messages(workspace: Callable[..., Workspace]) -> None:
    rows = [
        {"role": "system", "content": "Be kind."},
        {"role": "assistant", "content": "Hello."},
        {"role": "tool", "content": "{}"},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": ""},
    ]
    found = labels(workspace({"messages": rows, "model": "gpt-4"}, {"messages": rows[:1]}))
    assert [(row["key"], row["turn"]) for row in found] == [(0, 1), (0, 4)]


@pytest.mark.parametrize("name", ["bing", "bard"])
def test_speakers_that_are_no_chatgpt_stay_unknown(workspace: Callable[..., Workspace], name: str) -> None:
    assert classes(workspace(talk({"name": name}))) == [None]


def test_the_speaker_decides_only_where_no_model_is_stated(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(talk({"name": "chatgpt"}, {"name": "chatgpt", "model": "gpt-4"}, {"name": "chatgpt", "model": "x"}))
    assert classes(ws) == ["gpt-3.5", "gpt-4", None]


def test_what_no_rule_knows_has_no_class_no_rule_and_no_evidence(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(talk({}, source="sharegpt_gpt4", source_id="gpt-4"), talk("llama-7b"), talk(""))
    assert [(row["class"], row["rule"], row["evidence"]) for row in labels(ws)] == [(None, None, None)] * 3
    assert curate.label(ws.path, quiet=True).classes == {"unknown": 3}


def test_an_assumed_class_fills_only_what_no_rule_knows_and_says_so(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(talk("gpt-4", "llama-7b", {}))
    found = labels(ws, assume="gpt-3.5")
    assert [row["class"] for row in found] == ["gpt-4", "gpt-3.5", "gpt-3.5"]
    assert [row["rule"] for row in found] == ["gpt4_model_name", "assumed", "assumed"]
    assert found[2]["evidence"] == "--assume gpt-3.5"
    assert classes(ws) == ["gpt-4", None, None], "the assumption must not outlive the run that made it"


@pytest.mark.parametrize("assume", ["", " "])
def test_nothing_cannot_be_assumed(workspace: Callable[..., Workspace], assume: str) -> None:
    with pytest.raises(CurateError, match="`assume` is empty"):
        labels(workspace(talk("gpt-4")), assume=assume)


RULES = """\
schema = 1
kind = "labels"
[[rule]]
name = "team"
why = "The source is ours."
when = "source = 'team'"
class = "human"
case = [{ source = "team", fires = true }, { source = "web", fires = false }]
[[rule]]
name = "not_x"
why = "Null is no answer: a missing model must not count as another one."
when = "model <> 'x'"
class = "other"
case = [{ model = "y", fires = true }, { model = "x", fires = false }, { source = "web", fires = false }]
"""


def test_the_first_rule_that_fires_decides(workspace: Callable[..., Workspace], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(RULES)
    ws = workspace(talk("y", source="team"), talk("y", source="web"), talk("x", source="web"), talk({}, source="web"))
    assert classes(ws, rules_file=str(tmp_path / "mine.toml")) == ["human", "other", None, None]


def test_counts_add_up(workspace: Callable[..., Workspace]) -> None:
    result = curate.label(workspace(talk("gpt-4", {}, "gpt-3.5-turbo"), talk("gpt-4")).path, quiet=True)
    assert result.responses == sum(result.classes.values()) == 4
    assert result.classes == {"gpt-4": 2, "gpt-3.5": 1, "unknown": 1}
    assert result.rules == {"gpt4_model_name": 2, "gpt35_model_name": 1}


def test_evidence_is_short_even_when_the_model_is_not(workspace: Callable[..., Workspace]) -> None:
    (row,) = labels(workspace(talk("gpt-4-" + "turbo-" * 1000 + "preview")))
    assert row["class"] == "gpt-4"
    assert len(row["evidence"]) == 200


def test_an_empty_workspace_has_nothing_to_label(workspace: Callable[..., Workspace]) -> None:
    ws = workspace({"messages": []})
    assert curate.label(ws.path, quiet=True).responses == 0
    assert ws.scan("labels").collect().is_empty()
