"""A workspace of another version of curate is opened, or refused with the way on; it is never misread."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import curate
from curate.cli import app
from curate.errors import WorkspaceError
from curate.schema import SCHEMA_VERSION
from curate.seal import sealed
from curate.workspace import Workspace


@pytest.fixture
def ws(tmp_path: Path, dump: Callable[..., Path], chat: Callable[..., Any]) -> Workspace:
    path = dump(tmp_path / "dump.json", [chat("Hi", "Hello!", model="gpt-4"), chat("Bye", "So long.", model="gpt-4")])
    curate.ingest([path], tmp_path / "ws", quiet=True)
    curate.label(tmp_path / "ws", quiet=True)
    return Workspace(tmp_path / "ws")


def of_version(ws: Workspace, version: object) -> None:
    """Rewrite the manifest as a curate of that version would have left it."""
    (ws.path / "manifest.json").write_text(json.dumps(sealed({**ws.manifest, "schema": version})))


def older(ws: Workspace, table: str, *without: str) -> None:
    """Rewrite a shard as a version of curate left it that did not know these columns."""
    path = ws.shard(table, 0)
    whole = pq.read_table(path)
    pq.write_table(whole.drop_columns(list(without)), path)
    ws.digest_file(table, 0).unlink()


def refused(ws: Workspace) -> WorkspaceError:
    with pytest.raises(WorkspaceError) as caught:
        Workspace(ws.path)
    for command in ("clean", "label", "dedup", "score", "export"):
        more = {"out": ws.path.parent / "out"} if command == "export" else {}
        with pytest.raises(WorkspaceError):
            getattr(curate, command)(ws.path, quiet=True, **more)
    with pytest.raises(WorkspaceError):
        curate.ingest([ws.path.parent / "dump.json"], ws.path, quiet=True)
    return caught.value


@pytest.mark.parametrize("version", [*range(SCHEMA_VERSION), SCHEMA_VERSION + 1, None, "3", 3.5])
def test_another_schema_version_is_refused_by_every_command(ws: Workspace, version: object) -> None:
    of_version(ws, version)
    before = {path: path.read_bytes() for path in ws.path.rglob("part-*")}
    error = refused(ws)
    assert f"schema version {version}" in error.what
    assert "ingest" in str(error.hint)
    assert {path: path.read_bytes() for path in ws.path.rglob("part-*")} == before


@pytest.mark.parametrize("with_manifest", [True, False])
def test_conversations_with_other_columns_are_refused_even_without_a_manifest(
    ws: Workspace, with_manifest: bool
) -> None:
    older(ws, "conversations", "joined_rows", "rank")
    if not with_manifest:
        (ws.path / "manifest.json").unlink()
    error = refused(ws)
    assert "another version of curate" in error.what
    assert "judgements.sqlite" in str(error.hint)


def test_a_table_with_other_columns_is_told_and_made_again_by_its_stage(ws: Workspace) -> None:
    whole = ws.read("labels", 0)
    older(ws, "labels", "evidence")
    out = ws.path.parent / "out"
    for use in (lambda: ws.read("labels", 0), lambda: ws.scan("labels"), lambda: curate.export(ws.path, out)):
        with pytest.raises(WorkspaceError, match="another version of curate") as caught:
            use()
        assert caught.value.hint == "run `curate label` again"
    curate.label(ws.path, quiet=True)
    assert ws.read("labels", 0).equals(whole)


def test_a_table_of_the_same_columns_but_without_a_stamp_is_made_again(ws: Workspace) -> None:
    whole = ws.shard("labels", 0).read_bytes()
    pq.write_table(pq.read_table(ws.shard("labels", 0)).replace_schema_metadata(None), ws.shard("labels", 0))
    curate.label(ws.path, quiet=True)
    assert ws.shard("labels", 0).read_bytes() == whole


def test_the_doctor_says_what_is_wrong_with_an_old_workspace(ws: Workspace) -> None:
    of_version(ws, SCHEMA_VERSION - 1)
    done = CliRunner().invoke(app, ["doctor", "-w", str(ws.path)])
    assert f"schema version {SCHEMA_VERSION - 1}" in done.output
    assert "ingest the dumps into a new workspace" in done.output
