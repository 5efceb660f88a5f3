"""The command line as a user meets it: what it prints where, how it fails, and what it never lets through."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from curate import __version__
from curate.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

WHY = "Why is the sky blue on a clear day?"
ANSWER = "Because air scatters blue light more than red light."


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """`command("report", "-w", "ws")`: as typed, within this process."""

    def call(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["curate", *map(str, words)])
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        return Done(code, *capsys.readouterr())

    return call


def shell(*words: object, **environment: str) -> Done:
    """As typed, in a process of its own."""
    process = subprocess.run(
        [sys.executable, "-m", "curate", *map(str, words)],
        capture_output=True,
        env={**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": "utf-8"} | environment,
        check=False,
    )
    return Done(process.returncode, process.stdout.decode(), process.stderr.decode())


@pytest.fixture
def home(
    tmp_path: Path,
    chat: Callable[..., dict[str, Any]],
    dump: Callable[[Path, list[Any]], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """We work in a folder with a small dump."""
    monkeypatch.chdir(tmp_path)
    records = [
        chat(WHY, ANSWER, model="gpt-4"),
        chat(WHY, ANSWER, model="gpt-4"),
        chat("What is the capital of France?", "I'm sorry, but I cannot help with that.", model="gpt-3.5-turbo"),
        chat("What is the capital of Peru?", "Lima is the capital of Peru."),
        {"conversations": []},
    ]
    dump(tmp_path / "dump.json", records)
    return tmp_path


@pytest.fixture
def curated(home: Path, command: Callable[..., Done]) -> Path:
    """The dump has run through everything."""
    assert command("run", "dump.json", "-q").code == 0
    return home


INGESTED = "records        5\nconversations  4\nrejected       1 empty\n"

# The way through.


def test_stage_after_stage_prints_figures_on_stdout(home: Path, command: Callable[..., Done]) -> None:
    assert command("ingest", "dump.json", "-q") == (0, INGESTED, "")
    assert command("clean", "-q").out == "conversations  4\nflagged        1\nby rule        1 refusal\n"
    assert command("label", "-q").out.splitlines()[:2] == [
        "responses      4",
        "classes        2 gpt-4, 1 unknown, 1 gpt-3.5",
    ]
    assert command("dedup", "-q").out.splitlines()[:3] == ["conversations  4", "kept           3", "exact          1"]
    scored = command("score", "-q")
    assert "responses      3 ok" in scored.out
    assert "1 skipped" in scored.out
    assert "defects        1 refusal" in scored.out
    exported = command("export", "-q", "-o", "out")
    assert exported.out.startswith("\nout: crlft, written\n")
    assert "gpt-4            1 responses, mean weight 1.000, sum 1.0" in exported.out
    assert (home / "out" / "manifest.json").exists()


def test_run_shows_histogram_funnel_and_export(home: Path, command: Callable[..., Done]) -> None:
    code, out, err = command("run", "dump.json", "-o", "out")
    assert code == 0
    for part in ("reward by class, judge: local", "not an LLM judge", "records  ", "exported", "out: crlft, written"):
        assert part in out
    assert err.startswith("plan\n  1 ingest  dump.json → curated\n")
    assert command("run", "dump.json", "-o", "out", "-q").out.count("out: crlft, unchanged") == 1


READING = [
    (("ingest", "dump.json"), {"files", "known", "conversations", "rejects", "truncated"}),
    (("clean",), {"conversations", "flagged", "rules"}),
    (("label",), {"responses", "classes", "rules"}),
    (("dedup",), {"texts", "kept", "exact", "prefix", "near", "clusters"}),
    (("score",), {"judge", "rubric", "statuses", "defects", "note"}),
    (("score", "--dry-run"), {"estimate"}),
    (("hist",), {"column", "by", "bins", "groups", "judges"}),
    (("hist", "chars", "--by", "model"), {"bins", "groups"}),
    (("report",), {"summary", "against", "html", "map"}),
    (("export", "-o", "shards"), {"format", "rows", "classes", "effective_sample_size", "unchanged"}),
    (("export", "-o", "other", "--dry-run"), {"rows", "files"}),
    (("run", "dump.json"), {"stages", "seconds", "funnel"}),
]


@pytest.mark.parametrize(("words", "keys"), READING, ids=[" ".join(words) for words, _ in READING])
def test_json_is_json_and_alone_on_stdout(
    curated: Path, command: Callable[..., Done], words: tuple[str, ...], keys: set[str]
) -> None:
    code, out, _ = command(*words, "--json")
    assert code == 0
    assert keys <= set(json.loads(out))


def test_rules_can_be_checked_listed_and_explained(home: Path, command: Callable[..., Done]) -> None:
    checked = command("rules", "check")
    assert (checked.code, checked.err) == (0, "")
    assert all(line.startswith("ok  ") for line in checked.out.splitlines())
    assert {item["kind"] for item in json.loads(command("rules", "check", "--json").out)} >= {"labels", "clean", "keep"}
    listed = json.loads(command("rules", "list", "labels.toml", "--json").out)
    assert all(rule["name"] and rule["why"] and rule["when"] for rule in listed)
    shown = command("rules", "list", "labels").out
    assert all(f"    {rule['why']}\n    {rule['when'].strip()}\n" in shown for rule in listed)
    assert command("rules", "columns", "labels").out.startswith("model              str    model as the message")


def test_the_workspace_can_come_from_the_environment(
    curated: Path, command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = command("report").out
    (curated / "curated").rename(curated / "elsewhere")
    monkeypatch.setenv("CURATE_WORKSPACE", "elsewhere")
    assert command("report") == (0, expected.replace("curated", "elsewhere", 1), "")
    assert command("report", "-w", "curated").code == 2


def test_stdin_is_a_dump_too(home: Path) -> None:
    text = (home / "dump.json").read_bytes()
    process = subprocess.run(
        [sys.executable, "-m", "curate", "ingest", "-", "-q"], input=text, capture_output=True, check=True
    )
    assert process.stdout.decode() == INGESTED


def test_version_and_module_agree(command: Callable[..., Done]) -> None:
    assert command("--version") == (0, f"curate {__version__}\n", "")


def test_quiet_is_quiet(home: Path, command: Callable[..., Done]) -> None:
    assert command("run", "dump.json", "-q").err == ""


# What goes wrong.

ERRORS = {
    "report": """\
