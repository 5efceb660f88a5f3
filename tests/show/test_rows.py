"""Rows are found in every format, by id or by text, in split and tokenised exports too; or it is said that none can."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

import curate
from curate.export import known_formats
from curate.show.rows import find

SENTENCES = [f"Sentence {number} of a long answer about the weather of town {number}." for number in range(30)]
TOKENS_ONLY = {"openchat", "together-parquet"}


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory, chat: Callable[..., Any], dump: Callable[..., Path]) -> Path:
    """Thirty conversations of two exchanges each, every second with a system message."""
    folder = tmp_path_factory.mktemp("rows")
    records = []
    for number, sentence in enumerate(SENTENCES):
        record = chat(f"Ask {number}", f"{sentence} First.", f"More of {number}?", f"{sentence} Second.", model="gpt-4")
        if number % 2:
            record["conversations"].insert(0, {"from": "system", "value": f"Be kind {number}."})
        records.append(record)
    curate.ingest([dump(folder / "d.json", records)], folder / "ws", quiet=True)
    curate.label(folder / "ws", quiet=True)
    curate.clean(folder / "ws", quiet=True)
    curate.dedup(folder / "ws", threshold=0.99, quiet=True)
    return folder / "ws"


@pytest.mark.parametrize("format", known_formats())
def test_every_format(format: str, ws: Path, tmp_path: Path) -> None:
    needs = import_module(f"curate.export.formats.{format.replace('-', '_')}").NEEDS_TOKENIZER
    tokenizer = {"tokenizer": str(vocabulary(tmp_path))} if needs else {}
    curate.export(ws, tmp_path / "out", format=format, quiet=True, **tokenizer)
    for key in (4, 7):
        found = curate.show(ws, key).exports[-1]
        if format in TOKENS_ONLY:
            assert (found.state, found.rows) == ("cannot tell", ())
            decided = [(one.turn, one.condition) for one in found.responses]
            assert decided == [(1 + key % 2, "GPT4"), (3 + key % 2, "GPT4")]
            continue
        assert found.state == "there"
        for row in found.rows:
            text = whole_row(tmp_path / "out" / row.file, row.row)
            assert row.id is None or row.id.endswith(f"-{key}") or f"-{key}:" in row.id
            assert needs or SENTENCES[key] in text
            assert {weight.turn for weight in row.weights} <= {1 + key % 2, 3 + key % 2}
        assert needs or any(row.weights for row in found.rows) or format == "llama-factory"


def test_a_conversation_in_several_windows_is_found_in_all_of_them(ws: Path, tmp_path: Path) -> None:
    options = {"max_length": 40, "truncate": "split"}
    curate.export(ws, tmp_path / "out", tokenizer=str(vocabulary(tmp_path)), quiet=True, **options)
    rows = curate.show(ws, 4).exports[-1].rows
    assert sorted((row.id or "").rpartition("-")[2] for row in rows) == ["4", "4/2"]


def test_both_sides_of_a_split_are_looked_through(ws: Path, tmp_path: Path) -> None:
    curate.export(ws, tmp_path / "out", validation=0.3, quiet=True)
    held_out = pl.read_parquet(tmp_path / "out" / "validation" / "data" / "*.parquet", columns=["id"])["id"]
    out = {int(name.rpartition("-")[2]) for name in held_out}
    some = [*sorted(out)[:3], *sorted(set(range(30)) - out)[:3]]
    sides = {key: curate.show(ws, key).exports[-1].rows[0].file.split("/")[0] for key in some}
    assert sides == {key: "validation" if key in out else "data" for key in some}
    held = json.loads((tmp_path / "out" / "manifest.json").read_text())["policy"]["shape"]["validation"]
    assert held == 0.3


def test_who_was_not_drawn_is_said_so(ws: Path, tmp_path: Path) -> None:
    rules = tmp_path / "weights.toml"
    shipped = (Path(curate.__file__).parents[1] / "rules" / "weights.toml").read_text("utf-8")
    rules.write_text(shipped.replace("gpt-4 = 1.0", "gpt-4 = 0.4").replace('"gpt-4" = 1.0', '"gpt-4" = 0.4'), "utf-8")
    curate.export(
        ws, tmp_path / "out", format="openai-jsonl", emulate_weights="resample", weights=str(rules), quiet=True
    )
    drawn = len((tmp_path / "out" / "train.jsonl").read_text("utf-8").splitlines())
    assert drawn < 30
    found = [curate.show(ws, key).exports[-1] for key in range(8)]
    assert {len(one.rows) for one in found if one.state == "there"} == {1}
    assert {one.state for one in found} == {"there", "left out"}
    assert all("drawn by weight" in (one.note or "") for one in found if one.state == "left out")


def test_another_key_that_begins_alike_is_another(ws: Path, tmp_path: Path) -> None:
    curate.export(ws, tmp_path / "out", quiet=True)
    hash_ = curate.show(ws, 2).content_hash
    files = [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out" / "data").glob("*")]
    assert [row.id for row in find(tmp_path / "out", files, 2, hash_, []) or []] == [f"{hash_}-2"]
    assert find(tmp_path / "out", files, 20, hash_, []) == []


def test_a_manifest_leads_to_no_file_outside_of_its_folder(ws: Path, tmp_path: Path) -> None:
    curate.export(ws, tmp_path / "out", quiet=True)
    (file,) = (tmp_path / "out" / "data").glob("*.parquet")
    outside = tmp_path / "outside.parquet"
    outside.write_bytes(file.read_bytes())
    (tmp_path / "out" / "link.parquet").symlink_to(outside)
    hash_ = curate.show(ws, 2).content_hash
    assert find(tmp_path / "out", ["../outside.parquet", str(outside), "link.parquet"], 2, hash_, []) == []


def whole_row(path: Path, place: int) -> str:
    if path.suffix == ".jsonl":
        return path.read_text("utf-8").splitlines()[place]
    return json.dumps(pq.read_table(path).slice(place, 1).to_pylist(), default=str)


def vocabulary(folder: Path) -> Path:
    """A tokenizer of words with the special tokens of OpenChat."""
    tokenizers = pytest.importorskip("tokenizers")
    special = ["<s>", "<unk>", "<|end_of_turn|>"]
    words = {word: number for number, word in enumerate([*special, *(f"w{number}" for number in range(50))])}
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    backend.add_special_tokens(special)
    place = folder / "tokenizer"
    place.mkdir()
    backend.save(str(place / "tokenizer.json"))
    return place
