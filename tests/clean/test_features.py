"""What rules may ask about is measured as its description says, and only what is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import language, texts
from curate.clean.features import of_conversations, of_messages
from curate.rules import COLUMNS, schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from curate.workspace import Workspace

MESSAGE = pl.Struct(
    {"role": pl.String, "content": pl.String, "model": pl.String, "name": pl.String, "tool_calls": pl.String}
    | {"weight": pl.Float32}
)
ROLES = ("system", "user", "assistant", "tool")


def message(role: str, content: str, tool_calls: str | None = None) -> dict[str, Any]:
    return {"role": role, "content": content, "model": None, "name": None, "tool_calls": tool_calls, "weight": None}


def chats(*conversations: list[dict[str, Any]], marks: tuple[str, ...] = ()) -> pl.DataFrame:
    rows = {"key": range(len(conversations)), "messages": conversations, "marks": [list(marks)] * len(conversations)}
    return pl.DataFrame(rows, schema={"key": pl.UInt64, "messages": pl.List(MESSAGE), "marks": pl.List(pl.String)})


@pytest.mark.parametrize("unit", ["response", "prompt"])
def test_columns_are_those_that_rules_may_ask_about_with_their_types(unit: str) -> None:
    frame = chats([message("user", "Why?"), message("assistant", "So.")])
    whole, each = of_conversations(frame), of_messages(frame, unit)
    assert whole.columns == ["key", *COLUMNS["clean"]]
    assert each.columns == ["key", "turn", *COLUMNS["clean-messages"]]
    assert {name: whole.schema[name] for name in COLUMNS["clean"]} == schema("clean")
    assert {name: each.schema[name] for name in COLUMNS["clean-messages"]} == schema("clean-messages")


def test_a_conversation_is_counted(workspace: Callable[..., Workspace]) -> None:
    said = [message("user", "p1"), message("system", "S"), message("user", " "), message("assistant", "r1é")]
    (found,) = of_conversations(chats([*said, message("tool", "ran")], marks=("toxic", "verified"))).to_dicts()
    assert (found["system_text"], found["prompt_text"], found["response_text"]) == ("S", "p1\n ", "\x1er1é")
    counts = ("messages", "prompts", "responses", "empty_prompts", "empty_responses", "repeated_roles", "chars")
    assert [found[name] for name in counts] == [5, 2, 1, 1, 0, 1, 2 + 1 + 1 + 3 + 3]
    assert (found["first_role"], found["last_role"], found["late_systems"]) == ("user", "tool", 1)
    assert found["marks"] == "toxic,verified"


def test_a_response_knows_its_neighbours() -> None:
    said = [
        message("user", "one"),
        message("assistant", "", tool_calls="[]"),
        message("tool", "ran"),
        message("assistant", "two"),
        message("user", "three"),
        message("assistant", "four"),
    ]
    found = of_messages(chats(said, [message("user", "other")]), "response")
    assert found["turn"].to_list() == [1, 3, 5]
    assert found["prompt"].to_list() == ["one", None, "three"]
    assert found["next_prompt"].to_list() == [None, "three", None]
    assert found["last"].to_list() == [False, False, True]
    assert found["calls_tool"].to_list() == [True, False, False]


def test_a_response_knows_the_fences_of_the_response_before_it() -> None:
    said = [message("assistant", text) for text in ("```py\n1", "  ```\nSo.", "~~~\n2\n~~~")]
    found = of_messages(chats(said, [message("assistant", "One.")]), "response")
    assert found["fences"].to_list() == [1, 1, 2, 0]
    assert found["fences_before"].to_list() == [None, 1, 1, None]


def test_code_that_a_response_leaves_open_is_no_prose_and_ends_with_it() -> None:
    code = "```python\n" + "for line in lines: print(line)\n" * 12
    said = [message("user", "?"), message("assistant", code), message("user", "?"), message("assistant", ENGLISH * 3)]
    (found,) = of_conversations(chats(said, [])).head(1).to_dicts()
    assert found["language"] == "en"
    assert found["letters"] == sum(letter.isalpha() for letter in ENGLISH * 3)
    alone = of_conversations(chats(said[:2]))
    assert (alone["language"][0], alone["letters"][0]) == (None, 0)


@given(
    st.lists(st.lists(st.tuples(st.sampled_from(ROLES), st.text(max_size=60)), max_size=6), min_size=1, max_size=5)
)
@settings(max_examples=25, deadline=None)
def test_a_column_does_not_depend_on_what_else_is_asked_or_beside_it(talks: list[list[tuple[str, str]]]) -> None:
    frame = chats(*([message(role, text) for role, text in talk] for talk in talks))
    whole, each = of_conversations(frame), of_messages(frame, "response")
    assert whole["key"].to_list() == frame["key"].to_list()
    for name in COLUMNS["clean"]:
        assert of_conversations(frame, [name])[name].equals(whole[name])
    for name in COLUMNS["clean-messages"]:
        assert of_messages(frame, "response", [name])[name].equals(each[name])
    alone = pl.concat(of_conversations(part) for part in frame.iter_slices(1))
    assert alone.equals(whole)


def test_costly_measures_are_those_of_the_judge_where_they_are_taken() -> None:
    loop = "The wheel turns and it is turning round again. " * 60
    said = [message("assistant", text) for text in (loop, "Short.", "Once only. " * 3)]
    found = of_messages(chats(said), "response")
    assert found["compression"].to_list() == [texts.compression(pl.Series([loop]))[0], None, None]


ENGLISH = "The house that stands behind the old harbour was built with stones which came from the hills."
POLISH = "Dom, który stoi za starym portem, zbudowano z kamieni przywiezionych ze wzgórz nad rzeką."
CHINESE = "老港口后面的房子是用从山上运来的石头建造的，已经有一百多年的历史了。人们每天早晨都会到那里去散步。"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ENGLISH * 3, "en"),
        ((ENGLISH * 3).upper(), "en"),
        ("Ingredients:\n" + "- 2 cups flour\n- 1 tsp salt\n- brown sugar, butter and eggs\n" * 6, "en"),
        (POLISH * 3, "pl"),
        (CHINESE, "zh"),
        ("```python\n" + "for line in the_lines_of_that_file: print(line)\n" * 5 + "```", None),
        ("Ok.", None),
        ("", None),
    ],
)
def test_language_is_told_of_prose_or_not_at_all(text: str, expected: str | None) -> None:
    assert language.languages(pl.Series([text])).to_list() == [expected]


def test_a_text_has_one_language_whatever_stands_beside_it() -> None:
    together = language.languages(pl.Series([ENGLISH * 3, POLISH * 3, "", CHINESE]))
    assert together.to_list() == ["en", "pl", None, "zh"]
    assert language.languages(pl.Series([], dtype=pl.String)).to_list() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("123", 0),
        ("Tea", 1),
        ("Café", 1),
        ("お茶を飲む", 1),
        ("Tea 茶茶茶", 2),
        ("Чай tea 茶茶茶", 3),
        ("a" * 50 + "茶", 1),
    ],
)
def test_scripts_are_counted_that_make_a_fifth_of_the_letters(text: str, expected: int) -> None:
    assert language.scripts(pl.Series([text])).to_list() == [expected]
