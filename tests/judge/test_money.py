"""What is paid, by whom and at most: told before, capped while, and true after."""

from __future__ import annotations

import base64
import json
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_batches import Batches
from fake_server import GOOD, JSON, Answer, Body, Fake, completion, grades, serve, slots
from rows import turns, workspace

import curate
from curate.errors import CurateError, PartlyDoneError
from curate.judge import prices, store

pytestmark = pytest.mark.usefixtures("quick")

PRICES = {"m": (1.0, 2.0), "n": (10.0, 20.0), "strong": (100.0, 200.0), "helper": (1000.0, 2000.0)}
MATHS = {"evidence": "x", "answer": 4, "steps": 4, "complete": 4, "flags": []}


@pytest.fixture(autouse=True)
def paid(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the server stood on the internet and each model had a price of its own."""
    monkeypatch.setattr("curate.judge.run.is_local", lambda _: False)
    monkeypatch.setattr("curate.judge.batch.POLL", 0.01)
    monkeypatch.setattr(
        "curate.judge.estimate.prices.of", lambda model, _: prices.Price(*PRICES[model], f"list of {model}")
    )


class Bill:
    """What a server would send an invoice for: tokens of every answer by model, probes included."""

    def __init__(self, reply: Callable[[Body], str]) -> None:
        self.reply = reply
        self.tokens: dict[str, list[int]] = defaultdict(lambda: [0, 0])

    def used(self, body: Body) -> tuple[int, int]:
        return 700, 50

    def answer(self, body: Body, content: str, **more: Any) -> Answer:
        read, written = self.used(body)
        self.tokens[body["model"]][0] += read
        self.tokens[body["model"]][1] += written
        return 200, JSON, completion(content, usage={"prompt_tokens": read, "completion_tokens": written}, **more)

    def script(self, body: Body, _: int) -> Answer:
        return self.answer(body, self.reply(body))

    def probe(self, body: Body) -> Answer:
        asked = body["messages"][-1]["content"]
        if asked.startswith("Count"):
            return self.answer(body, "1 2 3", finish="length")
        return self.answer(body, "yes" if "word0" in asked else '{"answer": "turnip", "level": 1}')

    @property
    def dollars(self) -> float:
        return sum((read * PRICES[m][0] + out * PRICES[m][1]) / 1e6 for m, (read, out) in self.tokens.items())


class Worst(Bill):
    """Every byte of a prompt is a token, and every reply as long as it may be."""

    def used(self, body: Body) -> tuple[int, int]:
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
        text = "".join(message["content"] for message in body["messages"])
        return len(text.encode()) + len(json.dumps(schema, separators=(",", ":"))) + 40, body["max_tokens"]


def mathematics(body: Body) -> str:
    if body["messages"][0]["content"].startswith("You write reference"):
        return "It is four."
    return json.dumps(dict.fromkeys(slots(body), MATHS))


def run(path: Path, bill: Bill, server: Fake, **options: Any) -> Any:
    server.probe = bill.probe
    more = {"judge": "m", "base_url": server.base_url, "rubric": "general", "quiet": True}
    return curate.score(path, **{**more, **options})


def test_a_finished_run_with_references_costs_nothing_and_asks_nothing(tmp_path: Path) -> None:
    workspace(tmp_path, [turns("2 + 2?", "4"), turns("3 + 3?", "6")])
    bill, asked = Bill(mathematics), []
    with serve(bill.script) as server:
        options: dict[str, Any] = {"rubric": "maths", "references": "helper"}
        first = run(tmp_path, bill, server, **options, confirm=lambda estimate: not asked.append(estimate))
        assert (first.calls, len(asked), asked[0].calls) == (4, 1, 4)
        sent = len(server.bodies) + len(server.probes)
        again = run(tmp_path, bill, server, **options, confirm=lambda _: pytest.fail("asked for money"))
        assert (again.calls, again.cost, again.cached) == (0, 0, 2)
        assert len(server.bodies) + len(server.probes) == sent
        assert run(tmp_path, bill, server, **options, dry_run=True).estimate.calls == 0
        # A new prompt needs its reference and its grade, and both are in the estimate.
        workspace(tmp_path, [turns("2 + 2?", "4"), turns("3 + 3?", "6"), turns("4 + 4?", "8")])
        assert run(tmp_path, bill, server, **options, dry_run=True).estimate.calls == 2


def test_a_finished_run_with_a_stronger_judge_costs_nothing_and_asks_nothing(tmp_path: Path) -> None:
    workspace(tmp_path, [turns("a?", "a!"), turns("b?", "b!")])

    def reply(body: Body) -> str:
        doubt = body["model"] != "strong" and "b!" in body["messages"][-1]["content"]
        return grades(body, flags=["steers"]) if doubt else grades(body)

    bill = Bill(reply)
    with serve(bill.script) as server:
        first = run(tmp_path, bill, server, escalate="strong", confirm=lambda _: True)
        assert first.calls == 3
        assert run(tmp_path, bill, server, escalate="strong").calls == 0
        assert run(tmp_path, bill, server, escalate="strong", dry_run=True).estimate.calls == 0


def test_a_batch_that_waits_is_collected_without_asking_for_money_again(tmp_path: Path) -> None:
    workspace(tmp_path, [turns("a?", "a!")])
    bill = Bill(grades)
    with serve(bill.script) as server:
        server.batches = Batches(lambda lines: ([_line(line) for line in lines], []))
        with pytest.raises(PartlyDoneError, match="has not ended"):
            run(tmp_path, bill, server, backend="batch", confirm=lambda _: True)
        server.batches.end()
        assert run(tmp_path, bill, server, backend="batch").statuses["ok"] == 1


def _line(line: dict[str, Any], reply: Callable[[Body], str] = grades) -> dict[str, Any]:
    body = json.loads(completion(reply(line["body"])))
    return {"custom_id": line["custom_id"], "response": {"status_code": 200, "body": body}}


def test_every_call_is_priced_by_the_judge_that_answers_it(tmp_path: Path) -> None:
    workspace(tmp_path, [turns("2 + 2?", "4"), turns("3 + 3?", "5")])

    def reply(body: Body) -> str:
        if body["messages"][0]["content"].startswith("You write reference"):
            return "It is four."
        level = {"m": 0, "n": 4, "strong": 2}[body["model"]]
        return json.dumps(dict.fromkeys(slots(body), MATHS | {"answer": level, "steps": level}))

    bill = Bill(reply)
    options: dict[str, Any] = {"rubric": "maths", "panel": ["n"], "escalate": "strong", "references": "helper"}
    with serve(bill.script) as server:
        result = run(tmp_path, bill, server, **options, max_cost=1_000.0)
    assert {name: tokens[0] > 0 for name, tokens in bill.tokens.items()} == dict.fromkeys(PRICES, True)
    assert result.cost == pytest.approx(bill.dollars)


def test_references_of_a_batch_are_paid_in_full_and_its_grades_at_half(tmp_path: Path) -> None:
    workspace(tmp_path, [turns("2 + 2?", "4")])
    bill = Bill(mathematics)
    with serve(bill.script) as server:
        server.batches = Batches(lambda lines: ([_line(line, mathematics) for line in lines], []))
        get = server.batches.get
        server.batches.get = lambda path: (server.batches.end(), get(path))[1]
        options: dict[str, Any] = {"rubric": "maths", "references": "helper", "backend": "batch", "wait": True}
        result = run(tmp_path, bill, server, **options, max_cost=1_000.0)
    assert result.statuses["ok"] == 1
    half = (700 * PRICES["m"][0] + 50 * PRICES["m"][1]) / 1e6 / 2
    assert bill.tokens["helper"][0] > 700, "the reference, and the probe of who writes it"
    assert result.cost == pytest.approx(bill.dollars + half)


def test_a_call_that_a_crash_cut_off_counts_at_the_price_of_its_own_judge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace(tmp_path, [turns("a?", "a!")])
    with store.Store(tmp_path / "judgements.sqlite") as open_store:
        open_store.intend("of the stronger judge", 10_000, 1_000, 1.25)
    bill = Bill(grades)
    with serve(bill.script) as server, pytest.raises(PartlyDoneError, match="cap on cost"):
        run(tmp_path, bill, server, max_cost=1.25)
    assert "up to $1.25" in " ".join(capsys.readouterr().err.split())
    assert bill.tokens == {}


# The cap


def texts(kind: str, count: int) -> list[str]:
    chance = random.Random(0)
    return {
        "prose": ["The answer is that one follows the other. " * 20] * count,
        "base64": [base64.b64encode(chance.randbytes(900)).decode() for _ in range(count)],
        "emoji": ["".join(chance.choices("🜁🝮👩‍👩‍👧‍👦🏴‍☠️🫠🪬", k=200)) for _ in range(count)],
        "chinese": ["".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(400)) for _ in range(count)],
    }[kind]


@pytest.mark.parametrize("kind", ["prose", "base64", "emoji", "chinese"])
def test_even_a_server_that_counts_every_byte_never_bills_more_than_the_cap_or_the_most_that_was_said(
    tmp_path: Path, kind: str
) -> None:
    workspace(tmp_path, [turns(f"{i}?", f"{i} {text}") for i, text in enumerate(texts(kind, 40))])
    bill = Worst(grades)
    with serve(bill.script) as server:
        most = run(tmp_path, bill, server, dry_run=True).estimate.most
        for cap in (most / 100, most / 4, most / 2):
            with pytest.raises(CurateError):
                run(tmp_path, bill, server, max_cost=cap, concurrency=16)
            assert bill.dollars <= cap
            bill.tokens.clear()
        result = run(tmp_path, bill, server, max_cost=most, concurrency=16)
        assert result.statuses["ok"] == 40


def test_the_most_that_is_said_holds_for_probe_panel_references_and_escalation_together(tmp_path: Path) -> None:
    workspace(tmp_path, [turns("2 + 2?", "🜁" * 300), turns("3 + 3?", "5")])

    def reply(body: Body) -> str:
        if body["messages"][0]["content"].startswith("You write reference"):
            return "🜁" * 300
        levels = {"m": 0, "n": 4, "strong": 2}[body["model"]]
        return json.dumps(dict.fromkeys(slots(body), MATHS | {"answer": levels, "steps": levels}))

    bill = Worst(reply)
    options: dict[str, Any] = {"rubric": "maths", "panel": ["n"], "escalate": "strong", "references": "helper"}
    with serve(bill.script) as server:
        most = run(tmp_path, bill, server, **options, dry_run=True).estimate.most
        assert run(tmp_path, bill, server, **options, max_cost=most).statuses["ok"] == 2
    assert bill.dollars <= most


def test_a_server_that_ignores_the_limit_of_a_reply_is_capped_all_the_same(tmp_path: Path) -> None:
    class Endless(Bill):
        def used(self, body: Body) -> tuple[int, int]:
            return 700, 12_000

    workspace(tmp_path, [turns(f"{i}?", f"{i}!") for i in range(12)])
    bill = Endless(grades)
    with serve(bill.script) as server:
        bill_probe = bill.probe

        def probe(body: Body) -> Answer:
            counts = body["messages"][-1]["content"].startswith("Count")
            return bill.answer(body, "1 2 3") if counts else bill_probe(body)

        bill.probe = probe  # type: ignore[method-assign]
        with pytest.raises(PartlyDoneError, match="cap on cost"):
            run(tmp_path, bill, server, max_cost=0.3)
    assert 0.1 < bill.dollars <= 0.3


def test_a_cap_without_room_to_probe_a_server_is_told_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace(tmp_path, [turns("a?", "a!"), turns("b?", "b!")])
    bill = Bill(lambda body: json.dumps(dict.fromkeys(slots(body), GOOD)))
    with serve(bill.script) as server:
        assert run(tmp_path, bill, server, judge="n", max_cost=0.25).statuses["ok"] == 2
        assert "no room to find out" in capsys.readouterr().err
        assert not any("word0" in body["messages"][-1]["content"] for body in server.probes)
        assert bill.dollars <= 0.25
        workspace(tmp_path, [turns("c?", "c!")])
        run(tmp_path, bill, server, judge="n", max_cost=5)
        assert any("word0" in body["messages"][-1]["content"] for body in server.probes)
