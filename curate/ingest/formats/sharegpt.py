"""ShareGPT dumps: the API's `items`, the RyokoAI dumps, V3 and Vicuna files, FastChat and OpenChat inputs.

    {"id": "QWJhYvA_0", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}]}

`conversations` may be called `items`; `model`, `system` and `created_at` are kept where they stand.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.normalise import optional_text, role_of


def matches(record: dict[str, Any]) -> bool:
    """A list of turns under `conversations` or `items`; turns have `from` and `value`."""
    turns = record.get("conversations", record.get("items"))
    return isinstance(turns, list) and (not turns or (isinstance(turns[0], dict) and "from" in turns[0]))


def convert(record: dict[str, Any]) -> Conversation:
    """One record is one conversation."""
    turns = record.get("conversations", record.get("items"))
    if not isinstance(turns, list):
        raise UnusableError("unknown_shape", "no list under `conversations` or `items`")
    messages = []
    for number, turn in enumerate(turns):
        try:
            word, content = turn["from"], turn["value"]
        except (TypeError, KeyError):
            raise UnusableError("bad_message", f"turn {number} has no `from` and `value`") from None
        if type(content) is not str:
            raise UnusableError("bad_message", f"the `value` of turn {number} is not text")
        if word == "gpt":
            messages.append(Message("assistant", content))
        elif word == "human":
            messages.append(Message("user", content))
        else:
            role, name = role_of(word)
            messages.append(Message(role, content, None, name))
    system = optional_text(record.get("system") or record.get("system_message"))
    if system and messages and messages[0].role != "system":
        messages.insert(0, Message("system", system))
    return Conversation(messages, optional_text(record.get("id")), optional_text(record.get("model")))
