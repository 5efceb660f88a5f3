"""Baize: ChatGPT talking to itself about a seed question, written as one text.

    {"topic": "How to boil eggs?", "input": "The conversation between human and AI assistant.\\n[|Human|] How long
     do eggs boil?\\n[|AI|] Ten minutes.\\n[|Human|] "}

The line before the first turn is the frame of the self-chat, in whatever language the set was translated to: dropped.
The last turn is an open `[|Human|]`: dropped when nothing follows it, and so is a pair of turns that says nothing.
"""

from __future__ import annotations

import re
from typing import Any

from curate.ingest.conversation import Conversation, Message, UnusableError

MARKER = re.compile(r"\[\|\s*(human|ai)\s*\|\]", re.IGNORECASE)
ROLES = {"human": "user", "ai": "assistant"}
UNASKED, UNSAID = Message("user", ""), Message("assistant", "")


def matches(record: dict[str, Any]) -> bool:
    """A `topic` and an `input` with the markers of the turns; null, and no other column."""
    text = record.get("input")
    if text is None:
        return record.keys() == {"topic", "input"}
    return "topic" in record and isinstance(text, str) and MARKER.search(text) is not None


def convert(record: dict[str, Any]) -> Conversation:
    """The turns between the markers, without the space around them."""
    text = record.get("input")
    if not isinstance(text, str):
        raise UnusableError("bad_message", "`input` is not text")
    preamble, *pieces = MARKER.split(text)
    edits = ["preamble_dropped"] if preamble.strip() else []
    messages: list[Message] = []
    for word, said in zip(pieces[::2], pieces[1::2], strict=True):
        message = Message(ROLES[word.lower()], said.strip())
        if message == UNSAID and messages and messages[-1] == UNASKED:
            messages.pop()
            edits.append("empty_turn_dropped")
        else:
            messages.append(message)
    if messages and not messages[-1].content:
        messages.pop()
        edits.append("empty_turn_dropped")
    return Conversation(messages, edits=sorted(set(edits)))
