"""The card says where rows came from and what they weigh, for people and for loaders; nothing in it lives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curate.errors import CurateError
from curate.export import export, shuffle

from .vocabularies import mistral
from .workspaces import conversation, make, talk

ROWS = [
    conversation(
        talk(f"Question {n}", f"Answer {n}"),
        **{"class": ("gpt-4", "gpt-3.5")[n % 2], "reward": n % 10 / 10, "source": ("one", "two")[n % 2]},
    )
    for n in range(300)
]


def test_the_card_has_funnel_weights_scores_and_licences(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", ROWS, shard=100, judge="grader").path
    out = export(ws, tmp_path / "out", licences={"one": "cc-by-4.0"}, weighting="judge", quiet=True).out
    card = (out / "README.md").read_text("utf-8")
    head, body = card.removeprefix("---\n").split("\n---\n", 1)
    assert "path: data/train-*.parquet" in head
    assert head.endswith("license: other")
    for title in ("Funnel", "Weights", "Scores", "Sources and licences"):
        assert f"\n## {title}\n" in body
    assert "| one | 150 | cc-by-4.0 |" in body
    assert "| two | 150 | not stated |" in body
    assert "exp((r - 1)/0.4343)" in body
    assert "reward by class, judge: grader" in body
    assert "█" in body
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["licences"] == {"one": "cc-by-4.0"}
    assert {"README.md", "croissant.json"} < set(manifest["files"])


@pytest.mark.parametrize("format", ["openchat", "openchat-jsonl"])
def test_other_formats_have_a_card_too(tmp_path: Path, format: str) -> None:
    tokenizer = str(mistral(tmp_path / "vocabulary")) if format == "openchat" else None
    ws = make(tmp_path / "ws", ROWS[:8]).path
    every = {"one": "mit", "two": "mit"}
    result = export(ws, tmp_path / "out", format=format, tokenizer=tokenizer, epochs=2, licences=every, quiet=True)
    card = (result.out / "README.md").read_text("utf-8")
    assert f"path: train.0.{'parquet' if tokenizer else 'jsonl'}\n" in card
    assert "\nlicense: mit\n---\n" in card
    assert (result.out / "croissant.json").exists() == (format == "openchat")


@pytest.mark.filterwarnings("ignore")
def test_croissant_is_valid_and_its_records_are_those_of_the_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    croissant = pytest.importorskip("mlcroissant", reason="pip install mlcroissant==1.1.1")
    monkeypatch.setattr(shuffle, "PART_BYTES", 10_000)
    result = export(make(tmp_path / "ws", ROWS).path, tmp_path / "out", weighting="coarse", quiet=True)
    out = result.out
    assert len(list((out / "data").iterdir())) > 1
    found = croissant.Dataset(jsonld=str(out / "croissant.json"))
    assert not found.metadata.issues.errors
    (records,) = found.metadata.record_sets
    rows = list(found.records(records.id))
    assert len(rows) == result.rows == len(ROWS)
    assert {row[f"{records.id}/condition"] for row in rows} == {b"GPT4", b"GPT3"}
    sums = {file.id: file.sha256 for file in found.metadata.distribution if getattr(file, "sha256", None)}
    files = json.loads((out / "manifest.json").read_text())["files"]
    assert sums == {name: entry["sha256"] for name, entry in files.items() if name.endswith(".parquet")}


def test_text_from_data_is_inert_in_the_card(tmp_path: Path) -> None:
    odd = "a|b<script>`x` ![y](http://z)\n---\nlicense: mit\x1b[31m"
    ws = make(tmp_path / "ws", [conversation(talk("Hi", "Hello"), source=odd, **{"class": "gpt-4"})]).path
    card = (export(ws, tmp_path / "out", quiet=True).out / "README.md").read_text("utf-8")
    assert "<script>" not in card
    assert "![y]" not in card
    assert "\x1b" not in card
    assert "\nlicense: mit" not in card


def test_a_licence_that_would_break_the_head_is_refused(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", ROWS[:2]).path
    with pytest.raises(CurateError, match="no licence identifier"):
        export(ws, tmp_path / "out", licences={"one": "mit\nx: y"}, quiet=True)
    assert not (tmp_path / "out").exists()
