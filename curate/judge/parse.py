"""From a judge's reply to levels, or to a reason why there are none. Never a guess, never a default."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from curate.judge.rubric import RESERVED, TOP_LEVEL

if TYPE_CHECKING:
    from curate.judge.rubric import Rubric

_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_MENU = {str(level) for level in range(TOP_LEVEL + 1)}
_REFUSED = {"content_filter", "safety", "refusal"}


@dataclass(frozen=True)
class Reading:
    """What a reply says: `levels` by criterion when `status` is ok, else why there are none."""

    status: str
    levels: dict[str, int] = field(default_factory=dict)
    text: str | None = None


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
    value = _answer(content, {criterion.name for criterion in rubric.criteria})
    if value is None:
        cut = "; the reply was cut at its token limit" if finish_reason == "length" else ""
        return Reading("unparsed", text="no JSON object with all criteria" + cut)
    levels = {criterion.name: _level(value[criterion.name]) for criterion in rubric.criteria}
    off_menu = [f"`{name}` is {str(value[name])[:40]!r}" for name, level in levels.items() if level is None]
    if off_menu:
        return Reading("unparsed", text=f"{off_menu[0]}, not one of 0 to {TOP_LEVEL}")
    evidence = value.get(RESERVED)
    text = evidence.strip()[:500] or None if isinstance(evidence, str) else None
    return Reading("ok", {name: level for name, level in levels.items() if level is not None}, text)


def _answer(content: str, names: set[str]) -> dict[str, Any] | None:
    """The reply as an object: all of it, else the last balanced {…} that has every criterion.

    The last one decides even when it is off the menu: an earlier one may be a quotation from the data.
    """
    text = _THINKING.sub("", content)
    for value in (_object(content), *_balanced(text)):
        if value is not None and names <= value.keys():
            return value
    return None


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _balanced(text: str) -> list[dict[str, Any] | None]:
    """Outermost balanced {…} of the text, last first; braces inside JSON strings do not count."""
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
    return [_object(span) for span in reversed(spans)]


def _level(value: Any) -> int | None:
    if isinstance(value, str) and value.strip() in _MENU:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TOP_LEVEL else None
