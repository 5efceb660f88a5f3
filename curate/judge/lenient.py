"""Objects that are nearly JSON: single quotes, bare keys, stray commas, Python's constants.

Judges that no schema holds to JSON write these. The grammar here is as unambiguous as JSON's: a text is one object of
it or it is none. `json-repair` is not used, because it never says no: it closes what was cut, makes one of two equal
keys, and ends a string where it sees fit, so that a grade quoted in the evidence becomes the judge's own.
"""

from __future__ import annotations

import re
from typing import Any

LONGEST = 50_000  # characters
DEEPEST = 8

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])"""
    r"""|(?P<word>[A-Za-z_]\w*)|(?P<mark>[{}\[\]:,]))""",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_CONSTANTS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}


class NoObjectError(Exception):
    """Why a text is not one object."""


def read(text: str) -> dict[str, Any]:
    """The one object that a text is, whitespace around it aside.

    Raises:
        NoObjectError: It is none, is cut off, holds a key twice, or more than one object.
    """
    if len(text) > LONGEST:
        raise NoObjectError("it is too long")
    tokens = _tokens(text)
    value, end = _value(tokens, 0, 0)
    if end != len(tokens) or not isinstance(value, dict):
        raise NoObjectError("it is not one object")
    return value


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place, end = [], 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise NoObjectError(f"nothing begins with {text[place : place + 10]!r}")
        found.append((match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return found


def _value(tokens: list[tuple[str, str]], place: int, depth: int) -> tuple[Any, int]:
    kind, text = _at(tokens, place)
    if kind == "string":
        return _text(text), place + 1
    if kind == "number":
        return float(text) if "." in text else int(text), place + 1
    if kind == "word" and text in _CONSTANTS:
        return _CONSTANTS[text], place + 1
    if text not in ("{", "[") or depth == DEEPEST:
        raise NoObjectError(f"{text[:20]!r} is no value")
    return (_object if text == "{" else _array)(tokens, place + 1, depth + 1)


def _object(tokens: list[tuple[str, str]], place: int, depth: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while _at(tokens, place)[1] != "}":
        kind, text = _at(tokens, place)
        if kind not in ("string", "word"):
            raise NoObjectError(f"{text[:20]!r} is no key")
        key = _text(text) if kind == "string" else text
        if key in found:
            raise NoObjectError(f"the key `{key[:20]}` stands twice")
        if _at(tokens, place + 1)[1] != ":":
            raise NoObjectError(f"no value follows `{key[:20]}`")
        found[key], place = _value(tokens, place + 2, depth)
        place = _next(tokens, place, "}")
    return found, place + 1


def _array(tokens: list[tuple[str, str]], place: int, depth: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    while _at(tokens, place)[1] != "]":
        kind, text = _at(tokens, place)
        if kind == "word" and text not in _CONSTANTS:
            found.append(text)
            place += 1
        else:
            value, place = _value(tokens, place, depth)
            found.append(value)
        place = _next(tokens, place, "]")
    return found, place + 1


def _next(tokens: list[tuple[str, str]], place: int, end: str) -> int:
    """Past the comma after a member; an end needs none."""
    text = _at(tokens, place)[1]
    if text not in (",", end):
        raise NoObjectError(f"{text[:20]!r} follows a value")
    return place + (text == ",")


def _at(tokens: list[tuple[str, str]], place: int) -> tuple[str, str]:
    if place >= len(tokens):
        raise NoObjectError("it is cut off")
    return tokens[place]


def _text(quoted: str) -> str:
    def meant(match: re.Match[str]) -> str:
        one = match[1]
        return chr(int(one[1:], 16)) if len(one) > 1 else _ESCAPES.get(one, one)

    return _ESCAPE.sub(meant, quoted[1:-1])
