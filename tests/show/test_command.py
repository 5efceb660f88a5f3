"""`curate show` as typed: JSON, pager, widths, and what goes wrong."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., tuple[int, str, str]]
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
ROOT = Path(__file__).parents[2]


def test_json_has_the_documented_shape(lived: Any, command: Command) -> None:
    page = (ROOT / "docs" / "show.md").read_text("utf-8")
    documented = re.search(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert documented
    code, out, err = command("show", 1, "-w", lived.ws, "--json")
    assert (code, err) == (0, "")
    assert not OBEYED.search(out)

    def shape(value: Any, told: Any, where: str) -> None:
        if isinstance(told, dict) and isinstance(value, dict) and where.rpartition(".")[2] not in ("levels", "aspects"):
            assert value.keys() == told.keys(), where
            for name in told:
                shape(value[name], told[name], f"{where}.{name}")
        elif isinstance(told, list) and isinstance(value, list):
            for item in value if told else ():
                shape(item, told[0], f"{where}[]")

    shape(json.loads(out), json.loads(documented[1]), "story")


def test_a_search_as_json_and_as_whole_histories(lived: Any, command: Command) -> None:
    code, out, _ = command("show", "--where", "class = 'gpt-4' and reward < 0.6", "-n", 1, "-w", lived.ws, "--json")
    found = json.loads(out)
    assert (code, found["responses"], [match["turn"] for match in found["matches"]]) == (0, 2, [1])
    code, out, _ = command("show", "--where", "turn = 1", "-n", 2, "--whole", "-w", lived.ws, "--json")
    assert [story["key"] for story in json.loads(out)] == [0, 1]
    code, out, _ = command("show", "--where", "turn = 1", "-n", 2, "-w", lived.ws)
    assert out.count("  user ") == 2
    assert "10 responses in 10 conversations, 2 shown" in out


@pytest.mark.parametrize("key", [4, 5, 6, 7, "1:1"])
def test_hostile_texts_are_nothing_but_text(lived: Any, command: Command, key: object) -> None:
    code, out, err = command("show", key, "-w", lived.ws, "--full")
    assert (code, err) == (0, "")
    assert not OBEYED.search(out)
    found = command("show", "--where", "turn = 1", "-w", lived.ws)[1]
    assert not OBEYED.search(found)


def test_a_name_and_a_condition_are_one_too_many_and_none_too_few(lived: Any, command: Command) -> None:
    for words in ((), (1, "--where", "turn = 1")):
        code, out, err = command("show", *words, "-w", lived.ws)
        assert (code, out) == (2, "")
        assert "name a conversation" in err


def test_no_such_conversation_says_how_to_name_one(lived: Any, command: Command) -> None:
    code, out, err = command("show", "nobody", "-w", lived.ws)
    assert (code, out) == (2, "")
    assert err.startswith("error: no conversation is called `nobody`\n")
    assert "hint: a key (17), a response (17:3)" in err


def test_two_of_one_id_are_listed(lived: Any, command: Command) -> None:
    code, _, err = command("show", "twin", "-w", lived.ws)
    assert code == 2
    assert "error: 2 conversations are called `twin`:\n" in err
    assert len(re.findall(r"dump\.jsonl, row [89]\n", err)) == 2


# The pager.


def in_a_terminal(*words: object, **environment: str) -> tuple[int, str]:
    """Exit code and all that a terminal of 24 lines would get."""
    master, slave = pty.openpty()
    settings = {**os.environ, "LINES": "24", "COLUMNS": "80", "TERM": "xterm", "LANG": "C.UTF-8"} | environment
    settings = {name: value for name, value in settings.items() if value != "unset"}
    command = [sys.executable, "-m", "curate", *map(str, words)]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=settings, cwd=ROOT)
    os.close(slave)
    parts = []
    try:
        while part := os.read(master, 65536):
            parts.append(part)
    except OSError:
        pass  # the other side is closed
    return process.wait(), b"".join(parts).decode("utf-8", "replace").replace("\r\n", "\n")


@pytest.fixture
def pager(tmp_path: Path) -> str:
    """A pager that marks what it is given."""
    script = tmp_path / "mark.py"
    script.write_text("import sys\ntext = sys.stdin.read()\nprint(f'PAGED {len(text.splitlines())}')\nprint(text)\n")
    return f"{sys.executable} {script}"


def test_what_is_longer_than_the_screen_is_paged(lived: Any, pager: str) -> None:
    code, out = in_a_terminal("show", 0, "-w", lived.ws, PAGER=pager)
    assert code == 0
    assert out.startswith("PAGED ")
    assert "\x1b[" in out, "in colour"
    sent = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert not OBEYED.search(sent)


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        (("--no-pager",), {}),
        ((), {"PAGER": ""}),
        ((), {"PAGER": "cat"}),
        ((), {"PAGER": "no-such-pager-here"}),
        ((), {"PAGER": "'unclosed"}),
        ((), {"LINES": "500"}),
    ],
)
def test_it_is_not_paged_where_nobody_wants_it_or_it_fits(
    lived: Any, pager: str, words: tuple[str, ...], environment: dict[str, str]
) -> None:
    code, out = in_a_terminal("show", 0, *words, "-w", lived.ws, **{"PAGER": pager, **environment})
    assert code == 0
    assert "PAGED" not in out
    assert "Conversation 0" in out


def test_no_pager_reads_what_goes_into_a_file_or_pipe(lived: Any, pager: str) -> None:
    command = [sys.executable, "-m", "curate", "show", "0", "-w", str(lived.ws)]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PAGER": pager}, cwd=ROOT, check=True)
    assert b"PAGED" not in done.stdout
    assert b"\x1b" not in done.stdout