error: this folder is not a curate workspace
  --> curated
hint: make one with `curate ingest FILE… -w DIR`, or name one with -w or CURATE_WORKSPACE
""",
    "ingest dmp.json": """\
error: no such file or folder
  --> dmp.json
hint: did you mean `dump.json`?
""",
    "ingest other.json": """\
error: no record of the file has a shape that curate knows
  --> other.json, first record, keys: `a`
hint: say which columns hold what: --columns user=COLUMN,assistant=COLUMN (docs/formats.md)
""",
    "ingest dump.json --format shargpt": """\
error: no input format `shargpt`
hint: did you mean `sharegpt`?
""",
    "hist rewrd -w ws": """\
error: no column `rewrd` to look at
hint: did you mean `reward`?
""",
    "hist -w ws": """\
error: the workspace has no `scores` yet
  --> ws
hint: run `curate score` first
""",
    "label --rules lables -w ws": """\
error: no rule file `lables`
hint: did you mean `labels`?
""",
    "label --rules bad.toml -w ws": """\
error: the rule file has 2 mistakes:
  - rule 1 `x`: unknown key `wen`; did you mean `when`?
  - rule 1 `x`: `when` is missing or not text
  --> bad.toml
""",
    "run dump.json --recipe defualt": """\
error: no rule file `recipes/defualt`
hint: did you mean `default`?
""",
    "score --price 1 -w ws": """\
error: `--price 1` is not two numbers
hint: --price 0.20,0.50
""",
    "dedup --threshold 2 -w ws": """\
error: the threshold is 2.0
  --> --threshold
hint: give a number from 0.01 to 1; below, everything resembles everything
""",
    "export --format crlf -w ws": """\
error: unknown export format `crlf`
hint: did you mean `crlft`?
""",
    "rules columns label": """\
error: no rules of kind `label`
hint: did you mean `labels`?
""",
    "report -w dump.json": """\
error: the workspace is a file, not a folder
  --> dump.json
