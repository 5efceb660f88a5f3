"""UltraChat: texts that take turns, the user's first.

    {"id": "0", "data": ["How can cross training benefit runners?", "It can …", "That makes sense."]}

A last text of the user without an answer is kept.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.normalise import is_null, optional_text


def matches(record: dict[str, Any]) -> bool:
    """`id`, and texts under `data`; null, and no other column."""
    texts = record.get("data")
    if is_null(texts):
        return record.keys() == {"id", "data"}
    return isinstance(texts, list) and "id" in record and (not texts or isinstance(texts[0], str))


def convert(record: dict[str, Any]) -> Conversation:
    """Whose turn it is follows from its place."""
    texts = record.get("data")
    if not isinstance(texts, list):
        raise UnusableError("bad_message", "`data` is not a list")
    messages = []
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise UnusableError("bad_message", f"text {number} of `data` is not text")
        messages.append(Message("assistant" if number % 2 else "user", text))
    return Conversation(messages, optional_text(record.get("id")))
