"""Rows of `crlft` text shards: messages, their weights, and the condition that the template gets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.schema import ROLES
from curate.verify import weights as weight_checks

if TYPE_CHECKING:
    from curate.verify.context import Context

REQUIRED = {"messages"}
# Columns that TRL or the Trainer take for something else beside `messages`.
RESERVED = {"input_ids", "prompt", "completion", "text", "images", "label", "labels", "label_ids", "solution"}
SPECIAL = re.compile(r"<\|[A-Za-z0-9_]{1,40}\|>|</?s>|<(?:start|end)_of_turn>|\[/?INST\]")


def types(schema: pa.Schema) -> dict[str, str]:
    """Columns whose type the loaders cannot use, and what they should be."""
    type_ = schema.field("messages").type
    wanted = "a list of structs with the strings `role` and `content`, and numbers as `weight`"
    if not (pa.types.is_list(type_) or pa.types.is_large_list(type_)) or not pa.types.is_struct(type_.value_type):
        return {"messages": wanted}
    fields = {field.name: field.type for field in type_.value_type}
    weight = fields.get("weight", pa.float32())
    texts = all(
        name in fields and (pa.types.is_string(fields[name]) or pa.types.is_large_string(fields[name]))
        for name in ("role", "content")
    )
    return {} if texts and (pa.types.is_floating(weight) or pa.types.is_integer(weight)) else {"messages": wanted}


def check(context: Context, file: str, begin: int, batch: pa.RecordBatch) -> None:
    """Look at the rows of a batch, the first of which is row `begin` of its file."""
    frame = pl.from_arrow(batch)
    assert isinstance(frame, pl.DataFrame)
    lists = frame.select(row=pl.int_range(pl.len()), messages="messages")
    empty = lists.select(pl.col("messages").list.len().fill_null(0) == 0).to_series().to_numpy()
    context.flag("no_messages", file, empty, begin, "null or an empty list")
    turns = lists.filter(pl.col("messages").list.len() > 0).explode("messages").unnest("messages")
    null = turns.filter(pl.col("role").is_null() | pl.col("content").is_null())
    _note(context, "null", file, begin, null, "a message without role or content")
    turns = turns.drop_nulls(["role", "content"])
    odd = turns.filter(~pl.col("role").is_in(ROLES))
    _note(context, "role", file, begin, odd, f"`{odd['role'][0]}`" if odd.height else "")
    has_weights = "weight" in turns.columns
    answers = pl.col("role") == "assistant"
    weights = pl.col("weight").cast(pl.Float64, strict=False) if has_weights else answers.cast(pl.Float64)
    turns = turns.with_columns(weight=weights)
    if has_weights:
        missing = turns.filter(pl.col("weight").is_null())
        _note(context, "null", file, begin, missing, "a message without `weight`")
        turns = turns.drop_nulls("weight")
        rows = turns["row"].to_numpy() + begin
        weight_checks.check(context.findings, file, turns["weight"].to_numpy(), rows, "messages[].weight", rounded=True)
    learned = pl.col("weight") > 0
    outside = turns.filter(learned & ~answers)
    _note(context, "label_outside", file, begin, outside, f"a {outside['role'][0]} message" if outside.height else "")
    blank = turns.filter(learned & answers & (pl.col("content") == ""))
    _note(context, "empty_response", file, begin, blank, "its end of turn alone is learned")
    special = turns.filter(pl.col("content").str.contains(SPECIAL.pattern))
    if special.height:
        found = SPECIAL.search(special["content"][0])
        _note(context, "live_tokens", file, begin, special, f"`{found[0] if found else ''}`")
    trained = np.zeros(frame.height, bool)
    trained[turns.filter(learned & answers)["row"].unique().to_numpy()] = True
    context.flag("never_trained", file, ~trained & ~empty, begin, "no response has a weight above 0")
    context.trained_rows += int(trained.sum())
    usable = turns.filter(learned & weights.is_finite() if has_weights else learned)
    context.weight_sum += float(usable["weight"].sum())
    _row_weight(context, file, begin, frame)
    _conditions(context, file, begin, frame)


def _note(context: Context, code: str, file: str, begin: int, turns: pl.DataFrame, detail: str) -> None:
    if turns.height:
        context.findings.add(code, file, row=begin + int(turns["row"][0]), count=turns.height, detail=detail)


def _row_weight(context: Context, file: str, begin: int, frame: pl.DataFrame) -> None:
    if "weight" in frame.columns and frame["weight"].dtype.is_numeric():
        context.flag("null", file, frame["weight"].is_null().to_numpy(), begin, "`weight` is null")
        known = frame.select(row=pl.int_range(pl.len()) + begin, weight="weight").drop_nulls()
        values, rows = known["weight"].to_numpy(), known["row"].to_numpy()
        weight_checks.check(context.findings, file, values, rows, "weight", rounded=False)


def _conditions(context: Context, file: str, begin: int, frame: pl.DataFrame) -> None:
    named: dict[str, Any] = {}
    if frame.schema.get("condition") == pl.String:
        named["condition"] = frame["condition"]
    arguments = frame.schema.get("chat_template_kwargs")
    if isinstance(arguments, pl.Struct):
        # TRL spreads this column into the template's arguments.
        context.flag(
            "condition", file, frame["chat_template_kwargs"].is_null().to_numpy(), begin, "`chat_template_kwargs` null"
        )
        if any(field.name == "condition" and field.dtype == pl.String for field in arguments.fields):
            named["chat_template_kwargs.condition"] = frame["chat_template_kwargs"].struct.field("condition")
    for name, column in named.items():
        if name == "condition":
            context.flag("condition", file, column.is_null().to_numpy(), begin, "`condition` is null")
        live = column.fill_null("").str.contains(SPECIAL.pattern)
        context.flag("condition", file, live.to_numpy(), begin, f"`{name}` holds a special token")
    if len(named) == 2:
        first, second = named.values()
        differ = (first != second).fill_null(False).to_numpy()
        context.flag("condition", file, differ, begin, "`condition` is not what the template is given")
    if named:
        context.has_condition = True
        context.conditioned += int((next(iter(named.values())).fill_null("") != "").sum())
