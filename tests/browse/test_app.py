"""The browser at its keys: what one sees, what is stored, and what can go wrong without a loss."""

from __future__ import annotations

import asyncio
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate.corrections import render
from curate.errors import CurateError
from curate.judge.fitting import fit

pytest.importorskip("textual", reason="pip install 'curate-chat[browse]'")

from textual.widgets import Input

from curate.browse.app import Browser
from curate.browse.edit import Session
from curate.browse.table import Table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.pilot import Pilot

    from curate.workspace import Workspace

    Script = Callable[["Person"], Awaitable[None]]


class Person:
    """Who sits before the screen."""

    def __init__(self, pilot: Pilot[None], patient: bool) -> None:
        self.app: Any = pilot.app
        self.patient = patient
        self._pilot = pilot

    async def wait(self) -> None:
        """Until nothing is being read or stored, nor said of it."""
        await self._pilot.pause()
        while any(not worker.is_finished for worker in self.app.workers):
            await self.app.workers.wait_for_complete()
            await self._pilot.pause()

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self._pilot.press(key)
            await self.wait()

    async def enter(self, text: str) -> None:
        """Put a text into the field that has the focus, and press Enter."""
        assert isinstance(self.app.focused, Input)
        self.app.focused.value = text
        await self.press("enter")

    async def rush(self, *keys: str) -> None:
        """Press keys and wait for nothing before all are pressed."""
        await self._pilot.press(*keys)
        if self.patient:
            await self.wait()

    async def click(self, x: int, y: int) -> None:
        await self._pilot.click(offset=(x, y))
        await self.wait()

    @property
    def strips(self) -> list[Any]:
        return list(self.app.screen._compositor.render_strips())

    @property
    def sees(self) -> str:
        return "\n".join(strip.text.rstrip() for strip in self.strips)

    @property
    def listed(self) -> list[str]:
        """The places in the list."""
        rows = self.app.query_one(Table).rows
        return [f"{key}:{turn}" for key, turn in rows.select("key", "turn").iter_rows()]

    @property
    def at(self) -> str:
        return "{}:{}".format(*self.app.query_one(Table).place)


def browse(
    ws: Workspace, script: Script, *, size: tuple[int, int] = (100, 40), sort: str = "key", limit: int | None = None,
    where: str | None = None, wait: bool = True,
) -> None:
    """Open the browser, do what the script says, and leave."""

    async def sit() -> None:
        app = Browser(ws, Session(ws.path, "anna"), where, sort, 0, limit)
        async with app.run_test(size=size) as pilot:
            person = Person(pilot, wait)
            if wait:
                await person.wait()
            await script(person)

    asyncio.run(sit())


def test_one_sees_a_response_with_the_reasons_of_judge_and_rules(ws: Workspace) -> None:
    async def script(person: Person) -> None:
        await person.press("j")
        for told in (
            "0:4 · gpt-4 · reward 0.40 · other",
            "And red at dusk?",
            "The light has come a longer way.",
            "judge-1 · general@1 · ok",
            "correct   3",
            "Right, but it says little (0:4).",
            "gpt-4 by the rule model_name",
            "evidence: model = gpt-4-0314",
            "flags: cut_off (message 4)",
        ):
            assert told in person.sees
        assert "Air scatters" not in person.sees, "what came before the prompt is folded"
        await person.press("e")
        assert "Air scatters blue light." in person.sees
        assert "Be brief." in person.sees

    browse(ws, script, size=(160, 48))


def test_keys_go_through_the_list(ws: Workspace) -> None:
    async def script(person: Person) -> None:
        seen = []
        for key in ("j", "down", "n", "k", "up", "p", "G", "j", "g", "p"):
            await person.press(key)
            seen.append(person.at)
        assert seen == ["0:4", "1:1", "2:1", "1:1", "0:4", "0:2", "5:1", "5:1", "0:2", "0:2"]
        await person.press("enter", "n")
        assert person.at == "0:4", "n goes on in the text, too"
        assert "response  reward" not in person.sees
        await person.press("escape")
        assert "response" in person.sees.splitlines()[0]

    browse(ws, script)


def test_what_copies_and_benchmarks_are_is_said(ws: Workspace) -> None:
    async def script(person: Person) -> None:
        await person.press("G")
        assert "removed: exact duplicate of conversation 1" in person.sees
        assert "refused" in person.sees
        await person.press("g", "n", "n", "n")
        assert "benchmark gsm8k, item 7, in message 0: verbatim" in person.sees

    browse(ws, script, size=(160, 48))


