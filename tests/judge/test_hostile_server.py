"""A server may be slow, huge, wrong or hostile: the run ends with a reason, and no secret is ever shown."""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import Any

import pytest
from fake_server import JSON, Answer, chat, completion, error, good, grades, serve
from rows import turns, workspace

import curate
from curate.errors import CurateError, JudgeError, PartlyDoneError
from curate.judge.address import address, public, redact, secrets

pytestmark = pytest.mark.usefixtures("quick")


def run(path: Path, base_url: str, **options: Any) -> Any:
    workspace(path, [turns(f"What is {i} + 1?", f"It is {i + 1}.") for i in range(3)])
    return curate.score(path, judge="m", base_url=base_url, rubric="general", quiet=True, concurrency=1, **options)


@pytest.mark.parametrize("wait", ["999999999", "inf", "1e400"])
def test_a_server_that_asks_for_more_than_ten_minutes_ends_the_run(tmp_path: Path, wait: str) -> None:
    busy = error(429, "later", **{"Retry-After": wait})
    with serve(lambda _, count: good() if count == 1 else busy) as server:
        with pytest.raises(PartlyDoneError, match=r"asks to wait .* 1 answers are stored"):
            run(tmp_path, server.base_url)
        server.script = lambda *_: good()
        assert run(tmp_path, server.base_url).calls == 2


def test_a_server_that_drips_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.judge.wire.TIMEOUT", 0.3)
    monkeypatch.setattr("curate.judge.schedule.ATTEMPTS", 1)

    begun = time.monotonic()
    with serve(lambda *_: good()) as server:
        server.pause = 0.05
        with pytest.raises(CurateError, match="no answer in"):
            run(tmp_path, server.base_url)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_huge_answer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr("curate.judge.schedule.ATTEMPTS", 1)
    huge: Answer = (status, {"Content-Type": "application/json"}, b" " * 12_000_000 + completion("{}"))
    with serve(lambda *_: huge) as server, pytest.raises(PartlyDoneError, match="longer than 4,000,000 bytes"):
        run(tmp_path, server.base_url)


@pytest.mark.parametrize(("encoding", "words"), [("gzip", "longer than"), ("gzip, gzip", "packed"), ("br", "packed")])
def test_a_packed_answer_cannot_blow_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, words: str
) -> None:
    monkeypatch.setattr("curate.judge.schedule.ATTEMPTS", 1)
    packed: Answer = (200, {"Content-Encoding": encoding}, gzip.compress(b" " * 30_000_000))
    with serve(lambda *_: packed) as server, pytest.raises(PartlyDoneError, match=words):
        run(tmp_path, server.base_url)


def test_an_answer_packed_with_gzip_is_read(tmp_path: Path) -> None:
    zipped = {**JSON, "Content-Encoding": "gzip"}
    with serve(lambda body, _: (200, zipped, gzip.compress(completion(grades(body))))) as server:
        assert run(tmp_path, server.base_url).statuses["ok"] == 3


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_never_followed(tmp_path: Path, status: int) -> None:
    with serve(lambda *_: good()) as other:
        answer = error(status, **{"Location": f"{other.base_url}/chat/completions"})
        with serve(lambda *_: answer) as server, pytest.raises(JudgeError, match=str(status)):
            run(tmp_path, server.base_url)
        assert other.bodies == []


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        "http://localhost:99999/v1",
        "http://localhost:abc/v1",
        "http://localhost:-1/v1",
        "http://:8000/v1",
        "http:///v1",
        "localhost:8000",
        "ftp://user:PASSWORD@host/v1",
        "http://user:PASSWORD@host:abc/v1?key=PASSWORD",
        "http://user:PASS@PASSWORD@host:abc/v1",
        "http://ho st/v1",
        "http://host\n/v1",
        "http://" + "a" * 70 + "/v1",
    ],
)
def test_what_is_no_address_is_told_without_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(CurateError, match="is no address of a server") as caught:
        run(tmp_path, url)
    assert "PASSWORD" not in str(caught.value)


def test_an_address_is_shown_and_compared_without_its_secrets() -> None:
    assert public("https://u:p@q@Host:8/v1/?key=x") == "https://host:8/v1"
    assert public("http://[::1]:8000/v1") == "http://[::1]:8000/v1"
    assert address("https://api.openai.com/v1/") is None
    hidden = secrets("sk-1", "http://user:p%40ss@h/v1?token=abc")
    assert redact("sk-1 user:p%40ss p@ss token=abc h", hidden) == "*** *** *** *** h"


def test_a_key_with_a_line_end_works_and_a_broken_one_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " sk-verysecret\n")
    with serve(lambda *_: good()) as server:
        assert run(tmp_path, server.base_url).statuses["ok"] == 3
    for key in ("sk-very\nsecret", "sk-verysecrét", "sk-very secret", "“sk-verysecret”"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        with pytest.raises(JudgeError, match="holds characters that no key has") as caught:
            run(tmp_path, "http://localhost:9/v1")
        assert "secr" not in str(caught.value)


@pytest.mark.parametrize("echo", ["sk-verysecret", "PASSWORD"])
def test_a_server_that_echoes_a_secret_puts_it_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, echo: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-verysecret")
    answers = [chat(f"you are {echo}"), chat(None, refusal=f"no, {echo}"), error(418, f"I know {echo}")]
    with serve(lambda _, count: answers[(count - 1) % 3]) as server, pytest.raises(PartlyDoneError) as caught:
        run(tmp_path, server.base_url.replace("//", "//user:PASSWORD@"))
    assert echo not in str(caught.value)
    reasons = curate.Workspace(tmp_path).read("scores", 0)["rationale"].to_list()
    assert "***" in str(reasons)
    assert all(echo.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
