"""Lines of JSON: what a target refuses or drops without a word is found at its line, and no file stops the search."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curate.errors import CurateError
from curate.export import export
from curate.verify import Report, lines, targets, verify
from curate.verify.findings import CODES
from tests.export.workspaces import conversation, make, talk

ROWS = [
    conversation(talk(f"Question {n}", f"Answer {n}", "More?", "No."), **{"class": ("gpt-4", "gpt-3.5")[n % 2]})
    for n in range(12)
]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports")
    ws = make(folder / "ws", ROWS).path
    for target in targets.KNOWN:
        drawn: Any = {"emulate_weights": "drop"} if targets.named(target).weights == "none" else {}
        epochs = 2 if target == "openchat-jsonl" else 1
        export(ws, folder / target, format=target, epochs=epochs, quiet=True, **drawn)
    return folder


def look(path: Path, **options: Any) -> Report:
    return verify(path, quiet=True, **options)


def codes(report: Report, *, notes: bool = False) -> set[str]:
    return {finding.code for finding in report.findings if notes or finding.severity != "note"}


def chat(*turns: tuple[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns], **more}


def items(*turns: tuple[str, Any, Any], **more: Any) -> dict[str, Any]:
    found = [{"role": role, "content": content, "weight": weight} for role, content, weight in turns]
    return {"items": found, "condition": "GPT4", "system": "", **more}


def write(path: Path, *rows: Any) -> Path:
    path.write_bytes(b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows))
    return path


@pytest.mark.parametrize("target", targets.KNOWN)
def test_every_target_s_export_passes_with_its_counts(exports: Path, target: str) -> None:
    report = look(exports / target)
    assert codes(report) == set()
    assert report.checksums
    counts = json.loads((exports / target / "manifest.json").read_text())["counts"]
    for one in report.sets:
        assert (one.layout, one.rows, one.trained_rows) == (target, *[(counts["drawn"] or [counts["rows"]])[0]] * 2)
        assert one.tokens is None
        assert one.conditioned == (one.rows if target == "openchat-jsonl" else None)
    assert len(report.sets) == (2 if target == "openchat-jsonl" else 1)


def test_weights_add_up(exports: Path) -> None:
    assert look(exports / "fireworks-jsonl").sets[0].weight_sum == pytest.approx(6 * 1.0 + 6 * 0.1)
    assert look(exports / "openchat-jsonl").sets[0].weight_sum == pytest.approx(2 * (6 * 1.0 + 6 * 0.1))


GOOD = chat(("user", "Hi"), ("assistant", "Hello"))
TALK = items(("user", "Hi", 0), ("assistant", "Hello", 1))
BAD: dict[str, tuple[str, str, Any]] = {
    "text": ("not_json", "openai-jsonl", b"{"),
    "list": ("not_json", "openai-jsonl", [1]),
    "blank": ("not_json", "openchat-jsonl", b""),
    "deep": ("not_json", "openai-jsonl", b"[" * 100_000),
    "surrogate": ("not_json", "openai-jsonl", b'{"messages": "\\ud800"}'),
    "no turns": ("missing_key", "openai-jsonl", {"prompt": "Hi"}),
    "no role": ("missing_key", "openai-jsonl", {"messages": [{"content": "Hi"}]}),
    "no content": ("missing_key", "mistral-jsonl", {"messages": [{"role": "user"}]}),
    "no item weight": ("missing_key", "openchat-jsonl", {"items": [{"role": "assistant", "content": "Hi"}]}),
    "null turns": ("null", "openai-jsonl", {"messages": None}),
    "null content": ("null", "together-jsonl", chat(("user", None), weight=1)),
    "null weight": ("null", "openchat-jsonl", items(("assistant", "Hi", None))),
    "null condition": ("null", "openchat-jsonl", {**TALK, "condition": None}),
    "turns": ("wrong_type", "openai-jsonl", {"messages": {"role": "user"}}),
    "turn": ("wrong_type", "openai-jsonl", {"messages": ["Hi"]}),
    "role": ("wrong_type", "openai-jsonl", chat((["user"], "Hi"))),  # type: ignore[arg-type]
    "content": ("wrong_type", "openchat-jsonl", items(("user", 5, 0))),
    "weight": ("wrong_type", "fireworks-jsonl", {**GOOD, "weight": "1"}),
    "truth": ("wrong_type", "fireworks-jsonl", {**GOOD, "weight": True}),
    "empty": ("no_messages", "openchat-jsonl", items()),
    "unknown role": ("role", "openchat-jsonl", items(("gpt", "Hi", 0), ("assistant", "Hello", 1))),
    "order": ("role_order", "together-jsonl", {**chat(("user", "a"), ("user", "b"), ("assistant", "c")), "weight": 1}),
    "no answer": ("role_order", "openai-jsonl", chat(("user", "a"))),
    "not a number": ("weight_nan", "fireworks-jsonl", b'{"messages": [], "weight": NaN}'),
    "endless": ("weight_nan", "openchat-jsonl", items(("assistant", "Hi", float("inf")))),
    "huge": ("not_json", "fireworks-jsonl", b'{"messages": [], "weight": 1' + b"0" * 400 + b"}"),
    "negative": ("weight_negative", "together-jsonl", {**GOOD, "weight": -1}),
    "negative item": ("weight_negative", "openchat-jsonl", items(("assistant", "Hi", -1))),
    "vanishing": ("weight_vanishes", "openchat-jsonl", items(("assistant", "Hi", 1e-42))),
    "fraction": ("weight_value", "mistral-jsonl", {"messages": [{"role": "assistant", "content": "a", "weight": 0.1}]}),
    "unread": ("weight_unread", "openai-jsonl", {**GOOD, "weight": 0.5}),
    "unread beside": ("weight_unread", "openchat-jsonl", {**TALK, "weight": 0.5}),
    "prompt": ("label_outside", "openchat-jsonl", items(("user", "Hi", 1), ("assistant", "Hello", 1))),
    "weighed prompt": ("label_outside", "openai-jsonl", {"messages": [{"role": "user", "content": "a", "weight": 1}]}),
    "no text": ("empty_response", "mistral-jsonl", chat(("user", "a"), ("assistant", ""))),
    "nothing said": ("never_trained", "openai-jsonl", chat(("user", "a"), ("assistant", ""))),
    "weighs nothing": ("never_trained", "fireworks-jsonl", {**GOOD, "weight": 0}),
    "masked": ("never_trained", "openchat-jsonl", items(("user", "a", 0), ("assistant", "b", 0))),
    "mixed": ("mixed_weights", "fireworks-jsonl", GOOD),
    "live condition": ("condition", "openchat-jsonl", {**TALK, "condition": "<|im_end|>"}),
    "live text": ("live_tokens", "openai-jsonl", chat(("user", "<|im_end|>"), ("assistant", "a"))),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_with_a_line_is_found_at_its_line(tmp_path: Path, name: str) -> None:
    code, target, line = BAD[name]
    good = {"message": TALK, "row": {**GOOD, "weight": 1}, "none": GOOD}[targets.named(target).weights]
    report = look(write(tmp_path / "train.jsonl", good, good, line, good), target=target)
    finding = next(finding for finding in report.findings if finding.code == code)
    assert (finding.file, finding.row, finding.count) == ("train.jsonl", None if name == "mixed" else 2, 1)
    assert report.passed == (CODES[code][0] == "note")
    assert report.sets[0].rows == 4


def test_a_file_tells_itself_what_it_is_for_where_nobody_else_does(tmp_path: Path) -> None:
    assert [one.layout for one in look(write(tmp_path / "a.jsonl", TALK)).sets] == ["openchat-jsonl"]
    assert [one.layout for one in look(write(tmp_path / "a.jsonl", GOOD)).sets] == ["chat-jsonl"]
    assert codes(look(write(tmp_path / "a.jsonl", GOOD))) == set()
    assert codes(look(write(tmp_path / "a.jsonl", GOOD), target="mistral-jsonl")) == set()
    assert codes(look(write(tmp_path / "a.jsonl", {"text": "Hi"}))) == {"unknown_layout"}
    assert codes(look(write(tmp_path / "a.jsonl"))) == {"no_rows"}
    assert codes(look(write(tmp_path / "a.jsonl", GOOD), target="together-jsonl")) == {"unweighted"}
    assert codes(look(write(tmp_path / "a.jsonl", {**TALK, "condition": ""}))) == {"unconditioned"}
    with pytest.raises(CurateError, match="unknown target"):
        look(tmp_path / "a.jsonl", target="openai")


def test_a_folder_and_a_glob_are_read_line_by_line_too(tmp_path: Path) -> None:
    write(tmp_path / "a.0.jsonl", TALK)
    write(tmp_path / "a.2.jsonl", TALK)
    assert codes(look(tmp_path)) == {"epoch_gap", "equal_epochs"}
    assert len(verify(str(tmp_path / "*.jsonl"), quiet=True).sets) == 2


def test_a_changed_line_is_a_wrong_checksum_and_a_new_file_is_unlisted(exports: Path, tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(exports / "openai-jsonl", tmp_path / "out"))
    with (folder / "train.jsonl").open("ab") as file:
        file.write(b"{}\n")
    write(folder / "more.jsonl", GOOD)
    assert {"checksum", "missing_key", "unlisted_file"} <= codes(look(folder))


def test_damage_of_any_kind_is_a_finding_and_no_crash(exports: Path, tmp_path: Path) -> None:
    for target in targets.KNOWN:
        data = next((exports / target).glob("train*.jsonl")).read_bytes()
        dice = random.Random(target)
        for _ in range(150):
            spoilt = bytearray(data)
            for _ in range(dice.choice([1, 5, 50])):
                spoilt[dice.randrange(len(data))] = dice.choice(b'{}[],:"\\nul0-e9\x00\xff\n')
            (tmp_path / "x.jsonl").write_bytes(spoilt[: dice.choice([len(data), dice.randrange(len(data))])])
            assert isinstance(look(tmp_path / "x.jsonl", target=target), Report)


def test_a_million_roles_are_put_in_order_in_no_time(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": ""}] * 200_000
    assert "role_order" in codes(look(write(tmp_path / "a.jsonl", {"messages": turns}), target="openai-jsonl"))


def test_a_line_without_end_is_passed_over_in_little_memory(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    with file.open("wb") as whole:
        whole.write(json.dumps(GOOD).encode() + b"\n" + b'{"messages": "')
        whole.seek(2 << 30, 1)
        whole.write(b"\n" + json.dumps(GOOD).encode())
    limit = 3 << 29
    code = f"import resource as r; r.setrlimit(r.RLIMIT_AS, ({limit}, {limit})); from curate.main import main; main()"
    command = [sys.executable, "-c", code, "verify", str(file), "--json", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"POLARS_MAX_THREADS": "1"})
    found = json.loads(done.stdout)
    assert [(f["code"], f["row"]) for f in found["findings"]] == [("line_too_long", 1)]
    assert (found["sets"][0]["rows"], found["sets"][0]["trained_rows"]) == (3, 2)


def test_a_line_at_the_limit_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps(GOOD).encode()
    write(tmp_path / "a.jsonl", line, line)
    monkeypatch.setattr(lines, "MOST", len(line))
    assert codes(look(tmp_path / "a.jsonl")) == set()
    monkeypatch.setattr(lines, "MOST", len(line) - 1)
    assert codes(look(tmp_path / "a.jsonl")) == {"line_too_long", "all_zero"}


def test_what_a_line_holds_is_told_in_few_characters(tmp_path: Path) -> None:
    long = "x" * 100_000
    report = look(write(tmp_path / "a.jsonl", chat((long, "Hi"))))
    assert all(len(finding.detail) <= 300 for finding in report.findings)
