"""What of a message is searched for personal data: its content, the name of its speaker, what its tool calls say.

The parts of a message are searched as one text, in that order, so that a place in it is a number like any other.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from curate.clean.personal import Span

# Between the parts; no pattern takes it for a space or a letter.
_BETWEEN = "\0"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


def searched(turns: pl.DataFrame) -> pl.Series:
    """The text of each message, as the places of spans count it.

    Args:
        turns: Rows with `content` and, where they are known, `name` and `tool_calls`.
    """
    content = turns["content"]
    more = [name for name in ("name", "tool_calls") if name in turns.columns]
    if not more or all(turns[name].null_count() == turns.height for name in more):
        return content
    rows = turns.select(pl.any_horizontal(pl.col(*more).is_not_null())).to_series().arg_true()
    return content.scatter(rows, [text(row) for row in turns[rows].select("content", *more).iter_rows(named=True)])


def text(message: dict[str, Any]) -> str:
    """The text of one message, as `searched` gives it."""
    return _BETWEEN.join(_parts(message))


def replaced(message: dict[str, Any], spans: Sequence[Span], name_of: Callable[[str], str]) -> dict[str, Any]:
    """The message with other words in place of spans.

    Args:
        message: With `content`, and perhaps `name` and `tool_calls`.
        spans: Places in its text as `searched` gives it, in order and apart.
        name_of: What replaces a piece, by its kind.
    """
    texts = (_put(part, begin, spans, name_of) for begin, part in _places(_parts(message)))
    changed = {**message, "content": next(texts)}
    if message.get("name") is not None:
        changed["name"] = next(texts)
    if message.get("tool_calls") is not None:
        changed["tool_calls"] = _told(message["tool_calls"], lambda _: next(texts))
    return changed


def _parts(message: dict[str, Any]) -> list[str]:
    name, calls = message.get("name"), message.get("tool_calls")
    said = [message["content"], *([] if name is None else [name])]

    def heard(part: str) -> str:
        said.append(part)
        return part

    if calls is not None:
        _told(calls, heard)
    return said


def _places(texts: list[str]) -> Iterator[tuple[int, str]]:
    begin = 0
    for text in texts:
        yield begin, text
        begin += len(text) + len(_BETWEEN)


def _put(text: str, begin: int, spans: Sequence[Span], name_of: Callable[[str], str]) -> str:
    """A part that begins at `begin`, without the spans that reach into it."""
    first = bisect_right(spans, begin, key=lambda span: span.end)
    last = bisect_left(spans, begin + len(text), key=lambda span: span.begin)
    pieces, place = [], 0
    for span in spans[first:last]:
        pieces += [text[place : max(span.begin - begin, 0)], name_of(span.kind)]
        place = span.end - begin
    return "".join([*pieces, text[place:]])


def _told(calls: str, change: Callable[[str], str]) -> str:
    """Tool calls with each of their strings and numbers changed; those in JSON within a string too.

    What is not changed stays as it is to the letter. What is no JSON is one string.
    """
    if not _is_json(calls):
        return change(calls)

    def token(match: re.Match[str]) -> str:
        if not match[0].startswith('"'):
            new = change(match[0])
            return match[0] if new == match[0] else json.dumps(new, ensure_ascii=False)
        text = _SURROGATE.sub("\ufffd", json.loads(match[0], strict=False))
        new = _told(text, change) if text[:1] in ("{", "[") else change(text)
        return match[0] if new == text else json.dumps(new, ensure_ascii=False)

    return _TOKEN.sub(token, calls)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True
