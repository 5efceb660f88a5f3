"""Buttons and counters of pages and extensions go; what a person could have typed stays."""

from __future__ import annotations

import time

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
    "edit box": ("why should Save & SubmitCancel", "why should", "edit_buttons"),
    "nothing but the edit box": ("Save & SubmitCancel", "", "edit_buttons"),
    "translator, glued": ("Answer in English.지금 번역하기", "Answer in English.", "translate_button"),
    "translator, set off": ("Explain DNS" + BLANK_LINES + "지금 번역하기", "Explain DNS", "translate_button"),
    "translator, English": ("Explain DNS" + BLANK_LINES + "Translate now", "Explain DNS", "translate_button"),
    "characters": ("Explain DNSCopy123 chars / 45 words", "Explain DNS", "char_count"),
    "orange line": ("!Explain DNS" + POLICY_WARNING, "Explain DNS", "policy_warning"),
    "orange line and counter": ("!2 / 2explain DNS\n" + POLICY_WARNING, "explain DNS", "policy_warning"),
}
# What a person could have typed: it needs a witness.
LIKELY = {
    "share prompt, glued": ("Explain DNSShare Prompt", "Explain DNS", "share_prompt"),
    "share prompt, own line": ("Explain DNS \n \n Share Prompt", "Explain DNS", "share_prompt"),
    "counter, glued": ("ls1 / 1", "ls", "counter"),
    "counter behind a full stop": ("Explain DNS.11 / 13", "Explain DNS.", "counter"),
    "counter, own line": ("Explain DNS \n\n2 / 2", "Explain DNS", "counter"),
    "white space behind": ("Explain DNSShare Prompt \n", "Explain DNS", "share_prompt"),
}
WITNESSES = {
    "a counter": Message("user", "And now?2 / 2"),
    "an extension's button": Message("user", "Go on, please.Share Prompt"),
    "the edit box": Message("user", "why should Save & SubmitCancel"),
    "a translator's button": Message("user", "Answer in English.지금 번역하기"),
    "an answer that is HTML": Message("assistant", '<div class="markdown prose"><p>Yes.</p></div>'),
    "an answer with a count": Message("assistant", "Yes.\nCopy4 chars / 1 words"),
    "an answer with a button": Message("assistant", "```\npythonCopy code\nx\n```"),
}


@pytest.mark.parametrize(("text", "rest", "edit"), CUT.values(), ids=CUT)
def test_marks_at_the_end_of_a_prompt_go(text: str, rest: str, edit: str) -> None:
    assert prompts(text) == ([rest], [edit])


@pytest.mark.parametrize(("text", "rest", "edit"), LIKELY.values(), ids=LIKELY)
@pytest.mark.parametrize("witness", WITNESSES.values(), ids=WITNESSES)
def test_what_a_person_could_have_typed_goes_before_a_witness(
    text: str, rest: str, edit: str, witness: Message
) -> None:
    for messages in ([Message("user", text), witness], [witness, Message("user", text)]):
        conversation = tidy(Conversation(messages))
        assert rest in [message.content for message in conversation.messages]
        assert edit in conversation.edits


def test_several_marks_go_together() -> None:
    text = f"Explain DNS.Share Prompt{BLANK_LINES}지금 번역하기\n CopyCopy HTMLRead Aloud⏹️ Stop7 chars | 2 words"

    assert prompts(text) == (["Explain DNS."], ["char_count", "share_prompt", "translate_button"])


TYPED = [
    *(text for text, _, _ in LIKELY.values()),
    "10 / 2",
    "10 / 2 is what?",
    "1 / 2 cup of sugar",
    "What is 1 / 2",
    "What is 3 / 3",
    "What is (1+2)\n3 / 3",
    "Compute\n2 / 2",
    "Score:\n7 / 7",
    "Differentiate (x+1)2 / 4",
    "sin2 / 3",
    "x²3 / 4",
    "Python2 / 3",
    "HTML4 / 5",
    "Part1 / 3",
    "Windows10 / 11",
    "utf8 / 16",
    "rating of the movie2 / 5",
    "assert hinge_loss(y, p) == 1.2 / 4",
    "y = x1 / 2",
    "(a + b)/1 / 2",
    "see [1]2 / 3",
    "$1 / 2",
    "f(x) = 10 / 2",
    "A great film.\n5 / 5",
    "A great film.\n10 / 10",
    "Half of it:\n1 / 2",
    "4 / 3",
    "due 3 / 4 / 23 / 24",
    "Menu:Share Prompt",
    "What does this button do?\n\nShare Prompt",
    "Draw a button: Share Prompt",
    "Share Prompt is what?",
    "Hello, my friend.\nTranslate now",
    "이 문장을 지금 번역하기",
    "이 문장을지금 번역하기",
    "What does this mean? " + POLICY_WARNING,
    "Summarise this in 45 words",
    "It has 123 chars / 45 words",
    "Save & Submit",
]


@pytest.mark.parametrize("text", TYPED)
def test_what_a_person_could_have_typed_stays(text: str) -> None:
    assert prompts(text) == ([text], [])
    assert prompts(text, "Hi") == ([text, "Hi"], [])


