"""The sample data is what its README says, and its generator makes it again."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import curate

if TYPE_CHECKING:
    from curate.report.funnel import Funnel

SAMPLE = Path(__file__).parents[1] / "sample_data"
README = (SAMPLE / "README.md").read_text("utf-8")
# What the generator does not write.
BY_HAND = {".py", ".toml", ".md", ".pyc"}
ROWS = re.findall(r"^\| `([^`]+)` \|(.*)\|$", README, re.MULTILINE)
# Rules without a conversation here, and why.
LEFT_OUT = {"very_long": "a conversation of 200,000 characters would weigh more than all the others together"}
# What a page leaves in the text of a conversation.
MARKS = r"<div|Share Prompt|Copy code|SubmitCancel|\d / \d$| words$|\u200b"


def made(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in BY_HAND)
    return sorted(str(path.relative_to(folder)) for path in files)


def content(path: Path) -> object:
    """What is inside: another version of zlib, zstd or Parquet may pack it otherwise."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        with pa.CompressedInputStream(str(path), "zstd") as stream:
            return bytes(stream.read())
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return [(item.filename, item.date_time, archive.read(item)) for item in archive.infolist()]
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return table.schema, table.to_pylist()
    return path.read_bytes()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sample") / "ws"


@pytest.fixture(scope="module")
def funnel(workspace: Path) -> Funnel:
    return curate.run([SAMPLE], workspace, workspace.parent / "shards", quiet=True).funnel


@pytest.fixture(scope="module")
def conversations(funnel: Funnel, workspace: Path) -> pl.DataFrame:
    return curate.Workspace(workspace).scan("conversations").collect()


def test_the_generator_makes_the_committed_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-B", str(SAMPLE / "make.py"), str(tmp_path)], check=True)
    assert made(tmp_path) == made(SAMPLE)
    for name in made(tmp_path):
        assert content(tmp_path / name) == content(SAMPLE / name), name


def test_the_samples_stay_small() -> None:
    assert sum((SAMPLE / name).stat().st_size for name in made(SAMPLE)) < 400_000


def test_the_readme_tells_what_curate_finds(funnel: Funnel) -> None:
    found = [
        f"| {step.name} | {step.count} | {', '.join(f'{count} {name}' for name, count in step.reasons.items())} |"
        for step in funnel.steps
    ]
    told = README.split("|---|---:|---|\n", 1)[1].splitlines()
    assert told == found
    assert funnel.balanced


def test_the_readme_names_every_file_and_curate_reads_no_other(funnel: Funnel, workspace: Path) -> None:
    assert sorted(name for name, _ in ROWS) == made(SAMPLE)
    (ingest,) = curate.Workspace(workspace).manifest["stages"]["ingest"]
    read = [*(entry["file"] for entry in ingest["files"]), *ingest["prompts"]]
    assert sorted(path.removesuffix("/conversations.json") for path in read) == [
        str(SAMPLE / name) for name in made(SAMPLE)
    ]
    assert ingest["skipped"] == {}


@pytest.mark.parametrize(("file", "cells"), ROWS, ids=[name for name, _ in ROWS])
def test_the_readme_counts_every_file(
    file: str, cells: str, funnel: Funnel, workspace: Path, conversations: pl.DataFrame
) -> None:
    told = [int(cell) for cell in cells.split("|")[1:5]]
    ws = curate.Workspace(workspace)
    ours = conversations.filter(pl.col("source_file").str.starts_with(str(SAMPLE / file)))
    rejects = ws.scan("rejects").collect().filter(source_file=str(SAMPLE / file))
    rows = {*ours["source_row"], *ours["joined_rows"].explode().drop_nulls(), *rejects["source_row"]}
    responses = ws.scan("labels").collect().join(ours, on="key", how="semi").height
    assert told == [len(rows), len(ours), len(rejects), responses]


def test_every_cleaning_rule_finds_something(funnel: Funnel) -> None:
    (flagged,) = (step.reasons for step in funnel.steps if step.name == "flagged")
    clean = tomllib.loads((SAMPLE.parent / "rules" / "clean.toml").read_text("utf-8"))["rule"]
    assert {rule["name"] for rule in clean} - flagged.keys() == LEFT_OUT.keys()


