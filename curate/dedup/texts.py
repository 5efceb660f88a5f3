"""The texts that are compared, as the kernels want them: Arrow buffers, batch by batch, never a whole workspace."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.dedup.tokens import characters
from curate.engine.processes import processors
from curate.errors import CurateError, WorkspaceError, did_you_mean
from curate.schema import ROLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from curate.workspace import Workspace

Item = TypeVar("Item")
Result = TypeVar("Result")

# What one text is: all of a conversation, its prompts together, or one response.
UNITS = ("conversation", "prompts", "responses")
BATCH_ROWS = 256


def check_unit(unit: str) -> None:
    """Refuse a unit that does not exist.

    Raises:
        CurateError: With the nearest one that does.
    """
    if unit not in UNITS:
        raise CurateError(f"there is no unit `{unit}`", where="--unit", hint=did_you_mean(unit, UNITS))


@dataclass(frozen=True)
class Texts:
    """The texts of a batch of conversations.

    Attributes:
        content: All messages.
        data: UTF-8 bytes of all messages.
        offsets: Where each message begins in `data`, and the end of the last.
        roles: Index in `schema.ROLES` of each message.
        rows: Where each text begins among the messages, and the end of the last.
        owners: Conversation of each text, by its place in the batch.
        turns: Index of each text in the messages of its conversation; -1 unless the unit is a response.
    """

    content: pa.LargeStringArray
    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    roles: NDArray[np.uint8]
    rows: NDArray[np.int64]
    owners: NDArray[np.int64]
    turns: NDArray[np.int32]

    @property
    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]:
        """What every kernel takes, in that order."""
        return self.data, self.offsets, self.roles, self.rows

    def characters(self) -> NDArray[np.int64]:
        """The number of characters of each text."""
        return characters(self.data, self.offsets, self.rows)


def batches(ws: Workspace, index: int, columns: tuple[str, ...] = ()) -> Iterator[pa.RecordBatch]:
    """A shard of the conversations, a few hundred rows at a time, with only what the text consists of.

    Args:
        ws: The workspace.
        index: The shard.
        columns: Columns to read beside `messages`.

    Raises:
        WorkspaceError: The shard is damaged or gone.
    """
    fields = [f"messages.list.element.{name}" for name in ("role", "content", "tool_calls")]
    path = ws.shard("conversations", index)
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            yield from file.iter_batches(BATCH_ROWS, columns=[*columns, *fields])
    except (pa.ArrowException, FileNotFoundError) as error:
        hint = f"delete it and run `curate ingest` again ({str(error).splitlines()[0]})"
        raise WorkspaceError("the shard is damaged", where=path, hint=hint) from error


def texts(messages: pa.ListArray, unit: str = "conversation") -> Texts:
    """The buffers of a column of messages; tool calls count as part of their message.

    Whole conversations are not copied; of the other units only the messages that belong to them are.
    """
    values = messages.values
    content = values.field("content").cast(pa.large_string())
    calls = values.field("tool_calls")
    if calls.null_count < len(calls):
        space = pa.scalar(" ", pa.large_string())
        content = pc.binary_join_element_wise(content, calls.cast(pa.large_string()), space, null_handling="skip")
    roles = pc.index_in(values.field("role"), pa.array(ROLES)).to_numpy(zero_copy_only=False).astype(np.uint8)
    begins = messages.offsets.to_numpy().astype(np.int64)
    rows, owners = begins, np.arange(len(messages))
    turns = np.full(len(messages), -1, np.int32)
    if unit != "conversation":
        within = np.arange(len(roles)) >= begins[0]
        wanted = within & (np.arange(len(roles)) < begins[-1]) & (roles == _ROLE_OF[unit])
        content, roles = content.filter(pa.array(wanted)), roles[wanted]
        rows = np.r_[0, np.cumsum(wanted)][begins]
        if unit == "responses":
            places = np.flatnonzero(wanted)
            owners = np.searchsorted(begins, places, side="right") - 1
            turns = (places - begins[owners]).astype(np.int32)
            rows = np.arange(len(places) + 1)
    _, offsets, data = content.buffers()
    return Texts(
        content=content,
        data=np.frombuffer(data or b"", np.uint8),
        offsets=np.frombuffer(offsets, np.int64)[content.offset : content.offset + len(content) + 1]
        if len(content)
        else np.zeros(1, np.int64),
        roles=roles,
        rows=rows,
        owners=owners,
        turns=turns,
    )


_ROLE_OF = {"prompts": ROLES.index("user"), "responses": ROLES.index("assistant")}


def in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`map` over threads, one per processor we may use (or `CURATE_THREADS`), holding a few items at a time."""
    workers = int(os.environ.get("CURATE_THREADS", "0")) or processors()
    with ThreadPoolExecutor(workers) as executor:
        pending = deque[Any]()
        for item in items:
            pending.append(executor.submit(function, item))
            if len(pending) > workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
