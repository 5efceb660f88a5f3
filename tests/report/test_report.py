"""A run in one screen and on one page: what it says is true, and no text from data is anything but text."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate import output
from curate.errors import CurateError
from curate.report.summary_text import beside, render

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = (
    "</script><script>document.title='pwned'</script>",
    "<img src=x onerror=\"document.title='pwned'\">",
    "[click](javascript:document.title='pwned') <a href=\"javascript:document.title='pwned'\">x</a>",
    "</td></table></details><style>body{display:none}</style><svg onload=\"document.title='pwned'\">",
    "]]>--><!-- &lt;b&gt; \u2028\u2029 \u202egnp.exe\u2066 \x1b[31m \x00 \" ' `",
    "<meta http-equiv=refresh content='0;url=http://example.invalid/'><base href='http://example.invalid/'>",
    "x" * 100_000,
)


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory,
    chat: Callable[..., dict[str, Any]],
    dump: Callable[[Path, list[Any]], Path],
) -> Path:
    """A finished run over plain and hostile conversations."""
    folder = tmp_path_factory.mktemp("run")
    plain = [chat(f"What is {n} + {n}?", f"It is {2 * n}, which is twice {n} and an even number.") for n in range(30)]
    records = [record | {"model": ("gpt-4", "gpt-3.5-turbo")[n % 2]} for n, record in enumerate(plain)]
    records += [records[0], {"conversations": []}]
    records += [chat(f"Say {text}", f"Here you are: {text} and no more.", model="gpt-4") for text in HOSTILE]
    file = dump(folder / "chats.json", records)
    curate.run([file], folder / "ws", folder / "out", quiet=True)
    return folder / "ws"


@pytest.mark.parametrize("width", [120, 100, 80, 60, 40])
def test_it_looks_like_this(width: int, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.parent)
    lines = [line.plain for line in render(curate.report("ws").summary, width)]
    _same("\n".join(lines) + "\n", f"report_{width}.txt")
    assert max(map(len, lines)) <= width
    assert len(lines) <= 45


def test_it_can_be_read_without_blocks_and_colour(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(made.parent)
    lines = "\n".join(line.plain for line in render(curate.report("ws").summary, 80, blocks=False))
    _same(lines + "\n", "report_ascii.txt")
    assert lines.isascii()
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    output.report(curate.report("ws"))
    assert "\x1b" not in capsys.readouterr().out


def test_its_figures_are_those_of_the_tables(made: Path) -> None:
    summary = curate.report(made).summary
    rows = curate.scan(made).collect()
    assert sum(part.responses for part in summary.classes) == rows.height
    for part in summary.classes:
        mine = rows.filter(rows["class"].fill_null("unknown") == part.name)
        assert (part.responses, part.scored) == (mine.height, mine["reward"].count())
        assert part.reward == pytest.approx(mine["reward"].mean(), rel=1e-5)
    assert summary.duplicates is not None
    assert summary.duplicates.removed == rows.filter(rows["removed_by"].is_not_null())["key"].n_unique() == 1
    assert summary.weights is not None
    assert sum(found.share for found in summary.weights.classes.values()) == pytest.approx(1)
    assert summary.judging is not None
    assert (summary.judging.answers, summary.judging.cost) == (0, 0.0)
    assert json.loads(json.dumps(asdict(summary)))["funnel"]["steps"][0]["count"] == len(HOSTILE) + 32


def test_it_speaks_of_a_workspace_that_was_only_ingested(
    tmp_path: Path, chat: Callable[..., dict[str, Any]], dump: Callable[[Path, list[Any]], Path]
) -> None:
    curate.ingest([dump(tmp_path / "a.json", [chat("Why?", "So.", "And?", "So.")])], tmp_path / "ws", quiet=True)
    found = curate.report(tmp_path / "ws", html=tmp_path / "page.html")
    assert [(part.name, part.responses) for part in found.summary.classes] == [("unknown", 2)]
    assert (found.summary.weights, found.summary.judging, found.summary.duplicates) == (None, None, None)
    assert "no response has a reward" in (tmp_path / "page.html").read_text("utf-8")


def test_two_runs_stand_side_by_side(
    made: Path, tmp_path: Path, chat: Callable[..., dict[str, Any]], dump: Callable[[Path, list[Any]], Path]
) -> None:
    curate.ingest([dump(tmp_path / "b.json", [chat("Why is it?", "It is so.")])], tmp_path / "other", quiet=True)
    found = curate.report(made, against=tmp_path / "other", html=tmp_path / "page.html")
    assert found.against is not None
    shown = {line.plain.split("  ")[0]: line.plain.split() for line in beside(found.summary, found.against, 80)}
    assert shown["records"][1:] == ["39", "1", "+38"]
    assert shown["exported"][-1] == str(found.summary.funnel.steps[-2].count) or len(shown["exported"]) == 2
    assert "Differences" in (tmp_path / "page.html").read_text("utf-8")


def test_a_page_asks_for_nothing_and_runs_only_what_is_ours(made: Path, tmp_path: Path) -> None:
    curate.report(made, html=tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text("utf-8")
    assert len(re.findall("<script", text)) == len(re.findall("<style", text)) == 1
    assert not re.findall(
        r"<[^>]*\s(?:src|href|srcset|style|on\w+)=", re.sub(r"<(style|script).*?</\1>", "", text, flags=re.S)
    )
    assert "default-src 'none'" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text)
    assert len(text) < 150_000
    before = text
    curate.report(made, html=tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == before


def test_a_real_browser_shows_hostile_text_as_text(made: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("needs chromium: apt-get install chromium")
    curate.report(made, html=tmp_path / "page.html")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000"]
    command = [browser, *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", "--enable-logging=stderr"]
    ran = subprocess.run([*command, f"file://{tmp_path / 'page.html'}"], capture_output=True, timeout=120, check=True)
    dom, said = ran.stdout.decode(), ran.stderr.decode()
    assert f"<title>curate report: {made}</title>" in dom
    assert "<img" not in dom
    assert "<a " not in dom
    assert len(re.findall("<script", dom)) == len(re.findall("<style", dom)) == 1
    assert "document.title='pwned'" in dom
    # Our own style and script run: neither is refused, nor does anything else ask to be.
    assert "Content Security Policy" not in said
    assert "Uncaught" not in said


def test_options_that_cannot_work_are_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="not 0 to 2,000"):
        curate.report(made, sample=2_001)
    with pytest.raises(CurateError, match="cannot be written"):
        curate.report(made, html=tmp_path)
    curate.report(made, html=tmp_path / "none.html", sample=0)
    assert "no response to show" in (tmp_path / "none.html").read_text("utf-8")


def _same(text: str, name: str) -> None:
    assert text == (GOLDEN / name).read_text("utf-8")
