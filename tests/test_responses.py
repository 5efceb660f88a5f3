"""From conversations to responses: none lost, none invented, each with the prompt it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate
from curate.responses import messages, responses
from curate.schema import ROLES, TABLES
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

def frame(*conversations: list[tuple[str, str]]) -> pl.DataFrame:
    talks = [[{"role": role, "content": content} for role, content in turns] for turns in conversations]
    types = [TABLES["conversations"].arrow.field(name).type for name in ("key", "messages")]
    columns = [pa.array(range(len(talks)), types[0]), pa.array(talks, types[1])]
    return pl.DataFrame(pa.table(columns, ["key", "messages"]))


def prompts(*conversation: tuple[str, str]) -> list[tuple[int, str | None, bool]]:
    return responses(frame(list(conversation))).select("turn", "prompt", "last").rows()


def test_a_response_answers_the_user_message_right_before_it() -> None:
    assert prompts(("user", "p"), ("assistant", "r"), ("user", "q"), ("assistant", "s")) == [
        (1, "p", False),
        (3, "q", True),
    ]


def test_system_and_tool_messages_stand_aside() -> None:
    turns = [("user", "p"), ("system", "S"), ("tool", "T"), ("assistant", "r"), ("tool", "T")]
    assert prompts(*turns) == [(3, "p", False)]


@pytest.mark.parametrize("before", [[], [("system", "S")], [("tool", "T")]])
def test_a_response_without_a_user_message_before_it_has_no_prompt(before: list[tuple[str, str]]) -> None:
    assert prompts(*before, ("assistant", "r")) == [(len(before), None, True)]


def test_a_second_response_in_a_row_answers_nobody() -> None:
    assert prompts(("user", "p"), ("assistant", "r"), ("assistant", "s")) == [(1, "p", False), (2, None, True)]


def test_a_prompt_never_comes_from_the_conversation_before() -> None:
    rows = responses(frame([("user", "p")], [("assistant", "r")]))
    assert rows.select("key", "prompt").rows() == [(1, None)]


def test_an_empty_prompt_is_a_prompt() -> None:
    assert prompts(("user", ""), ("assistant", "r")) == [(1, "", True)]


conversations = st.lists(st.lists(st.tuples(st.sampled_from(ROLES), st.text(max_size=3)), max_size=6), max_size=5)


@given(conversations)
def test_every_message_and_every_response_has_exactly_one_row(made: list[list[tuple[str, str]]]) -> None:
    every = [(key, turn, *message) for key, talk in enumerate(made) for turn, message in enumerate(talk)]
    assert messages(frame(*made)).select("key", "turn", "role", "content").rows() == every
    answers = [(key, turn, content) for key, turn, role, content in every if role == "assistant"]
    assert responses(frame(*made)).select("key", "turn", "response").rows() == answers


def row(*contents: str, **fields: Any) -> dict[str, Any]:
    turns = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(contents)]
    return {"messages": turns} | fields


def test_scan_has_a_row_per_response_with_what_the_stages_have_made_so_far(
    workspace: Callable[..., Workspace],
) -> None:
    rows = [row("Hi", "Hello!", "Who are you?", "Me."), row("Hi"), row("Hi", "Hello!", model="gpt-4")]
    ws = workspace(*rows, shard_rows=2)
    found = curate.scan(ws.path).collect()
    assert found.select("key", "turn", "response").rows() == [(0, 1, "Hello!"), (0, 3, "Me."), (2, 1, "Hello!")]
    assert "class" not in found.columns
    curate.label(ws.path, quiet=True)
    curate.clean(ws.path, quiet=True)
    curate.dedup(ws.path, quiet=True)
    curate.score(ws.path, quiet=True)
    found = curate.scan(ws.path).collect()
    assert found["response"].to_list() == ["Hello!", "Me.", "Hello!"]
    assert found["class"].to_list() == [None, None, "gpt-4"]
    assert found["flags"].to_list() == [[], [], ["too_short"]]
    assert {"rule", "reward", "status", "removed_by", "flags_unknown", "source_row"} <= set(found.columns)


def test_scan_of_a_workspace_without_a_response_is_empty(workspace: Callable[..., Workspace]) -> None:
    assert curate.scan(workspace(row("Hi")).path).collect().is_empty()
