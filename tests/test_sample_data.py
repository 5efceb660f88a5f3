"""The sample data is what its README says, and its generator makes it again."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

import curate

if TYPE_CHECKING:
    from curate.report.funnel import Funnel

SAMPLE = Path(__file__).parents[1] / "sample_data"
README = (SAMPLE / "README.md").read_text("utf-8")
FILES = ("sharegpt.json", "sharegpt_cut.json", "api_log.jsonl.gz", "alpaca.jsonl.zst")


def content(path: Path) -> bytes:
    """The bytes inside: another version of zlib or zstd may pack them otherwise."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        with pa.CompressedInputStream(str(path), "zstd") as stream:
            return bytes(stream.read())
    return path.read_bytes()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sample") / "ws"


@pytest.fixture(scope="module")
def funnel(workspace: Path) -> Funnel:
    return curate.run([SAMPLE], workspace, workspace.parent / "shards", quiet=True).funnel


def test_the_generator_makes_the_committed_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-B", str(SAMPLE / "make.py"), str(tmp_path)], check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    for name in FILES:
        assert content(tmp_path / name) == content(SAMPLE / name), name


def test_the_readme_tells_what_curate_finds(funnel: Funnel) -> None:
    found = [
        f"| {step.name} | {step.count} | {', '.join(f'{count} {name}' for name, count in step.reasons.items())} |"
        for step in funnel.steps
    ]
    told = README.split("|---|---:|---|\n", 1)[1].splitlines()
    assert told == found
    assert funnel.balanced


@pytest.mark.parametrize("file", FILES)
def test_the_readme_counts_every_file(file: str, funnel: Funnel, workspace: Path) -> None:
    (row,) = re.findall(rf"^\| `{re.escape(file)}` \|.*", README, re.MULTILINE)
    records, conversations, rejected, responses = (int(cell) for cell in row.split("|")[3:7])
    ws = curate.Workspace(workspace)
    keys = ws.scan("conversations").collect().filter(source_file=str(SAMPLE / file))["key"]
    assert len(keys) == conversations
    assert ws.scan("rejects").collect().filter(source_file=str(SAMPLE / file)).height == rejected
    assert records == conversations + rejected
    assert ws.scan("labels").collect()["key"].is_in(keys.implode()).sum() == responses


def test_every_cleaning_rule_and_most_defects_turn_up(funnel: Funnel) -> None:
    found = {name for step in funnel.steps for name in step.reasons}
    clean = tomllib.loads((SAMPLE.parent / "rules" / "clean.toml").read_text("utf-8"))["rule"]
    assert {rule["name"] for rule in clean} <= found
    assert {"exact", "near", "gpt-4", "gpt-3.5", "human", "unknown", "tool_call"} <= found


def test_of_two_copies_the_expert_stays(funnel: Funnel, workspace: Path) -> None:
    ws = curate.Workspace(workspace)
    conversations = ws.scan("conversations").collect()
    copies = conversations.filter(source="sharegpt").sort("source_row").head(16)
    keepers = copies.join(ws.scan("duplicates").collect(), on="key")["removed_by"]
    assert keepers.null_count() == 0
    kept = conversations.filter(conversations["key"].is_in(keepers.implode()))
    assert set(kept["model"]) == {"Model: GPT-4"}


def test_the_hasty_class_is_more_often_broken(funnel: Funnel, workspace: Path) -> None:
    means = {group.name: group.mean for group in curate.hist(workspace).groups}
    assert means["gpt-4"] is not None
    assert means["gpt-3.5"] is not None
    assert means["gpt-4"] > 0.95
    assert 0.7 < means["gpt-3.5"] < 0.95


@pytest.mark.parametrize("item", tomllib.loads((SAMPLE / "functions.toml").read_text("utf-8"))["function"])
def test_the_careful_code_is_right_and_the_hasty_is_not(item: dict[str, str]) -> None:
    names: dict[str, object] = {}
    exec(item["code"], names)
    assert repr(eval(item["call"], names)) == item["result"]
    exec(item["broken"], names := {})
    assert repr(eval(item["call"], names)) != item["result"]
