"""LMSYS-Chat-1M: one conversation of a visitor with one model.

    {"conversation_id": "c1", "model": "vicuna-13b", "language": "English", "turn": 1, "redacted": false,
     "conversation": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}],
     "openai_moderation": [{"flagged": false, "categories": {}, "category_scores": {}}]}

What OpenAI's moderation says of the turns becomes the mark `toxic`; names were replaced (NAME_1) where `redacted` is
true.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.chat import messages_of
from curate.ingest.conversation import Conversation
from curate.ingest.languages import language_code
from curate.ingest.moments import moment
from curate.ingest.normalise import is_null, optional_text

# What WildChat has in such a record and LMSYS has not.
WILDCHAT = {"conversation_hash", "detoxify_moderation", "hashed_ip", "toxic", "timestamp"}
# By these a visitor's conversation is known where there are no turns.
VISIT = {"openai_moderation", "redacted", "conversation_hash", "detoxify_moderation"}


def matches(record: dict[str, Any]) -> bool:
    """A visitor's conversation, and no column that only WildChat has."""
    return WILDCHAT.isdisjoint(record) and is_visit(record)


def is_visit(record: dict[str, Any]) -> bool:
    """Turns with `role` under `conversation`; null, or none, beside the columns of such a conversation."""
    turns = record.get("conversation")
    if turns == [] or is_null(turns):
        return "conversation" in record and not VISIT.isdisjoint(record)
    return isinstance(turns, list) and isinstance(turns[0], dict) and "role" in turns[0]


def convert(record: dict[str, Any]) -> Conversation:
    """Marked `redacted` where names were replaced (NAME_1), `toxic` where OpenAI's moderation flagged a turn."""
    edits: list[str] = []
    marks = ["toxic"] if flagged(record) else []
    if record.get("redacted") is True:
        marks.append("redacted")
    return Conversation(
        messages_of(record.get("conversation"), edits),
        optional_text(record.get("conversation_id")),
        optional_text(record.get("model")),
        moment(record.get("tstamp")),
        language_code(record.get("language")),
        edits=sorted(set(edits)),
        marks=marks,
    )


def flagged(record: dict[str, Any]) -> bool:
    """Whether OpenAI's moderation, of the whole or of one turn, flagged something."""
    results = record.get("openai_moderation")
    return any(
        isinstance(result, dict) and result.get("flagged") is True
        for result in (results if isinstance(results, list) else [results])
    )