@pytest.mark.parametrize(
    "text", ["Differentiate (x+1)2 / 4", "x²3 / 4", "p == 1.2 / 4", "see [1]2 / 3", "What is 1 / 2", "3 / 3"]
)
def test_a_formula_bears_no_witness(text: str) -> None:
    assert prompts(text, "Explain DNS.2 / 2") == ([text, "Explain DNS.2 / 2"], [])
    assert prompts(text, text) == ([text, text], [])


@pytest.mark.parametrize(
    ("doubtful", "rest", "proof"),
    [
        ("please go on 1 / 1", "please go on", ["ls1 / 1", "Explain it.1 / 1"]),
        ("that one die is a 32 / 2", "that one die is a 3", ["ls1 / 1", "Explain it.1 / 2"]),
        ("Explain DNS\n4 / 9", "Explain DNS", ["ls2 / 2", "Explain it.1 / 2"]),
        ("please go on Share Prompt", "please go on", ["Explain DNSShare Prompt", "Go on!Share Prompt"]),
        ("계속 지금 번역하기", "계속", [f"Explain DNS{BLANK_LINES}지금 번역하기"]),
    ],
)
def test_a_weak_form_goes_where_another_prompt_lost_the_same_mark(doubtful: str, rest: str, proof: list[str]) -> None:
    assert prompts(doubtful) == ([doubtful], [])
    assert prompts(doubtful, doubtful) == ([doubtful, doubtful], [])
    assert prompts(doubtful, *proof)[0][0] == rest


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
    "without a fence": ("So:\npython\nCopy code\nimport os", "So:\npython\nimport os"),
    "glued, without a fence": ("So:\n\nsqlCopy codeFROM nginx", "So:\n\nsql\nFROM nginx"),
    "in a list": ("1. So:\n   ```\n   pythonCopy code\n   x\n   ```", "1. So:\n   ```python\n   x\n   ```"),
    "twice": ("glsl\nCopy code\nfloat a;\nThen\nglsl\nCopy code\nint b;", "glsl\nfloat a;\nThen\nglsl\nint b;"),
}


@pytest.mark.parametrize(("text", "rest"), COPY_CODE.values(), ids=COPY_CODE)
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_the_copy_button_goes(role: str, text: str, rest: str) -> None:
    conversation = tidy(Conversation([Message(role, text)]))

    assert conversation.messages[0].content == rest
    assert conversation.edits == ["copy_code"]


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("```\nCopy code\nimport os\n```", "```\nimport os\n```"),
        ('Like this:\n\nCopy code\nconn = {"a": 1}', 'Like this:\n\nconn = {"a": 1}'),
    ],
)
def test_a_button_without_a_language_goes_from_an_answer_beside_another_button(text: str, rest: str) -> None:
    for other in (Message("user", "python\nCopy code\nx"), Message("assistant", "```sqlCopy code\nx\n```")):
        assert tidy(Conversation([other, Message("assistant", text)])).messages[1].content == rest
    assert tidy(Conversation([Message("user", "Hi"), Message("assistant", text)])).messages[1].content == text
    assert prompts(text, "python\nCopy code\nx")[0] == [text, "python\nx"]


@pytest.mark.parametrize("role", ["user", "assistant"])
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
        "```\n# Copy code into the image\nCOPY . /app\n```",
        "```\n// Copy code\nf();\n```",
        "```\n- Copy code\n- Run\n```",
        "```\nCopy code\nPaste code\n```",
        "```\nbashCopy code is what it said\n```",
        "```\nunknownCopy code\n```",
        "```dockerfile\n# Copy code\n```",
        "~~~\nREM Copy code\n~~~",
        "HTML Copy code button example:",
        "HTMLCopy code button example:",
        "Go Copy code from the repo",
        "Java Copy code between classes?",
        "SQL Copy code between tables;",
        "Text Copy code to clipboard",
        "The menu:\n\nGo\nCopy code\nRun",
        "text\nCopy codes into it",
        "Steps:\n\nCopy code\nPaste it (Ctrl+V)",
        "Translate to German:\n\nCopy code\n(button)",
        "Copy code\nx = 1",
        "python Copy code",
        "Copy code from one file to another = bad",
        "Please Copy code",
        "Copy code",
    ],
)
def test_copy_code_in_a_sentence_or_in_code_stays(text: str, role: str) -> None:
    conversation = tidy(Conversation([Message(role, text)]))

    assert conversation.messages[0].content == text
    assert conversation.edits == []


@pytest.mark.parametrize(
    "text",
    [
        "Copy code\n" * 100_000,
        "pythonCopy code\n" * 100_000,
        "python\nCopy code\n" * 100_000,
        "```\nCopy code\n" * 100_000,
        "sqlCopy code" * 100_000,
        "~~~sqlCopy code" * 100_000,
        "Share Prompt" * 100_000,
        "a2 / 2" * 100_000,
    ],
    ids=lambda text: repr(text[:16]),
)
def test_many_buttons_take_no_time(text: str) -> None:
    begin = time.process_time()
    prompts(text, text)
    assert time.process_time() - begin < 2
