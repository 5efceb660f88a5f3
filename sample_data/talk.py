"""Conversations out of the questions, and how files write them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from defects import DEFECTS, RARE, broken, careful, hasty
from questions import exchange

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

Turns = list[tuple[str, str]]

# Share of broken responses.
RATE = {"gpt-4": 0.04, "gpt-3.5": 0.25}


def conversation(rng: Random, style: str, most: int = 4, least: int = 1) -> Turns:
    """Prompt and response, `least` to `most` times."""
    exchanges: Turns = []
    count = rng.randint(least, most)
    for number in range(count):
        if rng.random() < RATE[style]:
            kinds = RARE if style == "gpt-4" else DEFECTS
            exchanges.append(broken(rng, kinds, last=number == count - 1))
        else:
            found = exchange(rng)
            exchanges.append((found.ask, careful(found, rng) if style == "gpt-4" else hasty(found, rng)))
    return exchanges


def messages(exchanges: Turns) -> list[dict[str, Any]]:
    """OpenAI messages."""
    return [
        {"role": role, "content": text}
        for pair in exchanges
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]


def identifier(rng: Random) -> str:
    """Seven characters, as ShareGPT's own."""
    return "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789", k=7))


def shuffled(rng: Random, records: list[Any]) -> list[Any]:
    """The same in a random order."""
    return rng.sample(records, len(records))


def lines(records: Iterable[Any]) -> bytes:
    """JSON Lines."""
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)
