"""`curate judges` from the command line: what is printed, and what a mistake looks like."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from fake_server import good, serve
from rows import turns, workspace

import curate
from curate.main import main


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """As typed, within this process: exit code, stdout, stderr."""
    before, sys.argv = sys.argv, ["curate", *map(str, words)]
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv = before
    assert isinstance(code, int)
    return code, *capsys.readouterr()


def test_an_audit_prints_the_judge_beside_its_baselines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"prompt": f"q{i}", "chosen": "A whole sentence.", "rejected": "I'm sorry, but I cannot help."}
        for i in range(9)
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, out, _ = run(capsys, "judges", "audit", path, "-w", tmp_path / "w", "--judge", "local", "-q")
    assert code == 0
    assert "not an LLM judge" in out
    assert "beats length" in out
    assert "judge     1.000" in out
    code, out, _ = run(capsys, "judges", "audit", path, "-w", tmp_path / "w", "--judge", "local", "-q", "--json")
    assert json.loads(out)["sets"][0]["pairs"] == 9


def test_an_attack_prints_flips_by_family(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve(lambda *_: good(correct=0, follows=0)) as server:
        options = ["--judge", "m", "--base-url", server.base_url, "-w", tmp_path / "w", "-q", "--concurrency", 16]
        code, out, _ = run(capsys, "judges", "attack", *options)
    assert code == 0
    assert "override       flips 0%" in out
    assert "0 of 10 taken for an attack" in out


def test_a_pack_goes_out_and_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        workspace(tmp_path / name, [turns("a?", "a!")])
    with serve(lambda *_: good()) as server:
        curate.score(tmp_path / "a", judge="m", base_url=server.base_url, quiet=True)
    assert run(capsys, "judges", "export", "-w", tmp_path / "a", "-o", tmp_path / "p.parquet")[1] == "1 judgements\n"
    assert "1 of them new" in run(capsys, "judges", "import", tmp_path / "p.parquet", "-w", tmp_path / "b")[1]
    code, _, err = run(capsys, "judges", "export", "-w", tmp_path / "nothing")
    assert code == 2
    assert "hint:" in err


def test_a_scale_must_be_two_numbers_and_a_column_must_exist(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace(tmp_path, [turns("a?", "a!")])
    assert "is not two numbers" in run(capsys, "judges", "fit", "x.csv", "-w", tmp_path, "--scale", "1")[2]
    assert "mean `percentile`?" in run(capsys, "judges", "apply", "-w", tmp_path, "--use", "percentil")[2]


def test_score_says_what_is_missing_and_ends_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace(tmp_path, [turns("a?", "a!")])
    with serve(lambda *_: good(correct=9)) as server:
        options = ["-w", tmp_path, "--judge", "m", "--base-url", server.base_url, "--sample", "100%"]
        code, _, err = run(capsys, "score", *options)
        assert code == 3
        assert "--retry" in err
        server.script = lambda *_: good()
        code, out, _ = run(capsys, "score", *options, "--retry")
        assert code == 0
        assert "1 ok" in out
    assert "is not a share" in run(capsys, "score", "-w", tmp_path, "--sample", "half")[2]
