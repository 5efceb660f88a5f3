"""After `curate clean --redact` nothing that was found leaves the workspace: not to a shard, not to a judge."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import curate
from curate import redact
from curate.cli import app
from curate.errors import WorkspaceError
from curate.explain import try_rules
from curate.judge.sample import kept_conversations
from curate.schema import TABLES
from curate.workspace import Workspace, fingerprint

PIECES = (
    "ada.l@fernmail.org",
    "+44 20 8366 1177",
    "(212) 736-5000",
    "4539 1488 0343 6467",
    "GB98MIDL07009312345678",
    "AIza" + "SyD9f3kLq2mXv8RtB7wYc4uNh6jPe1sGaZoKi"[:35],
)
NOISE = ("Hello. ", "\n", " ", "é", "茶 ", "[EMAIL]", "x", "{} ", "\\n", '"')


def talk(*texts: str) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]}


def make(path: Path, *shards: list[dict[str, Any]]) -> Workspace:
    ws = Workspace(path, create=True)
    for index, rows in enumerate(shards):
        write(ws, index, rows)
    return ws


def write(ws: Workspace, index: int, rows: list[dict[str, Any]]) -> None:
    records = [
        {"key": key, "source": "made up", "source_file": "dump.json", "source_row": key, "edits": [], "marks": []}
        | {"joined_rows": [], "content_hash": fingerprint(row)}
        | row
        for key, row in enumerate(rows, 100 * index)
    ]
    table = pa.Table.from_pylist(records, TABLES["conversations"].arrow)
    ws.write("conversations", index, table, {"fingerprint": fingerprint(records)})


def contents(ws: Workspace) -> list[str]:
    return [message["content"] for chat in redact.read(ws, 0)["messages"] for message in chat]


def test_spans_become_placeholders_and_the_rest_stays(tmp_path: Path) -> None:
    said = talk("Ask ada.l@fernmail.org, é, ada.l@fernmail.org", "Or (212) 736-5000!")
    ws = make(tmp_path / "ws", [said, talk("a", "b")])
    before = ws.shard("conversations", 0).read_bytes()
    curate.clean(ws.path, quiet=True, redact=True)
    assert contents(ws) == ["Ask [EMAIL], é, [EMAIL]", "Or [PHONE]!", "a", "b"]
    assert ws.shard("conversations", 0).read_bytes() == before
    assert redact.read(ws, 0).schema == ws.read("conversations", 0).schema


def test_without_redact_nothing_is_replaced(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", [talk("Ask ada.l@fernmail.org", "No.")])
    assert contents(ws)[0] == "Ask ada.l@fernmail.org"
    curate.clean(ws.path, quiet=True, redact=True)
    curate.clean(ws.path, quiet=True, redact=False)
    assert contents(ws)[0] == "Ask ada.l@fernmail.org"


def test_redaction_is_undone_by_no_redact_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ws = make(tmp_path / "ws", [talk("Ask ada.l@fernmail.org", "No.")])
    curate.clean(ws.path)
    assert "redacted" not in capsys.readouterr().err
    curate.clean(ws.path, redact=True)
    assert "as before" not in capsys.readouterr().err
    assert curate.clean(ws.path).redacted == {"email": 1}
    assert "redacted, as before" in capsys.readouterr().err
    assert contents(ws)[0] == "Ask [EMAIL]"
    assert CliRunner().invoke(app, ["clean", "-w", str(ws.path), "--no-redact", "-q"]).exit_code == 0
    assert contents(ws)[0] == "Ask ada.l@fernmail.org"
    assert curate.clean(ws.path, quiet=True).redacted is None, "and that stays too"


def test_a_recipe_asks_for_it(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('schema = 1\nkind = "recipe"\n[ingest]\n[clean]\nredact = true\n[export]\nweighting = "coarse"\n')
    dump = tmp_path / "dump.jsonl"
    said = talk("Is ada.l@fernmail.org the right address for questions?", "Yes, it is the right one.")
    dump.write_text(json.dumps(said | {"model": "gpt-4"}) + "\n")
    curate.run([dump], tmp_path / "ws", tmp_path / "out", recipe=str(recipe), quiet=True)
    assert contents(Workspace(tmp_path / "ws"))[0] == "Is [EMAIL] the right address for questions?"


@pytest.mark.parametrize("asked", [True, False])
def test_an_interrupted_change_of_mind_leaks_nothing(
    tmp_path: Path, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = talk("Ask ada.l@fernmail.org", "No.")
    ws = make(tmp_path / "ws", [row], [row])
    curate.clean(ws.path, quiet=True, redact=not asked)
    cleaning = Workspace.write

    def interrupted(self: Workspace, table: str, index: int, *rest: Any) -> None:
        if index:
            raise KeyboardInterrupt
        cleaning(self, table, index, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            curate.clean(ws.path, quiet=True, redact=asked)
    for stage in (curate.score, curate.label, partial(curate.export, out=tmp_path / "out")):
        with pytest.raises(WorkspaceError, match="not all conversations are redacted alike") as error:
            stage(ws.path, quiet=True)
        assert error.value.hint == "run `curate clean --redact` again"
    assert not list(tmp_path.glob("out/**/*.parquet"))
    assert curate.clean(ws.path, quiet=True).redacted == {"email": 2}, "in doubt it is redacted"
    assert contents(ws)[0] == "Ask [EMAIL]"


def test_names_ids_and_all_of_a_tool_call_are_redacted(tmp_path: Path) -> None:
    row = talk("Send it to my boss.", "", "Ring 030 25002333", "Telefon: 030 25002333")
    row["messages"][0]["name"] = "ada.l@fernmail.org"
    told = [{"function": {"name": "send", "arguments": '{"to":"bob.k@fernmail.org","body":"x\\ncall 2125558765"}'}}]
    row["messages"][1]["tool_calls"] = json.dumps(told)
    ws = make(
        tmp_path / "ws",
        [row | {"source_id": "030 25002333"}, talk("a", "b") | {"source_id": "https://x.org/?of=ada.l@fernmail.org"}],
    )
    curate.clean(ws.path, quiet=True, redact=True)
    shown = redact.read(ws, 0)
    said = shown["messages"][0]
    assert said[0]["name"] == "[EMAIL]"
    assert json.loads(json.loads(said[1]["tool_calls"])[0]["function"]["arguments"])["to"] == "[EMAIL]"
    assert [message["content"] for message in said[2:]] == ["Ring [PHONE]", "Telefon: [PHONE]"]
    assert shown["source_id"].to_list() == ["[PHONE]", "https://x.org/?of=[EMAIL]"]
    assert shown.columns == ws.read("conversations", 0).columns
    assert redact.read(ws, 0, ["key", "messages", "source_id"], source_ids=False)["source_id"][0] == "030 25002333"
    curate.export(ws.path, tmp_path / "out", quiet=True, unlabelled="keep")
    assert not any("fernmail" in exported(file) for file in (tmp_path / "out").rglob("*.parquet"))


def test_a_side_file_names_conversations_by_the_ids_that_they_came_with(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", [talk("Ask ada.l@fernmail.org", "No.") | {"source_id": "ada.l@fernmail.org"}])
    curate.clean(ws.path, quiet=True, redact=True)
    (tmp_path / "ids.csv").write_text("source_id,class\nada.l@fernmail.org,gpt-4\n")
    assert curate.label(ws.path, labels=tmp_path / "ids.csv", quiet=True).classes == {"gpt-4": 1}


def test_rules_are_tried_as_they_would_be_used(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", [talk("Ask ada.l@fernmail.org", "No.")])
    curate.clean(ws.path, quiet=True, redact=True)
    assert try_rules("clean", ws.path, quiet=True).changes == []
    curate.clean(ws.path, quiet=True, redact=False)
    assert try_rules("clean", ws.path, quiet=True).changes == []


def test_a_tool_call_loses_what_was_found_too(tmp_path: Path) -> None:
    row = talk("Mail ada.l@fernmail.org", "Done.")
    row["messages"][1]["tool_calls"] = '{"to": "ada.l@fernmail.org"}'
    ws = make(tmp_path / "ws", [row])
    curate.clean(ws.path, quiet=True, redact=True)
    assert redact.read(ws, 0)["messages"][0][1]["tool_calls"] == '{"to": "[EMAIL]"}'


def test_a_judge_sees_placeholders_and_judges_again_when_they_come(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", [talk("Ask ada.l@fernmail.org", "No.")])
    curate.score(ws.path, quiet=True)
    before = ws.stamp("scores", 0)
    curate.clean(ws.path, quiet=True, redact=True)
    assert "fernmail" not in str(kept_conversations(ws, 0).to_dicts())
    curate.score(ws.path, quiet=True)
    assert ws.stamp("scores", 0) != before


def test_a_shard_that_was_not_cleaned_never_leaves_unredacted(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", [talk("Ask ada.l@fernmail.org", "No.")])
    curate.clean(ws.path, quiet=True, redact=True)
    ws.shard("flags", 0).unlink()
    with pytest.raises(WorkspaceError):
        curate.export(ws.path, tmp_path / "out", quiet=True)
    with pytest.raises(WorkspaceError):
        curate.score(ws.path, quiet=True)


texts = st.lists(st.sampled_from((*PIECES, *NOISE)), min_size=1, max_size=6).map("".join)


@given(st.lists(texts, min_size=2, max_size=4))
@settings(max_examples=10, deadline=None)
@pytest.mark.parametrize("format", ["crlft", "openchat-jsonl"])
def test_nothing_found_is_in_any_exported_file(format: str, said: list[str]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder)
        ws = make(path / "ws", [talk(*said)])
        keep = list(curate.clean(ws.path, quiet=True, redact=True).rules)
        curate.export(ws.path, path / "out", format=format, keep_flagged=keep, quiet=True)
        written = "".join(exported(file) for file in (path / "out").rglob("*") if file.is_file())
        spans = ws.read("flags", 0, ["key", "redact"]).explode("redact", keep_nulls=False, empty_as_null=False)
        for _, span in spans.iter_rows():
            piece = said[span["turn"]][span["begin"] : span["end"]]
            assert piece not in written
            assert json.dumps(piece)[1:-1] not in written
        assert not any(piece in (ws.path / "manifest.json").read_text() for piece in PIECES)


def exported(file: Path) -> str:
    if file.suffix != ".parquet":
        return file.read_text("utf-8")
    return json.dumps(pl.read_parquet(file).to_dicts(), ensure_ascii=False, default=str)
