"""Evidence against a class: dates take an impossible class away, everything else is only listed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from curate.workspace import Workspace

Row = dict[str, Any]


@pytest.mark.parametrize(
    ("model", "moment", "expected"),
    [
        ("gpt-4", datetime(2023, 3, 13, 23, 59, 59, tzinfo=UTC), None),
        ("gpt-4", datetime(2023, 3, 14, tzinfo=UTC), "gpt-4"),
        ("gpt-4-0613", datetime(2021, 1, 1, tzinfo=UTC), None),
        ("gpt-3.5-turbo", datetime(2022, 11, 29, tzinfo=UTC), None),
        ("gpt-3.5-turbo", datetime(2022, 11, 30, tzinfo=UTC), "gpt-3.5"),
        ("gpt-3.5-turbo", datetime(2023, 3, 1, tzinfo=UTC), "gpt-3.5"),
        ("gpt-4", datetime(1970, 1, 1, tzinfo=UTC), "gpt-4"),
        ("gpt-4-turbo", datetime(2023, 11, 5, tzinfo=UTC), None),
        ("gpt-4-turbo", datetime(2023, 11, 6, tzinfo=UTC), "gpt-4"),
        ("gpt-4o", datetime(2024, 5, 12, tzinfo=UTC), None),
        ("gpt-4o", datetime(2024, 5, 13, tzinfo=UTC), "gpt-4"),
        ("gpt-3.5-turbo-0613", datetime(2023, 6, 12, tzinfo=UTC), None),
        ("human", datetime(1999, 1, 1, tzinfo=UTC), "human"),
        ("gpt-4", None, "gpt-4"),
    ],
)
def test_no_class_is_older_than_its_model(
    talk: Callable[..., Row],
    decided: Callable[..., list[Row]],
    model: str,
    moment: datetime | None,
    expected: str | None,
) -> None:
    (row,) = decided(talk(model, created_at=moment))
    assert row["class"] == expected
    assert bool(row["conflicts"]) == (expected is None)


def test_what_is_taken_away_says_what_it_was_and_why(
    workspace: Callable[..., Workspace], talk: Callable[..., Row], labels: Callable[..., list[Row]], tmp_path: Path
) -> None:
    ws = workspace(talk("gpt-4", created_at=datetime(2023, 1, 2, 3, 4, 5, tzinfo=UTC)))
    (row,) = labels(ws)
    assert row["rule"] == "impossible:gpt4_before_release"
    assert row["evidence"] == "model = gpt-4; created_at = 2023-01-02T03:04:05Z"
    assert row["conflicts"] == [
        "impossible: gpt-4 by gpt4_model_name (model = gpt-4), created_at = 2023-01-02T03:04:05Z"
    ]
    (tmp_path / "ids.csv").write_text("key,class\n0,gpt-4\n")
    (row,) = labels(ws, labels=str(tmp_path / "ids.csv"))
    assert row["class"] is None, "the side file cannot state what cannot be"
    assert curate.label(ws.path, assume="gpt-3.5", quiet=True).conflicts == {"impossible": 1}


def test_the_message_wins_over_the_conversation_and_the_difference_is_listed(
    talk: Callable[..., Row], decided: Callable[..., list[Row]]
) -> None:
    found = decided(talk("gpt-3.5-turbo", "gpt-4-0314", {}, "llama-7b", model="gpt-4"))
    assert [row["class"] for row in found] == ["gpt-3.5", "gpt-4", "gpt-4", None]
    against = ["conversation_model: model = gpt-4 is gpt-4"]
    assert [row["conflicts"] for row in found] == [against, [], [], against]


@pytest.mark.parametrize(
    ("model", "text", "conflict"),
    [
        ("gpt-4", "Hello. I'm Claude, made by Anthropic.", "claim: says_claude: I'm Claude, made by Anthropic"),
        ("gpt-3.5-turbo", "As GPT-4, I cannot.", "claim: says_gpt4: As GPT-4, I cannot"),
        ("gpt-4", "I'm ChatGPT, based on GPT-3.5.", "claim: says_gpt35: I'm ChatGPT, based on GPT-3.5"),
        ("human", "I'm sorry, but as an AI language model, I eat nothing.", "claim: says_machine: as an AI language"),
        ("gpt-4", "I am Bing. How can I help?", "claim: says_bing: I am Bing"),
        ("gpt-4", "I am Bard, a model by Google AI.", "claim: says_bard: I am Bard"),
        ("gpt-4", "You can call me Vicuna.", "claim: says_open_model: You can call me Vicuna"),
        ("gpt-4", "I am LLaMA, and I was made by Meta AI.", "claim: says_open_model: I am LLaMA"),
        ("gpt-3.5-turbo", "I am ChatGPT, trained by OpenAI.", None),
        ("gpt-4", "As an AI language model, I cannot.", None),
        ("gpt-4", "As GPT-4, I cannot.", None),
        ("gpt-3.5-turbo", "Large models such as GPT-4 are costly. GPT-4 is a model by OpenAI.", None),
        ("gpt-3.5-turbo", "I think GPT-4 is better, but I am not GPT-4.", None),
        ("gpt-3.5-turbo", "As GPT-4 continues to advance, I expect more.", None),
        ("gpt-4", 'The robot said: "I am Claude, an AI made by Anthropic."', None),
        ("gpt-4", "I am Claude Monet. This is my garden.", None),
        ("gpt-4", "As a bard, you sing. I am a llama farmer.", None),
        ("gpt-3.5-turbo", "Hello! I'm actually GPT-4.", "claim: says_gpt4: I'm actually GPT-4"),
        ("gpt-4", "Yes, I am currently GPT-3.5.", "claim: says_gpt35: I am currently GPT-3.5"),
        ("gpt-3.5-turbo", "This is GPT-4 speaking.", "claim: says_gpt4: This is GPT-4 speaking"),
        ("human", "Please note that I am a language model.", "claim: says_machine: I am a language model"),
        ("human", "I have none, since I'm an AI.", "claim: says_machine: I'm an AI"),
        ("gpt-3.5-turbo", "I am GPT-4's biggest fan. I'm GPT-4 certified. I'm GPT-4-curious.", None),
        ("human", "I'm ChatGPT's creator. I am a ChatGPT Plus subscriber.", None),
        ("gpt-3.5-turbo", "The user asked whether I am GPT-4.", None),
        ("gpt-3.5-turbo", "The model said: I am GPT-4.", None),
        ("gpt-3.5-turbo", "> I am GPT-4.", None),
        ("gpt-4", "I am Bing Crosby. My name is Moss, I am an actor.", None),
        ("gpt-4", "I was trained by Google to sell ads.", None),
        ("human", "I'm an AI researcher, and as AI advances, I learn.", None),
    ],
)
def test_what_a_response_says_of_itself_is_reported_and_never_decides(
    talk: Callable[..., Row],
    decided: Callable[..., list[Row]],
    model: str,
    text: str,
    conflict: str | None,
) -> None:
    known, unknown = decided(talk({"content": text}, model=model), talk({"content": text}))
    assert known["class"] is not None
    assert [said[: len(conflict or "")] for said in known["conflicts"][:1]] == ([conflict] if conflict else [])
    assert (unknown["class"], unknown["rule"], unknown["evidence"]) == (None, None, None)


def test_claims_of_responses_of_unknown_class_are_counted(
    workspace: Callable[..., Workspace], talk: Callable[..., Row]
) -> None:
    claude = {"content": "I'm Claude, made by Anthropic. I am Claude, an AI."}
    result = curate.label(workspace(talk(claude, {}), talk(claude, model="gpt-4")).path, quiet=True)
    assert result.claims == {"says_claude": 1}
    assert result.conflicts == {"claim": 1}


def test_a_claim_that_the_stated_model_confirms_is_none(
    workspace: Callable[..., Workspace], talk: Callable[..., Row]
) -> None:
    claude = {"content": "I'm Claude, an AI made by Anthropic. As an AI, I cannot."}
    ws = workspace(talk(claude, model="claude-2"), talk(claude, model="vicuna-13b"))
    assert curate.label(ws.path, quiet=True).claims == {"says_claude": 1}


def test_checked_responses_keep_their_class_and_are_counted(
    workspace: Callable[..., Workspace], talk: Callable[..., Row]
) -> None:
    rows = talk("human", "human", marks=["toxic", "verified"]), talk("gpt-4", marks=["verified"]), talk("human")
    result = curate.label(workspace(*rows).path, quiet=True)
    assert (result.verified, result.classes) == (3, {"human": 3, "gpt-4": 1})


SAID = ("Hello!", "As GPT-4, I cannot.", "I'm Claude, made by Anthropic.", "I am ChatGPT.", "\x1b[31m: ")
NAMES = st.sampled_from(["bing", "bard", "gpt", "gpt-4"])
SPEAKERS = st.fixed_dictionaries(
    {"content": st.sampled_from(SAID) | st.text(max_size=30)}, optional={"name": NAMES}
)
FIELDS = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["gpt-4", "sharegpt_gpt4", "chatgpt"]),
        "source_id": st.sampled_from(["gpt-4", "chatgpt", None]),
        "created_at": st.none() | st.datetimes(timezones=st.just(UTC)),
        "marks": st.sampled_from([[], ["verified"], ["synthetic", "toxic"]]),
    }
)


@given(rows=st.lists(st.tuples(st.lists(SPEAKERS, min_size=1, max_size=3), FIELDS), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_a_response_without_a_source_never_gets_a_class(
    talk: Callable[..., Row], decided: Callable[..., list[Row]], rows: list[tuple[list[Row], Row]]
) -> None:
    found = decided(*(talk(*speakers, **fields) for speakers, fields in rows))
    assert {row["class"] for row in found} == {None}


def test_running_twice_changes_no_byte(
    workspace: Callable[..., Workspace],
    talk: Callable[..., Row],
    tree: Callable[[Path], dict[str, bytes]],
    tmp_path: Path,
) -> None:
    ws = workspace(talk({"content": "I am ChatGPT."}, "gpt-4", model="gpt-3.5-turbo"), talk({}), shard_rows=1)
    (tmp_path / "ids.csv").write_text("key,class\n0,gpt-4\n9,human\n")
    options: dict[str, Any] = {"labels": str(tmp_path / "ids.csv"), "sources": {"made up": "human"}, "quiet": True}
    first = curate.label(ws.path, **options)
    before = tree(ws.path)
    assert curate.label(ws.path, **options) == first
    assert tree(ws.path) == before
