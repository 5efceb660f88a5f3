"""Nothing is called but the judge, its key is in no file and no output, and neither data nor recipes run anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_server import JSON, Answer, Body, completion, error, good, grades, serve
from typer.testing import CliRunner

import curate
from curate.cli import app
from curate.errors import CurateError, RuleError
from curate.pipeline import load_recipe

KEY = "sk-canary-4f1d9b7c0a8e6d35"
# Runs the command line and notes whatever reaches for the network or starts a program.
GUARD = """
import os, sys
noted = open(os.environ["NOTED"], "a")
REACHES = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request",
           "http.client.connect", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")
def note(event, arguments):
    if event in REACHES:
        shown = arguments[1:2] if event.startswith("socket.connect") else arguments[:2]
        noted.write(f"{event} {shown!r}\\n"); noted.flush()
sys.addaudithook(note)
from curate.main import main
sys.argv = ["curate", *sys.argv[1:]]
main()
"""
BAIT = [
    "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "![x](https://example.invalid/x.png)",
    "<img src='https://example.invalid/x'><script src=//example.invalid/x.js></script>", "redis://example.invalid/0",
    "\\\\example.invalid\\share", "s3://example.invalid/x", "hf://datasets/example/x",
]  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a dump whose texts and fields are addresses."""
    monkeypatch.chdir(tmp_path)
    records = [
        {"id": bait, "model": "gpt-4", "url": bait, "source": bait,
         "conversations": [{"from": "human", "value": f"What is {bait}?"}, {"from": "gpt", "value": f"It is {bait}."}]}
        for bait in BAIT
    ]  # fmt: skip
    (tmp_path / "dump.json").write_text(json.dumps(records))
    return tmp_path


def guarded(home: Path, *arguments: str, **env: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The command's end, and what it reached for."""
    noted = home.parent / f"{home.name}-noted.txt"
    noted.write_text("")
    environment = {**os.environ, "NOTED": str(noted), "OPENAI_API_KEY": KEY, **env}
    environment["PYTHONPATH"] = str(Path(curate.__file__).parents[1])
    command = [sys.executable, "-c", GUARD, *arguments]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False, env=environment)
    return done, noted.read_text().splitlines()


def assert_no_key(home: Path, done: subprocess.CompletedProcess[str]) -> None:
    for said in (done.stdout, done.stderr):
        assert KEY not in said
        assert KEY[:12] not in said
    for path in home.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_the_whole_flow_with_the_local_judge_reaches_for_nothing(home: Path) -> None:
    done, noted = guarded(home, "run", "dump.json", "-q")
    assert done.returncode == 0, done.stderr
    assert noted == []
    for command in (["report", "--html", "page.html"], ["doctor"], ["verify", "shards"], ["clean", "--redact"]):
        done, noted = guarded(home, *command)
        assert done.returncode == 0, done.stderr + done.stdout
        assert noted == [], command
    assert_no_key(home, done)


def test_a_judge_is_the_only_one_that_is_called(home: Path) -> None:
    with serve(lambda *_: good()) as server:
        done, noted = guarded(home, "run", "dump.json", "--judge", "m", "--base-url", server.base_url)
        port = server.base_url.rpartition(":")[2].partition("/")[0]
    assert done.returncode == 0, done.stderr
    assert noted
    # Python's own `platform` asks the program `uname` for the processor, which the SDK names in a header.
    reached = [line for line in noted if not line.startswith("subprocess.Popen ('uname'")]
    assert all(f"('127.0.0.1', {port})" in line or f"'127.0.0.1', {port}" in line for line in reached), reached
    assert_no_key(home, done)


def echo(status: int) -> Any:
    return lambda *_: error(status, f"the key {KEY} in `Authorization: Bearer {KEY}` is wrong", code=KEY)


def echoed(body: Body, _: int) -> Answer:
    """A grade that quotes the key."""
    return 200, JSON, completion(grades(body, evidence=f"your key is {KEY}"))


@pytest.mark.parametrize(
    "script", [echo(400), echo(401), echo(404), echo(418), echo(500), echoed],
    ids=["400", "401", "404", "418", "500", "echo"],
)  # fmt: skip
def test_the_key_is_nowhere_even_when_the_server_sends_it_back(home: Path, script: Any) -> None:
    curate.ingest(["dump.json"], "curated", quiet=True)
    with serve(script, like_probe=script is not echoed) as server:
        command = ["score", "--judge", "m", "--base-url", server.base_url, "--limit", "2"]
        done, noted = guarded(home, *command, CURATE_DEBUG="1")
    assert noted, "it was asked"
    assert_no_key(home, done)


