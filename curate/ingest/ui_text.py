"""Words of ChatGPT's page, and of extensions to it, that were saved as if somebody had written them.

A prompt was saved as the text of its part of the page, so what stands beside it there was glued to
its end: the counter of its versions ("2 / 2"), the buttons of the edit box ("Save & SubmitCancel"),
an extension's "Share Prompt", a translator's button and its character count. Forms and counts were
taken from ShareGPT V3. People type "Compute\n2 / 2" and "Python2 / 3", too: what a person could have
typed is cut only where something else in the conversation bears witness that it was saved from a page.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from curate.ingest.zero_width import MARKS

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY_WARNING = (
    "This content may violate our content policy. If you believe this to be in error, please submit your feedback"
    " — your input will aid our research in this area."
)
# A prompt that ends with one of these may end with a mark.
PROMPT_ENDS = ("Share Prompt", "Save & SubmitCancel", "지금 번역하기", "Translate now", " words", POLICY_WARNING[-30:])

_COUNTER = re.compile(r"(\d+) / ([1-9]\d?)\Z", re.ASCII)
# Before the markup of an answer; glued to the first word of a prompt.
_FIRST_COUNTER = re.compile(r"\s*([1-9]\d?) / ([1-9]\d?)(?:\s*(?=<div)|(?=[A-Z][A-Za-z' ]))", re.ASCII)
_WARNING_ICON = re.compile(r"\A!(?:[1-9]\d? / [1-9]\d?)?", re.ASCII)
_CHAR_COUNT = re.compile(r"Copy(?:Copy HTML)?(?:Read Aloud)?(?:⏹️ Stop)?\d+ chars [/|] \d+ words\Z", re.ASCII)
# No formula ends so: two letters, or what ends a sentence. A full stop may be a decimal point.
_ENDS_WITH_WORD = re.compile(r"""(?:[^\W\d_²³¹]{2}\.?|[?!…。？！"'”’»`])\Z""")
# "5 / 5" and "10 / 10" are also what people rate something with.
_RATINGS = ("/ 5", "/ 10")



class _Evidence(IntEnum):
    """How sure it is that nobody typed a mark."""

    POSSIBLE = 0  # goes where a mark of the same name went
    LIKELY = 1  # goes where anything else bears witness, and is itself a witness
    CERTAIN = 2


class _Mark(NamedTuple):
    rest: str
    name: str
    evidence: _Evidence


def is_suspect(prompt: str) -> bool:
    """Whether a prompt may end with a mark; cheap."""
    end = prompt.rstrip()
    return end.endswith(PROMPT_ENDS) or (end[-1:].isdigit() and " / " in end[-8:])


def without_tails(prompts: list[str], is_page: bool = False) -> tuple[list[str], set[str]]:
    """The prompts of one conversation without the marks at their ends, and the names of those cut.

    Args:
        prompts: In their order.
        is_page: An answer of the conversation bears witness that all of it was saved from a page.
    """
    rests = list(prompts)
    names: set[str] = set()
    while True:
        before = is_page, len(names)
        likely = 0
        for number, prompt in enumerate(rests):
            while mark := _tail(prompt):
                if mark.evidence + is_page < _Evidence.CERTAIN and mark.name not in names:
                    likely += mark.evidence
                    break
                prompt = mark.rest
                names.add(mark.name)
            rests[number] = prompt
        is_page = is_page or bool(names) or likely > 1
        if before == (is_page, len(names)):
            return rests, names


def without_char_count(response: str) -> str:
    """A response without an extension's "Copy123 chars / 45 words" at its end."""
    while match := _CHAR_COUNT.search(response.rstrip()[-120:]):
        response = _end(response.rstrip()[: -len(match[0])])
    return response


def without_first_counter(text: str) -> str:
    """An answer's HTML, or a page's prompt, without the counter before it; elsewhere "1 / 2" may be the text's own."""
    match = _FIRST_COUNTER.match(text)
    return text[match.end() :] if match and int(match[1]) <= int(match[2]) else text


def _tail(prompt: str) -> _Mark | None:
    """The mark at the end of a prompt, when there is one."""
    if not is_suspect(prompt):
        return None
    prompt = prompt.rstrip()
    for words, name, evidence in _MARKS:
        if prompt.endswith(words):
            end = len(prompt)
            while prompt.endswith(words, 0, end):
                end -= len(words)
            body = prompt[:end]
            rest = _WARNING_ICON.sub("", body) if name == "policy_warning" else body
            return _Mark(_end(rest), name, evidence(body))
    if match := _CHAR_COUNT.search(prompt[-120:]):
        return _Mark(_end(prompt[: -len(match[0])]), "char_count", _Evidence.CERTAIN)
    match = _COUNTER.search(prompt[-12:])
    return _counter(prompt[: -len(match[0])], match[1], match[2]) if match else None


def _counter(body: str, version: str, versions: str) -> _Mark | None:
    """The mark of a number of versions behind `body`; null where it can only be part of a formula."""
    if not version.startswith("0") and int(version) <= int(versions):
        if _is_set_off(body):
            likely = version == versions and not f"/ {versions}".endswith(_RATINGS)
            return _Mark(_end(body), "counter", _Evidence(likely))
        if _ENDS_WITH_WORD.search(body[-3:]):
            return _Mark(_end(body), "counter", _Evidence.LIKELY)
    # "a 3" and "2 / 2" have become "a 32 / 2".
    if version.endswith(versions):
        return _Mark(_end(body + version.removesuffix(versions)), "counter", _Evidence.POSSIBLE)
    return None


def _end(body: str) -> str:
    """What stood before a mark: a joiner that only the mark's first letter had a use for goes with it."""
    while (end := body.rstrip().rstrip(MARKS)) != body:
        body = end
    return body


def _is_set_off(body: str) -> bool:
    """A line break parts the mark from some text."""
    return "\n" in body[len(body.rstrip()) :] and not body.isspace()


def _empty_lines(body: str) -> bool:
    """Three empty lines, as they stand before a translator's button in the page."""
    return body[len(body.rstrip()) :].count("\n") >= 3


def _share_prompt(body: str) -> _Evidence:
    return _Evidence(bool(body) and (not body[-1].isspace() or _is_set_off(body)))


def _translate_button(body: str) -> _Evidence:
    """Glued to what is no Korean word, nobody types it."""
    is_glued = bool(body) and not re.match(r"[\s가-힣]", body[-1])
    return _Evidence.CERTAIN if is_glued or _empty_lines(body) else _Evidence.POSSIBLE


_MARKS: tuple[tuple[str, str, Callable[[str], _Evidence]], ...] = (
    ("Share Prompt", "share_prompt", _share_prompt),
    ("Save & SubmitCancel", "edit_buttons", lambda body: _Evidence.CERTAIN),
    ("지금 번역하기", "translate_button", _translate_button),
    ("Translate now", "translate_button", lambda body: _Evidence(2 * _empty_lines(body))),
    (POLICY_WARNING, "policy_warning", lambda body: _Evidence(2 * body.startswith("!"))),
)
