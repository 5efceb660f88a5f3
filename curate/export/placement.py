"""Where the condition goes in targets that have no place for it: to the front of the system message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def in_system(messages: Sequence[dict[str, Any]], condition: str) -> list[dict[str, Any]]:
    """The messages with the condition as their system message, or as the first paragraph of the one they have.

    Every other field of a message that is added is 0.
    """
    if not condition:
        return list(messages)
    if messages[0]["role"] == "system":
        text = "\n\n".join(filter(None, (condition, messages[0]["content"])))
        return [{**messages[0], "content": text}, *messages[1:]]
    return [{"role": "system", "content": condition, "weight": 0.0}, *messages]
