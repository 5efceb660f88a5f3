"""What a format makes of a record: one conversation, or the reason why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


class Message(NamedTuple):
    """One turn. `model`, `name` and `weight` are null where the record does not state them; `tool_calls` is JSON."""

    role: str
    content: str
    model: str | None = None
    name: str | None = None
    tool_calls: str | None = None
    weight: float | None = None


@dataclass(slots=True)
class Conversation:
    """A record in curate's own shape; the columns of `conversations` say what each field means."""

    messages: list[Message]
    source_id: str | None = None
    model: str | None = None
    created_at: datetime | None = None
    language: str | None = None
    task: str | None = None
    edits: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    rank: int | None = None
    joined_rows: list[int] = field(default_factory=list)


class UnusableError(Exception):
    """A record that is valid JSON and no conversation.

    Args:
        reason: One word.
        detail: What exactly is wrong.
        record: Which of several records that were read together.
    """

    def __init__(self, reason: str, detail: str, record: int = 0) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.record = record
