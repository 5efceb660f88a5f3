"""The local judge: finds broken responses, leaves sound ones alone, and says what it is."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import duplicates, turns, workspace

import curate
from curate.judge import features, local

PROSE = "The valve is opened first, because the pump may not run against a closed line. "
LOOP = "and the cat sat on the mat, "


def defects(*texts: str, **last: object) -> list[str]:
    """Names of the defects of the last response of a conversation."""
    frame = pl.DataFrame({"key": [0], "messages": [turns(*texts, **last)]}, schema_overrides=SCHEMA)
    rationale = local.judge(frame, local.load_rules())["rationale"][-1]
    return rationale.split(", ") if rationale else []


SCHEMA = {
    "key": pl.UInt64,
    "messages": pl.List(pl.Struct({name: pl.String for name in ("role", "content", "model", "name", "tool_calls")})),
}


@pytest.mark.parametrize(
    ("prompt", "response", "expected"),
    [
        ("Name a fruit.", "", ["empty"]),
        ("Name a fruit.", "\u200b\n ", ["empty"]),
        ("Name a fruit.", "Too many requests in 1 hour. Try again later.", ["error_message"]),
        ("Name a fruit.", "network error", ["error_message"]),
        ("Name a fruit.", "EmptyMarkdownContent", ["ui_residue"]),
        ("Name a fruit.", "I'm sorry, but I can't assist with that.", ["refusal"]),
        ("Name a fruit.", "I’m sorry, but I can’t assist with that.", ["refusal"]),
        ("Une question.", "Je suis désolé, mais je ne peux pas répondre.", ["refusal_translated"]),
        ("Name a fruit.", "As an AI language model, I have no favourite; many like the pear.", ["ai_boilerplate"]),
        ("Tell me a tale.", LOOP * 200 + "end.", ["loop"]),
        ("Sort a list.", "Here it is:\n```python\nsorted(x)", ["open_fence"]),
        ("Say \ufffd.", "It reads \ufffd\ufffd here.", ["garbled"]),
        ("What is the name of the tallest tree here?", "What is the name of the tallest tree here", ["echo"]),
        ("Explain the valve.", PROSE * 5 + "After that the pump is started slowly and it is used to", ["cut_off"]),
    ],
)
def test_names_the_defect(prompt: str, response: str, expected: list[str]) -> None:
    assert defects(prompt, response) == expected


@pytest.mark.parametrize(
    ("prompt", "response"),
    [
        ("Which letter?", "B"),
        ("Spell it.", "..."),
        ("What happened?", "My knowledge ends in September 2021. Before that, the record was 9.58 s."),
        ("Why does it print `network error`?", "Network errors are printed when the request times out."),
        ("Write a refusal.", 'A polite one is: "I\'m sorry, but I cannot accept the invitation."'),
        ("How are you?", "As an AI language model, I have no feelings, but I am ready to help."),
        ("Sort a list.", "```python\nsorted(x)\n```"),
        ("List three trees.", "- oak\n- beech\n- ash"),
        ("Write to the choir.", PROSE * 6 + "\n\nBest wishes,\nThe harbour team"),
        ("A table, please.", "| day | sum |\n|---|---|\n" + "".join(f"| {d} | {d * 17 % 31} |\n" for d in range(40))),
    ],
)
def test_leaves_a_sound_answer_alone(prompt: str, response: str) -> None:
    assert defects(prompt, response) == []


def test_a_tool_call_without_text_is_not_empty() -> None:
    assert defects("Weather?", "", tool_calls='[{"name": "weather"}]') == []


def test_a_cut_in_the_middle_of_a_conversation_was_continued_and_is_no_defect() -> None:
    cut = PROSE * 5 + "After that the pump is started slowly and it is used to"
    assert defects("Explain.", cut, "Continue.", "fill the tank to the mark.") == []
    chat = turns("Explain.", cut, "Continue.", "fill it.")
    frame = pl.DataFrame({"key": [0], "messages": [chat]}, schema_overrides=SCHEMA)
    assert local.judge(frame, local.load_rules())["reward"].to_list() == [1.0, 1.0]


POLISH = "Proszę napisz krótki list do mojego sąsiada, w którym przepraszam za hałas podczas remontu mieszkania."
ENGLISH = "Dear neighbour, I am sorry for the noise during the renovation of my flat. " * 3


def test_an_answer_in_another_language_than_asked_is_found() -> None:
    assert defects(POLISH, ENGLISH) == ["wrong_language"]


@pytest.mark.parametrize(
    "conversation",
    [
        (POLISH + " Napisz po angielsku, in English please.", ENGLISH),
        ("Translate what I send you.", "Gladly.", POLISH, ENGLISH),
        ("Please write letters for me whenever I describe what they should say.", "Gladly.", POLISH, ENGLISH),
    ],
)
def test_another_language_is_fine_when_the_conversation_gives_a_reason(conversation: tuple[str, ...]) -> None:
    assert defects(*conversation) == []


def test_reward_is_the_product_over_the_defects_and_severities_are_listed(tmp_path: Path) -> None:
    text = "As an AI language model, I cannot do that.\n```"
    ws = workspace(tmp_path, [turns("Write it.", text)])
    result = curate.score(tmp_path, quiet=True)
    row = ws.read("scores", 0).to_dicts()[0]
    severities = {aspect["name"]: aspect["score"] for aspect in row["aspects"]}
    assert set(severities) == {"refusal", "ai_boilerplate", "open_fence"}
    product = 1.0
    for severity in severities.values():
        product *= 1 - severity
    assert row["reward"] == pytest.approx(product)
    assert row["score"] == row["reward"]
    assert (row["status"], row["judge"], row["judgement"]) == ("ok", "local", None)
    assert result.statuses["ok"] == 1
    assert result.defects == dict.fromkeys(sorted(severities), 1)


def test_it_says_that_it_is_no_llm_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ws = workspace(tmp_path, [turns("Hi", "Hello!")])
    result = curate.score(tmp_path)
    assert "not an LLM judge" in (result.note or "")
    assert "not an LLM judge" in capsys.readouterr().err
    assert "not an LLM judge" in ws.manifest["stages"]["score"]["note"]
    assert ws.read("scores", 0)["rubric"][0].startswith("defects@")


def test_every_response_has_a_row_in_order_and_copies_are_skipped(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [turns("a", "b", "c", "d"), turns("a", "b")], [turns("e", "f"), turns("only a prompt")])
    duplicates(ws, 0, {1: 0})
    duplicates(ws, 1, {})
    result = curate.score(tmp_path, quiet=True)
    rows = pl.concat([ws.read("scores", 0), ws.read("scores", 1)])
    assert rows.select("key", "turn", "status").rows() == [(0, 1, "ok"), (0, 3, "ok"), (1, 1, "skipped"), (2, 1, "ok")]
    assert rows.filter(pl.col("status") == "skipped").select("reward", "rationale").rows() == [(None, "duplicate")]
    assert result.statuses == {"ok": 3, "unparsed": 0, "refused": 0, "failed": 0, "skipped": 1}


def test_a_sample_is_seeded_and_a_larger_one_contains_it(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [turns(f"q{i}", f"a{i}", "more", f"b{i}") for i in range(20)])

    def judged(limit: int, seed: int) -> set[tuple[int, int]]:
        result = curate.score(tmp_path, limit=limit, seed=seed, quiet=True)
        assert result.statuses["ok"] == limit
        return set(ws.read("scores", 0).filter(pl.col("status") == "ok").select("key", "turn").rows())

    assert judged(5, 0) < judged(12, 0)
    assert judged(5, 0) == judged(5, 0) != judged(5, 1)


def test_running_twice_changes_no_byte_and_a_new_duplicate_is_noticed(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [turns("a", "b"), turns("a", "b")])
    curate.score(tmp_path, quiet=True)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    curate.score(tmp_path, quiet=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    duplicates(ws, 0, {1: 0})
    assert curate.score(tmp_path, quiet=True).statuses["skipped"] == 1


def test_an_empty_shard_is_fine(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [], [turns("only a prompt")])
    assert curate.score(tmp_path, quiet=True).statuses["ok"] == 0
    assert ws.read("scores", 0).height == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.text(max_size=80), max_size=5), max_size=4))
def test_any_text_gets_a_reward_between_0_and_1_and_its_neighbours_do_not_matter(chats: list[list[str]]) -> None:
    messages = [turns(*chat) if chat else [] for chat in chats]
    frame = pl.DataFrame({"key": list(range(len(chats))), "messages": messages}, schema=SCHEMA)
    rules = local.load_rules()
    together = local.judge(frame, rules)
    assert together["reward"].is_between(0, 1).all()
    alone = [local.judge(frame[i : i + 1], rules) for i in range(len(frame))]
    if alone:
        assert pl.concat(alone).equals(together)


@pytest.mark.parametrize(
    ("prompt", "response", "expected"),
    [
        ("Open the valve first, and then the pump, please.", "open the VALVE first - and then the pump; please", True),
        ("  «Open the valve first, and then the pump, please.»", "Open the valve first and then the pump please", True),
        ("Open the valve first, and then the pump, please.", "Open the valve first, and then the pumps, pleas", False),
        ("Open the valve first, and then the pump, please.", "Shut the valve first, and then the pump, please.", False),
        ("… !", "-" * 50, True),
        ("ΟΔΟΣ " * 10, "οδος " * 10, True),
        ("Short", "short.", False),
        (None, "Open the valve first, and then the pump, please.", None),
        (None, "Short.", False),
    ],
)
def test_an_echo_is_the_prompt_but_for_case_space_and_punctuation(
    prompt: str | None, response: str, expected: bool | None
) -> None:
    answer = {"role": "assistant", "content": response}
    asked = [] if prompt is None else [{"role": "user", "content": prompt}]
    frame = pl.DataFrame({"key": [0], "messages": [[*asked, answer]]}, schema_overrides=SCHEMA)
    assert features.features(frame)["echo"].to_list() == [expected]


def test_features_are_exactly_the_columns_rules_may_ask_about() -> None:
    from curate.rules import COLUMNS, schema

    frame = pl.DataFrame({"key": [0], "messages": [turns("a", "b")]}, schema_overrides=SCHEMA)
    measured = features.features(frame)
    assert set(measured.columns) == {"key", "turn", *COLUMNS["defects"]}
    assert {name: measured.schema[name] for name in COLUMNS["defects"]} == schema("defects")
