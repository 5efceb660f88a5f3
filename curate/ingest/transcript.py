r"""Dialogues written as one text, as in Anthropic's HH-RLHF: "\n\nHuman: Hi\n\nAssistant: Hello!"."""

from __future__ import annotations

import re

from curate.ingest.conversation import Message

MARK = re.compile(r"(?:\n\n|\A)(Human|Assistant):")
ROLES = {"Human": "user", "Assistant": "assistant"}


def is_transcript(text: str) -> bool:
    """Whether the text begins as the data set's do; a prompt that only starts with the word is none."""
    return text.startswith("\n\nHuman:") or (text.startswith("Human:") and "\n\nAssistant:" in text)


def messages_of(text: str) -> list[Message]:
    """The turns, without the space around them; a last turn of the assistant that is empty was meant to be filled."""
    _, *pieces = MARK.split(text)
    messages = [
        Message(ROLES[speaker], said.strip()) for speaker, said in zip(pieces[::2], pieces[1::2], strict=True)
    ]
    if messages and messages[-1] == Message("assistant", ""):
        messages.pop()
    return messages
