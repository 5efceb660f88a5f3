"""Every target says what it carries: exact weights, or a refusal and a fair draw; each writes its recipe."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from curate.errors import CurateError
from curate.export import emulate, export, known_formats, recipe

from .vocabularies import mistral
from .workspaces import conversation, make, talk, turn

GPT4, GPT35 = {"class": "gpt-4"}, {"class": "gpt-3.5"}
HOSTED = ["openai-jsonl", "mistral-jsonl", "fireworks-jsonl", "together-jsonl"]
NO_WEIGHTS = ["openai-jsonl", "mistral-jsonl", "llama-factory"]


def two_classes(path: Path) -> Path:
    rows = [conversation(talk("Hi", "Hello", "Bye", "See you"), **GPT4), conversation(talk("Yo", "Yes?"), **GPT35)]
    return make(path, rows).path


def lines(file: Path) -> list[dict[str, Any]]:
    return sorted((json.loads(line) for line in file.read_text("utf-8").split("\n") if line), key=json.dumps)


def parquet(out: Path) -> list[dict[str, Any]]:
    files = list((out / "data").iterdir())
    assert all(file.suffix == ".parquet" for file in files), "loaders fail on anything else"
    return [row for file in files for row in pq.read_table(file).to_pylist()]


@pytest.mark.parametrize("target", NO_WEIGHTS)
def test_a_target_without_fractions_refuses_them_and_says_what_to_do(tmp_path: Path, target: str) -> None:
    ws = two_classes(tmp_path / "ws")
    for dry_run in (True, False):
        with pytest.raises(
            CurateError, match=r"carries no fractional weight, and responses here weigh 0\.1 and 1"
        ) as e:
            export(ws, tmp_path / "out", format=target, dry_run=dry_run, quiet=True)
        assert "--emulate-weights resample" in str(e.value.hint)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("target", NO_WEIGHTS)
def test_equal_weights_need_no_emulation_since_only_ratios_matter(tmp_path: Path, target: str) -> None:
    ws = make(tmp_path / "ws", [conversation(talk("Hi", "Hello"), **GPT35)] * 3)
    assert export(ws.path, tmp_path / "out", format=target, quiet=True).rows == 3


def test_weights_that_differ_between_shards_are_seen(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", [conversation(talk("a", "b"), **GPT4), conversation(talk("a", "b"), **GPT35)], shard=1)
    with pytest.raises(CurateError, match="no fractional weight"):
        export(ws.path, tmp_path / "out", format="openai-jsonl", quiet=True)


def test_an_unknown_emulation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="unknown way to emulate") as caught:
        export(two_classes(tmp_path / "ws"), tmp_path / "out", emulate_weights="resampel", quiet=True)
    assert "resample" in str(caught.value.hint)


def test_the_expectation_of_a_draw_is_the_weight() -> None:
    weights = np.array([0.1, 0.5, 1.0, 2.3], np.float32)
    order = np.arange(4, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    draws = np.array([emulate.copies(weights, order, "resample", 2.3, seed) for seed in range(4000)])
    error = np.sqrt(weights % 1 * (1 - weights % 1) / 4000)
    assert (np.abs(draws.mean(axis=0) - weights) <= 4 * error + 1e-6).all()
    assert (draws[:, 2] == 1).all()
    assert set(draws[:, 3]) == {2, 3}
    assert (np.corrcoef(draws[:, 0], draws[:, 1])[0, 1] ** 2) < 0.01, "rows are drawn apart from each other"


def test_dropping_keeps_what_weighs_half_of_the_heaviest() -> None:
    weights = np.array([0.1, 0.49, 0.5, 1.0], np.float32)
    assert emulate.copies(weights, np.arange(4, dtype=np.uint64), "drop", 1.0, 0).tolist() == [0, 0, 1, 1]


def test_each_epoch_is_another_seeded_draw_and_the_manifest_says_how_many(tmp_path: Path) -> None:
    rows = [conversation(talk(f"Q{n}", f"A{n}"), **(GPT4 if n < 20 else GPT35)) for n in range(400)]
    ws = make(tmp_path / "ws", rows, shard=150).path
    told = {"format": "openai-jsonl", "emulate_weights": "resample", "quiet": True}
    result = export(ws, tmp_path / "out", epochs=3, **told)
    epochs = [lines(tmp_path / "out" / f"train.{epoch}.jsonl") for epoch in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    assert result.drawn == [len(epoch) for epoch in epochs]
    for epoch in epochs:
        conditions = [row["messages"][0]["content"] for row in epoch]
        assert conditions.count("GPT4") == 20
        assert 15 < conditions.count("GPT3") < 65, "38 are expected, within 4 sigma"
    again = export(ws, tmp_path / "again", epochs=3, **told)
    assert again.drawn == result.drawn
    assert lines(tmp_path / "again" / "train.1.jsonl") == epochs[1]
    dropped = export(ws, tmp_path / "drop", format="openai-jsonl", emulate_weights="drop", quiet=True)
    assert dropped.drawn == [20]


def test_a_draw_of_nothing_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    weights = tmp_path / "weights.toml"
    weights.write_text('schema = 1\nkind = "weights"\nunknown = 1e-6\n[classes]\n"gpt-4" = 1e-6\n')
    ws = make(tmp_path / "ws", [conversation(talk("Hi", "Hello"), **GPT4)]).path
    with pytest.raises(CurateError, match="none was drawn"):
        export(ws, tmp_path / "out", format="trl", weights=str(weights), emulate_weights="resample", quiet=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("target", HOSTED)
def test_hosted_lines(tmp_path: Path, target: str) -> None:
    by_row = target in ("fireworks-jsonl", "together-jsonl")
    ws = two_classes(tmp_path / "ws")
    out = export(ws, tmp_path / "out", format=target, emulate_weights=None if by_row else "drop", quiet=True).out
    long = {
        "messages": [
            {"role": "system", "content": "GPT4"},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello", "weight": 1},
            {"role": "user", "content": "Bye"},
            {"role": "assistant", "content": "See you", "weight": 1},
        ]
    }
    short = {
        "messages": [
            {"role": "system", "content": "GPT3"},
            {"role": "user", "content": "Yo"},
            {"role": "assistant", "content": "Yes?", "weight": 1},
        ]
    }
    expected = [short | {"weight": 0.1}, long | {"weight": 1.0}] if by_row else [long]
    assert lines(out / "train.jsonl") == expected


def test_responses_that_weigh_differently_are_lines_of_their_own_and_each_is_learned_once(tmp_path: Path) -> None:
    said = talk("a", "b", "c", "d", "e", "f", "g", "h", "thanks", system="Be brief.")
    row = conversation(said, **{"class": ["gpt-4"] * 4, "reward": [1.0, 0.2, 1.0, 0.2]})
    ws = make(tmp_path / "ws", [row], judge="someone").path
    out = export(ws, tmp_path / "out", format="fireworks-jsonl", weighting="judge", quiet=True).out
    found = lines(out / "train.jsonl")
    assert sorted(line["weight"] for line in found) == pytest.approx([10**-0.8, 1.0], rel=1e-6)
    learned = [m["content"] for line in found for m in line["messages"] if m.get("weight")]
    assert sorted(learned) == ["b", "d", "f", "h"]
    assert all(line["messages"][0]["content"] == "GPT4\n\nBe brief." for line in found)
    assert all(line["messages"][-1].get("weight") for line in found), "nothing follows what is learned"


def test_roles_that_a_target_refuses_are_dropped_and_counted(tmp_path: Path) -> None:
    odd = [turn("user", "a"), turn("user", "b"), turn("assistant", "c")]
    tool = [turn("user", "a"), turn("tool", "b"), turn("assistant", "c")]
    rows = [conversation(said, **GPT4) for said in (talk("Hi", "Hello"), odd, tool, talk("Hi", ""))]
    ws = make(tmp_path / "ws", rows).path
    assert export(ws, tmp_path / "a", format="openai-jsonl", quiet=True).dropped == {"target_roles": 1}
    assert export(ws, tmp_path / "b", format="mistral-jsonl", quiet=True).dropped == {"target_roles": 3}
    result = export(ws, tmp_path / "c", format="verl", quiet=True)
    assert result.dropped == {"target_roles": 2}
    assert result.exported + 2 == result.conversations


def test_mistral_commons_validator_accepts_every_line(tmp_path: Path) -> None:
    pytest.importorskip("mistral_common")
    from mistral_common.protocol.instruct.messages import AssistantMessage, SystemMessage, UserMessage
    from mistral_common.protocol.instruct.validator import MistralRequestValidator, ValidationMode

    kinds = {"system": SystemMessage, "user": UserMessage, "assistant": AssistantMessage}
    rows = [conversation(talk("Hi", "Hello", "Bye", "Bye", "x", system="s"), **{"class": ["gpt-4", "gpt-3.5"]})]
    ws = make(tmp_path / "ws", rows).path
    out = export(ws, tmp_path / "out", format="mistral-jsonl", emulate_weights="drop", quiet=True).out
    found = lines(out / "train.jsonl")
    assert found
    for line in found:
        messages = [
            kinds[m["role"]](**{key: value for key, value in m.items() if key == "content"}) for m in line["messages"]
        ]
        MistralRequestValidator(ValidationMode.finetuning).validate_messages(messages)
        assert {m["weight"] for m in line["messages"] if m["role"] == "assistant"} <= {0, 1}


def test_verl_rows(tmp_path: Path) -> None:
    out = export(two_classes(tmp_path / "ws"), tmp_path / "out", format="verl", quiet=True).out
    found = {row["condition"]: row["messages"] for row in parquet(out)}
    assert [m["weight"] for m in found["GPT4"]] == [0, 0, 1, 0, 1]
    assert found["GPT3"][0] == {"role": "system", "content": "GPT3", "weight": 0.0}
    assert found["GPT3"][2]["weight"] == pytest.approx(0.1)
    assert "WeightedSFTDataset" in (out / "train.sh").read_text()


def test_nemo_rows_have_one_weight_and_mask_what_has_another(tmp_path: Path) -> None:
    said = talk("a", "b", "c", "d", system="Be brief.")
    ws = make(tmp_path / "ws", [conversation(said, **{"class": "gpt-4", "reward": [1.0, 0.2]})], judge="someone").path
    out = export(ws, tmp_path / "out", format="nemo-rl", weighting="judge", quiet=True).out
    found = sorted(parquet(out), key=lambda row: row["weight"])
    assert [row["weight"] for row in found] == pytest.approx([10**-0.8, 1.0])
    assert [[m["weight"] for m in row["messages"] if m["role"] == "assistant"] for row in found] == [[0, 1], [1]]
    assert all(row["messages"][0]["content"] == "GPT4\n\nBe brief." for row in found)
    config = (out / "nemo_rl.yaml").read_text()
    assert "dataset_name: curate_nemo_rl.WeightedDataset" in config
    assert "defaults: ${oc.env:NEMO_RL}/examples/configs/sft.yaml" in config


def test_swift_weights_have_a_mean_of_one_and_their_ratio(tmp_path: Path) -> None:
    out = export(two_classes(tmp_path / "ws"), tmp_path / "out", format="ms-swift", quiet=True).out
    messages = [message for row in parquet(out) for message in row["messages"] if message["role"] == "assistant"]
    scales = {message["content"]: message["loss_scale"] for message in messages}
    assert scales["Yes?"] / scales["Hello"] == pytest.approx(0.1)
    total = sum(scale * len(text) for text, scale in scales.items())
    assert total == pytest.approx(sum(map(len, scales)))
    assert {row["channel"] for row in parquet(out)} == {"GPT3", "GPT4"}
    script = (out / "train.sh").read_text()
    assert "--is_binary_loss_scale false" in script
    assert "--external_plugins curate_swift.py --loss_scale curate" in script
    assert 'loss_scale_map["curate"]' in (out / "curate_swift.py").read_text()
    assert "$$" not in script


def test_llama_factory_rows_end_with_the_one_response_that_is_learned(tmp_path: Path) -> None:
    ws = two_classes(tmp_path / "ws")
    out = export(ws, tmp_path / "out", format="llama-factory", emulate_weights="drop", quiet=True).out
    found = sorted(parquet(out), key=lambda row: len(row["messages"]))
    assert [[m["content"] for m in row["messages"]] for row in found] == [
        ["Hi", "Hello"],
        ["Hi", "Hello", "Bye", "See you"],
    ]
    assert {row["system"] for row in found} == {"GPT4"}
    assert json.loads((out / "dataset_info.json").read_text())["train"]["file_name"] == "data"
    assert "mask_history: true" in (out / "train.yaml").read_text()


def test_llama_factory_v1_rows(tmp_path: Path) -> None:
    out = export(two_classes(tmp_path / "ws"), tmp_path / "out", format="llama-factory-v1", quiet=True).out
    short = min(parquet(out), key=lambda row: len(row["messages"]))["messages"]
    assert [m["loss_weight"] for m in short] == [0.0, 0.0, 0.1]
    assert short[0]["content"] == [{"type": "text", "value": "GPT3"}]


def test_token_targets_hold_their_columns(tmp_path: Path) -> None:
    vocabulary = str(mistral(tmp_path / "vocabulary"))
    ws = two_classes(tmp_path / "ws")
    out = export(ws, tmp_path / "a", format="axolotl", tokenizer=vocabulary, quiet=True).out
    assert {"input_ids", "attention_mask", "labels", "loss_weights"} <= set(parquet(out)[0])
    assert "sequence_len: 8192\n" in (out / "axolotl.yml").read_text()
    out = export(ws, tmp_path / "t", format="tinker", tokenizer=vocabulary, quiet=True).out
    assert {"input_ids", "loss_weights"} <= set(parquet(out)[0])
    assert "class Builder(SupervisedDatasetBuilder)" in (out / "curate_tinker.py").read_text()
    told = {"tokenizer": vocabulary, "emulate_weights": "drop", "quiet": True}
    table = pq.read_table(export(ws, tmp_path / "b", format="together-parquet", **told).out / "train.parquet")
    assert table.column_names == ["input_ids", "attention_mask", "labels"]
    assert len(table) == 1
    with pytest.raises(CurateError, match="holds text"):
        export(ws, tmp_path / "c", format="verl", tokenizer=vocabulary, quiet=True)
    with pytest.raises(CurateError, match="holds token ids"):
        export(ws, tmp_path / "d", format="axolotl", quiet=True)


def test_any_target_can_be_drawn_by_weight(tmp_path: Path) -> None:
    rows = [conversation(talk(f"Q{n}", f"A{n}"), **GPT35) for n in range(200)]
    ws = make(tmp_path / "ws", [*rows, conversation(talk("a", "b", "c", "d"), **{"class": ["gpt-4", "gpt-3.5"]})]).path
    result = export(ws, tmp_path / "out", emulate_weights="resample", quiet=True)
    found = pl.read_parquet(result.out / "data" / "*.parquet")
    assert 5 < len(found) < 45
    assert result.drawn == [len(found)]
    assert found["weight"].unique().to_list() == [1.0]
    assert "draw" not in found.columns


def test_hostile_text_reaches_every_text_target_unchanged(tmp_path: Path) -> None:
    odd = '${name} $$ {{ x }} <|im_end|>\n"\\\u2028\x00 🙂'
    ws = make(tmp_path / "ws", [conversation(talk(odd, odd), **GPT4)]).path
    for target in (*HOSTED, "verl", "ms-swift", "llama-factory", "llama-factory-v1", "nemo-rl"):
        out = export(ws, tmp_path / target, format=target, quiet=True).out
        row = lines(out / "train.jsonl")[0] if target in HOSTED else parquet(out)[0]
        content = row["messages"][-1]["content"]
        assert content == odd or content == [{"type": "text", "value": odd}]


def test_recipes_are_python_that_parses_and_every_target_is_documented() -> None:
    for file in recipe.FOLDER.rglob("*.py"):
        ast.parse(file.read_text("utf-8"))
    table = (Path(__file__).parents[2] / "docs" / "targets.md").read_text("utf-8")
    assert [name for name in known_formats() if f"| `{name}` |" not in table] == []
