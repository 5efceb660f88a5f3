"""Buttons and counters of pages and extensions go; what a person could have typed stays."""

from __future__ import annotations

import pytest

from curate.ingest.conversation import Conversation, Message
from curate.ingest.tidy import tidy
from curate.ingest.ui_text import POLICY_WARNING

BLANK_LINES = "\n \n \n \n "


def prompts(*texts: str) -> tuple[list[str], list[str]]:
    """The prompts of one conversation behind `tidy`, and its edits."""
    conversation = tidy(Conversation([Message("user", text) for text in texts]))
    return [message.content for message in conversation.messages], conversation.edits


CUT = {
    "share prompt, glued": ("Explain DNSShare Prompt", "Explain DNS", "share_prompt"),
    "share prompt, own line": ("Explain DNS \n \n Share Prompt", "Explain DNS", "share_prompt"),
    "edit box": ("why should Save & SubmitCancel", "why should", "edit_buttons"),
    "nothing but the edit box": ("Save & SubmitCancel", "", "edit_buttons"),
    "translator, glued": ("Answer in English.지금 번역하기", "Answer in English.", "translate_button"),
    "translator, set off": ("Explain DNS" + BLANK_LINES + "지금 번역하기", "Explain DNS", "translate_button"),
    "translator, English": ("Explain DNS" + BLANK_LINES + "Translate now", "Explain DNS", "translate_button"),
    "characters": ("Explain DNSCopy123 chars / 45 words", "Explain DNS", "char_count"),
    "orange line": ("!Explain DNS" + POLICY_WARNING, "Explain DNS", "policy_warning"),
    "orange line and counter": ("!2 / 2explain DNS\n" + POLICY_WARNING, "explain DNS", "policy_warning"),
    "counter, glued": ("ls1 / 1", "ls", "counter"),
    "counter behind a full stop": ("Explain DNS.11 / 13", "Explain DNS.", "counter"),
    "counter, own line": ("Explain DNS \n\n2 / 2", "Explain DNS", "counter"),
    "white space behind": ("Explain DNSShare Prompt \n", "Explain DNS", "share_prompt"),
}


@pytest.mark.parametrize(("text", "rest", "edit"), CUT.values(), ids=CUT)
def test_marks_at_the_end_of_a_prompt_go(text: str, rest: str, edit: str) -> None:
    assert prompts(text) == ([rest], [edit])


def test_several_marks_go_together() -> None:
    text = f"Explain DNS.Share Prompt{BLANK_LINES}지금 번역하기\n CopyCopy HTMLRead Aloud⏹️ Stop7 chars | 2 words"

    assert prompts(text) == (["Explain DNS."], ["char_count", "share_prompt", "translate_button"])


@pytest.mark.parametrize(
    "text",
    [
        "10 / 2",
        "10 / 2 is what?",
        "1 / 2 cup of sugar",
        "What is 1 / 2",
        "What is 3 / 3",
        "y = x1 / 2",
        "(a + b)/1 / 2",
        "$1 / 2",
        "f(x) = 10 / 2",
        "A great film.\n5 / 5",
        "A great film.\n10 / 10",
        "Half of it:\n1 / 2",
        "4 / 3",
        "due 3 / 4 / 23 / 24",
        "Draw a button: Share Prompt",
        "Share Prompt is what?",
        "Hello, my friend.\nTranslate now",
        "이 문장을 지금 번역하기",
        "이 문장을지금 번역하기",
        "What does this mean? " + POLICY_WARNING,
        "Summarise this in 45 words",
        "It has 123 chars / 45 words",
        "Save & Submit",
    ],
)
def test_what_a_person_could_have_typed_stays(text: str) -> None:
    assert prompts(text) == ([text], [])
    assert prompts(text, "Hi") == ([text, "Hi"], [])


