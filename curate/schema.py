"""The table contract: every column of every table, declared once.

Readers, writers, tests and `docs/schema.md` derive from `TABLES`. Null always means "not known",
never zero. The version rises when a column changes meaning; a newer workspace is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

SCHEMA_VERSION = 3

ROLES = ("system", "user", "assistant", "tool")

MESSAGE = pa.struct(
    [
        pa.field("role", pa.string(), nullable=False),
        pa.field("content", pa.string(), nullable=False),
        pa.field("model", pa.string()),
        pa.field("name", pa.string()),
        pa.field("tool_calls", pa.string()),
        pa.field("weight", pa.float32()),
    ]
)
HIT = pa.struct([pa.field("turn", pa.int32(), nullable=False), pa.field("rule", pa.string(), nullable=False)])
# `begin` and `end` count characters of the message's content.
SPAN = pa.struct(
    [
        pa.field("turn", pa.int32(), nullable=False),
        pa.field("begin", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
    ]
)
ASPECT = pa.struct([pa.field("name", pa.string(), nullable=False), pa.field("score", pa.float32())])


def _list(item: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("item", item, nullable=False))


@dataclass(frozen=True)
class Column:
    """One column: Arrow type, whether it may be null, and what it means."""

    name: str
    type: pa.DataType
    doc: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """One table of the workspace; shard *k* speaks of the conversations of shard *k*.

    Attributes:
        name: Its folder.
        stage: The command that fills it.
        rows: What one row is.
        columns: All of them, in order.
        noise: Whether nothing in it repeats, so that it is stored as it is.
    """

    name: str
    stage: str
    rows: str
    columns: tuple[Column, ...]
    noise: bool = False

    @cached_property
    def arrow(self) -> pa.Schema:
        """The Arrow schema that every shard of this table has."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])


_SIGNATURE = (
    Column("key", pa.uint64(), "the conversation"),
    Column("turn", pa.int32(), "index of the response in `messages`; null = not a single response", nullable=True),
    Column("hash", pa.string(), "32 hex digits over the text"),
    Column("chars", pa.int64(), "length in characters; of prompts, that of their conversation"),
    Column("tokens", pa.int64(), "length in tokens, one per message among them"),
    Column("ends", _list(pa.uint64()), "per message, a digest of all tokens from the first to its last"),
    Column("signature", pa.binary(), "MinHash values, little-endian uint32, as datasketch's affine32 has them"),
)
_SIMILARITY = "true Jaccard similarity to it, or cosine; 1 where it has all of the text"

