"""`crlft`: chat rows with condition and weight as zstd Parquet shards, for any trainer on `datasets`.

    OUT/data/train-00000-of-000NN.parquet    nothing but Parquet in data/
    OUT/README.md                            card with `configs:`
    OUT/chat_template.jinja                  renders the condition at both role prefixes of every turn
    OUT/manifest.json

With a tokenizer the rows are token ids instead, cut and masked, so that no template is needed.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curate.export import card, shards
from curate.export.pack import grouped
from curate.export.ragged import flat, lists, positions

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from curate.export.job import Job

NEEDS_TOKENIZER = False
PACK = True
ROW_GROUP = 1000


def _required(name: str, type_: pa.DataType) -> pa.Field:
    return pa.field(name, type_, nullable=False)


def _list(item: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("item", item, nullable=False))


MESSAGE = pa.struct(
    [_required("role", pa.string()), _required("content", pa.string()), _required("weight", pa.float32())]
)

# `messages[].weight` is the weight of that message's tokens in the loss, 0 for all but responses; `weight` is
# its mean over the trained responses, for trainers that weigh whole rows; `reward` the mean of their rewards.
TEXT = pa.schema(
    [
        _required("id", pa.string()),
        _required("messages", _list(MESSAGE)),
        _required("condition", pa.string()),
        _required("chat_template_kwargs", pa.struct([_required("condition", pa.string())])),
        _required("weight", pa.float32()),
        pa.field("reward", pa.float32()),
        _required("source", pa.string()),
        _required("source_model", pa.string()),
        _required("num_turns", pa.int32()),
        _required("num_chars", pa.int32()),
        pa.field("meta", pa.string()),
    ]
)

# `loss_weights` are not shifted: position i weighs the prediction of token i, 0 where its label is -100.
TOKENS = pa.schema(
    [
        _required("id", pa.string()),
        _required("input_ids", _list(pa.int32())),
        _required("attention_mask", _list(pa.int8())),
        _required("labels", _list(pa.int32())),
        _required("loss_weights", _list(pa.float32())),
        _required("length", pa.int32()),
        _required("weight", pa.float32()),
        _required("condition", pa.string()),
    ]
)


# Several rows in one: `position_ids` begin again with each, and so must attention.
PACKED = pa.schema(
    [
        _required("ids", _list(pa.string())),
        _required("input_ids", _list(pa.int32())),
        _required("position_ids", _list(pa.int32())),
        _required("labels", _list(pa.int32())),
        _required("loss_weights", _list(pa.float32())),
        _required("seq_lengths", _list(pa.int32())),
        _required("length", pa.int32()),
        _required("weights", _list(pa.float32())),
        _required("conditions", _list(pa.string())),
    ]
)


def write(job: Job, *, packed: pa.Schema = PACKED) -> None:
    """Write shards, card and chat template; `packed` is what packed rows are written as."""
    template = job.template.jinja
    schema = TEXT if job.encoder is None else TOKENS
    written = packed if job.pack else schema
    facts = {**job.facts, "chat_template_sha256": sha256(template.encode()).hexdigest()}
    stamped = written.with_metadata({"curate": json.dumps(facts, sort_keys=True, allow_nan=False)})
    data = job.folder / "data"
    data.mkdir()

    # Columns that follow from others wait until a row is written: they take as much room again.
    stored = job.store(lambda rows: as_arrow(rows.select("order", *(n for n in schema.names if n in rows.columns))))
    for number, part in enumerate(job.shuffled(stored)):
        path = data / f"{job.name}-{number:05}-of-{stored.parts:05}.parquet"
        shards.put(path, stamped, _groups(job, part.take()))
    (job.folder / "chat_template.jinja").write_text(template, "utf-8")
    (job.folder / "README.md").write_text(card.render(job), "utf-8")


def _groups(job: Job, table: pa.Table) -> Iterator[pa.Table]:
    """A shard in row groups."""
    if job.pack:
        lengths = pc.list_value_length(table["input_ids"]).to_numpy()
        order, sizes = job.bins(lengths)
        ends = np.cumsum(sizes)
        for begin in range(0, len(sizes), ROW_GROUP):
            own = sizes[begin : begin + ROW_GROUP]
            first, last = int(ends[begin] - sizes[begin]), int(ends[begin + len(own) - 1])
            yield as_arrow(as_packed(cast("pl.DataFrame", pl.from_arrow(table.take(order[first:last]))), own))
        return
    for begin in range(0, table.num_rows, ROW_GROUP):
        rows = table.slice(begin, ROW_GROUP)
        yield as_arrow(as_tokens(cast("pl.DataFrame", pl.from_arrow(rows)))) if job.encoder else rows


def as_packed(rows: pl.DataFrame, sizes: npt.NDArray[np.int64]) -> pl.DataFrame:
    """Rows in groups of `sizes`, each group as one row of `PACKED`, with an `attention_mask`."""
    lengths = rows["input_ids"].list.len().to_numpy().astype(np.int64)
    totals = grouped(lengths, sizes)
    ids, weights = flat(rows["input_ids"]), flat(rows["loss_weights"]).copy()
    # Nothing is learned from the end of another row.
    weights[np.cumsum(lengths) - lengths] = 0

    def together(name: str) -> pl.Series:
        return pl.Series(pa.LargeListArray.from_arrays(np.append(0, np.cumsum(sizes)), rows[name].to_arrow()))

    return pl.DataFrame(
        {
            "ids": together("id"),
            "input_ids": lists(ids, totals, pa.int32()),
            "attention_mask": lists(np.ones(len(ids), np.int8), totals, pa.int8()),
            "position_ids": lists(positions(lengths), totals, pa.int32()),
            "labels": lists(np.where(weights > 0, ids, -100), totals, pa.int32()),
            "loss_weights": lists(weights, totals, pa.float64()),
            "seq_lengths": lists(lengths, sizes, pa.int32()),
            "length": totals,
            "weights": together("weight"),
            "conditions": together("condition"),
        }
    )


def as_tokens(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with `attention_mask`, `labels` and `length`, which follow from ids and weights."""
    lengths = rows["input_ids"].list.len().to_numpy()
    labels = np.where(flat(rows["loss_weights"]) > 0, flat(rows["input_ids"]), -100)
    return rows.with_columns(
        attention_mask=lists(np.ones(len(labels), np.int8), lengths, pa.int8()),
        labels=lists(labels, lengths, pa.int32()),
        length=lengths,
    )


def as_arrow(rows: pl.DataFrame) -> pa.Table:
    """As plain Arrow lists and strings."""
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())