def test_every_class_of_duplicate_and_of_response_turns_up(funnel: Funnel) -> None:
    found = {name for step in funnel.steps for name in step.reasons}
    assert {"exact", "near", "gpt-4", "gpt-3.5", "human", "unknown", "tool_call"} <= found


def test_pages_come_out_as_markdown_without_buttons(conversations: pl.DataFrame) -> None:
    texts = [turn["content"] for turns in conversations["messages"] for turn in turns]
    left = [text for text in texts if re.search(MARKS, text)]
    assert set(left) <= {"Copy code", "2 / 2"}, "where a button is the whole answer, a rule flags it"
    edits = set(conversations["edits"].explode().drop_nulls())
    assert {"html", "counter", "share_prompt", "edit_buttons", "copy_code", "char_count", "zero_width"} <= edits
    pages = conversations.filter(pl.col("edits").list.contains("html"), source="sharegpt")
    for turns in pages["messages"]:
        assert re.search(r"\n\n1\. .*\n2\. .*\*\*Python\*\*.*\n3\. .*`", turns[1]["content"])
        assert turns[1]["content"].startswith("```python\ndef ") or "\n\n\ndef " in turns[1]["content"]


def test_a_page_is_known_again_in_the_dump_that_has_its_text(workspace: Path, conversations: pl.DataFrame) -> None:
    copies = conversations.filter(pl.col("edits").list.contains("html"), source="sharegpt_cut")
    kinds = copies.join(curate.Workspace(workspace).scan("duplicates").collect(), on="key")["kind"]
    assert kinds.to_list() == ["exact"] * 3


def test_fragments_are_whole_again(conversations: pl.DataFrame) -> None:
    joined = conversations.filter(pl.col("joined_rows").list.len() > 0)
    assert sorted(len(turns) for turns in joined["messages"]) == [10, 10, 12]
    for turns in joined["messages"]:
        assert [turn["role"] for turn in turns] == ["user", "assistant"] * (len(turns) // 2)


def test_of_two_copies_the_expert_stays(workspace: Path, conversations: pl.DataFrame) -> None:
    copies = conversations.filter(source="sharegpt").sort("source_row").head(16)
    keepers = copies.join(curate.Workspace(workspace).scan("duplicates").collect(), on="key")["removed_by"]
    assert keepers.null_count() == 0
    kept = conversations.filter(conversations["key"].is_in(keepers.implode()))
    assert set(kept["model"]) == {"Model: GPT-4"}


def test_the_hasty_class_is_more_often_broken(funnel: Funnel, workspace: Path) -> None:
    means = {group.name: group.mean for group in curate.hist(workspace).groups}
    assert means["gpt-4"] is not None
    assert means["gpt-3.5"] is not None
    assert means["gpt-4"] > 0.95
    assert 0.7 < means["gpt-3.5"] < 0.95


def test_a_date_and_two_claims_speak_against_labels(funnel: Funnel, workspace: Path) -> None:
    labels = curate.Workspace(workspace).scan("labels").collect()
    against = labels.explode("conflicts", empty_as_null=False, keep_nulls=False).with_columns(
        kind=pl.col("conflicts").str.extract(r"^(\w+)")
    )
    found = sorted(against.select("kind", "class").iter_rows())
    assert found == [("claim", "gpt-4"), ("claim_alone", None), ("impossible", None)]


def test_personal_data_is_there_to_be_redacted(tmp_path: Path) -> None:
    curate.ingest([SAMPLE / "api_log.jsonl.gz"], tmp_path / "ws", quiet=True)
    assert {"email", "phone", "bank_number", "secret"} <= curate.clean(tmp_path / "ws", quiet=True).rules.keys()
    redacted = curate.clean(tmp_path / "ws", redact=True, quiet=True)
    assert redacted.redacted == {"email": 2, "phone": 2, "iban": 2, "secret": 1}
    assert redacted.rules.keys().isdisjoint({"email", "phone", "bank_number", "secret"})


@pytest.mark.parametrize("item", tomllib.loads((SAMPLE / "functions.toml").read_text("utf-8"))["function"])
def test_the_careful_code_is_right_and_the_hasty_is_not(item: dict[str, str]) -> None:
    names: dict[str, object] = {}
    exec(item["code"], names)
    assert repr(eval(item["call"], names)) == item["result"]
    exec(item["broken"], names := {})
    assert repr(eval(item["call"], names)) != item["result"]
