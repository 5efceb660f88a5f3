"""From a judge's reply to levels, or to a reason why there are none. Never a guess, never a default.

A reply may quote a grade from the data, so only what cannot be a quotation counts: a reply that is
one JSON object, or one whose objects all say the same.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curate.judge.rubric import RESERVED, TOP_LEVEL

if TYPE_CHECKING:
    from curate.judge.rubric import Rubric

_FENCE = re.compile(r"\s*```(?:json)?\s*(\{.*\})\s*```\s*", re.DOTALL | re.IGNORECASE)
_THOUGHT = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_THINK_TAG = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
_MENU = {str(level) for level in range(TOP_LEVEL + 1)}
_REFUSED = {"content_filter", "safety", "refusal"}


@dataclass(frozen=True)
class Reading:
    """What a reply says: `levels` by criterion when `status` is ok, else why there are none."""

    status: str
    levels: dict[str, int] = field(default_factory=dict)
    text: str | None = None


class _UnparsedError(Exception):
    """Why a reply has no levels."""


def read(content: str | None, finish_reason: str | None, refusal: str | None, rubric: Rubric) -> Reading:
    """The levels of a reply.

    Args:
        content: The reply as received.
        finish_reason: As the server gave it.
        refusal: The server's refusal text, where it has one.
        rubric: Its criteria are the keys that must all be there, each 0 to 4.
    """
    if refusal or finish_reason in _REFUSED:
        return Reading("refused", text=f"the judge declined: {(refusal or finish_reason or '')[:200]}")
    if not content or not content.strip():
        return Reading("unparsed", text=f"empty reply (finish_reason {finish_reason})")
    names = [criterion.name for criterion in rubric.criteria]
    try:
        value = _answer(content, names, cut=finish_reason == "length")
        levels = {name: _level(name, value[name]) for name in names}
    except _UnparsedError as reason:
        return Reading("unparsed", text=str(reason))
    evidence = value.get(RESERVED)
    text = evidence.encode("utf-8", "replace").decode().strip()[:500] if isinstance(evidence, str) else ""
    return Reading("ok", levels, text or None)


def _answer(content: str, names: list[str], *, cut: bool) -> dict[str, Any]:
    """The reply as an object with all names: all of it, else what every balanced {…} in it agrees on."""
    fenced = _FENCE.fullmatch(content)
    whole = _object(fenced[1] if fenced else content)
    if whole is not None and set(names) <= whole.keys():
        return whole
    if cut:
        raise _UnparsedError("no JSON object with all criteria; the reply was cut at its token limit")
    text = _THOUGHT.sub("", content)
    tags = _THINK_TAG.findall(text)
    if tags and tags[-1] != "/":
        raise _UnparsedError("the reply ends inside its thinking")
    # What names every criterion counts even when it is broken: it may be the judge's own answer.
    values = [_object(span) for span in _balanced(text) if all(f'"{name}"' in span for name in names)]
    found = [value for value in values if value is not None and set(names) <= value.keys()]
    if not found:
        raise _UnparsedError("no JSON object with all criteria")
    if len(found) < len(values) or any(value[name] != found[0][name] for value in found for name in names):
        raise _UnparsedError("the reply holds several grades that differ")
    return found[-1]


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise _UnparsedError("a key stands twice in the JSON object")
    return value


def _balanced(text: str) -> list[str]:
    """Outermost balanced {…} of the text, in order; braces inside JSON strings do not count."""
    spans, depth, start, quoted, escaped = [], 0, 0, False, False
    for position, character in enumerate(text):
        if quoted:
            escaped, quoted = character == "\\" and not escaped, character != '"' or escaped
        elif character == '"':
            quoted = depth > 0
        elif character == "{":
            start, depth = (position, 1) if depth == 0 else (start, depth + 1)
        elif character == "}" and depth:
            depth -= 1
            if depth == 0:
                spans.append(text[start : position + 1])
    if depth:
        raise _UnparsedError("no JSON object with all criteria: a brace is never closed")
    return spans


def _level(name: str, value: Any) -> int:
    if isinstance(value, str) and value.strip() in _MENU:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TOP_LEVEL:
        return value
    raise _UnparsedError(f"`{name}` is {str(value)[:40]!r}, not one of 0 to {TOP_LEVEL}")
