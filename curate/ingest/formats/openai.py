"""OpenAI chat messages, as fine-tuning files, logs and most tools write them.

    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}], "model": "gpt-4"}

Also LLaMA-Factory's v1 rows, arena-hard v2 answers, KTO rows (`label`), ultrachat_200k. `curate/ingest/chat.py` says
what becomes of parts, tool calls and weights.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.chat import add_system, add_tools, messages_of, refuse_media
from curate.ingest.conversation import Conversation, UnusableError
from curate.ingest.moments import moment
from curate.ingest.normalise import is_null, is_undesirable, optional_text

# The record's own id before those that name only its prompt.
IDS = ("id", "conversation_id", "custom_id", "ans_id", "prompt_id", "uid")
TIMES = ("created_at", "created", "timestamp", "tstamp")
OWN = {"messages", "model", "prompt", "system", "tools", "functions", "label", "source", "finish_reason", *IDS, *TIMES}


def matches(record: dict[str, Any]) -> bool:
    """A list of turns under `messages`, turns have `role`; with `chosen` or `rejected` it is a preference pair.

    Where there is null in the place of the list or of its first turn, all other columns are ones that such rows have.
    """
    turns = record.get("messages")
    if "chosen" in record or "rejected" in record:
        return False
    if is_null(turns):
        return "messages" in record and record.keys() <= OWN
    return isinstance(turns, list) and (not turns or (isinstance(turns[0], dict) and "role" in turns[0]))


def convert(record: dict[str, Any]) -> Conversation:
    """One record is one conversation."""
    turns = record.get("messages")
    if not isinstance(turns, list):
        raise UnusableError("bad_message", "`messages` is not a list")
    edits: list[str] = []
    messages = messages_of(turns, edits)
    if len(record) == 1:
        return Conversation(messages, edits=sorted(set(edits)))
    refuse_media(record)
    add_system(messages, record.get("system"), edits)
    add_tools(messages, record.get("tools") or record.get("functions"), edits)
    return Conversation(
        messages,
        next((text for name in IDS if (text := optional_text(record.get(name)))), None),
        optional_text(record.get("model")),
        created_at=next((time for name in TIMES if (time := moment(record.get(name)))), None),
        edits=sorted(set(edits)),
        marks=_marks(record),
    )


def _marks(record: dict[str, Any]) -> list[str]:
    return ["incomplete"] * (record.get("finish_reason") == "length") + ["undesirable"] * is_undesirable(record)