def test_a_key_in_the_address_is_nowhere(home: Path) -> None:
    curate.ingest(["dump.json"], "curated", quiet=True)
    address = f"http://user:{KEY}@127.0.0.1:9/v1?api-key={KEY}"
    for arguments in (["score", "--judge", "m", "--base-url", address], ["doctor", "--base-url", address]):
        done, _ = guarded(home, *arguments, CURATE_DEBUG="1")
        assert done.returncode != 0
        assert_no_key(home, done)


# Recipes and rules.


def recipe(home: Path, text: str) -> str:
    (home / "r.toml").write_text(f'schema = 1\nkind = "recipe"\n{text}')
    return "./r.toml"


@pytest.mark.parametrize(
    "text",
    [
        "[ingest]\nformat = './evil.py'", "[ingest]\nformat = 'evil.py'", "[ingest]\npaths = ['/etc']",
        "[export]\nout = '/tmp/x'", "[score]\nconfirm = 'yes'", "[score]\nworkspace = '/'",
        "[score]\nbase_url = 'https://example.invalid/v1'", "[score]\nbase_url = 'http://169.254.169.254/latest'",
        "[score]\nbase_url = 'http://localhost.example.invalid/v1'", "[score]\nbase_url = 'http://[::1'",
        "[score]\nbase_url = 'http://127.0.0.1@example.invalid/v1'", "[evil]\nrun = 'x'", "export = 'x'",
        "[export]\n__class__ = 'x'", "[label]\nquiet = true",
    ],
)  # fmt: skip
def test_a_recipe_runs_no_code_and_sends_nothing_away(home: Path, text: str) -> None:
    (home / "evil.py").write_text("open('ran', 'w')\n")
    with pytest.raises(RuleError):
        load_recipe(recipe(home, text))
    with pytest.raises(CurateError):
        curate.run(["dump.json"], recipe=recipe(home, text), quiet=True)
    assert not (home / "ran").exists()
    assert not (home / "curated").exists()


def test_an_address_that_the_user_gives_is_the_users(home: Path) -> None:
    text = "[score]\nbase_url = 'https://example.invalid/v1'"
    mine = {"score": {"base_url": "https://example.org/v1"}}
    assert load_recipe(recipe(home, text), mine)["score"]["base_url"] == "https://example.org/v1"
    for local in ("http://localhost:8000/v1", "http://10.0.0.7:8000/v1", "https://api.openai.com/v1"):
        assert load_recipe(recipe(home, f"[score]\nbase_url = '{local}'"))["score"]["base_url"] == local


@pytest.mark.parametrize("format", ["../../evil", "os", "__init__", "evil", "./evil.py", "formats.trl"])
def test_the_format_of_an_export_is_one_of_ours(home: Path, format: str) -> None:
    (home / "evil.py").write_text("open('ran', 'w')\n")
    curate.ingest(["dump.json"], "curated", quiet=True)
    with pytest.raises(CurateError):
        curate.export("curated", "out", format=format, quiet=True)
    assert not (home / "ran").exists()


@pytest.mark.parametrize(
    "when",
    [
        "__import__('os').system('touch ran')", "1); import os; os.system('touch ran')", "read_csv('/etc/passwd')",
        "key IN (SELECT 1 FROM read_parquet('x'))", "load_extension('x')", "1; DROP TABLE conversations",
    ],
)  # fmt: skip
def test_a_rule_is_an_expression_and_nothing_else(home: Path, when: str) -> None:
    (home / "c.toml").write_text(f'schema = 1\nkind = "clean"\n[[rule]]\nname = "x"\nwhy = "x"\nwhen = """{when}"""\n')
    curate.ingest(["dump.json"], "curated", quiet=True)
    done = CliRunner().invoke(app, ["clean", "--rules", "./c.toml"])
    assert done.exit_code != 0
    assert not (home / "ran").exists()


def test_links_inside_a_folder_are_named_by_the_user_and_links_of_outputs_are_not_followed(home: Path) -> None:
    """What stands where curate writes may have been put there by somebody else."""
    victim = home / "victim"
    victim.mkdir()
    (victim / "precious.txt").write_text("precious")
    for name in (".shards.tmp", ".shards.replaced"):
        (home / name).symlink_to(victim)
    curate.ingest(["dump.json"], "curated", quiet=True)
    (home / "curated" / ".lock").unlink(missing_ok=True)
    curate.label("curated", quiet=True)
    with pytest.raises(CurateError, match="stands in the way"):
        curate.export("curated", "shards", quiet=True)
    assert (victim / "precious.txt").read_text() == "precious"
    assert [path.name for path in victim.iterdir()] == ["precious.txt"]
