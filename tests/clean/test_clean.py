"""Flags say what is wrong with a conversation and never take anything away; null means that a rule cannot tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate import rules
from curate.errors import RuleError
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
        (talk("usua"), ["repeated_role", "late_system"]),
        (talk("uaua", "Q?", "Too many requests in 1 hour. Try again later."), ["error_message"]),
        (talk("ua", "Why do I see `Too many requests in 1 hour. Try again later.`?"), []),
        (talk("ua", "A question of some length?", "Caf\ufffd"), ["replacement_characters"]),
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


MESSAGE_RULES = """\
schema = 1
kind = "clean"
[[rule]]
name = "says_no"
why = "Made up."
unit = "response"
when = "opening = 'No.'"
export = "mask"
case = [{ opening = "No.", fires = true }, { opening = "Yes.", fires = false }]
[[rule]]
name = "long_ago"
why = "Made up: a rule about conversations between two about messages."
when = "messages > 4"
export = "keep"
case = [{ messages = 5, fires = true }, { messages = 4, fires = false }]
[[rule]]
name = "asks_why"
why = "Made up."
unit = "prompt"
when = "text = 'Why?'"
export = "drop"
case = [{ text = "Why?", fires = true }, { text = "How?", fires = false }]
"""


def test_a_rule_about_messages_says_which_and_flags_the_conversation_once(
    workspace: Callable[..., Workspace], tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(MESSAGE_RULES)
    said = talk("uauaua", "Why?", "No.", "How?", "Yes.", "Why?", "No.")
    ws = workspace(said, talk("ua", "No.", "Why?"), shard_rows=1)
    assert fired(ws, rules_file=str(tmp_path / "mine.toml")) == [["says_no", "long_ago", "asks_why"], []]
    hits = ws.scan("flags").collect()["turns"].to_list()
    assert [(hit["turn"], hit["rule"]) for hit in hits[0]] == [
        (0, "asks_why"),
        (1, "says_no"),
        (4, "asks_why"),
        (5, "says_no"),
    ]
    assert hits[1] == []


def test_a_rule_that_cannot_tell_of_one_message_is_unknown_though_it_fires_on_another(
    workspace: Callable[..., Workspace], tmp_path: Path
) -> None:
    text = MESSAGE_RULES.replace("opening = 'No.'", "next_prompt = 'Why?'")
    (tmp_path / "mine.toml").write_text(
        text.replace('opening = "No."', 'next_prompt = "Why?"').replace('opening = "Yes."', 'next_prompt = "How?"')
    )
    ws = workspace(talk("uaua", "Hm?", "So.", "Why?"), talk("ua"), talk("uau", "Hm?", "So.", "How?"), talk("u"))
    assert fired(ws, rules_file=str(tmp_path / "mine.toml")) == [["says_no", "asks_why"], [], [], []]
    assert ws.scan("flags").collect()["unknown"].to_list() == [["says_no"], ["says_no"], [], []]


def test_the_shipped_rules_about_messages_can_always_tell(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(talk("uauaua"), talk("aa", "", "x"), talk("u"), talk("ut"), talk("ua", "Q?", LONG * 20))
    fired(ws)
    about = {rule.name for rule in rules.load("clean.toml", "clean").rules if rule.unit != "conversation"}
    assert not any(about & set(unknown) for unknown in ws.scan("flags").collect()["unknown"].to_list())


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (('unit = "prompt"', 'unit = "answer"'), "`unit` is 'answer'"),
        (('export = "drop"', 'export = "mask"'), "`export` is 'mask'"),
        (("when = \"text = 'Why?'\"", "when = 'messages > 4'"), "unknown column `messages`"),
        (('text = "How?", fires', 'messages = 3, fires'), "unknown key `messages`"),
    ],
)
def test_a_rule_about_messages_has_columns_and_verdicts_of_its_own(
    tmp_path: Path, change: tuple[str, str], mistake: str
) -> None:
    (tmp_path / "mine.toml").write_text(MESSAGE_RULES.replace(*change))
    with pytest.raises(RuleError, match=mistake):
        rules.load(str(tmp_path / "mine.toml"), "clean")


LONG = "This sentence has some length and ends as it should. " * 5
LOOPING = "The wheel turns and it is turning round again. " * 60


@pytest.mark.parametrize(
    ("roles", "texts", "expected"),
    [
        ("ua", ["Who won?", "I'm sorry, but I cannot browse the internet."], {1: "refusal"}),
        ("ua", ["Who won?", "As of September 2021, the record was 9.58 s. I cannot think of a better one."], {}),
        ("ua", ["Write to Bob that I am ill.", "I'm sorry, but I won't be able to come to your party, Bob."], {}),
        ("ua", ["Fix the tab.", "I'm unable to see the tab. Can you please provide the code?"], {}),
        ("ua", ["¿Quién ganó?", "Lo siento, pero no puedo ayudarte con eso."], {1: "refusal_translated"}),
        ("ua", ["Translate into Spanish: sorry, I cannot come.", "Lo siento, no puedo ir hoy."], {}),
        ("ua", ["Good?", LONG + "\n\nRemember, always consult a medical professional."], {1: "moralising_close"}),
        ("uaua", ["A?", "EmptyMarkdownContent", "B?", LONG], {1: "ui_residue"}),
        ("uaua", ["A?", "network error", "B?", LONG], {1: "error_message"}),
        ("uaua", ["List them.", LONG + "The next one is larger than the", "continue", LONG], {1: "cut_off_earlier"}),
        ("ua", ["List them.", LONG + "The next one is larger than the"], {1: "cut_off"}),
        ("ua", ["Write code.", "Here:\n```python\nprint(1)"], {1: "open_fence"}),
        ("ua", ["Write code.", "Here:\n```python\nprint(1)\n```"], {}),
        ("ua", ["Write code.", "Here:\n  ```python\n  print(1)"], {1: "open_fence"}),
        ("ua", ["continue", "print(1)\n```\nThat is all of it."], {1: "closing_fence"}),
        (
            "uaua",
            ["Write code.", "Here:\n```python\nprint(1)", "More?", "print(2)\n```\nThat is all of it."],
            {1: "open_fence", 3: "closing_fence"},
        ),
        ("ua", ["What does console.log(void 0) print?", "undefined, a value of its own type"], {}),
        ("ua", ["What does HTTP 502 mean?", "502 Bad Gateway means that a proxy got a bad answer."], {}),
        ("ua", ["Turn.", LOOPING], {1: "loop"}),
    ],
)
def test_shipped_rules_about_responses_fire_where_the_thing_stands(
    workspace: Callable[..., Workspace], roles: str, texts: list[str], expected: dict[int, str]
) -> None:
    ws = workspace(talk(roles, *texts))
    assert fired(ws) == [list(expected.values())]
    (hits,) = ws.scan("flags").collect()["turns"].to_list()
    assert {hit["turn"]: hit["rule"] for hit in hits} == expected


def test_a_rule_that_the_judge_has_too_asks_the_same() -> None:
    """One name in both parts of the funnel counts one thing."""
    defects = {rule.name: rule.when for rule in rules.load("defects.toml", "defects").rules}
    shared = {rule.name: rule.when for rule in rules.load("clean.toml", "clean").rules if rule.name in defects}
    assert set(shared) >= {"refusal", "cut_off", "open_fence", "error_message", "ui_residue", "loop"}
    assert {name: when.replace("text !~ '````'", "response !~ '````'") for name, when in shared.items()} == {
        name: defects[name] for name in shared
    }


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        (["toxic"], ["marked_toxic"]),
        (["synthetic", "undesirable"], ["marked_undesirable"]),
        (["incomplete", "verified"], ["incomplete"]),
        (["verified", "redacted"], []),
    ],
)
def test_what_the_source_says_of_itself_is_flagged(
    workspace: Callable[..., Workspace], marks: list[str], expected: list[str]
) -> None:
    assert fired(workspace(talk("ua") | {"marks": marks})) == [expected]


ENGLISH = "The house that stands behind the old harbour was built with stones which came from the hills. "
POLISH = "Dom, który stoi za starym portem, zbudowano z kamieni przywiezionych ze wzgórz nad rzeką. "
CHINESE = "老港口后面的房子是用从山上运来的石头建造的，已经有一百多年的历史了。"


@pytest.mark.parametrize(
    ("prompt", "response", "expected"),
    [
        (POLISH * 2, ENGLISH * 3, ["mixed_language"]),
        (POLISH * 2 + "Odpowiedz: translate this.", ENGLISH * 3, []),
        (POLISH * 2, POLISH * 2, []),
        (ENGLISH, ENGLISH * 2 + CHINESE * 4, ["mixed_script"]),
        (ENGLISH + "Say it in Chinese too.", ENGLISH * 2 + CHINESE * 4, []),
    ],
)
def test_languages_that_nobody_asked_for_are_flagged(
    workspace: Callable[..., Workspace], prompt: str, response: str, expected: list[str]
) -> None:
    assert fired(workspace(talk("ua", prompt, response))) == [expected]


def test_personal_data_is_flagged_until_it_is_redacted(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(talk("ua", "Write to ada.l@fernmail.org or call +44 20 8366 1177."), talk("ua"))
    assert fired(ws) == [["email", "phone"], []]
    assert fired(ws, redact=True) == [[], []]
    assert ws.scan("flags").collect()["redact"].to_list()[0] == [
        {"turn": 0, "begin": 9, "end": 27, "kind": "email"},
        {"turn": 0, "begin": 36, "end": 52, "kind": "phone"},
    ]
    assert fired(ws, redact=False) == [["email", "phone"], []], "and again when redaction is taken back"


def test_what_is_redacted_is_counted_and_never_told(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(talk("ua", "Write to ada.l@fernmail.org, ada.l@fernmail.org!"))
    assert curate.clean(ws.path, quiet=True).redacted is None
    assert curate.clean(ws.path, redact=True, quiet=True).redacted == {"email": 2}
    assert "fernmail" not in (ws.path / "manifest.json").read_text()
    assert b"fernmail" not in ws.shard("flags", 0).read_bytes()
