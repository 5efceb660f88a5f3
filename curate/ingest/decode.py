"""JSON text to records, strictly, with a reason for every record that is not one."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import orjson

from curate.ingest.structure import colons, pairs_of, quotes_of

if TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)


class UnreadableError(Exception):
    """A record that cannot be read: `reason` is one word, `detail` says what exactly."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def parse_all(joined: bytes, count: int, pairs: int) -> list[dict[str, Any]] | None:
    """All records of a chunk, or None when one of them needs a closer look.

    Args:
        joined: A JSON array of the records.
        count: How many there are.
        pairs: Key-value pairs in `joined`, at a guess; more than the records have means a key stands twice.
    """
    try:
        values = orjson.loads(joined)
    except orjson.JSONDecodeError:
        return None
    if len(values) != count or not all(type(value) is dict for value in values):
        return None
    found = pairs_of(values)
    if found != pairs:
        data = np.frombuffer(joined, np.uint8)
        pairs = colons(data, quotes_of(data), 0, len(data))
    return values if found == pairs else None


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
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        surrogate = error.object[error.start]
        raise UnreadableError("lone_surrogate", f"\\u{ord(surrogate):04x} without its other half") from None
    except RecursionError:
        raise UnreadableError("invalid_json", "nested too deeply") from None
    except ValueError as error:
        raise UnreadableError("invalid_json", str(error)) from None
    if not isinstance(value, dict):
        raise UnreadableError("not_an_object", f"a JSON {type(value).__name__}, not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        _duplicate([key for key, _ in pairs])
    return value


def _duplicate(keys: list[str]) -> NoReturn:
    twice = next(key for key in keys if keys.count(key) > 1)
    raise UnreadableError("duplicate_keys", f"the key `{twice}` stands in it more than once")


def reads(raw: bytes, is_record: Callable[[dict[str, Any]], bool] = lambda _: True) -> bool:
    """Whether the bytes are one record, and one that `is_record` recognises."""
    try:
        return is_record(parse_one(raw))
    except UnreadableError:
        return False


def parses(raw: bytes) -> bool:
    """Whether the bytes are JSON."""
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True


def balanced_end(buffer: bytes, begin: int, budget: int) -> int | None:
    """Where the object that begins at `begin` closes; None when not within `budget` bytes."""
    depth = 0
    for token in _TOKEN.finditer(buffer, begin, begin + budget):
        first = buffer[token.start()]
        if first in b"{[":
            depth += 1
        elif first in b"}]":
            depth -= 1
            if depth <= 0:
                return token.end()
    return None


def syntax_error(raw: bytes) -> tuple[bool, str]:
    """Whether a strict parser only runs out of text, and what it complains about."""
    text = raw.decode("utf-8", "replace").rstrip()
    try:
        json.JSONDecoder().raw_decode(text)
    except RecursionError:
        return False, "nested too deeply"
    except json.JSONDecodeError as error:
        # A cut may fall into a literal or an escape such as \u00e9, which the parser refuses where it begins.
        return error.msg.startswith("Unterminated") or error.pos >= len(text) - 10, error.msg
    return False, "more than one value"


def ends_early(raw: bytes) -> bool:
    """Whether the bytes are the beginning of JSON that was cut off."""
    return syntax_error(raw)[0]
