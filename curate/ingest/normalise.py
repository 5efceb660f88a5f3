"""From the words that dumps use to ours: roles, speakers, optional text."""

from __future__ import annotations

import json
from typing import Any

from curate.ingest.conversation import UnusableError

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
}
# Roles that name who spoke: kept as the message's `name`, where label rules find them.
SPEAKERS = {"chatgpt", "bing", "bard"}


def role_of(word: Any) -> tuple[str, str | None]:
    """Our role for a dump's word, and the speaker's name where the word is one.

    Raises:
        UnusableError: The word is no role that we know.
    """
    try:
        return ROLES[word], word if word in SPEAKERS else None
    except (KeyError, TypeError):
        pass
    folded = word.strip().lower() if isinstance(word, str) else None
    if folded not in ROLES:
        raise UnusableError("unknown_role", f"the role {word!r:.80}" if folded else "a role that is not text")
    return ROLES[folded], folded if folded in SPEAKERS else None


def optional_text(value: Any) -> str | None:
    """A field that may be missing: text with something in it, or null; a number becomes its digits."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return str(value)
    return value if isinstance(value, str) and value.strip() else None


def json_text(value: Any) -> str:
    """A structured field as compact JSON.

    Raises:
        UnusableError: It is nested too deeply.
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise UnusableError("bad_message", "a field is nested too deeply") from None
