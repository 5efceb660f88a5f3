"""Files that are built to break a reader end in counted rejects or are kept; memory stays within bounds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from monsters import MONSTERS, TRAPS, make, traps
from typer.testing import CliRunner

import curate
from curate.cli import app
from curate.ingest import window

BOUND = 700  # MB, with all libraries loaded
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(curate.__file__).parents[1])}


@pytest.mark.parametrize("name", MONSTERS)
def test_a_monster_costs_no_other_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Of 6 MB, where a record may have 2: what a file of gigabytes meets at 64 MB."""
    for limit, size in {"CHUNK": 1 << 16, "LOOK_INSIDE": 1 << 19, "MAX_RECORD": 2 << 20}.items():
        monkeypatch.setattr(window, limit, size)
    *_, conversations, reasons = MONSTERS[name]
    path = make(name, tmp_path, 1 if "messages" in name or "objects" in name else 6)
    result = curate.ingest([path], tmp_path / "ws", quiet=True)
    assert result.conversations == conversations
    assert set(result.rejects) <= reasons
    assert bool(result.rejects) == bool(reasons)
    assert result.records == result.conversations + sum(result.rejects.values())


ONE = """
import sys, curate
curate.ingest([sys.argv[1]], sys.argv[2], quiet=True)
# Not `ru_maxrss`, which remembers the process that started this one.
print(next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize("name", ["zstd bomb, blanks", "gzip bomb, one line", "zip bomb, brackets"])
def test_a_bomb_takes_no_memory(tmp_path: Path, name: str) -> None:
    path = make(name, tmp_path, 300)
    assert path.stat().st_size < 500_000
    command = [sys.executable, "-c", ONE, str(path), str(tmp_path / "ws")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert int(done.stdout) < BOUND


def chat(answer: str, **more: Any) -> str:
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": answer}]
    return json.dumps({"id": "x", "conversations": turns, **more})


GOOD = chat("Hello!")
LINES = {
    "nested 100,000 deep": (GOOD[:-1] + ', "x": ' + "[" * 100_000 + "]" * 100_000 + "}", "invalid_json"),
    "objects 100,000 deep": (GOOD[:-1] + ', "x": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}", "invalid_json"),
    "deep and never closed": ("[" * 100_000, "invalid_json"),
    "the same key twice": (GOOD[:-1] + ', "id": "y"}', "duplicate_keys"),
    "the same key 10,000 times": (GOOD[:-1] + ', "y": 1' * 10_000 + "}", "duplicate_keys"),
    "half a surrogate pair": (chat("a").replace('"a"', '"\\ud800"'), "lone_surrogate"),
    "the other half": (chat("a").replace('"a"', '"\\udfff"'), "lone_surrogate"),
    "halves the wrong way round": (chat("a").replace('"a"', '"\\ude00\\ud83d"'), "lone_surrogate"),
    "a bare number of 400 digits": ("9" * 400, "not_an_object"),
    "a bare number of 5,000 digits": ("9" * 5_000, "invalid_json"),
    "a number of 5,000 digits": (chat("a", n=0).replace('"n": 0', '"n": ' + "9" * 5_000), "invalid_json"),
    "a number of 30 digits": (chat("a", n=0).replace('"n": 0', '"n": ' + "9" * 30), None),
    "1e400": (chat("a", n=0).replace('"n": 0', '"n": 1e400'), None),
    "NaN": (chat("a", n=0).replace('"n": 0', '"n": NaN'), None),
    "-Infinity": (chat("a", n=0).replace('"n": 0', '"n": -Infinity'), None),
    "NUL as it is": (chat("a").replace('"a"', '"\x00"'), "invalid_json"),
    "NUL, escaped": (chat("a\x00b"), None),
    "100,000 keys": (json.dumps({**json.loads(GOOD), **{f"k{n}": n for n in range(100_000)}}), None),
    "a key of a megabyte": (chat("a", **{"k" * 1_000_000: 1}), None),
    "an overlong encoding": ("", "invalid_utf8"),
}


@pytest.mark.parametrize("layout", ["lines", "array"])
@pytest.mark.parametrize("name", LINES)
def test_a_strange_record_is_kept_or_set_aside_and_its_neighbours_are_kept(
    tmp_path: Path, name: str, layout: str
) -> None:
    text, reason = LINES[name]
    raw = text.encode() if text else GOOD.encode().replace(b"Hello!", b"\xc0\xaf")
    parts = [GOOD.encode(), raw, GOOD.encode()]
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\n".join(parts) if layout == "lines" else b"[" + b",\n".join(parts) + b"]")
    result = curate.ingest([path], tmp_path / "ws", quiet=True)
    assert result.records == result.conversations + sum(result.rejects.values())
    if name == "deep and never closed" and layout == "array":
        assert result.conversations == 2  # the array's own end is swallowed with it
        return
    assert result.conversations == (2 if reason else 3)
    assert list(result.rejects) == ([reason] if reason else [])
    messages = curate.Workspace(tmp_path / "ws").scan("conversations").collect()["messages"].to_list()
    assert [conversation[-1]["content"] for conversation in (messages[0], messages[-1])] == ["Hello!", "Hello!"]


def test_every_trap_of_unicode_goes_through_the_whole_flow_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\n".join(traps()))
    done = CliRunner().invoke(app, ["run", "x.jsonl", "-w", "ws", "-o", "out"])
    assert done.exit_code == 0, done.output
    rows = curate.Workspace("ws").scan("conversations").collect()
    kept = {row["source_id"]: row["messages"][-1]["content"] for row in rows.to_dicts()}
    assert rows.height == 2 * len(TRAPS)
    changed = {name for name, text in TRAPS.items() if kept[name] != f"You said {text}!"}
    edited = {row["source_id"] for row in rows.to_dicts() if row["edits"]}
    assert changed <= edited, "what is changed is named among the edits"
    for command in (["hist", "-w", "ws"], ["report", "-w", "ws"], ["report", "-w", "ws", "--html", "page.html"]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]", done.output)
    page = Path("page.html").read_text("utf-8")
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page


def test_names_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    """Members are read from the archive; their names are never paths."""
    secret = tmp_path / "secret.jsonl"
    secret.write_text(chat("secret"))
    folder = tmp_path / "in"
    folder.mkdir()
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        for name in ("../secret.jsonl", "/etc/x.jsonl", "a/../../b.jsonl", "C:\\x.jsonl"):
            archive.writestr(name, chat(f"from {name}"))
        link = zipfile.ZipInfo("link.jsonl")
        link.external_attr = 0o120777 << 16  # a symbolic link, as unzip would make one
        archive.writestr(link, str(secret))
    before = sorted(tmp_path.rglob("*"))
    curate.ingest([folder / "x.zip"], tmp_path / "ws", quiet=True)
    rows = curate.Workspace(tmp_path / "ws").scan("conversations").collect().to_dicts()
    answers = [row["messages"][-1]["content"] for row in rows]
    assert "secret" not in answers
    assert all(answer.startswith("from ") for answer in answers)
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before and "ws" not in path.parts] == []
