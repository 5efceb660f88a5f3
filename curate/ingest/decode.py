"""JSON text to records, strictly, with a reason for every record that is not one."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import orjson

from curate.ingest.structure import colons, containers_in, likely_pairs, pairs_of, quotes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

# Where JSON may be cut inside a word, a number or an escape.
_PARTIAL = re.compile(
    r"-|-?I(n(f(i(n(it?)?)?)?)?)?|-?Infinity?|Na?|n(ul?)?|t(ru?)?|f(a(ls?)?)?|\.|[eE][+-]?|\.\d+[eE][+-]?"
)
_PARTIAL_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{0,4}\Z")  # the parser wants to see what follows, too
_BLANK = re.compile(r"[ \t\r\n]*\Z")
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)
_STRUCTURE = json.JSONDecoder(parse_int=float)  # no limit on digits


# Bytes that are looked at first, then next, then all, to find the end of one value.
WINDOWS = (64 << 10, 1 << 20)
TOO_DEEP = "nested too deeply"


class UnreadableError(Exception):
    """A record that cannot be read: `reason` is one word, `detail` says what exactly."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def parse_all(joined: bytes, count: int, pairs: int, first_key: str | None = None) -> list[dict[str, Any]] | None:
    """All records of a chunk, or None when one of them needs a closer look.

    Args:
        joined: A JSON array of the records.
        count: How many there are.
        pairs: Key-value pairs in `joined`, never too few; more than the records have means a key stands twice.
        first_key: No object inside a record may begin with this key.
    """
    try:
        values = orjson.loads(joined)
    except orjson.JSONDecodeError:
        return None
    if len(values) != count or not _all_records(values):
        return None
    containers = containers_in(values)
    if first_key is not None and any(
        next(iter(item), None) == first_key for item in containers[count:] if type(item) is dict
    ):
        return None
    return values if _without_duplicates(joined, pairs, pairs_of(containers)) else None


def parse_lines(lines: Sequence[bytes], block: bytes) -> list[dict[str, Any]] | None:
    """The record on each line, or None when one of them needs a closer look; `block` is all lines together."""
    try:
        values = [orjson.loads(line) for line in lines]
    except orjson.JSONDecodeError:
        return None
    if not _all_records(values):
        return None
    return values if _without_duplicates(block, likely_pairs(block), pairs_of(containers_in(values))) else None


def _all_records(values: list[Any]) -> bool:
    return all(type(value) is dict for value in values)


def _without_duplicates(text: bytes, pairs: int, found: int) -> bool:
    if found != pairs:
        data = np.frombuffer(text, np.uint8)
        pairs = colons(data, quotes_of(data), 0, len(data))
    return found == pairs


def parse_one(raw: bytes) -> dict[str, Any]:
    """One record; Python's own NaN and Infinity become null.

    Raises:
        UnreadableError: Why it is not a record.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError("invalid_utf8", f"byte 0x{raw[error.start]:02x} at {error.start} of the record") from None
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=lambda _: None)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        surrogate = error.object[error.start]
        raise UnreadableError("lone_surrogate", f"\\u{ord(surrogate):04x} without its other half") from None
    except RecursionError:
        return _parse_deep(raw)
    except ValueError as error:
        raise UnreadableError("invalid_json", str(error)) from None
    if not isinstance(value, dict):
        raise UnreadableError("not_an_object", f"{text.strip()[:40]}, not an object")
    record: dict[str, Any] = value
    with suppress(orjson.JSONDecodeError):  # NaN or Infinity
        record = orjson.loads(raw)  # the same values as `parse_all`, which reads numbers its own way
    return record


def _parse_deep(raw: bytes) -> dict[str, Any]:
    values = parse_lines([raw], raw)
    if values is None:
        raise UnreadableError("invalid_json", TOO_DEEP)
    return values[0]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        _duplicate([key for key, _ in pairs])
    return value


def _duplicate(keys: list[str]) -> NoReturn:
    twice = Counter(keys).most_common(1)[0][0]
    raise UnreadableError("duplicate_keys", f"the key `{twice:.80}` stands in it more than once")


def parses(raw: bytes) -> bool:
    """Whether the bytes are JSON."""
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True


def value_end(buffer: bytes, begin: int) -> tuple[int, str] | None:
    """Where the JSON value that begins at `begin` ends, or where and why it breaks.

    Returns:
        Its end and no message; or the place of the error and what is wrong there; None when the buffer ends
        before the value does.
    """
    for size in (*WINDOWS, len(buffer)):  # the parser's errors count lines from the beginning of its text
        text = str(buffer[begin : begin + size], "latin-1")  # one character a byte
        found = _value_end(text)
        if begin + size >= len(buffer) or not (found is None or found == (len(text), "")):
            break
    return found and (begin + found[0], found[1])


def _value_end(text: str) -> tuple[int, str] | None:
    try:
        return _STRUCTURE.raw_decode(text)[1], ""
    except RecursionError:
        return 0, TOO_DEEP
    except json.JSONDecodeError as error:
        place = error.pos
        cut = _BLANK.match(text, place) or _PARTIAL.fullmatch(text, place)
        if place > len(text) - 8:
            cut = cut or _PARTIAL_ESCAPE.search(text, max(0, len(text) - 8))
        return None if cut or error.msg.startswith("Unterminated") else (place, error.msg)


def closing_end(buffer: bytes, begin: int, stop: int) -> int | None:
    """Where the object that begins at `begin` closes, when its brackets pair up before `stop`."""
    open_: list[int] = []
    for token in _TOKEN.finditer(buffer, begin, stop):
        first = buffer[token.start()]
        if first in b"{[":
            open_.append(first + 2)  # { and } are two apart, and so are [ and ]
        elif first in b"}]" and open_.pop() != first:
            return None
        if not open_:
            return token.end()
    return None
