"""What the local judge knows about a response: the columns that `rules/defects.toml` asks about.

What the cleaning rules ask about too is measured in `curate.texts` and `curate.language`.
"""

from __future__ import annotations

import polars as pl

from curate import language, texts
from curate.responses import messages, responses

VERSION = 2  # rises when a feature of the same name changes its value

ECHO_CHARS = 40  # a shorter echo may be the answer
LANGUAGE_SPAN = 160  # characters at each end: fastText is sure by then
SCANNED = 8_000  # characters of a text whose words are compared

# UTF-8 read as Latin-1 or Windows-1252, and the character that stands for what could not be read.
_GARBLED = r"\x{FFFD}|â€[\x{2122}\x{153}\x{9d}\x{201c}\x{201d}¦˜\x{2013}\x{2014}]|Ã[\x{a0}-\x{bf}]|Â[\x{a0}-\x{bf}]"


def features(conversations: pl.DataFrame) -> pl.DataFrame:
    """One row per response with the columns of `curate.rules.COLUMNS["defects"]`, plus `key` and `turn`.

    Args:
        conversations: Rows with `key` and `messages`.
    """
    rows = responses(conversations).select("key", "turn", "response", "prompt", "last")
    asked = pl.col("role").is_in(["user", "system"]) & pl.col("content").str.contains(language.NAMED)
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
    before = pl.when(pl.col("key") == pl.col("key").shift(1)).then(pl.col("fences").shift(1))
    return joined.with_columns(language_asked=asked, fences_before=before).drop("prompted")


def _measure(rows: pl.DataFrame) -> pl.DataFrame:
    text = pl.col("response")
    measured = rows.with_columns(
        opening=texts.opening(text),
        ending=texts.ending(text),
        chars=pl.col("response").str.len_chars().cast(pl.Int64),
        words=pl.col("response").str.count_matches(r"\S+").cast(pl.Int64),
        fences=texts.fences(text),
        garbled=pl.col("response").str.count_matches(_GARBLED).cast(pl.Int64),
        echo=_echo(),
        prose=texts.prose(text),
        prompt_prose=texts.prose(pl.col("prompt")),
    ).with_columns(prose_share=pl.col("prose").str.len_chars() / pl.col("chars").replace(0, 1))
    return measured.with_columns(
        texts.repeated_lines(measured["prose"]).alias("repeated_lines"),
        texts.sentence_lines(measured["prose"]).alias("sentence_lines"),
        texts.compression(measured["prose"]),
        *_word_overlap(measured),
        _language(measured["prose"]).alias("language"),
        _language(measured["prompt_prose"]).alias("prompt_language"),
    ).drop("prose", "prompt_prose")


def _echo() -> pl.Expr:
    """Whether response and prompt are the same but for case, space and punctuation; what begins unlike is not."""
    begin = r"([^\s\p{P}])"
    begins = [pl.col(name).str.extract(begin).str.to_lowercase().fill_null("") for name in ("response", "prompt")]
    enough = pl.col("response").str.len_chars() >= ECHO_CHARS
    perhaps = enough & (begins[0] == begins[1])
    response, prompt = (_squeezed(pl.when(perhaps).then(pl.col(name))) for name in ("response", "prompt"))
    unknown = pl.col("prompt").is_null() & enough
    return pl.when(perhaps).then(response == prompt).when(~unknown).then(pl.lit(False))


def _squeezed(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.replace_all(r"[\s\p{P}]+", " ").str.strip_chars()


def _word_overlap(rows: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Words are compared by their first five letters, so that inflections count as the same word."""

    def stems(text: pl.Expr) -> pl.Expr:
        return text.str.slice(0, SCANNED).str.to_lowercase().str.extract_all(r"\b[a-z]{5}").list.unique()

    counted = rows.select(prompt=stems(pl.col("prompt").fill_null("")), response=stems(pl.col("response"))).select(
        shared_words=pl.col("prompt").list.set_intersection("response").list.len().cast(pl.Int64),
        prompt_words=pl.col("prompt").list.len().cast(pl.Int64),
    )
    return counted["shared_words"], counted["prompt_words"]


def _language(prose: pl.Series) -> pl.Series:
    """Language of each head; null when there are too few letters, or the tail is in another one."""

    def sure(part: pl.Series) -> pl.Series:
        few = part.str.count_matches(r"\p{L}") < language.LETTERS
        return language.detected(part.set(few.fill_null(True), None))

    words = prose.to_frame("text").select(language.words(pl.col("text"))).to_series()
    # The model takes capitals for Japanese.
    words = words.set(words == words.str.to_uppercase(), None).fill_null(words.str.to_lowercase())
    heads, long = sure(words.str.slice(0, LANGUAGE_SPAN)), words.str.len_chars() > LANGUAGE_SPAN
    # A tail can only take back what the head says.
    tails = sure(words.set(~(long & heads.is_not_null()), None).str.slice(-LANGUAGE_SPAN))
    return heads.set((long & (heads != tails).fill_null(True)).fill_null(False), None)
