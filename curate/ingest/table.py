"""Rows to Arrow: the conversations and rejects of one shard, hashed and stamped.

Where a shard ends depends on the records alone, never on how their bytes came in, so an interrupted
ingest that goes on behind a piece (`curate.ingest.pieces`) writes the very same files.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from curate.schema import MESSAGE, TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.ingest.conversation import Conversation
    from curate.ingest.groups import Outcome

# Bytes of records that fill a shard, or their number. A record may hold many conversations: so many times as much of
# what comes out is a shard, too.
SHARD_BYTES = 16 << 20
SHARD_ROWS = 100_000
MOST = 4


class Shard:
    """The rows of one shard while they come in."""

    def __init__(self) -> None:
        self.bytes = 0
        self.records = 0
        self.split = 0
        self.conversations: list[Conversation] = []
        self.places: list[tuple[str, str, int]] = []
        self.rejects: list[tuple[str, int, int | None, str, str, str]] = []
        self.reasons: Counter[str] = Counter()
        self.fragments: Counter[str] = Counter()
        self.truncated: list[str] = []

    @property
    def full(self) -> bool:
        """Whether so much has come out of few records that the next belongs to the next shard."""
        rows = len(self.conversations) + len(self.rejects)
        return self.bytes >= MOST * SHARD_BYTES or rows >= MOST * SHARD_ROWS

    def take(self, outcome: Outcome, records: int, source: str, file: str) -> None:
        """What so many records of a file became."""
        self.records += records
        self.split += outcome.split
        self.bytes += outcome.bytes
        if outcome.counts:
            self.fragments.update(outcome.counts)
        for conversation, record in outcome.conversations:
            self.conversations.append(conversation)
            self.places.append((source, file, record.row))
        for reject in outcome.rejects:
            if reject.reason == "truncated":
                self.truncated.append(f"`{file}` is cut off in record {reject.row:,}: {reject.detail}")
            raw = reject.raw.decode("utf-8", "backslashreplace")
            offset = None if reject.offset < 0 else reject.offset
            self.rejects.append((file, reject.row, offset, reject.reason, reject.detail, raw))
            self.reasons[reject.reason] += 1

    def counted(self) -> dict[str, Any]:
        """What the shard holds, in numbers."""
        return {
            "records": self.records,
            "conversations": len(self.conversations),
            "joined": sum(len(row.joined_rows) for row in self.conversations),
            "split": self.split,
            "rejects": self.reasons,
            "fragments": {name: count for name, count in self.fragments.items() if count},
            "edits": Counter(edit for row in self.conversations for edit in row.edits),
            "truncated": self.truncated,
        }

    def tables(self, key: int) -> tuple[pa.Table, pa.Table, str]:
        """The shard of `conversations` from this key on, that of `rejects`, and a fingerprint of the former."""
        rows = self.conversations
        messages = [message for row in rows for message in row.messages]
        offsets = [0, *accumulate(len(row.messages) for row in rows)]
        columns = list(zip(*messages, strict=True)) or [()] * len(MESSAGE)
        arrays = [
            _texts(values) if field.name == "content" else _array(values, field.type)
            for values, field in zip(columns, MESSAGE, strict=True)
        ]
        hashes = _content_hashes(columns[0], arrays[1], columns[4], offsets)
        schema = TABLES["conversations"].arrow
        values: dict[str, Sequence[Any]] = {
            "key": range(key, key + len(rows)),
            "source": [place[0] for place in self.places],
            "source_file": [place[1] for place in self.places],
            "source_row": [place[2] for place in self.places],
            "source_id": [row.source_id for row in rows],
            "model": [row.model for row in rows],
            "created_at": [row.created_at for row in rows],
            "language": [row.language for row in rows],
            "task": [row.task for row in rows],
            "content_hash": hashes,
            "edits": [row.edits for row in rows],
            "marks": [row.marks for row in rows],
            "rank": [row.rank for row in rows],
            "joined_rows": [row.joined_rows for row in rows],
        }
        speakers = [column if any(column) else () for column in (columns[2], columns[3], columns[5])]
        fingerprint = blake2b(repr([*values.values(), speakers]).encode(), digest_size=16).hexdigest()
        lists = pa.ListArray.from_arrays(
            pa.array(offsets, pa.int32()),
            pa.StructArray.from_arrays(arrays, fields=list(MESSAGE)),
            type=schema.field("messages").type,
        )
        conversations = pa.table(
            [lists if field.name == "messages" else _array(values[field.name], field.type) for field in schema],
            schema=schema,
        )
        return conversations, self._rejects(), fingerprint

    def _rejects(self) -> pa.Table:
        schema = TABLES["rejects"].arrow
        columns: list[tuple[Any, ...]] = list(zip(*self.rejects, strict=True)) or [()] * len(schema)
        return pa.table([_array(c, field.type) for c, field in zip(columns, schema, strict=True)], schema=schema)


def _array(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    return pa.nulls(len(values), type_) if values.count(None) == len(values) else pa.array(values, type_)


def _texts(values: Sequence[str]) -> pa.StringArray:
    """As `_array`, three times as fast for long texts: their bytes are laid out once, and do not grow bit by bit."""
    encoded = [value.encode() for value in values]
    ends = np.zeros(len(encoded) + 1, np.int32)
    np.cumsum([len(text) for text in encoded], out=ends[1:])
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def _content_hashes(
    roles: tuple[str, ...], contents: pa.Array, calls: tuple[str | None, ...], offsets: list[int]
) -> list[str]:
    """BLAKE2b-128 of each conversation's canonical messages, in hex; stable between runs and machines.

    Canonical is `role:length:calls;` for each message (length of the content in UTF-8 bytes, calls the
    tool calls' JSON or nothing), a line break, then all contents: no two different conversations share it.
    """
    if not len(contents):
        return [blake2b(b"\n", digest_size=16).hexdigest() for _ in offsets[1:]]
    ends = np.frombuffer(contents.buffers()[1], np.int32, len(contents) + 1)
    text = memoryview(contents.buffers()[2] or b"")
    lengths = np.diff(ends).tolist()
    hashes = []
    for begin, end in pairwise(offsets):
        head = "".join(
            f"{role}:{length}:{call or ''};"
            for role, length, call in zip(roles[begin:end], lengths[begin:end], calls[begin:end], strict=True)
        )
        digest = blake2b(f"{head}\n".encode(), digest_size=16)
        digest.update(text[ends[begin] : ends[end]])
        hashes.append(digest.hexdigest())
    return hashes