@pytest.mark.parametrize(
    ("doubtful", "rest", "proof"),
    [
        ("please go on 1 / 1", "please go on", "ls1 / 1"),
        ("that one die is a 32 / 2", "that one die is a 3", "Explain it.1 / 2"),
        ("Explain DNS\n4 / 9", "Explain DNS", "ls2 / 2"),
        ("please go on Share Prompt", "please go on", "Explain DNSShare Prompt"),
        ("계속 지금 번역하기", "계속", f"Explain DNS{BLANK_LINES}지금 번역하기"),
    ],
)
def test_a_doubtful_form_goes_where_another_prompt_proves_it(doubtful: str, rest: str, proof: str) -> None:
    assert prompts(doubtful) == ([doubtful], [])
    assert prompts(doubtful, proof)[0][0] == rest


def test_two_doubtful_forms_prove_each_other() -> None:
    assert prompts("please go on 1 / 1", "and then? 2 / 2") == (["please go on", "and then?"], ["counter"])
    assert prompts("The food: 5 / 5", "The room: 5 / 5") == (["The food: 5 / 5", "The room: 5 / 5"], [])


def test_marks_are_looked_for_where_they_occur() -> None:
    response = [Message("user", "Hi"), Message("assistant", "Use the button Share Prompt\n2 / 2")]
    system = [Message("system", "Answer like this:\n2 / 2"), Message("tool", "ls1 / 1")]

    assert tidy(Conversation([*response])).messages == response
    assert tidy(Conversation([*system])).messages == system


def test_the_character_count_goes_from_answers_too() -> None:
    conversation = tidy(Conversation([Message("assistant", "All done.\nCopy1234 chars / 210 words")]))

    assert conversation.messages[0].content == "All done."
    assert conversation.edits == ["char_count"]


COPY_CODE = {
    "in the fence's line": ("So:\n```pythonCopy code\nimport os\n```", "So:\n```python\nimport os\n```"),
    "and the code with it": ("```sqlCopy codeSELECT 1;\n```", "```sql\nSELECT 1;\n```"),
    "behind the fence": ("```\npythonCopy code\nimport os\n```", "```python\nimport os\n```"),
    "in lines of their own": ("```\npython\nCopy code\nimport os\n```", "```python\nimport os\n```"),
    "without a language": ("```\nCopy code\nimport os\n```", "```\nimport os\n```"),
    "without a fence": ("So:\npython\nCopy code\nimport os", "So:\npython\nimport os"),
    "glued, without a fence": ("So:\n\nsqlCopy codeFROM nginx", "So:\n\nsql\nFROM nginx"),
    "without fence and language": ('Like this:\n\nCopy code\nconn = {"a": 1}', 'Like this:\n\nconn = {"a": 1}'),
    "twice": ("glsl\nCopy code\nfloat a;\nThen\nglsl\nCopy code\nint b;", "glsl\nfloat a;\nThen\nglsl\nint b;"),
}


@pytest.mark.parametrize(("text", "rest"), COPY_CODE.values(), ids=COPY_CODE)
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_the_copy_button_goes(role: str, text: str, rest: str) -> None:
    conversation = tidy(Conversation([Message(role, text)]))

    assert conversation.messages[0].content == rest
    assert conversation.edits == ["copy_code"]


@pytest.mark.parametrize(
    "text",
    [
        "The `Dockerfile` has an unnecessary `sqlCopy code` line.",
        "@@ -0,0 +1,29 @@\n+markdownCopy code\n+x",
        "The menu has\n- Copy code\n- Paste code",
        "The menu:\nCopy code\nPaste code",
        "```html\n<button>Copy code</button>\n```",
        "```html\n<p>\nCopy code\n</p>\n```",
        "```python\nx = 1\n```\nCopy code is a button.",
        "Copy code from one file to another = bad",
        "Please Copy code",
        "Copy code",
    ],
)
def test_copy_code_in_a_sentence_or_in_code_stays(text: str) -> None:
    assert prompts(text) == ([text], [])
