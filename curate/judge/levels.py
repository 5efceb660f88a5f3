"""Expected levels: what the probabilities of the level tokens say beyond the level that was sampled.

A score is the sum of p·level over the levels 0 to 4, where the probabilities of the other tokens are left
out and the rest renormalised (G-Eval, arXiv 2303.16634, weighs by them; deita takes the same expectation).
Where the levels have less than `LEAST_MASS` of the probability, the sampled level stands.
"""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from curate.judge.rubric import TOP_LEVEL

LEAST_MASS = 0.8
TOP_LOGPROBS = 8

_LEXEME = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|[{}\[\]:,]')


def digits(tokens: Any) -> dict[int, dict[str, float]]:
    """Probabilities of the digits wherever a reply's token is one, by the character at which the digit stands.

    Args:
        tokens: `choices[0].logprobs.content` of a chat completion, or anything else.

    Returns:
        Empty when there are no log probabilities.
    """
    found: dict[int, dict[str, float]] = {}
    position = 0
    for token in tokens if isinstance(tokens, list) else ():
        text = token.get("token") if isinstance(token, dict) else None
        if not isinstance(text, str):
            return {}
        bare = text.strip(' "')
        if len(bare) == 1 and bare.isascii() and bare.isdigit():
            odds: dict[str, float] = {}
            for other in token.get("top_logprobs") or ():
                label, value = str(other.get("token")).strip(' "'), other.get("logprob")
                if len(label) == 1 and label.isascii() and label.isdigit() and isinstance(value, (int, float)):
                    odds[label] = odds.get(label, 0.0) + math.exp(min(0.0, value))
            if odds:
                found[position + text.index(bare)] = {label: round(p, 6) for label, p in odds.items()}
        position += len(text)
    return found


def places(content: str) -> dict[tuple[str, ...], int]:
    """Where the numbers of a JSON object stand: path of keys to the character of the value."""
    found: dict[tuple[str, ...], int] = {}
    path: list[str] = []
    key: str | None = None
    text: str | None = None
    for lexeme in _LEXEME.finditer(content):
        value = lexeme[0]
        if value == ":":
            key = text
        elif value in "{[":
            path.append(key or "")
            key = None
        elif value in "}]":
            if path:
                path.pop()
            key = None
        elif value == ",":
            key = None
        elif key is not None:
            digit = next((i for i, character in enumerate(value) if character.isdigit()), None)
            if digit is not None and value.strip('"').isdigit():
                found[(*path[1:], key)] = lexeme.start() + digit
        text = value[1:-1] if value.startswith('"') else None
    return found


class Spread(NamedTuple):
    """Mean and standard deviation of a level."""

    mean: float
    deviation: float


def expected(odds: dict[str, float]) -> Spread | None:
    """The expected level; None when the levels have too little of the probability to speak for it."""
    levels = {int(label): p for label, p in odds.items() if int(label) <= TOP_LEVEL}
    mass = sum(levels.values())
    if mass < LEAST_MASS:
        return None
    mean = sum(level * p for level, p in levels.items()) / mass
    variance = sum((level - mean) ** 2 * p for level, p in levels.items()) / mass
    return Spread(mean, math.sqrt(variance))
