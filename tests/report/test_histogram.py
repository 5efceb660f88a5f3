"""What a histogram shows, to the character, and what it counts."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import curate
from curate.errors import CurateError, WorkspaceError
from curate.judge import LOCAL_NOTE
from curate.report.histogram import Comparison, Group, Histogram
from curate.report.histogram_files import to_csv, write_figure
from curate.report.histogram_text import render
from curate.report.statistics import auc, mean_intervals
from curate.schema import TABLES
from curate.workspace import Workspace, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden"

GPT35 = (1, 20, 40, 349, 600, 1100, 937, 617, 420, 116)
SCORES = Histogram(
    column="score",
    by="class",
    judges=("a-model",),
    bins=tuple((float(value), float(value)) for value in range(1, 11)),
    groups=(
        Group("gpt-4", (0, 0, 0, 0, 5, 31, 120, 309, 187, 248), 37, 8.551, 8.0, 0, (8.47, 8.63), (7, 8, 8, 10, 10)),
        Group("gpt-3.5", GPT35, 0, 6.375, 6.0, 65_710, (6.32, 6.43), (4, 5, 6, 8, 9)),
        Group("unknown", (0,) * 10, 12, None, None),
    ),
    compared=Comparison("gpt-4", "gpt-3.5", auc=0.8567, median=8.0, at_or_above=0.2745, above=0.1276),
)


def lines(histogram: Histogram, width: int, *, blocks: bool = True) -> list[str]:
    return [line.plain for line in render(histogram, width, blocks=blocks)]


# What it looks like.


@pytest.mark.parametrize(
    ("name", "width", "blocks"),
    [
        ("200", 200, True),
        ("120", 120, True),
        ("100", 100, True),
        ("80", 80, True),
        ("60", 60, True),
        ("40", 40, True),
        ("ascii", 80, False),
    ],
)
def test_it_looks_like_this(name: str, width: int, blocks: bool) -> None:
    shown = lines(SCORES, width, blocks=blocks)
    assert "\n".join(shown) + "\n" == (GOLDEN / f"histogram_{name}.txt").read_text("utf-8")
    assert max(map(len, shown)) <= width


def test_without_blocks_everything_is_ascii() -> None:
    assert "\n".join(lines(SCORES, 80, blocks=False)).isascii()


def test_no_value_is_a_dot_and_a_small_share_is_a_small_number() -> None:
    last = next(line for line in lines(SCORES, 80) if line.split()[:1] == ["1"])
    assert last.split() == ["1", "·", "0.0", "·"]


def test_twelve_groups_stand_in_blocks_and_none_is_lost() -> None:
    groups = tuple(Group(f"model-{number}", (1, 2), 0, 0.5, 0.5) for number in range(12))
    shown = lines(Histogram("reward", "model", (), ((0.0, 0.5), (0.5, 1.0)), groups), 80)
    headers = [line for line in shown if line.startswith("  reward")]
    assert [line.count("n=3") for line in headers] == [4, 4, 4]
    assert all(any(f"model-{number} " in line for line in headers) for number in range(12))


def test_one_group_fills_the_width() -> None:
    shown = lines(Histogram("reward", "class", (), ((0.0, 0.5), (0.5, 1.0)), (Group("a", (1, 3), 0, 0.6, 0.7),)), 80)
    assert max(line.count("█") for line in shown) == 80 - len("unscored") - 9


def test_a_name_and_its_number_may_use_the_whole_cell() -> None:
    names = ("gpt-4", "gpt-3.5", "unknown")
    groups = tuple(Group(name, (65_710,), 0, 0.5, 0.5) for name in names)
    header = lines(Histogram("reward", "class", (), ((0.0, 1.0),), groups), 80)[2]
    assert [part in header for part in ("gpt-4 n=65,710", "gpt-3.5 n=65,710", "unknown n=65,710")] == [True] * 3
    assert header.count("%") == 3


def test_all_groups_share_one_scale() -> None:
    groups = (Group("big", (50, 50), 0, 0.5, 0.5), Group("small", (0, 2), 0, 0.8, 0.8))
    top, bottom = lines(Histogram("reward", "class", (), ((0.0, 0.5), (0.5, 1.0)), groups), 100)[3:5]
    half, whole = (len(bar) for bar in re.findall("█+", top))
    assert whole // 2 == half == bottom.count("█"), "50 % of one group are half as long as 100 % of another"


def test_the_local_judge_is_never_taken_for_an_llm() -> None:
    shown = lines(Histogram("reward", "class", ("local",), (), (), LOCAL_NOTE), 80)
    assert " ".join(shown[1:3]) == LOCAL_NOTE


def test_nothing_scored_is_said_in_words() -> None:
    assert lines(Histogram("reward", "class", (), (), ()), 80)[-1] == "no response has a value"
    only_unscored = Histogram("score", "class", (), (), (Group("gpt-4", (), 3, None, None),))
    assert lines(only_unscored, 80)[-1] == "no response has a value"


@pytest.mark.parametrize("name", ["a\x1b[31mb", "[bold]x[/bold]", "a\u202eb", "a\nb", "a\x9b31mb"])
def test_a_name_from_data_stays_inert_and_on_its_line(name: str) -> None:
    histogram = Histogram("reward", "model", (name,), ((0.0, 1.0),), (Group(name, (1,), 0, 0.5, 0.5),))
    shown = lines(histogram, 80)
    assert not any(mark in "".join(shown) for mark in "\x1b\u202e\n\x9b")
    assert len(shown) == 7
    assert ("[bold]" in shown[2]) == ("[bold]" in name)


figures = st.tuples(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**5))


@given(st.lists(st.tuples(st.text(max_size=30), figures), max_size=7), st.integers(30, 200), st.booleans())
def test_no_line_is_wider_than_the_terminal(
    made: list[tuple[str, tuple[int, int, int]]], width: int, blocks: bool
) -> None:
    groups = tuple(Group(name, (low, high), none, 0.5, 0.5) for name, (low, high, none) in made)
    for line in render(Histogram("reward", "source", ("m",), ((0.0, 0.5), (0.5, 1.0)), groups), width, blocks=blocks):
        assert cell_len(line.plain) <= width


# What it counts.


def scored(ws: Workspace, **columns: list[Any]) -> Workspace:
    """The shard of `scores` for a workspace of one response per conversation."""
    keys = ws.read("conversations", 0)["key"].to_list()
    filler = {"turn": 1, "aspects": [], "status": "ok", "judge": "a-model", "rubric": "r@1"}
    rows = [filler | {"key": key} | {name: values[key] for name, values in columns.items()} for key in keys]
    ws.write("scores", 0, pa.Table.from_pylist(rows, TABLES["scores"].arrow), {"fingerprint": fingerprint(rows)})
    return ws


def rows(*models: str | None, answer: str = "Hello!") -> list[dict[str, Any]]:
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": answer}]
    return [{"messages": talk, "model": model} for model in models]


def counts(histogram: Histogram) -> dict[str, dict[float, int]]:
    lows = [low for low, _ in histogram.bins]
    return {g.name: {low: n for low, n in zip(lows, g.counts, strict=True) if n} for g in histogram.groups}


def test_whole_numbers_have_a_row_each_and_gaps_stay(workspace: Callable[..., Workspace]) -> None:
    ws = scored(workspace(*rows("a", "a", "a", "b")), score=[2.0, 5.0, 5.0, 3.0], reward=[0.1, 0.4, 0.4, 0.2])
    found = curate.hist(ws.path, column="score", by="model")
    assert found.bins == tuple((value, value) for value in (2.0, 3.0, 4.0, 5.0))
    assert counts(found) == {"a": {2.0: 1, 5.0: 2}, "b": {3.0: 1}}
    labels = [line.split()[0] for line in lines(found, 80)[3:7]]
    assert labels == ["5", "4", "3", "2"], "the best value stands on top"


def test_a_half_among_whole_marks_leaves_them_apart(workspace: Callable[..., Workspace]) -> None:
    marks = [8.0] * 4 + [9.0] * 5 + [9.5] + [10.0] * 6
    ws = scored(workspace(*rows(*"a" * len(marks))), score=marks, reward=[0.5] * len(marks))
    assert counts(curate.hist(ws.path, column="score", by="model")) == {"a": {8.0: 4, 9.0: 6, 10.0: 6}}


def test_the_upper_edge_belongs_to_the_next_bin_and_1_to_the_last(workspace: Callable[..., Workspace]) -> None:
    rewards = [0.0, 0.1, 0.3, 0.7, 0.95, 1.0]
    ws = scored(workspace(*rows(*"aaaaaa")), score=rewards, reward=rewards)
    found = curate.hist(ws.path, by="model", bins=10)
    assert found.groups[0].counts == (1, 1, 0, 1, 0, 0, 0, 1, 0, 2)
    assert found.bins[0][0] == 0
    assert found.bins[-1][1] == pytest.approx(1)


def test_unscored_are_counted_and_skipped_are_not(workspace: Callable[..., Workspace]) -> None:
    ws = scored(
        workspace(*rows("a", "a", "a", "a", "b")),
        score=[7.0, None, None, None, None],
        reward=[0.6, None, None, None, None],
        status=["ok", "failed", "unparsed", "skipped", "skipped"],
    )
    found = curate.hist(ws.path, column="score", by="model")
    group, skipped = found.groups
    assert (group.name, group.scored, group.unscored, group.skipped) == ("a", 1, 2, 1)
    assert (group.mean, group.median) == (7.0, 7.0)
    assert (skipped.name, skipped.scored, skipped.unscored, skipped.skipped) == ("b", 0, 0, 1)
    shown = lines(found, 80)
    assert shown[-1].split() == ["skipped", "1", "1"]
    assert "a n=3" in shown[2]
    assert "b n=0" in shown[2]


def test_scores_from_0_to_1_are_binned_like_rewards(workspace: Callable[..., Workspace]) -> None:
    values = [1.0, 0.95, 1.0]
    ws = scored(workspace(*rows("a", "a", "a")), score=values, reward=values, judge=["local"] * 3)
    found = curate.hist(ws.path, column="score", by="model")
    assert found.bins == tuple((number / 10, (number + 1) / 10) for number in range(10)), "and no 0.30000000000000004"
    assert found.note == LOCAL_NOTE


def test_scores_of_a_judge_that_finds_next_to_nothing_are_shares_still(workspace: Callable[..., Workspace]) -> None:
    values = [1.0] * 30 + [0.55]
    ws = scored(workspace(*rows(*"a" * 31)), score=values, reward=values, judge=["local"] * 31)
    found = curate.hist(ws.path, column="score", by="model")
    assert found.bins[-1] == (0.9, 1.0)
    assert (found.groups[0].counts[5], found.groups[0].counts[-1]) == (1, 30)


def test_names_that_begin_alike_can_be_told_apart() -> None:
    names = ("gpt-3.5-turbo-0613", "gpt-3.5-turbo-1106", "gpt-4-1106-preview")
    groups = tuple(Group(name, (766,), 0, 0.5, 0.5) for name in names)
    shown = "\n".join(lines(Histogram("reward", "model", (), ((0.0, 1.0),), groups), 80))
    assert all(f"{name} n=766" in shown for name in names)


def test_only_the_local_judge_has_a_note(workspace: Callable[..., Workspace]) -> None:
    ws = scored(workspace(*rows("a")), score=[1.0], reward=[1.0])
    assert curate.hist(ws.path, by="model").note is None


def test_a_table_that_lacks_shards_names_its_stage(workspace: Callable[..., Workspace]) -> None:
    ws = scored(workspace(*rows("a", "a"), shard_rows=1), score=[1.0, 1.0], reward=[1.0, 1.0])
    with pytest.raises(WorkspaceError, match="the table `scores` has 1 of 2 shards") as caught:
        curate.hist(ws.path, by="model")
    assert caught.value.hint == "run `curate score`"


def test_no_score_at_all_is_a_histogram_without_bins(workspace: Callable[..., Workspace]) -> None:
    ws = scored(workspace(*rows("a", "a")), score=[None] * 2, reward=[None] * 2, status=["failed"] * 2)
    found = curate.hist(ws.path, column="score", by="model")
    assert (found.bins, found.groups[0].unscored, found.groups[0].mean) == ((), 2, None)
    assert lines(found, 80)[-1] == "no response has a value"


def test_gpt4_and_gpt35_stand_side_by_side_and_unknown_last(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(*rows(None, None, None, "gpt-3.5-turbo", "gpt-3.5-turbo", "gpt-4", "human"))
    curate.label(ws.path, quiet=True)
    groups = curate.hist(ws.path, column="chars").groups
    assert [group.name for group in groups] == ["gpt-4", "gpt-3.5", "human", "unknown"]


def test_other_groups_stand_largest_first(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(*rows(None, "a", "b", "b", "c", "c", "c"))
    names = [group.name for group in curate.hist(ws.path, column="chars", by="model").groups]
    assert names == ["c", "b", "a", "unknown"]


def test_lengths_are_binned_and_every_response_counts(workspace: Callable[..., Workspace]) -> None:
    texts = [rows("a", answer="x" * length)[0] for length in (0, 10, 999, 12_345, 99_999)]
    found = curate.hist(workspace(*texts).path, column="chars", by="source", bins=10)
    assert found.groups[0].scored == 5
    assert found.bins[0][0] == 0
    assert found.bins[-1][1] > 99_999
    assert not any("e+" in line for line in lines(found, 80))


def test_lengths_that_span_decades_have_bins_that_do(workspace: Callable[..., Workspace]) -> None:
    texts = [rows("a", answer="x" * length)[0] for length in (1, 4, 10, 9_999)]
    found = curate.hist(workspace(*texts).path, column="chars", by="source")
    assert [low for low, _ in found.bins] == [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
    assert {low: n for (low, _), n in zip(found.bins, found.groups[0].counts, strict=True) if n} == {
        1: 1,
        2: 1,
        10: 1,
        5000: 1,
    }


def test_a_condition_chooses_the_responses(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(*rows("a", "b", "b"))
    found = curate.hist(ws.path, column="chars", by="model", where="model = 'b'")
    assert [(group.name, group.scored) for group in found.groups] == [("b", 2)]
    assert lines(found, 80)[1] == "where model = 'b'"
    for nonsense in ("nope = 1", "model = ", "chars("):
        with pytest.raises(CurateError, match="`--where` cannot be answered"):
            curate.hist(ws.path, column="chars", by="model", where=nonsense)


def test_an_aspect_is_counted_and_an_unknown_one_names_those_there_are(workspace: Callable[..., Workspace]) -> None:
    aspects = [[{"name": "facts", "score": 4.0}, {"name": "tone", "score": 1.0}], [{"name": "facts", "score": 2.0}], []]
    ws = scored(workspace(*rows("a", "a", "a")), score=[3.0] * 3, reward=[0.5] * 3, aspects=aspects)
    found = curate.hist(ws.path, column="aspect:facts", by="model")
    assert counts(found) == {"a": {2.0: 1, 4.0: 1}}
    assert lines(found, 80)[-1].split()[:2] == ["none", "1"]
    with pytest.raises(CurateError, match="no response has a score of `fact`") as caught:
        curate.hist(ws.path, column="aspect:fact", by="model")
    assert caught.value.hint == "there are `facts`, `tone`"


def test_weights_are_those_of_an_export_without_options(workspace: Callable[..., Workspace], tmp_path: Path) -> None:
    ws = workspace(*rows("gpt-4", "gpt-4", "gpt-3.5-turbo"))
    curate.label(ws.path, quiet=True)
    found = curate.hist(ws.path, column="weight")
    written = curate.export(ws.path, tmp_path / "out", quiet=True)
    means = {name: entry.mean for name, entry in written.classes.items()}
    assert {group.name: pytest.approx(group.mean) for group in found.groups} == means
    assert found.compared is None, "weights by class tell the classes apart by definition"
    assert found.bins[0][0] == 0
    assert found.bins[-1][1] == 1


def test_conversations_are_counted_once_and_only_duplicates_are_similar(workspace: Callable[..., Workspace]) -> None:
    talk = rows("a")[0]["messages"]
    ws = workspace({"messages": talk * 2, "model": "a"}, *rows("a", "a"))
    found = curate.hist(ws.path, column="turns", by="model")
    assert (found.unit, found.groups[0].scored, found.groups[0].mean) == ("conversations", 3, pytest.approx(8 / 3))
    curate.dedup(ws.path, quiet=True)
    similar = curate.hist(ws.path, column="similarity", by="model")
    kinds = ws.read("duplicates", 0)["kind"].drop_nulls().to_list()
    assert (similar.groups[0].scored, kinds) == (1, ["exact"])
    assert similar.groups[0].mean == 1


# Its figures.


def test_the_case_for_a_fine_reward(workspace: Callable[..., Workspace]) -> None:
    models = ["gpt-4"] * 3 + ["gpt-3.5-turbo"] * 4
    scores = [6.0, 9.0, 10.0, 3.0, 9.0, 9.0, 10.0]
    ws = scored(workspace(*rows(*models)), score=scores, reward=[value / 10 for value in scores])
    curate.label(ws.path, quiet=True)
    found = curate.hist(ws.path, column="score").compared
    assert found
    # 12 pairs: 5 won, 4 tied.
    assert (found.auc, found.median, found.at_or_above, found.above) == (pytest.approx(6.5 / 12), 9.0, 0.75, 0.25)
    shown = " ".join(lines(curate.hist(ws.path, column="score"), 80)[-2:])
    assert "75.0 % of gpt-3.5 at or above the median of gpt-4 (9), 25.0 % above it" in shown


@given(*[st.lists(st.integers(0, 6), min_size=1, max_size=30)] * 2)
def test_auc_is_the_share_of_pairs_won(better: list[int], other: list[int]) -> None:
    pairs = [(a > b) + (a == b) / 2 for a in better for b in other]
    found = auc(*(np.sort(np.array(values, float)) for values in (better, other)))
    assert found == pytest.approx(sum(pairs) / len(pairs))


def test_the_interval_is_that_of_independent_conversations(workspace: Callable[..., Workspace]) -> None:
    rng = np.random.default_rng(1)
    means = rng.normal(0.5, 0.1, 400)
    # Five responses of a conversation that are all the same are one observation, not five.
    sums, times = np.zeros((2, 400)), np.zeros((2, 400))
    sums[0], times[0] = means, 1
    sums[1], times[1] = means * 5, 5
    (low, high), same = mean_intervals(sums, times)  # type: ignore[misc]
    assert (low, high) == pytest.approx(same)
    assert (high - low) / 2 == pytest.approx(1.96 * means.std() / 20, rel=0.1)
    assert mean_intervals(np.ones((1, 400)) * [1, *[0] * 399], np.ones((1, 400)) * [1, *[0] * 399]) == [None]


def test_a_thousand_conversations_and_more_have_the_same_interval(workspace: Callable[..., Workspace]) -> None:
    talks = rows(*["a"] * 1_500)
    rewards = [float(value) for value in np.random.default_rng(0).beta(8, 3, 1_500)]
    ws = scored(workspace(*talks, shard_rows=1_500), score=rewards, reward=rewards)
    (group,) = curate.hist(ws.path, by="model").groups
    assert group.interval
    low, high = group.interval
    assert low < np.mean(rewards) < high
    assert (high - low) / 2 == pytest.approx(1.96 * np.std(rewards) / 1_500**0.5, rel=0.15)


def test_quantiles_are_interpolated(workspace: Callable[..., Workspace]) -> None:
    values = [1.0, 2.0, 3.0, 4.0, 6.0]
    ws = scored(workspace(*rows(*"aaaaa")), score=values, reward=[0.5] * 5)
    (group,) = curate.hist(ws.path, column="score", by="model").groups
    assert group.quantiles == pytest.approx((1.4, 2, 3, 4, 5.2))


def test_judges_that_are_pooled_are_said(workspace: Callable[..., Workspace]) -> None:
    ws = scored(workspace(*rows("a", "a")), score=[1.0, 2.0], reward=[0.1, 0.2], judge=["x", "y"])
    assert curate.hist(ws.path, by="model").note == "The judges' scales differ; `--by judge` keeps them apart."
    apart = curate.hist(ws.path, by="judge")
    assert (apart.note, [group.name for group in apart.groups]) == (None, ["x", "y"])


# Its files.


def test_counts_may_be_shown_and_logarithms_are_said() -> None:
    for scale, says in (("count", "score by class, counts, judge"), ("log", "counts, bars of their logarithm, judge")):
        shown = [line.plain for line in render(SCORES, 100, scale=scale)]
        assert says in shown[0]
        assert " 1,100" in "\n".join(shown)
        assert max(map(len, shown)) <= 100
    with pytest.raises(CurateError, match="no scale `linear`"):
        render(SCORES, 80, scale="linear")


def test_a_spreadsheet_gets_counts_and_no_formula() -> None:
    hostile = ("=1+1", "+cmd", "-2", "@SUM(A1)", "\t=1", 'a,"b')
    groups = tuple(Group(name, (1, 3), 2, 0.5, 0.5) for name in hostile)
    text = to_csv(Histogram("reward", "model", (), ((0.0, 0.5), (0.5, 1.0)), groups))
    read = list(csv.reader(text.splitlines()))
    assert read[0] == ["column", "by", "group", "low", "high", "count", "share"]
    assert [row[3:] for row in read[1:4]] == [
        ["0.0", "0.5", "1", "0.25"],
        ["0.5", "1.0", "3", "0.75"],
        ["", "", "2", ""],
    ]
    assert list(dict.fromkeys(row[2] for row in read[1:])) == ["'=1+1", "'+cmd", "'-2", "'@SUM(A1)", "?=1", 'a,"b']


@pytest.mark.parametrize("name", ["gpt-4", "$\\frac{1}$", "<script>x</script>", "日本"])
def test_a_figure_is_drawn_and_a_name_in_it_is_only_drawn(tmp_path: Path, name: str) -> None:
    pytest.importorskip("matplotlib")
    found = Histogram("reward", "model", ("m",), ((0.0, 0.5), (0.5, 1.0)), (Group(name, (1, 3), 0, 0.6, 0.7),))
    for kind in ("svg", "png"):
        write_figure(found, tmp_path / f"a.{kind}", kind)
        write_figure(found, tmp_path / f"b.{kind}", kind)
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    root = ElementTree.fromstring((tmp_path / "a.svg").read_text())
    assert not list(root.iter("{http://www.w3.org/2000/svg}text"))
    assert "<script" not in (tmp_path / "a.svg").read_text()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_that_cannot_be_written_or_has_nothing_to_draw_says_so(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "file").touch()
    with pytest.raises(CurateError, match="cannot be written") as caught:
        write_figure(SCORES, tmp_path / "file" / "a.svg", "svg")
    assert caught.value.hint == "name a file in a folder that can be written"
    with pytest.raises(CurateError, match="nothing to draw"):
        write_figure(Histogram("reward", "class", (), (), (Group("a", (), 3, None, None),)), tmp_path / "a.svg", "svg")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"column": "rewrd"}, "did you mean `reward`?"),
        ({"by": "clas"}, "did you mean `class`?"),
        ({"by": "key"}, "known: `class`"),
    ],
)
def test_an_unknown_column_names_the_nearest(
    workspace: Callable[..., Workspace], options: dict[str, str], says: str
) -> None:
    with pytest.raises(CurateError, match="no column") as caught:
        curate.hist(workspace(*rows("a")).path, **options)  # type: ignore[arg-type]
    assert says in str(caught.value.hint)


def test_what_no_stage_has_made_yet_names_the_stage(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(*rows("a"))
    wanted = (({}, "score"), ({"column": "chars"}, "label"), ({"column": "chars", "by": "status"}, "score"))
    for options, stage in wanted:
        with pytest.raises(WorkspaceError) as caught:
            curate.hist(ws.path, **options)  # type: ignore[arg-type]
        assert caught.value.hint == f"run `curate {stage}` first"
    for bins in (0, 201, 1_000_000):
        with pytest.raises(CurateError, match=f"`bins` is {bins}"):
            curate.hist(ws.path, bins=bins)
