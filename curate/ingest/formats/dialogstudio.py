"""DialogStudio: an object whose values are dialogues, each a log of exchanges; or one such dialogue.

    {"ShareGPT--train--1": {"original dialog id": "QWJhYvA_0", "dialog index": 1,
        "original dialog info": {"model": "gpt-3.5-turbo"},
        "log": [{"turn id": 1, "user utterance": "Hi", "system response": "Hello!", "dialog history": ""}]}}

`original dialog info` may be JSON text; where it is broken, the model is not known. DialogStudio writes "gpt-3.5-turbo"
where the page named no model: its model is a default, not evidence. `dialog history` repeats what was said before.
"""

from __future__ import annotations

from typing import Any

import orjson

from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.normalise import optional_text


def matches(record: dict[str, Any]) -> bool:
    """A dialogue, or an object that begins with one."""
    return _is_dialogue(record) or _is_dialogue(next(iter(record.values()), None))


def convert(record: dict[str, Any]) -> Conversation | list[Conversation | UnusableError]:
    """A dialogue is a conversation; of an object of dialogues, each."""
    if _is_dialogue(record):
        return _conversation(record)
    found: list[Conversation | UnusableError] = []
    for dialogue in record.values():
        try:
            found.append(_conversation(dialogue))
        except UnusableError as error:
            found.append(error)
    if not found:
        raise UnusableError("empty", "no dialogues")
    return found


def _is_dialogue(value: Any) -> bool:
    return isinstance(value, dict) and "log" in value and "original dialog id" in value


def _conversation(dialogue: Any) -> Conversation:
    log = dialogue.get("log") if isinstance(dialogue, dict) else None
    if not isinstance(log, list):
        raise UnusableError("bad_message", "a dialogue without a list under `log`")
    messages = []
    for number, turn in enumerate(log):
        asked, answered = (
            (turn.get("user utterance"), turn.get("system response")) if isinstance(turn, dict) else (None, None)
        )
        if not isinstance(asked, str) or not isinstance(answered, str):
            raise UnusableError("bad_message", f"turn {number} has no `user utterance` and `system response`")
        messages += [Message("user", asked), Message("assistant", answered)]
    # A dialogue that the other side begins or ends has an empty text in the place of what was not said.
    whole = len(messages)
    if messages and not messages[0].content:
        messages = messages[1:]
    if messages and not messages[-1].content:
        messages = messages[:-1]
    return Conversation(
        messages,
        optional_text(dialogue.get("original dialog id")),
        _model(dialogue.get("original dialog info")),
        edits=["empty_turn_dropped"] if len(messages) < whole else [],
    )


def _model(info: Any) -> str | None:
    if isinstance(info, str):
        try:
            info = orjson.loads(info)
        except orjson.JSONDecodeError:
            return None
    return optional_text(info.get("model")) if isinstance(info, dict) else None
