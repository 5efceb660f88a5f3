"""From records to conversations: one by one, or several records together that hold one conversation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from curate.ingest import fragments
from curate.ingest.conversation import Conversation, UnusableError
from curate.ingest.tidy import tidy
from curate.ingest.window import Record, Reject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from curate.ingest.inputs import Input

# Most records, and bytes of records, that are held to be put together.
MAX_RECORDS = 10_000
MAX_BYTES = 64 << 20
# Most characters that a group may become.
MAX_OUT = 256 << 20


@dataclass
class Outcome:
    """What a group of records became.

    Attributes:
        conversations: Each with the record that it begins in.
        rejects: What cannot be used.
        split: Conversations and rejects above one for each record.
        counts: How fragments met, see `fragments.join`.
        bytes: Of all records.
    """

    conversations: list[tuple[Conversation, Record]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    split: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    bytes: int = 0


def groups(records: Iterable[Record | Reject], item: Input) -> Iterator[list[Record | Reject]]:
    """Neighbours that belong together, in order; most records stand alone."""
    held: list[Record | Reject] = []
    key: str | None = None
    size = 0
    for record in records:
        own = item.group(record.value) if isinstance(record, Record) else None
        if held and (own is None or own != key or len(held) == MAX_RECORDS or size > MAX_BYTES):
            yield held
            held, size = [], 0
        key = own
        size += size_of(record)
        held.append(record)
    if held:
        yield held


def size_of(record: Record | Reject) -> int:
    """Its bytes, about."""
    return len(record.raw) if isinstance(record, Reject) else record.size or record.end - record.offset


def convert(group: list[Record | Reject], item: Input) -> Outcome:
    """The conversations of a group, and what of it cannot be used."""
    outcome = Outcome(bytes=sum(map(size_of, group)))
    records = []
    for record in group:
        if isinstance(record, Record):
            records.append(record)
        else:
            outcome.rejects.append(record)
    if records and (together := item.convert_group(records)) is not None:
        _together(records, together, outcome)
    else:
        for record in records:
            _alone(record, item, outcome)
        if outcome.conversations and item.group(records[0].value) is not None:
            _join(outcome)
    if len(outcome.conversations) > len(records) or (records and records[0].size):
        _weigh(outcome, group)
    for conversation, _ in outcome.conversations:
        tidy(conversation)
    if not all(conversation.messages for conversation, _ in outcome.conversations):
        _set_aside(outcome, {record.row: record for record in records})
    return outcome


def _weigh(outcome: Outcome, group: list[Record | Reject]) -> None:
    """Count the bytes that come out where they may be far more than went in: a prompt with a thousand answers."""
    texts = (message.content for conversation, _ in outcome.conversations for message in conversation.messages)
    outcome.bytes = max(outcome.bytes, sum(map(len, texts)))
    if outcome.bytes > MAX_OUT:
        detail = f"{len(outcome.conversations):,} conversations of {outcome.bytes:,} characters in all"
        outcome.conversations, outcome.counts, outcome.split = [], {}, 0
        outcome.rejects = [item.reject("too_large", detail) if isinstance(item, Record) else item for item in group]


def _set_aside(outcome: Outcome, records: dict[int, Record]) -> None:
    """Reject what held nothing but an advert."""
    kept = []
    for conversation, record in outcome.conversations:
        if conversation.messages:
            kept.append((conversation, record))
            continue
        rows = [record.row, *conversation.joined_rows]
        outcome.rejects += [records[row].reject("empty", "nothing but an advert") for row in rows]
    outcome.conversations = kept


def _alone(record: Record, item: Input, outcome: Outcome) -> None:
    """One record: a conversation, or several."""
    try:
        results = item.convert(record.value)
    except UnusableError as error:
        results = [error]
    outcome.split += len(results) - 1
    for result in results:
        _put(result, record, outcome)


def _together(records: list[Record], results: list[Conversation | UnusableError], outcome: Outcome) -> None:
    """Records that make sense together only; the first conversation says which ones it was made from."""
    rejected = {result.record for result in results if isinstance(result, UnusableError)}
    own = [number for number in range(len(records)) if number not in rejected]
    first = next((result for result in results if isinstance(result, Conversation) and result.messages), None)
    if first is None:
        results = [*results, *(UnusableError("empty", "no messages", number) for number in own)]
    else:
        first.joined_rows = [records[number].row for number in own[1:]]
        outcome.split += len(first.joined_rows)
    head = records[own[0] if own else 0]
    for result in results:
        _put(result, records[result.record] if isinstance(result, UnusableError) else head, outcome)
    outcome.split += len(results) - len(records)


def _put(result: Conversation | UnusableError, record: Record, outcome: Outcome) -> None:
    if isinstance(result, UnusableError):
        outcome.rejects.append(record.reject(result.reason, result.detail))
    elif result.messages:
        outcome.conversations.append((result, record))
    else:
        outcome.rejects.append(record.reject("empty", "no messages"))


def _join(outcome: Outcome) -> None:
    records = {record.row: record for _, record in outcome.conversations}
    if len(records) == len(outcome.conversations) == 1:
        ((conversation, record),) = outcome.conversations
        if fragments.number_of(record.value["id"]):
            outcome.counts["orphaned"] = int(fragments.begins_with_answer(conversation))
        return
    several = len(records) < len(outcome.conversations)
    if several or any(conversation.rank for conversation, _ in outcome.conversations):
        return  # a record that holds several conversations is no fragment
    joined, counts = fragments.join(
        fragments.Piece(fragments.number_of(record.value["id"]), record.row, record.value["id"], conversation)
        for conversation, record in outcome.conversations
    )
    outcome.conversations = [(conversation, records[row]) for row, conversation in joined]
    outcome.counts = counts