def test_a_filter_narrows_the_list_and_an_empty_one_shows_all(ws: Workspace) -> None:
    async def script(person: Person) -> None:
        await person.press("slash")
        await person.enter("class = 'gpt-4' AND reward < 0.6")
        assert person.listed == ["0:4", "4:1"]
        assert "filter class = 'gpt-4'" in person.sees
        await person.press("slash")
        await person.enter("class = 'nobody'")
        assert person.listed == []
        assert "no response matches the filter" in person.sees
        await person.press("c", "r", "u", "j", "enter", "e")  # nothing to do, and no harm
        await person.press("slash")
        await person.enter("")
        assert len(person.listed) == 7

    browse(ws, script)


@pytest.mark.parametrize("bad", ["klass = 'gpt-4'", "reward <", "reward = 'much'", "); DROP TABLE"])
def test_a_bad_filter_is_explained_and_the_rows_stay(ws: Workspace, bad: str) -> None:
    async def script(person: Person) -> None:
        await person.press("n", "slash")
        await person.enter(bad)
        assert "cannot be answered" in person.sees
        assert len(person.listed) == 7
        assert person.app.focused.value == bad, "what was typed can be put right"
        await person.press("escape")
        assert person.at == "0:4"
        assert "filter" not in person.sees.splitlines()[-2]

    browse(ws, script)


def test_keys_are_letters_while_one_types(ws: Workspace) -> None:
    async def script(person: Person) -> None:
        await person.press("slash", *"qnu", "space", "s", "escape")
        assert person.at == "0:2"
        assert "sort key" in person.sees

    browse(ws, script)


def test_sorting_goes_round_and_the_worst_come_first(ws: Workspace) -> None:
    async def script(person: Person) -> None:
        before = person.listed
        await person.press("s")
        assert person.listed == ["1:1", "0:4", "4:1", "3:1", "0:2", "2:1", "5:1"], "what has no reward is last"
        await person.press("s")
        assert person.listed == ["0:2", "3:1", "4:1", "0:4", "1:1", "2:1", "5:1"]
        await person.press("s")
        assert sorted(person.listed) == sorted(before)
        assert person.listed != before
        await person.press("s")
        assert person.listed == before

    browse(ws, script)


@pytest.mark.parametrize(("typed", "class_"), [("2", "gpt-3.5"), ("hum", "human"), ("unknown", "unknown")])
def test_a_corrected_class_is_stored_at_once_and_shown(ws: Workspace, typed: str, class_: str) -> None:
    async def script(person: Person) -> None:
        await person.press("c")
        assert "1 gpt-4  2 gpt-3.5  3 human  4 unknown" in person.sees
        await person.enter(typed)
        (one,) = curate.corrections(ws.path)
        assert (one.keys, one.turn, one.class_, one.by, one.why) == ((0,), 2, class_, "anna", None)
        assert f"{class_}*" in person.sees
        assert f"corrected: class {class_} by anna" in person.sees
        assert "1 corrected" in person.sees

    browse(ws, script)


def test_a_corrected_score_with_its_reason_holds_for_every_copy(ws: Workspace) -> None:
    async def script(person: Person) -> None:
        await person.press("G", "r", *"0", "full_stop", "2", "tab", *"bad", "enter")
        assert person.sees.count("0.20*") == 2, "the other copy shows it too"
        assert "corrected: reward 0.2 by anna" in person.sees
        (one,) = curate.corrections(ws.path)
        assert (one.keys, one.score, one.why) == ((1, 5), 0.2, "bad")

    browse(ws, script)


@pytest.mark.parametrize(
    ("key", "typed", "told"),
    [
        ("c", "gpt", "may be gpt-4 or gpt-3.5"),
        ("c", "gpt-5000", "know the class `gpt-5000`"),
        ("c", "", "no class is given"),
        ("c", "[red]x[/", "know the class `[red]x[/`"),
        ("r", "much", "no number"),
        ("r", "1.5", "between 0"),
        ("r", "nan", "between 0"),
    ],
)
def test_what_cannot_be_said_is_refused_and_can_be_put_right(ws: Workspace, key: str, typed: str, told: str) -> None:
    async def script(person: Person) -> None:
        await person.press(key)
        await person.enter(typed)
        assert told in person.sees
        assert person.app.focused.value == typed
        assert curate.corrections(ws.path) == []
        await person.enter("1")
        assert len(curate.corrections(ws.path)) == 1

    browse(ws, script)