hint: name a folder with -w or CURATE_WORKSPACE
""",
}


@pytest.mark.parametrize("line", ERRORS)
def test_an_error_says_what_where_and_how_to_go_on(home: Path, command: Callable[..., Done], line: str) -> None:
    (home / "other.json").write_text('[{"a": 1}]')
    case = "case = [{ model = 'x', fires = true }, { model = 'y', fires = false }]"
    rule = f"[[rule]]\nname = 'x'\nwhy = 'y'\nwen = ''\nclass = 'z'\n{case}\n"
    (home / "bad.toml").write_text(f"schema = 1\nkind = 'labels'\n{rule}")
    command("ingest", "dump.json", "-q", "-w", "ws")
    assert command(*line.split()) == (2, "", ERRORS[line])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ingst dump.json", "No such command 'ingst'. Did you mean 'ingest'"),
        ("ingest", "Missing argument"),
        ("report --jsn", "No such option: --jsn"),
        ("ingest dump.json --limit 0", "greater than or equal to 1"),
        ("hist --bins many", "Invalid value for '--bins'"),
        ("rules chek", "No such command 'chek'"),
    ],
)
def test_wrong_usage_ends_with_2_and_the_way_to_the_help(
    home: Path, command: Callable[..., Done], line: str, says: str
) -> None:
    code, out, err = command(*line.split())
    assert (code, out) == (2, "")
    assert says in err
    assert "-h" in err


def test_an_input_that_fails_leaves_no_workspace(home: Path, command: Callable[..., Done]) -> None:
    (home / "other.json").write_text('[{"a": 1}]')
    assert command("run", "dump.json", "other.json", "-q").code == 2
    assert not list((home / "curated").rglob("*.parquet"))


def test_nobody_to_ask_means_no_money_is_spent(curated: Path, command: Callable[..., Done]) -> None:
    code, _, err = command("score", "--judge", "some-model", "-q")
    assert code == 2
    assert "not confirmed" in err
    assert "--max-cost" in err


def test_the_traceback_is_there_for_those_who_ask(
    home: Path, command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURATE_DEBUG", "1")
    code, _, err = command("report")
    assert code == 2
    assert "Traceback (most recent call last)" in err
    assert "error: this folder is not a curate workspace" in err


@pytest.mark.parametrize("line", ["hist", "report", "report --json", "rules list labels", "rules columns defects"])
def test_a_reader_that_leaves_ends_the_command_with_141_and_no_word(curated: Path, line: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        command = [sys.executable, "-m", "curate", *line.split()]
        process = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, check=False)
    assert (process.returncode, process.stderr) == (141, b"")


# What it must not load.

HEAVY = {"polars", "pyarrow", "numpy", "openai", "datasketch", "scipy", "numba", "torch", "transformers"}


@pytest.mark.parametrize("line", ["--help", "run --help", "score --help", "--version", "rules columns labels"])
def test_help_loads_nothing_heavy(line: str) -> None:
    code = (
        "import sys\nfrom curate.main import main\n"
        f"sys.argv = ['curate', *{line.split()!r}]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout
    assert set(process.stderr.split()) & HEAVY == set()


def test_every_command_has_a_help_that_begins_with_what_it_does(command: Callable[..., Done]) -> None:
    reading = ("hist", "export", "report", "rules")
    for word in ("run", "ingest", "clean", "label", "dedup", "decontaminate", "score", *reading):
        code, out, err = command(word, "--help")
        assert (code, err) == (0, "")
        assert out.startswith(f"Usage: curate {word} ")
        assert len(out.splitlines()[2].strip()) > 20


# Terminals of every kind.

NASTY = {
    "esc": "\x1b[31mred\x1b]0;title\x07",
    "c1": "\x9b31mred",
    "markup": "[red]x[/red]",
    "link": "[link=http://x]y[/link]",
    "bidi": "abc\u202edef\u2066",
    "lines": "gpt\nerror: fake",
    "return": "gpt\rfake",
}
NEVER = "\x1b\x07\x9b\u202e\u2066\r"

EVIL_RULES = """\
schema = 1
kind = "labels"
[[rule]]
name = "evil\\u001b[31m"
why = "A class from a file that somebody sent."
when = "model = 'x'"
class = "gpt\\u001b[31m\\u202e[bold]\\n4"
case = [{ model = "x", fires = true }, { model = "y", fires = false }]
"""


def test_nothing_from_data_steers_the_terminal(
    home: Path,
    command: Callable[..., Done],
    chat: Callable[..., dict[str, Any]],
    dump: Callable[[Path, list[Any]], Path],
) -> None:
    records = [chat(f"{WHY} {name}", f"{ANSWER} {name}", model=text) for name, text in NASTY.items()]
    records += [chat(WHY, ANSWER, model="x"), {"conversations": [{"from": "\x1b[31m", "value": ""}]}]
    file = dump(home / "a\x1b[31mb\u202e.json", records)
    (home / "evil.toml").write_text(EVIL_RULES)
    shown = [command("run", file.name), command("label", "--rules", "evil.toml"), command("rules", "list", "evil.toml")]
    lines = [
        "hist", "hist --by model", "hist --by source", "hist --by rule", "hist --by model --json", "report",
        "report --json", "clean", "label --rules evil.toml --json", "export", "ingest a\x1bb", "ingest [bold]x",
        "label --rules \x1b[31m",
    ]  # fmt: skip
    shown += [command(*line.split(" ")) for line in lines]
    for done in shown:
        assert not [mark for mark in NEVER if mark in done.out + done.err], done
        assert not done.out.count("\nerror: fake")
    assert shell("hist", "--by", "model", COLUMNS="120").out.count("[red]x[/red]") == 1


def test_json_keeps_the_very_text(
    home: Path,
    command: Callable[..., Done],
    dump: Callable[[Path, list[Any]], Path],
) -> None:
    turns = [{"role": "user", "content": WHY}, {"role": "assistant", "content": ANSWER}]
    dump(home / "dump.json", [{"model": text, "messages": turns} for text in [*NASTY.values(), "modèle 中"]])
    command("ingest", "dump.json", "-q")
    groups = json.loads(command("hist", "chars", "--by", "model", "--json").out)["groups"]
    assert {group["name"] for group in groups} == {*NASTY.values(), "modèle 中"}
    code, out, _ = shell("hist", "chars", "--by", "model", "--json", PYTHONIOENCODING="ascii")
    assert (code, json.loads(out)["groups"]) == (0, groups)
    assert out.isascii()


@pytest.mark.parametrize("line", ["hist", "hist --by model", "report", "rules list labels", "export -o shards"])
def test_an_ascii_terminal_is_enough(
    home: Path,
    chat: Callable[..., dict[str, Any]],
    dump: Callable[[Path, list[Any]], Path],
    command: Callable[..., Done],
    line: str,
) -> None:
    dump(home / "dump.json", [chat(WHY, ANSWER, model="modèle 中"), chat("a", "b", model="a-very-long-name" * 9)])
    assert command("run", "dump.json", "-q").code == 0
    code, out, err = shell(*line.split(), PYTHONIOENCODING="ascii")
    assert (code, err) == (0, "" if "export" not in line else err)
    assert out.isascii()
    assert out.strip()


def terminal(*words: str, **environment: str) -> str:
    """What a command writes to a terminal, stdout and stderr together."""
    main_end, end = pty.openpty()
    plain = {"TERM": "xterm-256color", "COLUMNS": "80"}
    process = subprocess.Popen(
        [sys.executable, "-m", "curate", *words], stdout=end, stderr=end, env={**os.environ, **plain, **environment}
    )
    os.close(end)
    text = b""
    try:
        while block := os.read(main_end, 65536):
            text += block
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(main_end)
    process.wait()
    return text.decode()


@pytest.mark.parametrize("words", [["hist"], ["report", "-w", "nowhere"], ["--help"]])
def test_no_color_means_no_escape_sequence(curated: Path, words: list[str]) -> None:
    assert "\x1b" in terminal(*words)
    shown = terminal(*words, NO_COLOR="1")
    assert "\x1b" not in shown
    assert shown.strip()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
@pytest.mark.usefixtures("curated")
def test_closed_streams_are_no_bug(closed: str) -> None:
    command = f"exec {sys.executable} -m curate label -q {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr


def test_a_pipe_gets_no_escape_sequence_and_no_progress(curated: Path) -> None:
    for line in ("hist", "report", "run dump.json", "--help", "report -w nowhere"):
        done = shell(*line.split())
        assert "\x1b" not in done.out + done.err
        assert "\r" not in done.out + done.err


def test_a_narrow_terminal_is_filled_and_not_overrun(
    curated: Path, command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    for width in (40, 60, 100):
        monkeypatch.setenv("COLUMNS", str(width))
        for line in ("hist", "report"):
            shown = command(line).out.splitlines()
            assert max(map(len, shown)) <= width
        assert max(map(len, command("hist").out.splitlines())) > width - 4
