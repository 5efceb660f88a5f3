"""The README's numbers are what was measured, by commands that exist."""

import json
import shlex

import pytest
import readme
from lines import LINES

# Lines that were never measured are in neither table.
RESULTS = json.loads(readme.RESULTS.read_text("utf-8"))


def test_the_readme_and_the_page_say_what_was_measured():
    text = (readme.ROOT / "README.md").read_text("utf-8")
    assert readme.block(RESULTS) in text, "run python benchmarks/readme.py --write"
    assert readme.PAGE.read_text("utf-8") == readme.page(RESULTS), "run python benchmarks/readme.py --write"


MEASURED = [line for line in LINES if line.name in RESULTS]


def test_the_table_has_every_line_that_was_measured():
    assert RESULTS.keys() <= {line.name for line in LINES}
    assert MEASURED
    text = readme.block(RESULTS)
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    assert [len(row) for row in cells] == [3] * len(MEASURED)
    assert [row[2].strip("`") for row in cells] == [line.command for line in MEASURED]
    assert all(any(letter.isdigit() for letter in row[1]) for row in cells)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_every_command_is_one_that_can_be_typed(line):
    python, script, *arguments = shlex.split(line.command)
    assert python == "python"
    source = (readme.ROOT / script).read_text("utf-8")
    for option in (*arguments, "--json"):
        assert not option.startswith("--") or f'"{option}"' in source, option


def test_every_line_says_when_where_and_with_what_it_was_measured():
    for line in MEASURED:
        one = RESULTS[line.name]
        assert one.keys() == {"date", "found", "machine", "versions"}, line.name
        assert one["machine"].keys() == {"cores", "cpu", "load"}
        assert one["versions"].keys() == {"python", *readme.PACKAGES}


def test_only_what_stands_between_the_markers_is_written(tmp_path, monkeypatch):
    (tmp_path / "README.md").write_text(f"before\n{readme.BEGIN}\nstale numbers\n{readme.END}\nafter\n", "utf-8")
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    monkeypatch.setattr(readme, "PAGE", tmp_path / "benchmarks.md")
    readme.write(RESULTS)
    text = (tmp_path / "README.md").read_text("utf-8")
    assert text == f"before\n{readme.block(RESULTS)}\nafter\n"
    assert "stale numbers" not in text
