"""Measures of single texts that the cleaning rules and the local judge both ask about.

Expressions where polars has a kernel; the others take and return a Series.
"""

from __future__ import annotations

import zlib

import polars as pl

OPENING = 400  # characters
ENDING = 300
LONG_LINE = 20  # characters; shorter lines repeat in good answers: braces, headings, table rules
LOOP_TAIL = 4_000  # characters: a loop runs to the end of the response
LOOP_LEAST = 400

_FENCED = r"(?s)```.*?(?:```|\z)"
_LEADING_FENCE = r"(?m)^[ \t>]*(?:```|~~~)"
_SENTENCE_END = r"""[.!?:;。！？…؟।][)\]"'”’»*_`]*$"""


def opening(text: pl.Expr) -> pl.Expr:
    """The first `OPENING` characters, outer white space aside."""
    return _trimmed(text).str.slice(0, OPENING)


def ending(text: pl.Expr) -> pl.Expr:
    """The end of the last line, up to `ENDING` characters."""
    return _trimmed(text).str.slice(-ENDING).str.split("\n").list.last()


def fences(text: pl.Expr) -> pl.Expr:
    """Lines that begin with a code fence."""
    lines = text.str.count_matches(_LEADING_FENCE).cast(pl.Int64)
    return pl.when(_has_fence(text) | text.str.contains("~~~", literal=True)).then(lines).otherwise(pl.lit(0, pl.Int64))


def prose(text: pl.Expr) -> pl.Expr:
    """The text without its fenced code."""
    return pl.when(_has_fence(text)).then(text.str.replace_all(_FENCED, "\n")).otherwise(text)


def repeated_lines(prose: pl.Series) -> pl.Series:
    """Share of the long lines that stand in the text already; 0 without long lines."""
    share = 1 - pl.col("line").n_unique() / pl.len()
    return _per_text(prose, _long_lines(prose).group_by("row").agg(share.alias("share"))).fill_null(0.0)


def sentence_lines(prose: pl.Series) -> pl.Series:
    """Share of the long lines before the last line that end like a sentence; null under two of them."""
    lines = _long_lines(prose).filter(pl.int_range(pl.len()).over("row") < pl.len().over("row") - 1)
    share = pl.when(pl.len() >= 2).then(pl.col("line").str.contains(_SENTENCE_END).mean())
    return _per_text(prose, lines.group_by("row").agg(share.alias("share")))


def compression(prose: pl.Series) -> pl.Series:
    """Characters per compressed byte of the last `LOOP_TAIL` characters; null under `LOOP_LEAST`."""
    tails = prose.str.slice(-LOOP_TAIL)
    values = [
        None if text is None or len(text) < LOOP_LEAST else len(text) / len(zlib.compress(text.encode(), 1))
        for text in tails
    ]
    return pl.Series("compression", values, dtype=pl.Float64)


def _has_fence(text: pl.Expr) -> pl.Expr:
    return text.str.contains("```", literal=True)


def _trimmed(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars("\u200b\ufeff \t\r\n")


def _long_lines(prose: pl.Series) -> pl.DataFrame:
    """One row per line of `LONG_LINE` or more characters: `row`, `line`."""
    return (
        pl.DataFrame({"row": pl.int_range(len(prose), eager=True), "line": prose.str.split("\n")})
        .explode("line", empty_as_null=False, keep_nulls=False)
        .with_columns(pl.col("line").str.strip_chars())
        .filter(pl.col("line").str.len_chars() >= LONG_LINE)
    )


def _per_text(texts: pl.Series, measured: pl.DataFrame) -> pl.Series:
    index = pl.DataFrame({"row": pl.int_range(len(texts), eager=True)})
    return index.join(measured, on="row", how="left", maintain_order="left")["share"]
