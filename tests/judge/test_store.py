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

ODDS = {17: {"4": 0.9, "3": 0.1}}
LINE = store.Judgement(
    "k", "chat", "m", "m-1", "fp", "general@2", '{"correct": 4} ü \ud83d', ODDS, None, "stop", 700, 5, 50, 0.5
)


def test_a_judgement_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    refused = store.Judgement("empty", "chat", "m", refusal="no")
    with store.Store(path) as open_store:
        open_store.keep(LINE, {"id-1": "r1", "id-2": "r2"}, {"id-2"})
        open_store.keep(refused, {"id-3": "r1"}).result(5)
        found = open_store.read(["k", "missing", "empty"])
    assert found == {"k": dataclasses.replace(LINE, content='{"correct": 4} ü ?'), "empty": refused}
    assert store.usage(path) == {"k": (700, 50), "empty": (None, None)}
    assert store.known(path) == {
        "id-1": ("k", "r1", False, 2),
        "id-2": ("k", "r2", True, 2),
        "id-3": ("empty", "r1", False, 1),
    }


def test_the_first_answer_to_a_call_stands(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    for tokens in (1, 2):
        with store.Store(path) as open_store:
            open_store.keep(dataclasses.replace(LINE, tokens_in=tokens), {})
    assert store.usage(path) == {"k": (1, 50)}


def test_what_is_acknowledged_is_there_before_the_store_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    with store.Store(path) as open_store:
        open_store.keep(LINE, {"id": "r1"}).result(5)
        assert "k" in store.usage(path)
        assert store.known(path) == {"id": ("k", "r1", False, 1)}


def test_a_writer_that_dies_of_anything_is_an_error_for_all_who_wait(tmp_path: Path) -> None:
    def keep_until_told() -> None:
        with store.Store(tmp_path / "j.sqlite") as open_store:
            waiting = open_store.keep(dataclasses.replace(LINE, tokens_in=2**63), {})
            with pytest.raises(WorkspaceError):
                waiting.result(5)
            for _ in range(250):
                open_store.keep(LINE, {})
                time.sleep(0.02)

    begun = time.monotonic()
    with pytest.raises(WorkspaceError, match="cannot be read or written"):
        keep_until_told()
    assert time.monotonic() - begun < 4, "the caller is told long before the end"


def test_a_damaged_store_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "judgements.sqlite"
    path.write_bytes(b"not a data base at all" * 100)
    workspace(tmp_path, [turns("a", "b")])
    with pytest.raises(WorkspaceError) as caught:
        curate.score(tmp_path, judge="m", base_url="http://127.0.0.1:9/v1", quiet=True)
    assert str(path) in str(caught.value)


def test_a_newer_store_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(WorkspaceError, match="of version 9"):
        store.Store(path)


def test_answers_of_an_earlier_curate_are_kept_and_never_read_as_grades(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "judgements.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE judgements (key TEXT PRIMARY KEY, model TEXT, served_model TEXT, content BLOB, refusal TEXT, "
            "finish_reason TEXT, tokens_in INTEGER, tokens_out INTEGER, seconds REAL) WITHOUT ROWID"
        )
        connection.execute("INSERT INTO judgements VALUES ('k', 'm', 'm', x'00', NULL, 'stop', 1, 2, 0.1)")
    workspace(tmp_path, [turns("2 + 2?", "4")])
    with serve(lambda *_: good()) as server:
        assert curate.score(tmp_path, judge="m", base_url=server.base_url, quiet=True).calls == 1
        assert "1 answers of an earlier curate" in capsys.readouterr().err
        assert curate.score(tmp_path, judge="m", base_url=server.base_url, quiet=True).calls == 0
        assert "earlier" not in capsys.readouterr().err
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT key, tokens_out FROM judgements_1").fetchall() == [("k", 2)]


def test_a_call_that_was_cut_off_is_known_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    with store.Store(path) as open_store:
        open_store.intend("never answered", 900, 100, 0.25)
        open_store.intend("by who knows whom", 900, 100)
        open_store.intend("answered", 900, 100, 0.25)
        open_store.keep(dataclasses.replace(LINE, key="answered"), {})
    with store.Store(path) as open_store:
        assert open_store.lost((1_000.0, 2_000.0)) == (2, pytest.approx(0.25 + 0.9 + 0.2))
        assert open_store.lost() == (0, 0)
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT call, what, tokens_in FROM attempts ORDER BY call").fetchall()
    assert rows == [("answered", "answered", 700), ("by who knows whom", "lost", 900), ("never answered", "lost", 900)]


def test_a_store_of_the_version_before_is_read_and_written_on(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    with store.Store(path) as open_store:
        open_store.keep(LINE, {"id": "r1"})
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE inflight DROP COLUMN dollars")
        connection.execute("ALTER TABLE graded DROP COLUMN last")
        connection.execute("PRAGMA user_version = 2")
        connection.execute("INSERT INTO inflight VALUES ('cut off', 900, 100, 0)")
    assert store.known(path) == {"id": ("k", "r1", False, None)}
    assert store.Answers(path).read(["k"])
    with store.Store(path) as open_store:
        assert open_store.moved == 0
        assert open_store.lost((1_000.0, 2_000.0)) == (1, pytest.approx(1.1))
        open_store.intend("next", 900, 100, 0.5).result(5)


def slow(*_: object) -> Answer:
    time.sleep(0.01)
    return good()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_it_loses_and_rebuys_nothing_acknowledged(tmp_path: Path, how: signal.Signals) -> None:
    workspace(tmp_path, [turns(f"What is {i} + 1?", f"{i + 1}") for i in range(400)])
    path = tmp_path / "judgements.sqlite"
    program = (
        "import curate, sys; curate.score(sys.argv[1], judge='m', base_url=sys.argv[2], rubric='general', quiet=True)"
    )
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
        result = curate.score(tmp_path, judge="m", base_url=server.base_url, rubric="general", quiet=True)
        assert result.cached == len(kept)
        assert result.calls == 400 - len(kept)
        assert result.statuses["ok"] == 400
        if how is signal.SIGKILL:
            assert 0 <= result.lost <= 8, "what was in flight is known"
        again = [nonce for nonce, count in server.asked.items() if nonce in before and count > before[nonce]]
        # Only what was in flight when it was killed is asked a second time.
        assert len(again) <= 8
        assert sum(server.asked.values()) - sum(before.values()) == 400 - len(kept)
