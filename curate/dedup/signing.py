"""Pass one: the table of signatures, the only one that reads all text; it is made again only for new conversations."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curate.dedup import minhash
from curate.dedup.texts import Texts, batches, in_order, texts
from curate.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from curate.workspace import Workspace

TABLE_OF = {"conversation": "signatures", "prompts": "prompt_signatures", "responses": "response_signatures"}


def sign(ws: Workspace, unit: str, num_perm: int, advance: Callable[[int], None]) -> list[int]:
    """Fill the signatures of a unit, where they are missing or made of something else.

    Args:
        ws: The workspace.
        unit: One of `texts.UNITS`.
        num_perm: Values per signature.
        advance: Told the number of conversations that are done.

    Returns:
        The shards that were made now.
    """
    a, b = minhash.permutations(num_perm)
    name = TABLE_OF[unit]

    def table(batch: pa.RecordBatch) -> pa.Table:
        some = texts(batch["messages"], unit)
        values, tokens, ends = minhash.signatures(*some.arrays, a, b)
        columns = [
            batch["key"].take(pa.array(some.owners)),
            pa.array(some.turns, mask=some.turns < 0),
            batch["content_hash"] if unit == "conversation" else pa.array(_hashes(some)),
            pa.array((texts(batch["messages"]) if unit == "prompts" else some).characters()),
            pa.array(tokens),
            pa.ListArray.from_arrays(
                pa.array((some.rows - some.rows[0]).astype(np.int32)), _within(ends, some), schema.field("ends").type
            ),
            _rows_of_bytes(values),
        ]
        return pa.Table.from_arrays(columns, schema=schema)

    def shard(index: int) -> pa.Table:
        made = []
        for part in in_order(table, batches(ws, index, ("key", "content_hash"))):
            made.append(part)
            advance(len(part))
        return pa.concat_tables(made) if made else schema.empty_table()

    schema = TABLES[name].arrow
    parameters = minhash.parameters(unit, num_perm)
    return ws.map(name, shard, inputs=["conversations"], options=parameters, stamp=parameters)


def _within(ends: NDArray[np.uint64], some: Texts) -> pa.Array:
    """The digests of the messages that belong to the texts; a slice of a column has others before and after."""
    return pa.array(ends[some.rows[0] : some.rows[-1]])


def _rows_of_bytes(values: NDArray[np.uint32]) -> pa.Array:
    """One binary value per row of a matrix, without a copy."""
    width = values.shape[1] * values.itemsize
    offsets = np.arange(len(values) + 1, dtype=np.int32) * width
    return pa.Array.from_buffers(pa.binary(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(values)])


def _hashes(some: Texts) -> list[str]:
    """A hash over the messages of each text; where one ends and the next begins counts."""
    found = []
    for first, end in zip(some.rows[:-1].tolist(), some.rows[1:].tolist(), strict=True):
        digest = blake2b(digest_size=16)
        for message in range(first, end):
            text = some.data[some.offsets[message] : some.offsets[message + 1]]
            digest.update(len(text).to_bytes(8, "little"))
            digest.update(text.data)
        found.append(digest.hexdigest())
    return found
