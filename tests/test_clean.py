"""Flags say what is wrong with a conversation and never take anything away; null means that a rule cannot tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate.clean import features
from curate.rules import COLUMNS
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LETTER = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}


def talk(roles: str, *contents: str) -> dict[str, Any]:
    """`talk("ua", "Hi")`: roles by their first letters; contents not given are a sentence."""
    texts = [*contents, *["A sentence of some length."] * (len(roles) - len(contents))]
    messages = [{"role": LETTER[role], "content": text} for role, text in zip(roles, texts, strict=True)]
    return {"messages": messages}


def fired(ws: Workspace, **options: Any) -> list[list[str]]:
    curate.clean(ws.path, quiet=True, **options)
    return ws.scan("flags").collect()["rules"].to_list()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (talk("ua"), []),
        (talk("suaua"), []),
        (talk("uata"), []),
        (talk("s", "Be kind."), ["no_prompt", "no_response", "too_short"]),
        (talk("u"), ["no_response"]),
        (talk("a"), ["no_prompt", "starts_with_answer"]),
        (talk("ua", " \n\u200b\ufeff"), ["no_prompt"]),
        (talk("ua", "A question of some length?", "\u00a0"), ["no_response"]),
        (talk("ua", "A question of some length?", "."), []),
        (talk("ua", "Hi", "Hello!"), ["too_short"]),
        (talk("saua"), ["starts_with_answer"]),
        (talk("uua"), ["repeated_role"]),
        (talk("usua"), ["repeated_role"]),
        (talk("uaua", "Q?", "Too many requests in 1 hour. Try again later."), ["rate_limit_answer"]),
        (talk("ua", "Why do I see `Too many requests in 1 hour. Try again later.`?"), []),
        (talk("ua", "Hello Share Prompt"), ["share_ui_text"]),
        (talk("ua", "A question of some length?", "Caf\ufffd"), ["replacement_characters"]),
        (talk("sua", "Shared from [**TypingMind.com**](https://typingmind.com)"), ["advert_system"]),
    ],
)
def test_shipped_rules_flag_what_they_name(
    workspace: Callable[..., Workspace], row: dict[str, Any], expected: list[str]
) -> None:
    assert fired(workspace(row)) == [expected]


def test_every_conversation_keeps_its_row(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(talk("ua"), talk("u"), talk("a"), shard_rows=2)
    assert fired(ws) == [[], ["no_response"], ["no_prompt", "starts_with_answer"]]
    assert ws.scan("flags").collect()["key"].to_list() == [0, 1, 2]
    assert ws.scan("conversations").collect().height == 3


RULES = """\
schema = 1
kind = "clean"
[[rule]]
name = "starts_with_user"
why = "Made up: true, false or, without a message, null."
when = "first_role = 'user'"
export = "keep"
case = [{ first_role = "user", fires = true }, { first_role = "assistant", fires = false }]
"""


def test_a_rule_that_cannot_tell_is_unknown_and_not_fired(workspace: Callable[..., Workspace], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(RULES)
    ws = workspace(talk("ua"), talk("a"), talk("s"))
    assert fired(ws, rules_file=str(tmp_path / "mine.toml")) == [["starts_with_user"], [], []]
    assert ws.scan("flags").collect()["unknown"].to_list() == [[], [], ["starts_with_user"]]


def test_counts_are_of_conversations_most_first(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(talk("ua"), talk("a"), talk("a"), talk("uua"))
    result = curate.clean(ws.path, quiet=True)
    assert (result.conversations, result.flagged) == (4, 3)
    assert list(result.rules.items()) == [("starts_with_answer", 2), ("no_prompt", 2), ("repeated_role", 1)]
    assert ws.manifest["stages"]["clean"]["by"] == result.rules


def test_other_rules_replace_the_flags_of_the_last_run(workspace: Callable[..., Workspace], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(RULES)
    ws = workspace(talk("a"), talk("ua"))
    fired(ws)
    assert fired(ws, rules_file=str(tmp_path / "mine.toml")) == [[], ["starts_with_user"]]


def test_features_are_those_that_rules_may_ask_about(workspace: Callable[..., Workspace]) -> None:
    row = talk("suuat", "S", "p1", " ", "r1é")
    (found,) = features(workspace(row).scan("conversations").collect()).to_dicts()
    assert set(found) == {"key", *COLUMNS["clean"]}
    assert found["system_text"] == "S"
    assert found["prompt_text"] == "p1\n "
    assert found["response_text"] == "\x1er1é"
    counts = ("messages", "prompts", "responses", "empty_prompts", "empty_responses", "repeated_roles", "chars")
    assert [found[name] for name in counts] == [5, 2, 1, 1, 0, 1, 1 + 2 + 1 + 3 + 26]
    assert (found["first_role"], found["last_role"]) == ("user", "tool")
