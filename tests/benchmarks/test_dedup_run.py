"""The benchmark of dedup runs from corpus to tables."""

import sys

import environments
import run


def test_every_peer_has_a_script_and_every_script_a_peer():
    assert {path.stem for path in environments.PEERS.glob("*.py")} == set(environments.ALL)


def test_it_measures_us_and_says_how_right_we_are(tmp_path, monkeypatch, capfd):
    arguments = ["--rows=1000", "--tools=none", "--corpora=planted", "--cores=1", "--runs=1", "--scale=1000"]
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments, f"--folder={tmp_path}"])
    run.main()
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("## planted: 1,000 conversations, 2.")
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    speed = next(row for row in rows if row[:2] == ["curate", "1,000"])
    assert float(speed[2]) > 0
    assert speed[3] == "1.0"
    common, own = (next(row for row in rows if row[:2] == ["curate", kind]) for kind in ("common", "curate"))
    assert float(common[2]) > 0.97
    assert float(common[3]) > 0.99
    assert own[2:4] == ["1.0000", "1.0000"]
    assert own[5] == "0"
    assert any(row[0] == "1,000" for row in rows)
    assert {"kernel", "reading once"} < {row[0] for row in rows}
