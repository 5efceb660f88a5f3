"""OpenChat v3's training rows, as its own files and `curate export --format openchat-jsonl` have them.

    {"items": [{"role": "user", "content": "Hi", "weight": 0.0}, {"role": "assistant", "content": "Hello!",
        "weight": 1.0}], "condition": "GPT4", "system": ""}

The condition is all such a row says of its source; it is kept as the model, as written.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.chat import add_system, messages_of
from curate.ingest.conversation import Conversation, UnusableError
from curate.ingest.normalise import is_null, optional_text


def matches(record: dict[str, Any]) -> bool:
    """Turns with `role` under `items`; no turns, and `condition` or `system`; null, and `condition`."""
    items = record.get("items")
    if is_null(items):
        return record.keys() >= {"items", "condition"} and "conversations" not in record
    if not isinstance(items, list):
        return False
    if not items:
        return ("condition" in record or "system" in record) and not isinstance(record.get("conversations"), list)
    return isinstance(items[0], dict) and "role" in items[0] and "from" not in items[0]


def convert(record: dict[str, Any]) -> Conversation:
    """One row is one conversation."""
    items = record.get("items")
    if not isinstance(items, list):
        raise UnusableError("bad_message", "`items` is not a list")
    edits: list[str] = []
    messages = messages_of(items, edits)
    add_system(messages, record.get("system"), edits)
    return Conversation(
        messages, optional_text(record.get("id")), optional_text(record.get("condition")), edits=sorted(set(edits))
    )
