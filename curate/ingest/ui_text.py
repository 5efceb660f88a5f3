"""Words of ChatGPT's page, and of extensions to it, that were saved as if somebody had written them.

A prompt was saved as the text of its part of the page, so what stands beside it there was glued to
its end: the counter of its versions ("2 / 2"), the buttons of the edit box ("Save & SubmitCancel"),
an extension's "Share Prompt", a translator's button and its character count. Forms and counts were
taken from ShareGPT V3. A form that a person could have typed is cut only where another prompt of the
same conversation carries the same mark beyond doubt.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from curate.ingest.zero_width import MARKS

if TYPE_CHECKING:
    from collections.abc import Callable, Container

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
# Not the end of a formula: two letters, or what ends a sentence.
_ENDS_WITH_WORD = re.compile(r"""(?:[^\W\d_]{2}|[.?!…。？！)\]"'”’»`])\Z""")
# "5 / 5" and "10 / 10" are also what people rate something with.
_RATINGS = ("/ 5", "/ 10")


def is_suspect(prompt: str) -> bool:
    """Whether a prompt may end with a mark; cheap."""
    end = prompt.rstrip()
    return end.endswith(PROMPT_ENDS) or (end[-1:].isdigit() and " / " in end[-8:])


def without_tails(prompts: list[str]) -> tuple[list[str], set[str]]:
    """The prompts of one conversation without the marks at their ends, and the names of those cut."""
    seen: set[str] = set()
    proof: set[str] = set()
    while True:
        prompts = [_without_tails(prompt, proof, seen) for prompt in prompts]
        doubtful = Counter(name for prompt in prompts if (name := _doubtful(prompt)))
        grown = seen | {name for name, times in doubtful.items() if times > 1}
        if grown <= proof:
            return prompts, seen
        proof |= grown


def without_char_count(response: str) -> str:
    """A response without an extension's "Copy123 chars / 45 words" at its end."""
    while match := _CHAR_COUNT.search(response.rstrip()[-120:]):
        response = _end(response.rstrip()[: -len(match[0])])
    return response


def without_first_counter(text: str) -> str:
    """An answer's HTML, or a page's prompt, without the counter before it; elsewhere "1 / 2" may be the text's own."""
    match = _FIRST_COUNTER.match(text)
    return text[match.end() :] if match and int(match[1]) <= int(match[2]) else text


def _without_tails(prompt: str, proof: Container[str], seen: set[str]) -> str:
    if not is_suspect(prompt):
        return prompt
    while found := _tail(prompt.rstrip(), proof):
        prompt, name = found
        seen.add(name)
    return prompt


def _doubtful(prompt: str) -> str | None:
    """The mark at the end of a prompt that a person could have typed: two such prompts prove each other."""
    found = _tail(prompt.rstrip(), _NAMES) if is_suspect(prompt) else None
    return found[1] if found and not prompt.rstrip().endswith(_RATINGS) else None


def _tail(prompt: str, proof: Container[str]) -> tuple[str, str] | None:
    """The prompt without the mark at its end, and the mark's name; null when there is none.

    Args:
        prompt: Without white space at its end.
        proof: Names of the marks that the conversation carries beyond doubt.
    """
    for mark, name, is_certain in _MARKS:
        if prompt.endswith(mark):
            end = len(prompt)
            while prompt.endswith(mark, 0, end):
                end -= len(mark)
            body = prompt[:end]
            if name in proof or is_certain(body):
                if name == "policy_warning":
                    body = _WARNING_ICON.sub("", body)
                return _end(body), name
    if match := _CHAR_COUNT.search(prompt[-120:]):
        return _end(prompt[: -len(match[0])]), "char_count"
    if match := _COUNTER.search(prompt[-12:]):
        body = prompt[: -len(match[0])]
        if _is_counter(body, match[1], match[2], "counter" in proof):
            return _end(body), "counter"
        # "a 3" and "2 / 2" have become "a 32 / 2".
        if "counter" in proof and match[1].endswith(match[2]):
            return _end(body + match[1].removesuffix(match[2])), "counter"
    return None


def _end(body: str) -> str:
    """What stood before a mark: a joiner that only the mark's first letter had a use for goes with it."""
    while (end := body.rstrip().rstrip(MARKS)) != body:
        body = end
    return body


def _is_counter(body: str, version: str, versions: str, proven: bool) -> bool:
    """Whether a number of versions behind `body` is no part of what somebody typed."""
    if version.startswith("0") or int(version) > int(versions):
        return False
    if _is_set_off(body):
        return proven or (version == versions and not f"/ {versions}".endswith(_RATINGS))
    return bool(_ENDS_WITH_WORD.search(body[-2:]))


def _is_set_off(body: str) -> bool:
    """A line break parts the mark from some text."""
    return "\n" in body[len(body.rstrip()) :] and not body.isspace()


def _is_glued_or_set_off(body: str) -> bool:
    return bool(body) and (not body[-1].isspace() or _is_set_off(body))


def _is_translate_button(body: str) -> bool:
    """Behind three empty lines, as the button stands in the page, or glued to what is no Korean word."""
    return body[len(body.rstrip()) :].count("\n") >= 3 or bool(body and not re.match(r"[\s가-힣]", body[-1]))


_MARKS: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("Share Prompt", "share_prompt", _is_glued_or_set_off),
    ("Save & SubmitCancel", "edit_buttons", lambda body: True),
    ("지금 번역하기", "translate_button", _is_translate_button),
    ("Translate now", "translate_button", lambda body: body[len(body.rstrip()) :].count("\n") >= 3),
    (POLICY_WARNING, "policy_warning", lambda body: body.startswith("!")),
)
_NAMES = frozenset(name for _, name, _ in _MARKS) | {"counter"}