def test_undo_takes_back_and_says_where_nothing_was_said(ws: Workspace) -> None:
    async def script(person: Person) -> None:
        await person.press("u")
        assert "nothing was said of 0:2" in person.sees
        await person.press("r")
        await person.enter("1")
        assert "1.00*" in person.sees
        await person.press("u")
        assert "taken back" in person.sees
        assert "0.90 " in person.sees
        assert "*" not in person.sees
        assert curate.corrections(ws.path) == []

    browse(ws, script)


def test_a_second_curate_is_waited_for_and_nothing_is_lost(ws: Workspace) -> None:
    async def script(person: Person) -> None:
        await person.press("r")
        with ws.lock():
            await person.enter("0.3")
            assert "another curate is writing to this workspace" in person.sees
            assert person.app.focused.value == "0.3"
            assert curate.corrections(ws.path) == []
        await person.press("enter")
        (one,) = curate.corrections(ws.path)
        assert one.score == 0.3
        with ws.lock():
            await person.press("u")
            assert "another curate is writing" in person.sees
            assert "0.30*" in person.sees

    browse(ws, script)


def test_a_correction_is_for_the_response_that_it_was_asked_for(ws: Workspace) -> None:
    async def script(person: Person) -> None:
        await person.press("c")
        assert "class of 0:2" in person.sees
        await person.click(10, 4)
        assert person.at == "2:1"
        person.app.query_one("#first", Input).focus()
        await person.wait()
        await person.enter("human")
        assert [(one.keys, one.turn) for one in curate.corrections(ws.path)] == [((0,), 2)]

    browse(ws, script)


def test_the_text_is_that_of_the_row_however_quickly_one_goes_there_and_back(ws: Workspace) -> None:
    async def script(person: Person) -> None:
        for keys in ("npnpnp", "nnp", "nnnnpppp", "Gg", "nGp"):
            await person.rush(*keys)
            assert f"{person.at} · " in person.sees
        assert person.at == "4:1"

    browse(ws, script)


def test_a_bad_filter_does_not_stop_the_first_reading(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from curate.browse import listing

    ready, read = Event(), listing.shards

    def slowly(*args: Any) -> Any:
        assert args[1] is not None or ready.wait(30)
        yield from read(*args)

    monkeypatch.setattr(listing, "shards", slowly)

    async def script(person: Person) -> None:
        await person.rush("slash")
        person.app.focused.value = "klass = 1"
        await person.rush("enter")
        while "cannot be answered" not in person.sees:
            await asyncio.sleep(0.05)
        assert person.listed == []
        ready.set()
        await person.wait()
        assert len(person.listed) == 7
        assert person.app.focused.value == "klass = 1"

    browse(ws, script, wait=False)


def test_what_others_said_meanwhile_is_seen_with_the_next_filter(ws: Workspace) -> None:
    async def script(person: Person) -> None:
        curate.correct(ws.path, [(1, 1)], score=0.25, by="ben")
        await person.press("slash")
        await person.enter("corrected_reward < 0.5")
        assert person.listed == ["1:1", "5:1"]
        assert "corrected: reward 0.25 by ben" in person.sees

    browse(ws, script)


def test_texts_from_data_are_inert(ws: Workspace, hostile: str) -> None:
    async def script(person: Person) -> None:
        await person.press("n", "n", "n", "n", "n", "e")
        await person.press("c", "tab")
        person.app.focused.value = hostile
        person.app.query_one("#first", Input).value = "human"
        await person.press("enter")
        assert len(curate.corrections(ws.path)) == 1
        assert "[red on blue]markup[/]" in person.sees, "markup is shown as it was written"
        assert "[@click=app.quit]quit[/]" in person.sees
        for strip in person.strips:
            for text, style, control in strip:
                assert not control
                assert not set(text) & set(map(chr, [*range(32), *range(127, 160), 0x202E, 0x2066]))
                assert style is None or not (style.link or style.meta.get("@click"))
                assert style is None or style.color is None or style.color.name != "red"
                assert style is None or style.bgcolor is None or style.bgcolor.name != "blue"

    browse(ws, script, size=(160, 60))


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 30), (200, 60)])
def test_it_fits_every_size(ws: Workspace, size: tuple[int, int]) -> None:
    async def script(person: Person) -> None:
        assert "0:2" in person.sees
        assert "Air scatters" in person.sees
        assert "? help" in person.sees
        await person.press("c")
        assert "4 unknown" in " ".join(person.sees.split())
        await person.enter("nonsense")
        assert "know the class" in " ".join(person.sees.split())
        await person.press("escape", "question_mark")
        assert "the next response" in person.sees
        await person.press("q", "enter")
        assert "Why is the sky blue?" in person.sees
        assert all(strip.cell_length == size[0] for strip in person.strips)

    browse(ws, script, size=size)


