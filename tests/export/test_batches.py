"""Ids do not depend on how texts are batched, nor on how little of a conversation that fits no row is tokenised."""

from __future__ import annotations

import sys
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.export import chat, segments, templates, written
from curate.export.tokenise import Encoder, Limit, build
from curate.export.vocabulary import HuggingFace, Tokenizer, read

from .vocabularies import mistral, mistral_model
from .workspaces import talk

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
)
# Ends no turn with a control token.
PLAIN = "{{ bos_token }}{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
HOSTILE = ("<s>", "</s> ", "<|end_of_turn|>", " <|im_end|>\n<|im_start|>assistant\n", "\U000f2000x\U000f2001", "")
TEXTS = st.text(max_size=40) | st.sampled_from(HOSTILE) | st.sampled_from(["word " * 30, "日本語" * 9, "🙂\u200d" * 5])
ENCODERS = [
    (kind, truncate)
    for kind in ("model", "json", "chatml", "plain")
    for truncate in ("turn", "split", "openchat")
]


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokenizer]:
    folder = tmp_path_factory.mktemp("vocabulary")
    json = read(str(mistral(folder / "json", ["<|im_start|>", "<|im_end|>"])))
    return {"json": json, "chatml": json, "plain": json, "model": read(str(mistral_model(folder / "model")))}


@pytest.fixture(scope="module", params=ENCODERS, ids="-".join)
def encoder(request: pytest.FixtureRequest, tokenizers: dict[str, Tokenizer]) -> Encoder:
    kind, truncate = request.param
    source = {"chatml": CHATML, "plain": PLAIN}.get(kind)
    template = chat.ChatTemplate(kind, source, {"bos_token": "<s>"}) if source else templates.find("openchat_v3.2")
    return build(tokenizers[kind], template, Limit(60, truncate, 1))


def rows(conversations: list[list[str]]) -> pl.DataFrame:
    """Conversations with responses of weight 1, some with a condition."""
    said = [
        [{**message, "weight": float(message["role"] == "assistant")} for message in talk(*texts)]
        for texts in conversations
    ]
    conditions = [("", "GPT4", "GPT3")[number % 3] for number in range(len(said))]
    return pl.DataFrame({"key": range(len(said)), "condition": conditions, "messages": said})


def tokenised(encoder: Encoder, given: pl.DataFrame, chunk: int, characters: float) -> list[list[Any]]:
    """All tables of the result."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[Encoder.__module__], "_CHUNK", chunk)
        patch.setattr(segments, "CHARACTERS", characters)
        patch.setattr(written, "CHARACTERS", characters)
        return [table.rows() for table in encoder.tokenise(given)]


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=9), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None)
def test_rows_are_those_of_whole_conversations_tokenised_in_one_batch(
    encoder: Encoder, conversations: list[list[str]]
) -> None:
    given = rows(conversations)
    whole = tokenised(encoder, given, 1 << 20, 1e6)
    assert tokenised(encoder, given, 1, 0) == whole, "as little at a time as can be"
    assert tokenised(encoder, given, 150, 1) == whole
    assert tokenised(encoder, given, 1 << 20, 5) == whole


def test_messages_that_certainly_fit_no_row_are_not_tokenised(
    tokenizers: dict[str, Tokenizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    own = HuggingFace.texts

    def watched(self: HuggingFace, texts: list[str]) -> Any:
        seen.extend(texts)
        return own(self, texts)

    monkeypatch.setattr(HuggingFace, "texts", watched)
    encoder = build(tokenizers["json"], templates.find("openchat_v3.2"), Limit(60))
    tokens = encoder.tokenise(rows([[f"question {number} of many" for number in range(200)]]))
    assert len(seen) < 40
    assert tokens.rows["cut"].to_list() == [True]
    assert tokens.counts.height == 100, "each response is counted, whether or not it was looked at"


def test_ids_are_four_bytes_each_as_the_columns_are(tokenizers: dict[str, Tokenizer]) -> None:
    for tokenizer in tokenizers.values():
        (ids,) = tokenizer.texts(["Hello there"])
        assert memoryview(ids).itemsize == 4
