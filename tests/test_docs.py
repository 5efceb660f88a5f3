"""The pages in docs/ say what the code does: generated ones are up to date, examples run."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import orjson
import pytest
import typer

import curate
from curate import cli, rules
from curate.errors import CurateError
from curate.judge import rubric

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SOURCE = re.compile(r"^```(\w+)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = {place: text for _, place, text in SOURCE.findall((DOCS / "extend.md").read_text("utf-8"))}


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["cli.md", "formats.md", "schema.md"])
def test_a_generated_page_is_up_to_date(page: str, generator: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(cli.app, "rich_markup_mode", None)
    assert (DOCS / page).read_text("utf-8") == generator.PAGES[page](), "run python docs/generate.py"


def test_the_readme_names_every_command() -> None:
    rows = [line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if line.startswith("|")]
    if not rows:
        pytest.skip("the README has no table yet")
    named = set(re.findall(r"`(?:curate )?([a-z]+)\b[^`]*`", "\n".join(row.split("|")[1] for row in rows)))
    commands = set(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]
    assert commands <= named


def test_every_relative_link_leads_somewhere() -> None:
    for page in (*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "sample_data" / "README.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.fixture
def dolly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example's module stands among the input formats; the folder of the others is not looked at."""
    package = importlib.import_module("curate.ingest.formats")
    monkeypatch.setattr(package, "__path__", [str(tmp_path)])
    monkeypatch.setattr(package, "__file__", str(tmp_path / "__init__.py"))
    (tmp_path / "dolly.py").write_text(EXAMPLES["curate/ingest/formats/dolly.py"], "utf-8")
    package.names.cache_clear()
    package.load.cache_clear()
    yield
    package.names.cache_clear()
    package.load.cache_clear()
    del sys.modules["curate.ingest.formats.dolly"]


@pytest.mark.usefixtures("dolly")
def test_an_input_format_is_one_file(tmp_path: Path) -> None:
    record = {"instruction": "Which river?", "context": "We are in Bonn.", "response": "The Rhine.", "category": "qa"}
    (tmp_path / "dump.jsonl").write_bytes(orjson.dumps(record) + b"\n" + orjson.dumps({**record, "response": None}))

    result = curate.ingest([tmp_path / "dump.jsonl"], tmp_path / "ws", quiet=True)

    assert result.rejects == {"bad_message": 1}
    (row,) = curate.Workspace(tmp_path / "ws").read("conversations", 0).to_dicts()
    assert (row["model"], row["task"]) == ("human", "qa")
    assert [message["content"] for message in row["messages"]] == ["We are in Bonn.\n\nWhich river?", "The Rhine."]


def test_an_input_format_may_lie_anywhere(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(EXAMPLES["curate/ingest/formats/dolly.py"], "utf-8")
    record = {"instruction": "Which river?", "context": "", "response": "The Rhine.", "category": "qa"}
    (tmp_path / "dump.jsonl").write_bytes(orjson.dumps(record))
    curate.ingest([tmp_path / "dump.jsonl"], tmp_path / "ws", format=str(tmp_path / "mine.py"), quiet=True)
    assert curate.Workspace(tmp_path / "ws").read("conversations", 0)["task"].to_list() == ["qa"]
    with pytest.raises(CurateError, match="no such file"):
        curate.ingest([tmp_path / "dump.jsonl"], tmp_path / "ws2", format="./none.py", quiet=True)
    (tmp_path / "bad.py").write_text("x = 1\n")
    with pytest.raises(CurateError, match="has no `matches`"):
        curate.ingest([tmp_path / "dump.jsonl"], tmp_path / "ws2", format=str(tmp_path / "bad.py"), quiet=True)


def test_an_export_format_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "last_turn.py").write_text(EXAMPLES["curate/export/formats/last_turn.py"], "utf-8")
    monkeypatch.setattr(importlib.import_module("curate.export"), "__file__", str(tmp_path / "__init__.py"))
    formats = importlib.import_module("curate.export.formats")
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path / "formats")])
    turns = [{"role": "user", "content": "Two and two?"}, {"role": "assistant", "content": "Four."}]
    (tmp_path / "dump.jsonl").write_bytes(orjson.dumps({"model": "gpt-4", "messages": turns}))
    curate.ingest([tmp_path / "dump.jsonl"], tmp_path / "ws", quiet=True)
    curate.label(tmp_path / "ws", quiet=True)

    curate.export(tmp_path / "ws", tmp_path / "out", format="last-turn", quiet=True)

    del sys.modules["curate.export.formats.last_turn"]
    row = orjson.loads((tmp_path / "out" / "train.jsonl").read_bytes())
    assert row["response"]["content"] == "Four."
    assert row["condition"] == "GPT4"
    assert [message["role"] for message in row["prompt"]] == ["user"]


@pytest.mark.parametrize("kind", ["labels", "clean", "defects"])
def test_a_rule_is_one_block(kind: str, tmp_path: Path) -> None:
    shipped = rules.locate(f"{kind}.toml").read_text("utf-8")
    (tmp_path / "more.toml").write_text(f"{shipped}\n{EXAMPLES[kind]}", "utf-8")
    assert rules.check(str(tmp_path / "more.toml")).rules == len(rules.load(f"{kind}.toml", kind).rules) + 1


def test_a_rubric_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "brief.toml").write_text(EXAMPLES["rules/rubrics/brief.toml"], "utf-8")
    assert rubric.load(str(tmp_path / "brief.toml")).title == "brief@1"


def test_the_rules_of_the_rules_page_hold(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (DOCS / "rules.md").read_text("utf-8"), re.DOTALL)
    for name, block in zip(("only_greeting", "only_thanks"), blocks, strict=True):
        (tmp_path / "mine.toml").write_text(block, "utf-8")
        assert [rule.name for rule in rules.load(str(tmp_path / "mine.toml"), "clean").rules] == [name]


def test_the_policies_of_the_weights_page_hold(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (DOCS / "weights.md").read_text("utf-8"), re.DOTALL)
    for kind, block in zip(("weights", "conditions"), blocks, strict=True):
        (tmp_path / "mine.toml").write_text(block, "utf-8")
        checked = rules.check(str(tmp_path / "mine.toml"))
        assert (checked.kind, checked.cases) == (kind, 2 * checked.rules)