def test_no_color_means_none_and_all_can_be_read(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    curate.correct(ws.path, [(0, 2)], class_="human")

    async def script(person: Person) -> None:
        assert "> 0:2" in person.sees
        await person.press("c")
        await person.enter("nonsense")
        for strip in person.strips:
            for _, style, _ in strip:
                assert style is None or style.color is None or style.color.is_default
                assert style is None or style.bgcolor is None or style.bgcolor.is_default

    browse(ws, script)


def test_a_workspace_that_no_stage_has_seen_says_what_is_missing(bare: Workspace) -> None:
    async def script(person: Person) -> None:
        assert "not labelled: curate label" in person.sees
        assert "not scored: curate score" in person.sees
        assert "not cleaned: curate clean" in person.sees
        assert "Air scatters blue light." in person.sees
        await person.press("s", "n", "c")
        await person.enter("human")
        assert len(curate.corrections(bare.path)) == 1

    browse(bare, script, size=(160, 40))


def test_an_empty_workspace_says_so(workspace: Callable[..., Workspace]) -> None:
    ws = workspace()
    (ws.path).mkdir()
    ws.record("ingest", [])

    async def script(person: Person) -> None:
        assert "no conversations: curate ingest" in person.sees
        await person.press("j", "s", "u", "c", "slash")
        await person.enter("key = 1")
        assert person.listed == []

    browse(ws, script)


@pytest.mark.parametrize("text", ["x" * 1_000_000, "line\n" * 20_000, "漢字かな " * 200_000, "\u200b" * 1_000_000])
def test_long_texts_can_be_read_to_their_end(workspace: Callable[..., Workspace], text: str) -> None:
    turns = [{"role": "user", "content": "Say much."}, {"role": "assistant", "content": f"{text} The end."}]
    ws = workspace({"messages": turns, "marks": [], "joined_rows": []})

    async def script(person: Person) -> None:
        await person.press("tab", "space", "space", "G")
        assert "The end." in person.sees or "not labelled" in person.sees
        await person.press("g")
        assert "Say much." in person.sees

    browse(ws, script, size=(60, 60))


def test_a_correction_wins_at_export_and_fits_the_judge(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.judge.fitting.LEAST", 2)

    async def script(person: Person) -> None:
        for keys, answer in (("r", "0.6"), ("nnr", "0.2"), ("nnc", "gpt-4")):
            await person.press(*keys)
            await person.enter(answer)

    before = curate.export(ws.path, ws.path.parent / "out", quiet=True)
    browse(ws, script)
    listed = list(render(curate.corrections(ws.path)))
    assert [line.split("  by anna")[0] for line in listed] == [
        "0:2  score 0.6", "1:1 and 1 copies  score 0.2", "3:1  class gpt-4"
    ]
    after = curate.export(ws.path, ws.path.parent / "out", quiet=True)
    assert (before.corrected, after.corrected) == ({}, {"class": 1, "reward": 2})
    assert after.classes["gpt-4"].responses == before.classes["gpt-4"].responses + 1
    found = fit(ws.path)
    assert (found.count, found.labels) == (2, pytest.approx((0.2, 0.6)))


def test_the_browser_needs_a_terminal_and_a_condition_that_holds(ws: Workspace) -> None:
    with pytest.raises(CurateError, match="needs a terminal"):
        curate.browse(ws.path)
    with pytest.raises(CurateError, match="cannot be answered"):
        curate.browse(ws.path, where="klass = 1")
    with pytest.raises(CurateError, match="no order `rewards`"):
        curate.browse(ws.path, sort="rewards")
