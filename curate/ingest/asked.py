"""The prompt of a record that holds several answers to it, however the record calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curate.ingest import transcript
from curate.ingest.chat import add_system, add_tools, messages_of
from curate.ingest.conversation import Message, UnusableError
from curate.ingest.normalise import optional_text

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMES = ("prompt", "conversations", "messages", "instruction", "question", "query", "input")


def prompt_of(record: dict[str, Any], edits: list[str]) -> list[Message]:
    """The messages before the answer: text, HH-RLHF's transcript or a list of turns; none when there is no prompt.

    `input` beside `instruction` is added to it, `system` and `tools` go in front.

    Raises:
        UnusableError: The prompt is something else.
    """
    name = next((name for name in NAMES if record.get(name) is not None), None)
    if name is None:
        return []
    value = record[name]
    if isinstance(value, str):
        extra = optional_text(record.get("input")) if name == "instruction" else None
        messages = said(f"{value}\n\n{extra}" if extra else value, "user", edits)
    elif isinstance(value, list):
        messages = messages_of(value, edits)
    else:
        raise UnusableError("bad_message", f"`{name}` is neither text nor a list of turns")
    add_system(messages, record.get("system") or record.get("system_prompt"), edits)
    add_tools(messages, record.get("tools"), edits)
    return messages


def said(text: str, role: str, edits: list[str]) -> list[Message]:
    """A text as one message, or as many as its transcript has."""
    if not transcript.is_transcript(text):
        return [Message(role, text)]
    edits.append("transcript")
    return transcript.messages_of(text)


def first_text(record: dict[str, Any], names: Iterable[str]) -> str | None:
    """The first field with text in it."""
    return next((text for name in names if (text := optional_text(record.get(name))) is not None), None)