TABLES = {
    table.name: table
    for table in (
        Table(
            "conversations",
            stage="ingest",
            rows="one per conversation",
            columns=(
                Column("key", pa.uint64(), "unique and dense, in input order"),
                Column("source", pa.string(), "name of the data set"),
                Column("source_file", pa.string(), "file as given on the command line"),
                Column("source_row", pa.int64(), "0-based position of the record in its file (JSON Lines: line - 1)"),
                Column("source_id", pa.string(), "id as written in the record; not unique", nullable=True),
                Column("model", pa.string(), "model as written in the record", nullable=True),
                Column("created_at", pa.timestamp("us", tz="UTC"), "when the conversation took place", nullable=True),
                Column("language", pa.string(), "language as the record states it", nullable=True),
                Column("task", pa.string(), "category as the record states it", nullable=True),
                Column(
                    "messages",
                    _list(MESSAGE),
                    "the turns: `role` (system, user, assistant, tool), `content`, `model` and `name` of the "
                    "speaker where the record states them, `tool_calls` as JSON, `weight` in the loss where the record "
                    "states it",
                ),
                Column("content_hash", pa.string(), "32 hex digits, BLAKE2b-128 of the canonical messages"),
                Column("edits", _list(pa.string()), "what ingest normalised"),
                Column("marks", _list(pa.string()), "what the record says of itself: toxic, redacted, verified …"),
                Column("rank", pa.int32(), "place among the answers ranked in one record; 1 = best", nullable=True),
                Column("joined_rows", _list(pa.int64()), "further records of the file whose turns were joined to it"),
            ),
        ),
        Table(
            "rejects",
            stage="ingest",
            rows="one per input record set aside",
            columns=(
                Column("source_file", pa.string(), "file as given on the command line"),
                Column("source_row", pa.int64(), "0-based position of the record in its file"),
                Column(
                    "byte_offset",
                    pa.int64(),
                    "where the record begins in the (decompressed) file; null = a row of a table",
                    nullable=True,
                ),
                Column("reason", pa.string(), "one word: truncated, invalid_json, empty …"),
                Column("detail", pa.string(), "what exactly is wrong"),
                Column("raw", pa.string(), "the record itself, first 64 kB; invalid bytes as \\xNN"),
            ),
        ),
        Table(
            "flags",
            stage="clean",
            rows="one per conversation",
            columns=(
                Column("key", pa.uint64(), "the conversation"),
                Column("rules", _list(pa.string()), "cleaning rules that fired"),
                Column("unknown", _list(pa.string()), "rules whose answer was null"),
                Column("turns", _list(HIT), "which message a rule about single messages fired on"),
                Column("redact", _list(SPAN), "what `--redact` found and every later stage replaces"),
            ),
        ),
        Table(
            "labels",
            stage="label",
            rows="one per response",
            columns=(
                Column("key", pa.uint64(), "the conversation"),
                Column("turn", pa.int32(), "index of the response in `messages`"),
                Column("class", pa.string(), "gpt-4, gpt-3.5, human …; null = unknown", nullable=True),
                Column("rule", pa.string(), "the rule that decided", nullable=True),
                Column("evidence", pa.string(), "the values that the rule saw", nullable=True),
                Column("conflicts", _list(pa.string()), "evidence that speaks against the class"),
            ),
        ),
        Table(
            "tasks",
            stage="label",
            rows="one per conversation",
            columns=(
                Column("key", pa.uint64(), "the conversation"),
                Column("task", pa.string(), "maths, code, reasoning … or other"),
                Column("rule", pa.string(), "the rule that decided; null = none did", nullable=True),
            ),
        ),
        *(
            Table(name, stage=stage, rows=f"one per {row}", columns=_SIGNATURE, noise=True)
            for name, stage, row in (
                ("signatures", "dedup", "conversation"),
                ("prompt_signatures", "dedup --unit prompts", "conversation"),
                ("response_signatures", "dedup --unit responses", "response"),
            )
        ),
        Table(
            "duplicates",
            stage="dedup",
            rows="one per conversation",
            columns=(
                Column("key", pa.uint64(), "the conversation"),
                Column("removed_by", pa.uint64(), "the kept conversation it duplicates; null = kept", nullable=True),
                Column("kind", pa.string(), "exact, prefix, near or semantic; null = kept", nullable=True),
                Column("similarity", pa.float32(), _SIMILARITY, nullable=True),
                Column("cluster", pa.uint64(), "smallest key of its group of linked conversations (a report column)"),
                Column("against", pa.string(), "the other set that has `removed_by`; null = this one", nullable=True),
                Column("similar_to", pa.uint64(), "a kept conversation whose prompts ask for the same", nullable=True),
                Column("cosine", pa.float32(), "cosine similarity of the two, by the embedding model", nullable=True),
            ),
        ),
        Table(
            "repeats",
            stage="dedup --unit responses",
            rows="one per response that repeats a kept one, or means the same",
            columns=(
                Column("key", pa.uint64(), "the conversation"),
                Column("turn", pa.int32(), "index of the response in `messages`"),
                Column("repeats", pa.uint64(), "the conversation of the response that stays"),
                Column("repeats_turn", pa.int32(), "index of that response"),
                Column("kind", pa.string(), "exact, prefix, near, semantic; null = only means the same", nullable=True),
                Column("similarity", pa.float32(), _SIMILARITY),
                Column("against", pa.string(), "the other set that has `repeats`; null = this one", nullable=True),
            ),
        ),
        Table(
            "restored",
            stage="dedup --restore",
            rows="one per conversation or response whose removal was taken back by hand",
            columns=(
                Column("key", pa.uint64(), "the conversation"),
                Column("turn", pa.int32(), "index of the response; null = all of the conversation", nullable=True),
            ),
        ),
        Table(
            "corrections",
            stage="correct",
            rows="one per correction by hand, in the order they were made; rows are only ever added",
            columns=(
                Column("content_hash", pa.string(), "of the conversation, so that it holds for every copy of it"),
                Column("turn", pa.int32(), "index of the response in `messages`"),
                Column("class", pa.string(), "the right class, or `unknown`; null = not about it", nullable=True),
                Column("reward", pa.float32(), "the right reward, 0 to 1; null = not about it", nullable=True),
                Column("undo", pa.bool_(), "whether it takes back all before it of the same response"),
                Column("by", pa.string(), "who said so"),
                Column("at", pa.timestamp("us", tz="UTC"), "when"),
                Column("why", pa.string(), "the reason given", nullable=True),
            ),
        ),
        Table(
            "matches",
            stage="decontaminate",
            rows="one per stretch of tokens that a message shares with a benchmark item",
            columns=(
                Column("key", pa.uint64(), "the conversation"),
                Column("turn", pa.int32(), "index of the message in `messages`"),
                Column("part", pa.int32(), "number of the text among all different texts of the lists"),
                Column("first", pa.int32(), "first token of the stretch in that text"),
                Column("tokens", pa.int32(), "tokens of the stretch"),
                Column("place", pa.int32(), "its first token in the message"),
                Column("begin", pa.int32(), "its first character in the message"),
                Column("end", pa.int32(), "the character behind its last"),
            ),
        ),
        Table(
            "contamination",
            stage="decontaminate",
            rows="one per message and text of a benchmark item that it holds",
            columns=(
                Column("key", pa.uint64(), "the conversation"),
                Column("turn", pa.int32(), "index of the message in `messages`, prompt or response"),
                Column("benchmark", pa.string(), "name of the list"),
                Column("column", pa.string(), "the list's column that the text stands in"),
                Column("item", pa.string(), "id of the item in the list, or its row"),
                Column("part", pa.int32(), "number of the text in its item, from 0: the turn, in MT-bench"),
                Column("kind", pa.string(), "verbatim, 13-gram or 8-grams"),
                Column("overlap", pa.float32(), "share of the text's distinct 8-grams; 1 = all of it"),
                Column("begin", pa.int32(), "first character of the passage in the message, then in its tool calls"),
                Column("end", pa.int32(), "the character behind its last"),
            ),
        ),
        Table(
            "scores",
            stage="score",
            rows="one per response",
            columns=(
                Column("key", pa.uint64(), "the conversation"),
                Column("turn", pa.int32(), "index of the response in `messages`"),
                Column("reward", pa.float32(), "0 to 1, what weights use: one of the next three", nullable=True),
                Column("raw", pa.float32(), "0 to 1 by the rubric's levels; null = not scored", nullable=True),
                Column(
                    "percentile",
                    pa.float32(),
                    "0 to 1, mid-rank among the same judge, rubric and task; null = fewer than 20",
                    nullable=True,
                ),
                Column("calibrated", pa.float32(), "0 to 1 on the scale of labels; null = none fitted", nullable=True),
                Column("score", pa.float32(), "on the rubric's own scale", nullable=True),
                Column("aspects", _list(ASPECT), "score per criterion or defect"),
                Column("raised", _list(pa.string()), "flags that were raised: truncated, steers …"),
                Column("status", pa.string(), "ok, unparsed, refused, failed or skipped"),
                Column("judge", pa.string(), "model that judged, `a+b` for a panel, `a > b` with b for the doubtful"),
                Column("rubric", pa.string(), "name@version; empty = not judged"),
                Column("rationale", pa.string(), "the judge's evidence, or why there is no score", nullable=True),
                Column("spread", pa.float32(), "standard deviation over repeats or judges", nullable=True),
                Column("samples", pa.int32(), "answers that the score is the mean of", nullable=True),
                Column("judged_task", pa.string(), "task that the judge saw, where it was asked", nullable=True),
                Column("judgement", pa.string(), "key of the answer in `judgements.sqlite`", nullable=True),
            ),
        ),
    )
}
