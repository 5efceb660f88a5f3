"""An export that is killed goes on where it was: finished shards are not tokenised again, and no byte differs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.export import export
from curate.export.tokenise import Encoder
from curate.workspace import Workspace

from .vocabularies import mistral
from .workspaces import conversation, make, talk

ROWS = [conversation(talk(f"Question {n}", f"Answer {n}"), **{"class": ("gpt-4", "gpt-3.5")[n % 2]}) for n in range(12)]
KILLED = """\
import os, signal, sys
from curate.export import export
from curate.export.tokenise import Encoder
tokenise, calls = Encoder.tokenise, []
def dies(self, rows):
    calls.append(1)
    if len(calls) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return tokenise(self, rows)
Encoder.tokenise = dies
export(sys.argv[1], sys.argv[2], tokenizer=sys.argv[3], format="openchat", epochs=2, quiet=True)
"""


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(mistral(tmp_path_factory.mktemp("vocabulary")))


@pytest.fixture
def tokenised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each shard that is tokenised."""
    found: list[int] = []
    own = Encoder.tokenise

    def counted(self: Encoder, rows: pl.DataFrame) -> Any:
        found.append(rows.height)
        return own(self, rows)

    monkeypatch.setattr(Encoder, "tokenise", counted)
    return found


def contents(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def told(ws: Workspace, out: Path, vocabulary: str, **options: Any) -> Path:
    return export(ws.path, out, tokenizer=vocabulary, format="openchat", epochs=2, quiet=True, **options).out


def test_a_killed_export_goes_on_where_it_was(tmp_path: Path, vocabulary: str, tokenised: list[int]) -> None:
    ws = make(tmp_path / "ws", ROWS, shard=2)
    clean = contents(told(ws, tmp_path / "clean", vocabulary))
    assert tokenised == [2] * 6, "two epochs, tokenised once"
    out = tmp_path / "out"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(ws.path), str(out), vocabulary], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    tokenised.clear()
    assert contents(told(ws, out, vocabulary)) == clean
    assert tokenised == [2] * 3, "shards that were done are tokenised again"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_changed_since_is_tokenised_again(tmp_path: Path, vocabulary: str, tokenised: list[int]) -> None:
    ws = make(tmp_path / "ws", ROWS, shard=2)
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-c", KILLED, str(ws.path), str(out), vocabulary], check=False)
    changed = [*ROWS[:1], conversation(talk("Other", "Other"), **{"class": "gpt-4"}), *ROWS[2:]]
    other = make(tmp_path / "other", changed, shard=2)
    result = contents(told(other, out, vocabulary))
    assert tokenised == [2] * 4, "of three shards that were done, one changed"
    assert result == contents(told(other, tmp_path / "clean", vocabulary))


def test_what_is_kept_is_only_used_with_the_same_options(tmp_path: Path, vocabulary: str, tokenised: list[int]) -> None:
    ws = make(tmp_path / "ws", ROWS, shard=2)
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-c", KILLED, str(ws.path), str(out), vocabulary], check=False)
    told(ws, out, vocabulary, max_length=100)
    assert tokenised == [2] * 6


def test_what_was_damaged_is_made_again(tmp_path: Path, vocabulary: str, tokenised: list[int]) -> None:
    ws = make(tmp_path / "ws", ROWS, shard=2)
    clean = contents(told(ws, tmp_path / "clean", vocabulary))
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-c", KILLED, str(ws.path), str(out), vocabulary], check=False)
    kept = sorted((tmp_path / ".out.tokens").glob("*.rows.arrow"))
    assert len(kept) == 3
    kept[0].write_bytes(kept[0].read_bytes()[:-40])
    tokenised.clear()
    assert contents(told(ws, out, vocabulary)) == clean
    assert tokenised == [2] * 4
