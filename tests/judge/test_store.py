"""What was acknowledged is never lost and never bought again, whenever the process is killed."""

from __future__ import annotations

import dataclasses
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from fake_server import Answer, good, serve
from rows import turns, workspace

import curate
from curate.errors import WorkspaceError
from curate.judge import store

LINE = store.Judgement("k", "m", "m-1", '{"correct": 4} ü \ud83d', None, "stop", 700, 50, 0.5)


def test_a_judgement_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    with store.Store(path) as open_store:
        open_store.put(LINE)
        open_store.put(store.Judgement("empty", "m", None, None, "no", None, None, None, 0.1))
    with store.Store(path) as open_store:
        first, second = open_store.read(["k", "missing", "empty"])
    assert first.content == '{"correct": 4} ü ?'
    assert (first.served_model, first.tokens_in, second.content, second.refusal) == ("m-1", 700, None, "no")
    assert store.usage(path) == {"k": (700, 50), "empty": (None, None)}


def test_the_first_answer_stands(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    for tokens in (1, 2):
        with store.Store(path) as open_store:
            open_store.put(store.Judgement("k", "m", None, str(tokens), None, None, tokens, 0, 0.0))
    assert store.usage(path) == {"k": (1, 0)}


def test_it_is_durable_long_before_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    with store.Store(path) as open_store:
        open_store.put(LINE)
        deadline = time.monotonic() + 5
        while not store.usage(path) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "k" in store.usage(path)


def test_a_writer_that_dies_of_anything_is_an_error(tmp_path: Path) -> None:
    def put_until_told() -> None:
        with store.Store(tmp_path / "j.sqlite") as open_store:
            for _ in range(250):
                open_store.put(dataclasses.replace(LINE, tokens_in=2**63))
                time.sleep(0.02)

    begun = time.monotonic()
    with pytest.raises(WorkspaceError, match="cannot be read or written"):
        put_until_told()
    assert time.monotonic() - begun < 4, "the caller is told long before the end"


def test_an_error_in_the_last_batch_is_told_when_the_store_closes(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError), store.Store(tmp_path / "j.sqlite") as open_store:
        open_store.put(dataclasses.replace(LINE, tokens_in=2**63))


def test_a_damaged_store_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "judgements.sqlite"
    path.write_bytes(b"not a data base at all" * 100)
    workspace(tmp_path, [turns("a", "b")])
    with pytest.raises(WorkspaceError) as caught:
        curate.score(tmp_path, judge="m", base_url="http://127.0.0.1:9/v1", quiet=True)
    assert str(path) in str(caught.value)


def test_the_key_knows_what_was_asked_and_nothing_else() -> None:
    asked = ("m", "http://a/v1", {"temperature": 0}, "r", 1, "text")
    assert store.key_of(*asked) == store.key_of(*asked)
    changed = ("n", "http://b/v1", {"temperature": 1}, "s", 2, "texts")
    others = [(*asked[:i], changed[i], *asked[i + 1 :]) for i in range(len(asked))]
    assert len({store.key_of(*one) for one in (asked, *others)}) == 7


def slow(*_: object) -> Answer:
    time.sleep(0.01)
    return good()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_it_loses_and_rebuys_nothing_acknowledged(tmp_path: Path, how: signal.Signals) -> None:
    workspace(tmp_path, [turns(f"What is {i} + 1?", f"{i + 1}") for i in range(400)])
    path = tmp_path / "judgements.sqlite"
    program = "import curate, sys; curate.score(sys.argv[1], judge='m', base_url=sys.argv[2], quiet=True)"
    command = [sys.executable, "-c", program, str(tmp_path)]
    with (
        serve(slow) as server,
        subprocess.Popen([*command, server.base_url], stderr=subprocess.DEVNULL) as process,
    ):
        deadline = time.monotonic() + 60
        while len(store.usage(path)) < 100 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        acknowledged = set(store.usage(path))
        process.send_signal(how)
        process.wait(30)
        assert process.returncode != 0
        time.sleep(0.2)
        kept = set(store.usage(path))
        assert acknowledged <= kept
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        before = dict(server.asked)
        result = curate.score(tmp_path, judge="m", base_url=server.base_url, quiet=True)
        assert result.cached == len(kept)
        assert result.calls == 400 - len(kept)
        assert result.statuses["ok"] == 400
        again = [nonce for nonce, count in server.asked.items() if nonce in before and count > before[nonce]]
        # Only what was in flight or younger than one batch when it was killed is asked a second time.
        assert len(again) <= len(before) - len(acknowledged)
        assert sum(server.asked.values()) - sum(before.values()) == 400 - len(kept)
