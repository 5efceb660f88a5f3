"""shareAI's ShareGPT in Chinese and English, and Firefly's: pairs of a question and its answer.

    {"conversation_id": "ptSNyYB", "category": "Business: ", "conversation": [{"human": "Hi", "assistant": "Hello!"}]}

The category was written by a model: its "Category tag:" and closing punctuation are no part of it.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.formats.lmsys import VISIT
from curate.ingest.normalise import is_null, optional_text

LABEL = "category tag:"
KEYS = {"human": "user", "assistant": "assistant"}


def matches(record: dict[str, Any]) -> bool:
    """A list of pairs under `conversation`; null, or no pairs, beside id and `category`."""
    pairs = record.get("conversation")
    if pairs == [] or is_null(pairs):
        return record.keys() >= {"conversation_id", "category", "conversation"} and VISIT.isdisjoint(record)
    first = pairs[0] if isinstance(pairs, list) else None
    return isinstance(first, dict) and not first.keys().isdisjoint(KEYS) and "role" not in first


def convert(record: dict[str, Any]) -> Conversation:
    """Two messages for each pair; a pair may lack one of them."""
    pairs = record.get("conversation")
    if not isinstance(pairs, list):
        raise UnusableError("bad_message", "`conversation` is not a list")
    messages = []
    for number, pair in enumerate(pairs):
        if not isinstance(pair, dict) or pair.keys().isdisjoint(KEYS):
            raise UnusableError("bad_message", f"turn {number} has no `human` and `assistant`")
        for key, role in KEYS.items():
            if key not in pair:
                continue
            if not isinstance(pair[key], str):
                raise UnusableError("bad_message", f"the `{key}` of turn {number} is not text")
            messages.append(Message(role, pair[key]))
    return Conversation(messages, optional_text(record.get("conversation_id")), task=_task(record.get("category")))


def _task(category: Any) -> str | None:
    text = category.strip() if isinstance(category, str) else ""
    if text.lower().startswith(LABEL):
        text = text[len(LABEL) :]
    return text.strip(" \t\r\n,.:;") or None
