"""What a server really does is found out once, by asking: a 200 does not mean that a parameter was obeyed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_server import JSON, Answer, Body, capable, completion, error, good, serve
from rows import turns, workspace

import curate
from curate.errors import JudgeError
from curate.judge import store
from curate.judge.chat import FORMATS

pytestmark = pytest.mark.usefixtures("quick")


def found(path: Path, probe: Callable[[Body], Answer], **options: Any) -> tuple[dict[str, Any], list[Body], list[Body]]:
    """What was found out of a server, what it was asked for that, and what it was then asked to grade."""
    workspace(path, [turns("a?", "a!")])
    with serve(lambda *_: good()) as server:
        server.probe = probe
        more = {"judge": "m", "base_url": server.base_url, "rubric": "general", "quiet": True}
        curate.score(path, **more, **options)
        asked = len(server.probes)
        curate.score(path, **more, **options)
        assert len(server.probes) == asked, "asked once"
    (ability,) = store.remembered(path / "judgements.sqlite", "endpoints").values()
    return ability, server.probes, server.bodies


def test_a_server_that_accepts_a_schema_and_does_not_keep_to_it_is_not_believed(tmp_path: Path) -> None:
    def careless(body: Body) -> Answer:
        if body["messages"][-1]["content"].startswith("What"):
            return 200, JSON, completion('{"answer": "Paris", "level": 7}')
        return 200, JSON, capable(body)

    ability, probes, (graded,) = found(tmp_path, careless)
    assert FORMATS[ability["format"]] == "json_object"
    assert graded["response_format"] == {"type": "json_object"}
    assert any("structured_outputs" in body for body in probes)
    assert any("guided_json" in body for body in probes)


def test_the_format_that_a_server_obeys_is_the_one_that_is_used(tmp_path: Path) -> None:
    def vllm(body: Body) -> Answer:
        if body["messages"][-1]["content"].startswith("What") and "structured_outputs" not in body:
            return 200, JSON, completion("Paris, of course")
        return 200, JSON, capable(body)

    _, _, (graded,) = found(tmp_path, vllm)
    assert graded["structured_outputs"]["json"]["required"] == ["r1"]
    assert "response_format" not in graded


def test_a_server_that_knows_only_the_other_limit_gets_that_one(tmp_path: Path) -> None:
    def ollama(body: Body) -> Answer:
        usage = {"prompt_tokens": 9, "completion_tokens": 800}
        if body["messages"][-1]["content"].startswith("Count") and "max_tokens" in body:
            return 200, JSON, completion("1 2 3 …", usage=usage)
        return 200, JSON, capable(body)

    _, _, (graded,) = found(tmp_path, ollama)
    assert "max_completion_tokens" in graded
    assert "max_tokens" not in graded


def test_a_server_that_cuts_a_long_prompt_in_silence_is_sent_no_more_than_it_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def truncating(body: Body) -> Answer:
        reply = json.loads(capable(body))
        reply["usage"]["prompt_tokens"] = min(reply["usage"]["prompt_tokens"], 4_000)
        return 200, JSON, json.dumps(reply).encode()

    ability, _, _ = found(tmp_path, truncating)
    assert ability["context"] == 4_000
    assert "its context holds about 4,000 tokens, not 16,384" in capsys.readouterr().err


def test_a_server_that_refuses_a_long_prompt_is_asked_with_half(tmp_path: Path) -> None:
    def small(body: Body) -> Answer:
        if 3 * body["messages"][-1]["content"].count("word") > 6_000:
            return error(400, "the request exceeds the available context size")
        return 200, JSON, capable(body)

    ability, _, _ = found(tmp_path, small)
    assert ability["context"] == 8_192


def test_probabilities_are_asked_for_only_where_they_come(tmp_path: Path) -> None:
    tokens = [{"token": '{"answer": "turnip", "level": ', "top_logprobs": []}]
    tokens += [{"token": "1", "top_logprobs": [{"token": "1", "logprob": -0.1}]}, {"token": "}", "top_logprobs": []}]

    def sure(body: Body) -> Answer:
        reply = json.loads(capable(body))
        if "logprobs" in body:
            reply["choices"][0]["logprobs"] = {"content": tokens}
        return 200, JSON, json.dumps(reply).encode()

    _, _, (graded,) = found(tmp_path / "sure", sure)
    assert graded["top_logprobs"] > 4
    _, _, (graded,) = found(tmp_path / "unsure", lambda body: (200, JSON, capable(body)))
    assert "logprobs" not in graded


def test_a_busy_server_is_waited_for_and_one_that_wants_hours_is_not(tmp_path: Path) -> None:
    count = {"asked": 0}

    def busy(body: Body) -> Answer:
        count["asked"] += 1
        return error(429, "later", **{"Retry-After": "0.01"}) if count["asked"] < 3 else (200, JSON, capable(body))

    found(tmp_path / "soon", busy)
    with pytest.raises(JudgeError, match="asks to wait"):
        found(tmp_path / "late", lambda _: error(429, "later", **{"Retry-After": "9999"}))
