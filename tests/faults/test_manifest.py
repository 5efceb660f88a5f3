"""Any one byte of a manifest that changes is found, the file is named, and what is said to do brings it back."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from scenes import STAGES, Zygote, copied, files

import curate
from curate import manifest as manifests
from curate.errors import CurateError, WorkspaceError
from curate.export.folder import is_damaged

OTHER = (0x01, 0x02, 0x20, 0x80)


def changed(text: bytes) -> list[bytes]:
    """The text with each of its bytes changed, in a few ways."""
    chance = random.Random(0)
    masks = [OTHER if len(text) < 3_000 else chance.sample(OTHER, 1) for _ in text]
    places = [(place, mask) for place, some in enumerate(masks) for mask in some]
    return [text[:place] + bytes([text[place] ^ mask]) + text[place + 1 :] for place, mask in places]


def says_the_same(text: bytes, other: bytes) -> bool:
    """Whether it is other white space, or another way to write the same number or letter."""
    try:
        return json.loads(text) == json.loads(other) and repr(json.loads(text)) == repr(json.loads(other))
    except ValueError:
        return False


def test_every_changed_byte_of_the_manifest_of_a_workspace_is_found(finished: Path, tmp_path: Path) -> None:
    text = (finished / "ws" / "manifest.json").read_bytes()
    file, same = tmp_path / "manifest.json", 0
    for damaged in changed(text):
        file.write_bytes(damaged)
        if says_the_same(damaged, text):
            same += 1
            continue
        with pytest.raises(WorkspaceError) as caught:
            manifests.read(file)
        assert caught.value.where == str(file)
        assert "put back a copy of it; or delete it" in str(caught.value.hint)
    assert same < len(text) / 100


def test_every_changed_byte_of_the_manifest_of_an_export_is_found(finished: Path, tmp_path: Path) -> None:
    text = (finished / "shards" / "manifest.json").read_bytes()
    file, same = tmp_path / "manifest.json", 0
    for damaged in changed(text):
        file.write_bytes(damaged)
        found = is_damaged(file)
        same += not found
        assert found or says_the_same(damaged, text)
    assert same < len(text) / 100


def test_doctor_names_the_damaged_manifest_and_the_same_commands_without_it_bring_back_its_bytes(
    finished: Path, zygote: Zygote, tmp_path: Path
) -> None:
    folder, whole = copied(finished, tmp_path)
    manifest = folder / "ws" / "manifest.json"
    manifest.write_bytes(whole["ws/manifest.json"].replace(b'"records"', b'"recordz"', 1))
    (problem,) = [check for check in curate.doctor(folder / "ws").checks if check.status == "problem"]
    assert "manifest" in problem.found
    assert "delete it" in str(problem.hint)
    for argv in (["report", "-w", "ws"], STAGES["label"], STAGES["export"]):
        end = zygote.run(argv, folder)
        assert end.code == 2
        assert "manifest.json" in end.stderr
    manifest.unlink()
    for argv in STAGES.values():
        end = zygote.run(argv, folder)
        assert end.code == 0, end.stderr
    assert files(folder) == whole


def test_verify_names_the_damaged_manifest_of_an_export_and_no_export_is_taken_for_the_same(
    finished: Path, zygote: Zygote, tmp_path: Path
) -> None:
    folder, whole = copied(finished, tmp_path)
    manifest = folder / "shards" / "manifest.json"
    text = whole["shards/manifest.json"]
    other_key = text.replace(b'"curate_export"', b'"curate_exporu"')
    for damaged in (b"x" + text[1:], other_key, text.replace(b'"d', b'"e', 1)):
        manifest.write_bytes(damaged)
        (found,) = [one for one in curate.verify(folder / "shards").findings if one.code == "manifest"]
        assert (found.severity, found.file) == ("error", "manifest.json")
        assert "run `curate export` again" in found.detail
        with pytest.raises(CurateError):
            curate.push(folder / "shards", "a/b", dry_run=True)
        end = zygote.run(STAGES["export"], folder)
        if end.code:  # it does not delete what it cannot know to be its own
            assert "is damaged" in end.stderr
            assert "delete the folder" in end.stderr
            shutil.rmtree(folder / "shards")
            assert zygote.run(STAGES["export"], folder).code == 0
        assert files(folder) == whole


def test_manifests_of_an_older_curate_have_no_digest_and_are_read(
    finished: Path, zygote: Zygote, tmp_path: Path
) -> None:
    folder, whole = copied(finished, tmp_path)
    for name in ("ws", "shards"):
        file = folder / name / "manifest.json"
        value = json.loads(file.read_text("utf-8"))
        del value["digest"]
        file.write_text(json.dumps(value, indent=2, ensure_ascii=False), "utf-8")
    assert [check for check in curate.doctor(folder / "ws").checks if check.status == "problem"] == []
    assert not [one for one in curate.verify(folder / "shards").findings if one.code == "manifest"]
    assert zygote.run(STAGES["label"], folder).code == 0
    assert files(folder)["ws/manifest.json"] == whole["ws/manifest.json"], "and get one with the next stage"
