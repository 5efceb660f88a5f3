"""The shards load in `datasets`, the template renders OpenChat's prefixes, and order owes nothing to the input."""

from __future__ import annotations

import json
import weakref
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from curate.export import export, known_formats, shuffle
from curate.export.formats import crlft
from curate.export.templates import TEMPLATES

from .vocabularies import mistral
from .workspaces import conversation, make, talk, turn

ROWS = [conversation(talk(f"Question {n}", f"Answer {n}"), **{"class": "gpt-4"}) for n in range(40)]


def test_formats_are_found_by_file_name() -> None:
    assert {"crlft", "openchat", "openchat-jsonl", "trl", "ms-swift", "openai-jsonl"} <= set(known_formats())


def test_the_folder_holds_a_card_a_template_a_manifest_and_only_parquet_in_data(tmp_path: Path) -> None:
    out = export(make(tmp_path / "ws", ROWS).path, tmp_path / "out", quiet=True).out
    names = ["README.md", "chat_template.jinja", "croissant.json", "data", "manifest.json"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert [path.name for path in (out / "data").iterdir()] == ["train-00000-of-00001.parquet"]
    assert (out / "README.md").read_text().startswith("---\nconfigs:\n")


def test_shards_have_one_schema_and_say_how_they_were_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shuffle, "PART_BYTES", 1000)
    monkeypatch.setattr(shuffle, "_PART_ROWS", 4)
    out = export(make(tmp_path / "ws", ROWS, shard=7).path, tmp_path / "out", quiet=True).out
    files = sorted((out / "data").iterdir())
    assert len(files) >= 8
    assert len(files) % 8 == 0
    assert files[-1].name == f"train-{len(files) - 1:05}-of-{len(files):05}.parquet"
    for file in files:
        parquet = pq.ParquetFile(file)
        assert parquet.schema_arrow.remove_metadata().equals(crlft.TEXT)
        assert json.loads(parquet.schema_arrow.metadata[b"curate"])["policy"]["weighting"] == "coarse"
        assert parquet.metadata.row_group(0).column(0).compression == "ZSTD"
    assert pl.read_parquet(out / "data" / "*.parquet")["id"].n_unique() == len(ROWS)


@pytest.mark.parametrize("format", ["crlft", "trl", "openai-jsonl", "openchat-jsonl"])
def test_while_a_part_is_made_one_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    monkeypatch.setattr(shuffle, "PART_BYTES", 1000)
    monkeypatch.setattr(shuffle, "_PART_ROWS", 4)
    parts: list[weakref.ref[Any]] = []
    take, make_next = shuffle.Part.take, shuffle._ordered

    def taken(part: shuffle.Part) -> Any:
        table = take(part)
        parts.append(weakref.ref(table))
        return table

    def made(batches: list[Any]) -> shuffle.Part:
        assert sum(part() is not None for part in parts) <= 1
        return make_next(batches)

    monkeypatch.setattr(shuffle.Part, "take", taken)
    monkeypatch.setattr(shuffle, "_ordered", made)
    export(make(tmp_path / "ws", ROWS, shard=7).path, tmp_path / "out", format=format, quiet=True)
    assert len(parts) >= 3


def test_the_order_is_shuffled_seeded_and_not_that_of_the_shards(tmp_path: Path) -> None:
    def order(shard: int, seed: int) -> list[str]:
        path = tmp_path / f"{shard}-{seed}"
        out = export(make(path / "ws", ROWS, shard=shard).path, path / "out", seed=seed, quiet=True).out
        return pl.read_parquet(out / "data" / "*.parquet")["id"].to_list()

    assert order(7, 0) == order(40, 0)
    assert order(7, 0) != order(7, 1)
    keys = [int(name.split("-")[1]) for name in order(7, 0)]
    assert keys != sorted(keys)
    assert sorted(keys) == list(range(len(ROWS)))


def test_the_manifest_adds_up_and_names_no_place_on_this_machine(tmp_path: Path) -> None:
    out = export(make(tmp_path / "ws", ROWS).path, tmp_path / "out", quiet=True).out
    text = (out / "manifest.json").read_text() + (out / "README.md").read_text()
    meta = "".join(pl.read_parquet(out / "data" / "*.parquet")["meta"])
    assert str(tmp_path) not in text
    assert "/home/someone" not in meta
    assert "dump.json" in meta
    counts = json.loads((out / "manifest.json").read_text())["counts"]
    assert counts["conversations"] == counts["exported"] + sum(counts["dropped"].values()) == len(ROWS)


