"""One command runs a recipe; killed at any moment, it goes on and ends with the same bytes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import curate
from curate import rules
from curate.cli import app
from curate.errors import CurateError, PartlyDoneError, RuleError
from curate.pipeline import STAGES, load_recipe, plan_lines
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path



@pytest.fixture
def home(
    tmp_path: Path,
    chat: Callable[..., dict[str, Any]],
    dump: Callable[[Path, list[Any]], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder with `dump.json`: copies, near copies, refusals, unknown models and dirt; we work in it."""
    source = random.Random(7)
    words = ["river", "stone", "letter", "window", "garden", "seven", "music", "paper", "yellow", "engine"]
    records: list[Any] = []
    for number in range(40):
        question, answer = (" ".join(source.choices(words, k=count)) for count in (8, 40))
        model = source.choice(["gpt-4", "gpt-3.5-turbo", "llama-7b", None])
        records.append(chat(question, answer, question, "I'm sorry, but I cannot help with that.", model=model))
        if number % 5 == 0:
            records += [records[-1], chat(question, f"{answer} again", model="gpt-4"), {"conversations": []}]
    monkeypatch.chdir(tmp_path)
    dump(tmp_path / "dump.json", records)
    return tmp_path


# What a run does.


def test_a_run_brings_every_record_to_its_place(home: Path) -> None:
    result = curate.run(["dump.json"], quiet=True)
    assert list(result.stages) == list(result.seconds) == [stage for stage in STAGES if stage != "decontaminate"]
    assert result.funnel.balanced
    counts = {step.name: step.count for step in result.funnel.steps}
    assert counts["records"] == 40 + 3 * 8
    assert counts["rejected"] == 8
    assert counts["duplicates"] >= 8
    assert counts["scored by local"] > 0
    assert counts["exported"] == result.stages["export"].exported > 0
    assert (home / "shards" / "manifest.json").exists()


def test_a_second_run_touches_no_byte(home: Path, tree: Callable[[Path], dict[str, bytes]]) -> None:
    curate.run(["dump.json"], quiet=True)
    before = tree(home)
    assert curate.run(["dump.json"], quiet=True).stages["export"].unchanged
    assert tree(home) == before


