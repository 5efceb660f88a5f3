"""Generic rows, as CSV, Parquet and JSON Lines have them: one column asks, one answers.

    {"prompt": "Name a river.", "completion": "The Rhine."}

Well-known pairs of names are recognised, whatever their case; everything else is read with a map of columns, from our
names (`user`, `assistant`, `system`, `messages`, `model`, `id`, `created_at`, `language`, `task`) to those of the file.
A column of messages holds a list of turns, or one as JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curate.ingest.chat import add_system, messages_of, refuse_media
from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.languages import language_code
from curate.ingest.moments import moment
from curate.ingest.normalise import is_undesirable, optional_text, parsed_json

if TYPE_CHECKING:
    from collections.abc import Mapping

PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "answer"),
    ("prompt", "output"),
    ("question", "answer"),
    ("question", "response"),
    ("query", "response"),
    ("query", "answer"),
    ("user", "assistant"),
    ("human", "assistant"),
    ("user_input", "model_output"),
    ("input", "output"),
    ("input", "response"),
)
# What the other columns may be called where there is no map.
OTHERS = {
    "system": ("system", "system_prompt", "system_message"),
    "model": ("model", "generator", "model_id", "model_name"),
    "id": ("id", "prompt_id", "conv_id", "conversation_id"),
    "created_at": ("created_at", "timestamp"),
    "language": ("language", "lang"),
    "task": ("task", "category"),
}
# With one of these a record is another format's, or a column of the pair is not the whole prompt or answer.
NOT_OURS = {
    "instruction", "context", "passage", "options", "history", "messages", "conversation", "conversations", "items",
    "chosen", "rejected", "answers", "completions", "responses", "choices", "model_a", "custom_id", "question_id",
    "mapping", "chat", "data", "topic", "message_id", "response_0", "response1", "answer_0", "human_ref_a",
}  # fmt: skip


def matches(record: dict[str, Any]) -> bool:
    """A well-known pair of columns with text, a list of turns or null, and no other format's."""
    found = _recognised(record)
    return bool(found) and all(isinstance(record[found[name]], str | list | None) for name in ("user", "assistant"))


def convert(record: dict[str, Any], *, columns: Mapping[str, str] | None = None) -> Conversation:
    """A row as a conversation; a number in a column of text is its digits.

    Args:
        record: The row.
        columns: Our name to the row's; without it, a well-known pair.
    """
    if columns is None:
        refuse_media(record)
    found = columns or _recognised(record)
    if not found:
        raise UnusableError("unknown_shape", f"no pair of columns is known; {_names(record)}")
    for column in found.values():
        if column not in record:
            raise UnusableError("missing_column", f"no column `{column:.40}`; {_names(record)}")
    row = {name: record[column] for name, column in found.items()}
    edits: list[str] = []
    if "messages" in row:
        turns = row["messages"]
        turns = parsed_json(turns, "the column of messages") if isinstance(turns, str) else turns
        messages = messages_of(turns, edits)
    elif "user" in row and "assistant" in row:
        messages = [*_said(row, "user", edits), *_said(row, "assistant", edits)]
    else:
        raise UnusableError("missing_column", "no column for `messages`, or not both of `user` and `assistant`")
    add_system(messages, row.get("system"), edits)
    return Conversation(
        messages,
        optional_text(row.get("id")),
        optional_text(row.get("model")),
        moment(row.get("created_at")),
        language_code(row.get("language")),
        optional_text(row.get("task")),
        sorted(set(edits)),
        ["undesirable"] if columns is None and is_undesirable(record) else [],
    )


def _recognised(record: dict[str, Any]) -> dict[str, str]:
    """Our name to the row's for a well-known pair and what stands beside it; empty without a pair."""
    names = {name.lower(): name for name in record}
    if not NOT_OURS.isdisjoint(names):
        return {}
    pair = next((pair for pair in PAIRS if pair[0] in names and pair[1] in names), None)
    if pair is None:
        return {}
    found = {"user": names[pair[0]], "assistant": names[pair[1]]}
    for ours, theirs in OTHERS.items():
        name = next((name for name in theirs if name in names and name not in pair), None)
        if name:
            found[ours] = names[name]
    return found


def _said(row: dict[str, Any], role: str, edits: list[str]) -> list[Message]:
    """The cell of one side: text, or a list of turns."""
    value = row[role]
    if isinstance(value, list):
        return messages_of(value, edits)
    text = value if isinstance(value, str) else optional_text(value)
    if text is None:
        raise UnusableError("bad_message", f"the {role}'s column is not text")
    return [Message(role, text)]


def _names(record: dict[str, Any]) -> str:
    return "there are: " + ", ".join(f"`{name:.40}`" for name in list(record)[:20])
