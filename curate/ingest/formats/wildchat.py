"""WildChat and WildChat-1M: one conversation of a visitor with ChatGPT.

    {"conversation_hash": "f0…", "model": "gpt-4-0314", "timestamp": "2023-04-09T00:02:53", "language": "English",
     "conversation": [{"role": "user", "content": "Hi", "language": "English", "toxic": false, "redacted": false}, …],
     "openai_moderation": [{"flagged": false, …}], "detoxify_moderation": […], "toxic": false, "redacted": false}

The first release calls the hash `conversation_id`. Moderation repeats its keys (`hate/threatening` and
`hate_threatening`); only `flagged` is read. `hashed_ip`, `header`, `country` and `state` are about the visitor and
never kept.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.chat import messages_of
from curate.ingest.conversation import Conversation
from curate.ingest.formats.lmsys import WILDCHAT, flagged, is_visit
from curate.ingest.languages import language_code
from curate.ingest.moments import moment
from curate.ingest.normalise import optional_text


def matches(record: dict[str, Any]) -> bool:
    """A visitor's conversation, and a column that only WildChat has."""
    return not WILDCHAT.isdisjoint(record) and is_visit(record)


def convert(record: dict[str, Any]) -> Conversation:
    """Marked `toxic` and `redacted` where the record or one of its turns says so."""
    edits: list[str] = []
    turns = record.get("conversation")
    messages = messages_of(turns, edits)
    places = [record, *(turns if isinstance(turns, list) else ())]
    marks = [name for name in ("toxic", "redacted") if any(place.get(name) is True for place in places)]
    if "toxic" not in marks and flagged(record):
        marks.insert(0, "toxic")
    return Conversation(
        messages,
        optional_text(record.get("conversation_hash") or record.get("conversation_id")),
        optional_text(record.get("model")),
        moment(record.get("timestamp")),
        language_code(record.get("language")),
        edits=sorted(set(edits)),
        marks=marks,
    )
