"""What cleaning rules may ask about: `rules.COLUMNS["clean"]` of conversations, `["clean-messages"]` of messages.

Only what some rule asks about is measured, and costly measures only where they can say something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from curate import language, texts
from curate.clean import personal
from curate.responses import messages
from curate.rules import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

VERSION = 3  # rises when a feature of the same name changes its value

# Begins each response in `response_text`, so that a rule can ask how a response starts.
RECORD_SEPARATOR = "\x1e"

# A loop says a piece near its end again and again, or half of its lines are others over again.
LOOP_PIECE = (-56, 16)  # where it begins, and its characters
LOOP_TIMES = 4

# The column that counts each kind of personal data.
PERSONAL = {"email": "emails", "phone": "phones", "card": "cards", "iban": "ibans", "secret": "secrets"}

_LANGUAGES = ("letters", "language", "prompt_language", "language_asked", "scripts")
_LOOPS: dict[str, Callable[[pl.Series], pl.Series]] = {
    "repeated_lines": texts.repeated_lines,
    "compression": texts.compression,
}


def of_conversations(
    conversations: pl.DataFrame, wanted: Collection[str] = COLUMNS["clean"], found: pl.DataFrame | None = None
) -> pl.DataFrame:
    """One row per conversation: `key` and the columns wanted.

    Args:
        conversations: Rows with `key`, `messages` and, where a rule asks about them, `marks`.
        wanted: Columns of `rules.COLUMNS["clean"]`.
        found: Personal data and secrets that rules shall know of; None = all that `personal.find` finds.
    """
    turns = messages(conversations)
    measures = {name: expression for name, expression in _counts().items() if name in wanted}
    keys = conversations.select("key")
    rows = keys.join(
        turns.group_by("key", maintain_order=True).agg(**measures), on="key", how="left", maintain_order="left"
    )
    if "marks" in wanted:
        rows = rows.with_columns(conversations.select(_marks()))
    if set(_LANGUAGES) & set(wanted):
        rows = rows.join(_languages(keys, turns), on="key", how="left", maintain_order="left")
    if set(PERSONAL.values()) & set(wanted):
        spans = personal.find(turns) if found is None else found
        kinds = [(pl.col("kind") == kind).sum().cast(pl.Int64).alias(name) for kind, name in PERSONAL.items()]
        counted = rows.select("key").join(spans.group_by("key").agg(kinds), on="key", how="left", maintain_order="left")
        rows = rows.hstack(counted.select(pl.col(*PERSONAL.values()).fill_null(0)))
    return rows.select("key", *wanted)


def of_messages(
    conversations: pl.DataFrame, unit: str, wanted: Collection[str] = COLUMNS["clean-messages"]
) -> pl.DataFrame:
    """One row per message of a unit: `key`, `turn` and the columns wanted.

    Args:
        conversations: Rows with `key`, `messages` and, where a rule asks about them, `marks`.
        unit: `response` or `prompt`.
        wanted: Columns of `rules.COLUMNS["clean-messages"]`.
    """
    role = {"response": "assistant", "prompt": "user"}[unit]
    key, next_key, last_key = pl.col("key"), pl.col("key").shift(-1), pl.col("key").shift(1)
    follows = (next_key == key) & (pl.col("role").shift(-1) == "user")
    answers = (last_key == key) & (pl.col("role") == "assistant") & (pl.col("role").shift(1) == "user")
    turns = (
        messages(conversations)
        .with_columns(
            next_prompt=pl.when(follows).then(pl.col("content").shift(-1)),
            last=(next_key != key).fill_null(True),
        )
        .filter(pl.col("role").is_in(["user", "assistant"]))
        .with_columns(prompt=pl.when(answers).then(pl.col("content").shift(1)))
        .filter(pl.col("role") == role)
    )
    text = pl.col("content")
    rows = turns.with_columns(text=text, calls_tool=pl.col("tool_calls").is_not_null()).with_columns(
        opening=texts.opening(text),
        ending=texts.ending(text),
        chars=text.str.len_chars().cast(pl.Int64),
        fences=texts.fences(text),
    )
    rows = rows.with_columns(fences_before=pl.when(key == last_key).then(pl.col("fences").shift(1)))
    if "marks" in wanted:
        marks = conversations.select("key", _marks())
        rows = rows.join(marks, on="key", how="left", maintain_order="left")
    looping = _may_loop(rows) if set(_LOOPS) & set(wanted) else None
    for name, measure in _LOOPS.items():
        if name in wanted and looping is not None:
            rows = rows.with_columns(_measured(rows, looping, measure, name))
    if "sentence_lines" in wanted:
        lettered = _where(rows, pl.col("ending").str.contains(r"\p{L}$"))
        rows = rows.with_columns(_measured(rows, lettered, texts.sentence_lines, "sentence_lines"))
    return rows.select("key", "turn", *wanted)


def _counts() -> dict[str, pl.Expr]:
    """What is counted over the messages of a conversation."""
    role, content = pl.col("role"), pl.col("content")
    blank = ~content.str.contains(r"[^\s\u200b\u200c\u200d\u2060\ufeff]")
    spoken = role.filter(role != "system")

    def text(of: str, begin: str = "") -> pl.Expr:
        return (pl.lit(begin) + content.filter(role == of)).str.join("\n")

    counts = {
        "messages": pl.len(),
        "prompts": (role == "user").sum(),
        "responses": (role == "assistant").sum(),
        "chars": content.str.len_chars().sum(),
        "empty_prompts": (blank & (role == "user")).sum(),
        "empty_responses": (blank & (role == "assistant")).sum(),
        "repeated_roles": (spoken == spoken.shift(1)).sum(),
        "late_systems": ((role == "system") & (role != "system").cum_max()).sum(),
    }
    return {name: count.cast(pl.Int64) for name, count in counts.items()} | {
        "first_role": spoken.first(),
        "last_role": role.last(),
        "system_text": text("system"),
        "prompt_text": text("user"),
        "response_text": text("assistant", RECORD_SEPARATOR),
    }


def _marks() -> pl.Expr:
    return pl.col("marks").list.join(",")


def _languages(keys: pl.DataFrame, turns: pl.DataFrame) -> pl.DataFrame:
    """Language and script of the beginning of each side; whether languages are spoken of where that matters."""

    def beginning(role: str) -> pl.Series:
        # Prose of each message by itself: a fence that one leaves open is not closed by the next one's.
        spoken = turns.filter(pl.col("role") == role).group_by("key", maintain_order=True).head(3)
        prose = texts.prose(pl.col("content").str.slice(0, language.SPAN)).str.join("\n").str.slice(0, language.SPAN)
        sides = spoken.group_by("key", maintain_order=True).agg(prose)
        return keys.join(sides, on="key", how="left", maintain_order="left")["content"].fill_null("")

    said = beginning("assistant")
    rows = keys.with_columns(
        letters=said.to_frame("text").select(texts.prose(pl.col("text")).str.count_matches(r"\p{L}").cast(pl.Int64))["text"],
        language=language.languages(said),
        prompt_language=language.languages(beginning("user")),
        scripts=language.scripts(said),
    )
    mixed = rows.filter((pl.col("language") != pl.col("prompt_language")) | (pl.col("scripts") > 1)).select("key")
    asked = (pl.col("role").is_in(["user", "system"]) & pl.col("content").str.contains(language.NAMED)).any()
    speaking = turns.join(mixed, on="key", how="semi").group_by("key").agg(language_asked=asked)
    return rows.join(speaking, on="key", how="left", maintain_order="left")


def _may_loop(rows: pl.DataFrame) -> pl.Series:
    """The places of texts that are worth compressing."""
    text = pl.col("content")
    tail = text.str.slice(-texts.LOOP_TAIL)
    signs = rows.select(
        long=text.str.len_chars() >= texts.LOOP_LEAST,
        again=tail.str.count_matches(text.str.slice(*LOOP_PIECE), literal=True),
        lines=tail.str.split("\n"),
    )
    lines = pl.col("lines").list
    again = (pl.col("again") >= LOOP_TIMES) | (lines.n_unique() * 2 < lines.len())
    return _where(signs, pl.col("long") & again)


def _where(rows: pl.DataFrame, condition: pl.Expr) -> pl.Series:
    return rows.select(condition).to_series().arg_true()


def _measured(
    rows: pl.DataFrame, places: pl.Series, measure: Callable[[pl.Series], pl.Series], name: str
) -> pl.Series:
    """A measure of the prose of some rows; null for the others."""
    values = measure(rows[places].select(texts.prose(pl.col("content"))).to_series())
    return pl.Series(name, [None], dtype=values.dtype).new_from_index(0, rows.height).scatter(places, values)
