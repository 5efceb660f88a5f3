"""OpenAI chat messages, as fine-tuning files, logs and most tools write them.

    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}], "model": "gpt-4"}

`content` may be null beside `tool_calls`, or a list of parts, of which the text parts are read.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.normalise import json_text, optional_text, role_of


def matches(record: dict[str, Any]) -> bool:
    """A list of turns under `messages`; turns have `role`."""
    turns = record.get("messages")
    return isinstance(turns, list) and (not turns or (isinstance(turns[0], dict) and "role" in turns[0]))


def convert(record: dict[str, Any]) -> Conversation:
    """One record is one conversation."""
    turns = record.get("messages")
    if not isinstance(turns, list):
        raise UnusableError("unknown_shape", "no list under `messages`")
    edits: list[str] = []
    messages = [_message(turn, number, edits) for number, turn in enumerate(turns)]
    source_id = optional_text(record.get("id") or record.get("conversation_id") or record.get("custom_id"))
    return Conversation(messages, source_id, optional_text(record.get("model")), edits=sorted(set(edits)))


def _message(turn: Any, number: int, edits: list[str]) -> Message:
    if not isinstance(turn, dict) or "role" not in turn:
        raise UnusableError("bad_message", f"message {number} has no `role`")
    role, speaker = role_of(turn["role"])
    calls = turn.get("tool_calls") or turn.get("function_call")
    content = turn.get("content")
    if isinstance(content, list):
        texts = [part.get("text") if isinstance(part, dict) else part for part in content]
        if any(not isinstance(text, str) for text in texts):
            raise UnusableError("bad_message", f"message {number} has a part that is not text")
        content = "\n".join(map(str, texts))
        edits.append("parts_joined")
    elif content is None and calls:
        content = ""
    if not isinstance(content, str):
        raise UnusableError("bad_message", f"the `content` of message {number} is not text")
    return Message(
        role,
        content,
        optional_text(turn.get("model")),
        speaker or optional_text(turn.get("name")),
        json_text(calls) if calls else None,
    )
