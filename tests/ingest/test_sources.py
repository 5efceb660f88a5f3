"""Which files are read, and their bytes: every one that can be had, also of a container that is broken."""

from __future__ import annotations

import gzip
import io
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import InputError
from curate.ingest.sources import Stream, expand

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PACKERS = {"gzip": lambda data: gzip.compress(data, mtime=0), "zstd": zstd.compress}
TEXT = b"".join(b'{"number": %d, "half": %d}\n' % (number * 7919, number // 2) for number in range(20_000))

packers = pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS.keys())


def stream_of(data: bytes) -> Stream:
    return Stream(io.BufferedReader(io.BytesIO(data)))


def drain(stream: Stream, size: int = 4096) -> tuple[bytes, str]:
    """All bytes, and the error that they end with."""
    data = b""
    try:
        while block := stream.read(size):
            assert len(block) <= size
            data += block
    except EOFError as error:
        return data, str(error)
    return data, ""


@packers
def test_packed_files_are_unpacked(pack: Callable[[bytes], bytes]) -> None:
    assert drain(stream_of(pack(TEXT)), 1 << 20) == (TEXT, "")


@packers
def test_members_and_frames_follow_each_other(pack: Callable[[bytes], bytes]) -> None:
    packed = b"".join(pack(TEXT[begin : begin + 50_000]) for begin in range(0, len(TEXT), 50_000))
    assert drain(stream_of(packed + pack(b"") + b"\0" * 512)) == (TEXT, "")


def test_zstd_frames_that_are_skipped_hold_nothing() -> None:
    skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
    assert drain(stream_of(skipped + zstd.compress(b"data") + skipped)) == (b"data", "")


@packers
def test_a_packed_file_that_is_cut_off_gives_all_it_holds(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(TEXT)
    data, error = drain(stream_of(packed[: len(packed) * 9 // 10]), 1 << 22)
    assert "ends early" in error
    assert TEXT.startswith(data)
    assert len(data) > len(TEXT) // 2
    assert drain(stream_of(pack(TEXT)[:-4])) == (TEXT, error) or pack is zstd.compress


@packers
def test_a_damaged_packed_file_says_so(pack: Callable[[bytes], bytes]) -> None:
    data, error = drain(stream_of(pack(TEXT) + b"no more"))
    assert (data, bool(error)) == (TEXT, True)
    packed = bytearray(pack(TEXT))
    for place in range(len(packed) // 2, len(packed) // 2 + 40):
        packed[place] ^= 0xA5
    data, error = drain(stream_of(bytes(packed)))
    assert error
    assert data[: len(data) // 4] == TEXT[: len(data) // 4]


@settings(deadline=None, max_examples=50)
@given(st.sampled_from([None, *PACKERS]), st.integers(0, 3000), st.integers(0, 3000), st.integers(1, 700))
def test_looking_ahead_and_skipping_change_nothing(packer: str | None, peek: int, skip: int, size: int) -> None:
    text = TEXT[:2000]
    stream = stream_of(PACKERS[packer](text) if packer else text)
    assert stream.peek(peek) == text[:peek]
    assert stream.peek(10) == text[:10]
    stream.skip(skip)
    assert drain(stream, size) == (text[skip:], "")


def test_a_folder_is_searched_for_data(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.json", "deep/er/c.json.zst", "D.JSONL.GZ", "e.ndjson"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    for name in ("readme.md", ".hidden.json", ".git/x.json", "data.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    found = [source.file.removeprefix(f"{tmp_path}/") for source in expand([str(tmp_path)])]
    assert found == ["D.JSONL.GZ", "a.json", "b.jsonl", "deep/er/c.json.zst", "e.ndjson"]


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    (tmp_path / "b.json").symlink_to(tmp_path / "a.json")
    found = expand([str(tmp_path / "a.json"), str(tmp_path / "*.json"), str(tmp_path)])
    assert [source.file for source in found] == [str(tmp_path / "a.json")]


def test_the_data_set_is_called_like_the_file(tmp_path: Path) -> None:
    for name in ("dump.json", "more.jsonl.gz", "x.y.json.zst", "bare"):
        (tmp_path / name).write_text("")
    named = {source.name for source in expand([str(tmp_path / "*")])} | {expand(["-"])[0].name}
    assert named == {"dump", "more", "x.y", "bare", "stdin"}


@pytest.mark.parametrize(("path", "what"), [("nope.json", "no such"), ("*.jsonl", "no file matches"), (".", "folder")])
def test_paths_without_data_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "note.json.txt").write_text("")
    with pytest.raises(InputError, match=what) as error:
        expand([path])
    assert error.value.where == path


def test_a_typing_mistake_gets_a_hint(tmp_path: Path) -> None:
    (tmp_path / "dump.json").write_text("[]")
    with pytest.raises(InputError) as error:
        expand([str(tmp_path / "dmup.json")])
    assert error.value.hint == "did you mean `dump.json`?"


def test_no_path_is_an_error() -> None:
    with pytest.raises(InputError, match="no input"):
        expand([])