def test_the_plan_comes_first_on_stderr(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curate.run(["dump.json"])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[:4] == ["plan", "  1 ingest  dump.json → curated", "  2 clean", "  3 label"]


def test_a_plan_shows_settings_and_not_every_file() -> None:
    lines = plan_lines([f"f{n}" for n in range(9)], "ws", "out", {"ingest": {}, "label": {"assume": "x", "n": None}})
    assert lines == ["plan", "  1 ingest  f0, f1, f2 and 6 more → ws", "  2 label   assume = x"]


def recipe(home: Path, text: str) -> str:
    path = home / "mine.toml"
    path.write_text(f'schema = 1\nkind = "recipe"\n{text}')
    return str(path)


def test_a_recipe_says_which_stages_run_and_stages_keep_their_order(home: Path) -> None:
    result = curate.run(["dump.json"], recipe=recipe(home, "[label]\nassume = 'gpt-3.5'\n[ingest]\n"), quiet=True)
    assert list(result.stages) == ["ingest", "label"]
    assert "unknown" not in result.stages["label"].classes
    assert not (home / "shards").exists()


def test_options_win_over_the_recipe(home: Path) -> None:
    name = recipe(home, "[ingest]\n[label]\nassume = 'gpt-3.5'\n")
    assert load_recipe(name, {"label": {"assume": "gpt-4"}, "score": {"limit": 1}}) == {
        "ingest": {},
        "label": {"assume": "gpt-4"},
    }


def test_a_recipe_with_mistakes_tells_them_all_and_nothing_runs(home: Path) -> None:
    name = recipe(home, "clean = 3\n[ingst]\n[label]\nasume = 'x'\n[export]\nout = 'x'\n")
    with pytest.raises(RuleError) as caught:
        curate.run(["dump.json"], recipe=name, quiet=True)
    assert caught.value.what.splitlines()[1:] == [
        "  - `clean` is not a table",
        "  - unknown stage `ingst`; did you mean `ingest`?",
        "  - [label] unknown key `asume`; did you mean `assume`?",
        next(line for line in caught.value.what.splitlines() if "[export] unknown key `out`" in line),
    ]
    assert not (home / "curated").exists()


@pytest.mark.parametrize(
    ("stage", "options", "says"),
    [
        ("export", {"format": "zz"}, "unknown export format"),
        ("export", {"tokenizer": "nope"}, "no `tokenizer.json`"),
        ("export", {"format": "openchat"}, "holds token ids"),
        ("export", {"weighting": "best"}, "unknown weighting"),
        ("export", {"weighting": "mixed"}, "needs the rewards of a model"),
        ("export", {"beta": 0.0}, "`beta` is 0.0"),
        ("export", {"template": "x"}, "unknown template"),
        ("export", {"keep_flagged": ["nope"]}, "no cleaning rule `nope`"),
        ("dedup", {"threshold": 7}, "threshold"),
        ("dedup", {"num_perm": 0}, "num_perm|permutations"),
        ("score", {"judge": "a-model", "rubric": "nope"}, "nope"),
        ("label", {"assume": "gpt4"}, "know the class `gpt4`"),
        ("label", {"sources": {"dump": "GPT-4"}}, "know the class `GPT-4`"),
        ("label", {"sources": {"dmp": "gpt-4"}}, "no source or file `dmp`"),
        ("label", {"labels": "missing.csv"}, "cannot be read"),
    ],
)
def test_an_argument_that_cannot_work_is_told_before_any_work(
    home: Path, stage: str, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(CurateError, match=says):
        curate.run(["dump.json"], options={stage: options}, quiet=True)
    assert not (home / "curated").exists()


def test_sources_are_those_of_the_files_to_come_and_of_the_workspace(home: Path) -> None:
    (home / "other.json").write_text((home / "dump.json").read_text())
    name = recipe(home, "[ingest]\n[label]\n")
    for sources in ({"dump": "human"}, {"dump.json": "human"}, {"other": "human", "dump": "human"}):
        files = ["other.json"] if "other" in sources else ["dump.json"]
        result = curate.run(files, recipe=name, options={"label": {"sources": sources}}, quiet=True)
        assert "human" in result.stages["label"].classes
    with pytest.raises(CurateError, match="no source or file `dump`"):
        curate.run(
            ["dump.json"], "new", recipe=recipe(home, "[ingest]\nsource = 'mine'\n[label]\n"),
            options={"label": {"sources": {"dump": "human"}}}, quiet=True,
        )  # fmt: skip
    assert not (home / "new").exists()


def test_a_class_of_your_own_needs_a_weight_and_a_condition(home: Path) -> None:
    (home / "weights.toml").write_text('schema = 1\nkind = "weights"\n[classes]\nmine = 1\ngpt-4 = 1\n"gpt-3.5" = 1\n')
    options: dict[str, Any] = {"label": {"assume": "mine"}, "export": {"weights": "./weights.toml"}}
    with pytest.raises(CurateError, match="`mine` has no condition"):
        curate.run(["dump.json"], options=options, quiet=True)
    assert not (home / "curated").exists()
    text = rules.locate("conditions.toml").read_text("utf-8").replace("class = 'human'", "class = 'mine'")
    (home / "conditions.toml").write_text(text.replace('"human"', '"mine"'))
    options["export"]["conditions"] = "./conditions.toml"
    result = curate.run(["dump.json"], options=options, quiet=True)
    assert "mine" in result.stages["export"].classes


def test_the_command_line_gives_known_classes(home: Path) -> None:
    (home / "ids.csv").write_text("key,class\n0,human\n")
    found = CliRunner().invoke(app, ["run", "dump.json", "-q", "--labels", "ids.csv", "--source-class", "dump=gpt-3.5"])
    assert found.exit_code == 0
    classes = Workspace("curated").manifest["stages"]["label"]["classes"]
    assert "unknown" not in classes
    assert classes["human"] == 2


@pytest.mark.parametrize("out", ["mine", "curated", "curated/scores", "."])
def test_a_place_that_the_export_cannot_have_is_told_before_any_work(home: Path, out: str) -> None:
    (home / "mine").mkdir()
    (home / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(CurateError, match=r"not an export|own files"):
        curate.run(["dump.json"], out=out, quiet=True)
    assert not (home / "curated").exists()


def test_a_recipe_that_does_not_ingest_takes_no_files(home: Path) -> None:
    with pytest.raises(CurateError, match=r"no \[ingest\]"):
        curate.run(["dump.json"], recipe=recipe(home, "[clean]\n"), quiet=True)
    curate.ingest(["dump.json"], "curated", quiet=True)
    assert list(curate.run([], recipe=recipe(home, "[clean]\n"), quiet=True).stages) == ["clean"]


@pytest.mark.parametrize(
    "line",
    [
        "[score]\nprice = [1]", "[score]\nprice = [1, 2, 3]", "[score]\nprice = [1, 'x']",
        "[export]\nkeep_flagged = [1]", "[export]\ndrop_flagged = 'x'", "[dedup]\nthreshold = [1]",
    ],
)  # fmt: skip
def test_a_list_of_the_wrong_kind_is_a_mistake_of_the_recipe(home: Path, line: str) -> None:
    with pytest.raises(RuleError, match="it is of type"):
        load_recipe(recipe(home, line))


def test_lists_of_the_right_kind_are_taken(home: Path) -> None:
    found = load_recipe(recipe(home, "[score]\nprice = [1, 0.5]\n[export]\nkeep_flagged = ['too_short']\n"))
    assert found == {"score": {"price": [1, 0.5]}, "export": {"keep_flagged": ["too_short"]}}


def test_an_unknown_recipe_is_an_error(home: Path) -> None:
    with pytest.raises(RuleError, match="no rule file"):
        curate.run(["dump.json"], recipe="defualt", quiet=True)


def test_a_stage_that_is_partly_done_ends_the_run_before_the_export(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @wraps(curate.score)
    def half(*_: Any, **__: Any) -> None:
        raise PartlyDoneError("7 responses have no score yet")

    monkeypatch.setattr("curate.judge.score", half)
    with pytest.raises(PartlyDoneError):
        curate.run(["dump.json"], quiet=True)
    assert Workspace("curated").has("labels")
    assert not (home / "shards").exists()


# Killed.

# Runs the flow in tiny shards; SIGNAL to itself right before the COUNT-th file takes its place.
DRIVER = """\
import os, sys
from curate.main import main
from curate.ingest import table

table.SHARD_BYTES = 6000
signal, left = int(sys.argv.pop(1)), [int(sys.argv.pop(1))]

def count(event, _):
    if event == "os.rename":
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal)

sys.addaudithook(count)
sys.argv = ["curate", "run", "dump.json", "-q"]
main()
"""


def start(folder: Path, number: int = 0, before: int = -1) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", DRIVER, str(number), str(before)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, error = process.communicate()
    return process.returncode, error.decode()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """What a run leaves that nobody disturbed, by the content of the dump."""
    return {}


@pytest.fixture
def expected(
    home: Path, tree: Callable[[Path], dict[str, bytes]], undisturbed: dict[str, dict[str, bytes]]
) -> dict[str, bytes]:
    text = (home / "dump.json").read_text()
    if text not in undisturbed:
        other = home / "undisturbed"
        other.mkdir()
        (other / "dump.json").write_text(text)
        assert finish(start(other)) == (0, "")
        undisturbed[text] = tree(other)
        assert len(Workspace(other / "curated").shards("conversations")) >= 3
    return undisturbed[text]


@pytest.fixture
def scene(home: Path, expected: dict[str, bytes]) -> Path:
    """A folder with nothing but the dump."""
    folder = home / "scene"
    folder.mkdir()
    (folder / "dump.json").write_bytes((home / "dump.json").read_bytes())
    return folder


def test_killed_before_any_file_takes_its_place_the_next_run_goes_on(
    scene: Path, expected: dict[str, bytes], tree: Callable[[Path], dict[str, bytes]]
) -> None:
    for before in (1, 4, 2, 6, 9, 8, 5):
        code, error = finish(start(scene, signal.SIGKILL, before))
        # The writer of the shards is a process of its own; when only that one dies, the other says so.
        assert code in (-signal.SIGKILL, 0) or "was killed\nhint: run the same command again" in error
    assert finish(start(scene)) == (0, "")
    assert tree(scene) == expected


def test_killed_at_any_moment_the_next_run_goes_on(
    scene: Path, expected: dict[str, bytes], tree: Callable[[Path], dict[str, bytes]]
) -> None:
    moments = random.Random(3)
    for _ in range(3):
        process = start(scene)
        time.sleep(moments.uniform(0.3, 2.5))
        process.kill()
        finish(process)
    assert finish(start(scene)) == (0, "")
    assert tree(scene) == expected


def test_ctrl_c_ends_with_130_and_the_next_run_goes_on(
    scene: Path, expected: dict[str, bytes], tree: Callable[[Path], dict[str, bytes]]
) -> None:
    code, error = finish(start(scene, signal.SIGINT, 12))
    assert code == 130
    assert "Traceback" not in error
    assert not [name for name in tree(scene) if name.endswith(".tmp")], "what was half written is gone"
    assert finish(start(scene)) == (0, "")
    assert tree(scene) == expected


def test_what_is_there_is_not_made_again(scene: Path, expected: dict[str, bytes]) -> None:
    assert finish(start(scene, signal.SIGKILL, 24))[0] == -signal.SIGKILL
    files = {path: path.stat().st_mtime_ns for path in scene.rglob("part-*.parquet")}
    assert len(files) > 6
    assert finish(start(scene)) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in files} == files


def test_the_manifest_speaks_of_no_time_and_no_place(expected: dict[str, bytes]) -> None:
    manifest = expected["curated/manifest.json"].decode()
    assert set(json.loads(manifest)) == {"curate", "schema", "stages", "digest"}
    assert os.fspath(sys.prefix) not in manifest
    assert "seconds" not in manifest
