"""One changed byte anywhere in a workspace is found, its file named, and what is said to do brings back the bytes."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from scenes import STAGES, Zygote, copied, files

import curate
from curate.doctor import PROBLEM
from curate.errors import CurateError
from curate.schema import TABLES


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def problems(workspace: Path) -> dict[str, str | None]:
    return {check.name: check.hint for check in curate.doctor(workspace).checks if check.status == PROBLEM}


@pytest.mark.parametrize("table", ["flags", "labels", "tasks", "signatures", "duplicates", "scores"])
def test_a_changed_byte_in_a_table_is_found_named_and_redone(
    finished: Path, zygote: Zygote, tmp_path: Path, table: str
) -> None:
    folder, whole = copied(finished, tmp_path)
    shard = folder / "ws" / table / "part-00001.parquet"
    stage = TABLES[table].stage.split()[0]
    for place in random.Random(table).sample(range(shard.stat().st_size), 3):
        flip(shard, place)
        found = problems(folder / "ws")
        assert next(iter(found)) == f"{table}/part-00001.parquet"
        assert all(name.startswith(table) for name in found), "and no other is blamed"
        hint = f"delete it and run `curate {TABLES[table].stage}` again"
        assert str(found[f"{table}/part-00001.parquet"]).startswith(hint)
        shard.unlink()
        end = zygote.run(STAGES[stage], folder)
        assert end.code == 0, end.stderr
        assert files(folder) == whole, place


@pytest.mark.parametrize("table", ["conversations", "rejects"])
def test_a_changed_byte_in_what_was_ingested_is_put_back_from_another_ingest(
    finished: Path, zygote: Zygote, tmp_path: Path, table: str
) -> None:
    folder, whole = copied(finished, tmp_path)
    shard = folder / "ws" / table / "part-00001.parquet"
    flip(shard, shard.stat().st_size // 2)
    found = problems(folder / "ws")
    assert f"{table}/part-00001.parquet" in found
    assert "copy this shard from there" in str(found[f"{table}/part-00001.parquet"])
    assert zygote.run([*STAGES["ingest"][:-2], "new", "-q"], folder).code == 0
    shutil.copy(folder / "new" / table / shard.name, shard)
    shutil.rmtree(folder / "new")
    assert files(folder) == whole
    assert problems(folder / "ws") == {}


def test_a_changed_byte_in_an_export_is_found_and_the_export_made_again(
    finished: Path, zygote: Zygote, tmp_path: Path
) -> None:
    folder, whole = copied(finished, tmp_path)
    names = sorted(name for name in whole if name.startswith("shards/"))
    assert len(names) >= 4
    for name in names:
        inside = whole[name].index(b'"sha256"') + 12 if name == "shards/manifest.json" else len(whole[name]) // 2
        flip(folder / name, inside)
        try:
            found = curate.verify(folder / "shards")
            said = str([finding for finding in found.findings if finding.severity == "error"])
        except CurateError as error:
            said = str(error)
        # A changed digest in the manifest is told of the file that it is of.
        assert name.removeprefix("shards/") in said or (said != "[]" and name.endswith("manifest.json")), name
        shutil.rmtree(folder / "shards")
        assert zygote.run(STAGES["export"], folder).code == 0
        assert files(folder) == whole


def test_a_changed_byte_in_the_manifest_is_never_believed(finished: Path, zygote: Zygote, tmp_path: Path) -> None:
    """It is text that people may read; what stages rely on in it has a shape, or is counted against the tables."""
    folder = tmp_path / "scene"
    shutil.copytree(finished, folder)
    manifest = folder / "ws" / "manifest.json"
    text = manifest.read_bytes()
    for place in (0, text.index(b'"stages"') + 1, text.index(b'"conversations":') + len(b'"conversations": ')):
        flip(manifest, place)
        assert problems(folder / "ws"), text[place - 20 : place + 20]
        manifest.write_bytes(text)
    assert problems(folder / "ws") == {}
