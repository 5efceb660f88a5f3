"""Rows of tokenised shards: `input_ids`, `labels` (-100 = not learned), `loss_weights`, none of them shifted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from curate.verify import weights as weight_checks
from curate.verify.ragged import Ragged, has_null, is_list, ragged

if TYPE_CHECKING:
    from curate.verify.context import Context

REQUIRED = {"input_ids", "labels"}
IGNORED = -100
_LISTS = ("input_ids", "labels", "loss_weights", "attention_mask", "position_ids")
# Of a packed row: how long each of the sequences in it is.
_SEQUENCES = "seq_lengths"


def types(schema: pa.Schema) -> dict[str, str]:
    """Columns whose type the loaders cannot use, and what they should be."""
    wrong = {}
    for name in (*_LISTS, _SEQUENCES):
        if name in schema.names:
            type_ = schema.field(name).type
            number = is_list(type_) and (
                pa.types.is_integer(type_.value_type)
                or (name == "loss_weights" and pa.types.is_floating(type_.value_type))
            )
            if not number:
                wrong[name] = "a list of numbers" if name == "loss_weights" else "a list of integers"
    return wrong


def check(context: Context, file: str, begin: int, batch: pa.RecordBatch) -> None:
    """Look at the rows of a batch, the first of which is row `begin` of its file."""
    names = [name for name in _LISTS if name in batch.schema.names]
    columns = {name: batch.column(batch.schema.names.index(name)) for name in names}
    bad = np.zeros(batch.num_rows, bool)
    for name, column in columns.items():
        null = has_null(column)
        context.flag("null", file, null, begin, f"`{name}` is or holds null")
        bad |= null
    good = np.flatnonzero(~bad)
    lists = {name: ragged(column.take(pa.array(good))) for name, column in columns.items()}
    ids = lists["input_ids"]
    differ = np.zeros(len(good), bool)
    for name, other in lists.items():
        wrong = other.lengths != ids.lengths
        context.flag("length", file, _spread(wrong, good, batch.num_rows), begin, f"`{name}` is not as long as the ids")
        differ |= wrong
    if "length" in batch.schema.names:
        stated = batch.column(batch.schema.names.index("length")).take(pa.array(good)).to_numpy(zero_copy_only=False)
        wrong = stated != ids.lengths
        context.flag("length", file, _spread(wrong, good, batch.num_rows), begin, "`length` is not the number of ids")
    if _SEQUENCES in batch.schema.names:
        column = batch.column(batch.schema.names.index(_SEQUENCES))
        parts = ragged(column.take(pa.array(good)))
        wrong = (parts.sums() != ids.lengths) | parts.any(parts.values <= 0)
        what = f"`{_SEQUENCES}` does not add up to the ids"
        context.flag("length", file, _spread(wrong, good, batch.num_rows), begin, what)
        differ |= wrong
        columns[_SEQUENCES] = column
    whole = np.flatnonzero(~differ)
    picked = {name: ragged(column.take(pa.array(good[whole]))) for name, column in columns.items()}
    _rows(context, file, begin, good[whole], picked)
    _conditions(context, batch)


def _rows(context: Context, file: str, begin: int, places: Any, lists: dict[str, Ragged]) -> None:
    ids, labels = lists["input_ids"], lists["labels"]
    rows = ids.rows
    where = begin + places[rows]
    learned = labels.values != IGNORED
    total = begin + int(places[-1]) + 1 if len(places) else begin

    def flag(code: str, wrong: Any, detail: str) -> None:
        context.flag(code, file, _spread(wrong, places, total - begin), begin, detail)

    wrong = learned & (labels.values != ids.values)
    following = np.roll(ids.values, -1)
    shifted = wrong.any() and bool((labels.values[learned] == following[learned]).mean() > 0.9)
    detail = "shifted left; the loss shifts them again" if shifted else "a label is another id than its place has"
    flag("labels", ids.any(wrong), detail)
    supervised = learned
    if "loss_weights" in lists:
        values = lists["loss_weights"].values
        weight_checks.check(context.findings, file, values, where, "loss_weights", rounded=False)
        flag("label_outside", ids.any((values != 0) & ~learned), "`loss_weights` above 0 where the label is -100")
        flag("weightless_label", ids.any((values == 0) & learned), "a label of weight 0")
        supervised = learned & (values > 0)
        context.weight_sum += float(values[supervised & np.isfinite(values)].sum())
    else:
        context.weight_sum += float(learned.sum())
    trained = ids.any(supervised)
    flag("never_trained", ~trained, "no label with a weight")
    sequences = lists.get(_SEQUENCES)
    if sequences:
        starts = np.cumsum(sequences.values) - sequences.values
        first = np.zeros(len(ids.values), bool)
        first[starts] = True
        flag("label_outside", ids.any(first & learned), "the first id of a sequence is learned from the end of another")
        if "position_ids" in lists:
            expected = np.arange(len(ids.values)) - np.repeat(starts, sequences.values)
            wrong = lists["position_ids"].values != expected
            flag("positions", ids.any(wrong), "they do not restart at 0 with each sequence")
    measure(context, file, begin, places, ids, supervised, sequences)
    context.trained_rows += int(trained.sum())


def measure(
    context: Context, file: str, begin: int, places: Any, ids: Ragged, supervised: Any, sequences: Ragged | None = None
) -> None:
    """What both tokenised layouts are asked: ids in range, rows in bounds, BOS and end of turn; and the counts.

    Args:
        context: Findings and counts.
        file: Its name.
        begin: Number of the first row of the batch.
        places: Places of the rows in the batch.
        ids: Of each row.
        supervised: Which ids are learned.
        sequences: Lengths of what is packed in each row; None = each row is one.
    """
    spans = ids.lengths[ids.lengths > 0] if sequences is None else sequences.values.astype(np.int64)
    closes = np.cumsum(spans)
    size = int(places[-1]) + 1 if len(places) else 0
    limits = context.limits
    below = ids.values < 0
    above = ids.values >= limits.vocabulary if limits.vocabulary else np.zeros(len(ids.values), bool)
    outside = ids.values[below | above]
    if len(outside):
        what = f"id {outside[0]}" + (f", where the tokenizer has {limits.vocabulary:,}" if limits.vocabulary else "")
        context.flag("token_range", file, _spread(ids.any(below | above), places, size), begin, what)
    cut = np.zeros(len(places), bool)
    if limits.max_length:
        long = ids.lengths > limits.max_length
        most = f"{int(ids.lengths.max()) if len(ids.lengths) else 0:,} tokens, {limits.max_length:,} are allowed"
        context.flag("too_long", file, _spread(long, places, size), begin, most)
        cut = ids.lengths >= limits.max_length
    starts, row_of = closes - spans, ids.rows
    context.first.add(file, ids.values[starts], begin + places[row_of[starts]])
    if limits.bos is not None and limits.bos != limits.eot:
        inner = ids.values == limits.bos
        inner[starts] = False
        context.flag("inner_bos", file, _spread(ids.any(inner), places, size), begin, f"id {limits.bos}")
    # A span of learned tokens ends where the next token is not learned, or the row is over and was not cut.
    ends = np.flatnonzero(supervised)
    over = np.zeros(len(ids.values) + 1, bool)
    over[closes - 1] = True
    following = np.append(supervised[1:], False)
    ends = ends[over[ends] | ~following[ends]]
    ends = ends[~(over[ends] & cut[row_of[ends]])]
    context.last.add(file, ids.values[ends], begin + places[row_of[ends]])
    context.tokens += len(ids.values)
    context.supervised += int(supervised.sum())
    context.lengths.append(ids.lengths.astype(np.int32))


def _spread(wrong: Any, places: Any, size: int) -> Any:
    """Flags of some rows as flags of all of them."""
    found = np.zeros(size, bool)
    found[places[wrong]] = True
    return found


def _conditions(context: Context, batch: pa.RecordBatch) -> None:
    if "conditions" in batch.schema.names:  # of packed rows
        context.has_condition = True
        column = batch.column(batch.schema.names.index("conditions"))
        context.conditioned += sum(any(values or ()) for values in column.to_pylist())
    if "condition" in batch.schema.names:
        context.has_condition = True
        column = batch.column(batch.schema.names.index("condition"))
        context.conditioned += sum(bool(value) for value in column.to_pylist())