@pytest.mark.filterwarnings("ignore")
def test_datasets_loads_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(shuffle, "PART_BYTES", 10)
    rows = [*ROWS * 5, conversation(talk("a", "b", "c", "d"), **{"class": ["gpt-4", None]})]
    result = export(make(tmp_path / "ws", rows).path, tmp_path / "out", quiet=True)
    assert len(list((result.out / "data").iterdir())) > 1
    found = datasets.load_dataset(str(result.out), cache_dir=str(tmp_path / "cache"))["train"]
    assert found.num_rows == result.rows == len(rows) + 1
    assert found[0]["chat_template_kwargs"] == {"condition": found[0]["condition"]}
    assert set(found[0]["messages"][0]) == {"role", "content", "weight"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            "openchat_v3.2_mistral",
            "<s>Be brief.<|end_of_turn|>GPT4 User: Hi<|end_of_turn|>GPT4 Assistant: Hello<|end_of_turn|>"
            "GPT4 User: Bye<|end_of_turn|>GPT4 Assistant: See you<|end_of_turn|>",
        ),
        (
            "openchat_3.6",
            "<s><|start_header_id|>System<|end_header_id|>\n\nBe brief.<|eot_id|>"
            "<|start_header_id|>GPT4 User<|end_header_id|>\n\nHi<|eot_id|>"
            "<|start_header_id|>GPT4 Assistant<|end_header_id|>\n\nHello<|eot_id|>"
            "<|start_header_id|>GPT4 User<|end_header_id|>\n\nBye<|eot_id|>"
            "<|start_header_id|>GPT4 Assistant<|end_header_id|>\n\nSee you<|eot_id|>",
        ),
    ],
)
def test_the_chat_template_puts_the_condition_before_both_roles_at_every_turn(
    tmp_path: Path, model: str, expected: str
) -> None:
    transformers = pytest.importorskip("transformers")
    rows = [conversation(talk("Hi", "Hello", "Bye", "See you", system="Be brief."), **{"class": "gpt-4"})]
    out = export(make(tmp_path / "ws", rows).path, tmp_path / "out", template=model, quiet=True).out
    tokenizer = transformers.AutoTokenizer.from_pretrained(mistral(tmp_path / "vocabulary"))
    tokenizer.chat_template = (out / "chat_template.jinja").read_text()
    row = pl.read_parquet(out / "data" / "*.parquet").row(0, named=True)

    def render(**options: Any) -> str:
        return str(tokenizer.apply_chat_template(row["messages"], tokenize=False, **options))

    assert render(**row["chat_template_kwargs"]) == expected
    prompt = expected[: expected.rindex("See you")].rstrip(" ")
    shortened = [*row["messages"][:-1]]
    opened = tokenizer.apply_chat_template(
        shortened, tokenize=False, add_generation_prompt=True, **row["chat_template_kwargs"]
    )
    assert opened == prompt
    assert "GPT4" not in render()


@pytest.mark.filterwarnings("ignore")
def test_the_generation_mask_holds_trained_responses_and_nothing_else(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    rows = [conversation(talk("Hi", "Hello", "Bye", "See you"), **{"class": ["gpt-4", "gpt-3.5"]})]
    out = export(make(tmp_path / "ws", rows).path, tmp_path / "out", quiet=True).out
    tokenizer = transformers.AutoTokenizer.from_pretrained(mistral(tmp_path / "vocabulary"))
    tokenizer.chat_template = (out / "chat_template.jinja").read_text()
    for row in pl.read_parquet(out / "data" / "*.parquet").iter_rows(named=True):
        rendered = tokenizer.apply_chat_template(
            row["messages"],
            return_dict=True,
            return_assistant_tokens_mask=True,
            **row["chat_template_kwargs"],
        )
        ids = [i for i, on in zip(rendered["input_ids"], rendered["assistant_masks"], strict=True) if on]
        wanted = {"GPT4": "Hello<|end_of_turn|>", "GPT3": "See you<|end_of_turn|>"}[row["condition"]]
        assert tokenizer.decode(ids).replace(" <|", "<|") == wanted


def test_every_template_says_the_condition_unless_there_is_none() -> None:
    for template in [template for template in TEMPLATES.values() if template.place == "roles"]:
        assert "GPT4 User" in template.prefix("user", "GPT4")
        assert template.prefix("user", "") == template.start + "User" + template.end
    assert TEMPLATES["openchat_v3.2"].prefix("tool", "GPT4 Correct") == "GPT4 Correct Tool:"


def test_text_comes_through_untouched(tmp_path: Path) -> None:
    odd = "  [red]x[/red] \x1b[31m \u202e \x00 {{ bos_token }} {% endif %} 🙂\r\n"
    said = [turn("user", odd), turn("assistant", odd)]
    out = export(make(tmp_path / "ws", [conversation(said, model=odd)]).path, tmp_path / "out", quiet=True).out
    row = pl.read_parquet(out / "data" / "*.parquet").row(0, named=True)
    assert [message["content"] for message in row["messages"]] == [odd, odd]
    assert row["source_model"] == odd
    assert json.loads(row["meta"])["key"] == 0
