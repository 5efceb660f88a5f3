"""What two workspaces have in common, and every kind of change between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate.console import print_json
from curate.diff import report, spill
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def make(tmp_path: Path, dump: Callable[..., Path]) -> Callable[..., Workspace]:
    def build(name: str, records: list[Any], **label: Any) -> Workspace:
        (tmp_path / name).mkdir()
        curate.ingest([dump(tmp_path / name / "dump.json", records)], tmp_path / name / "ws", quiet=True)
        ws = tmp_path / name / "ws"
        curate.clean(ws, quiet=True)
        curate.label(ws, quiet=True, **label)
        curate.dedup(ws, quiet=True)
        curate.score(ws, quiet=True)
        return Workspace(ws)

    return build


@pytest.fixture
def records(chat: Callable[..., Any]) -> list[Any]:
    return [
        chat(f"What is number {n} of the list of rivers?", f"It is river number {n} of the north.", id=f"c{n}")
        for n in range(6)
    ]


def test_a_workspace_does_not_differ_from_itself(make: Callable[..., Workspace], records: list[Any]) -> None:
    ws = make("a", records)
    found = curate.diff(ws.path, ws.path, quiet=True)
    assert (found.rows, found.same, found.changed, found.out, found.into) == ((6, 6), 6, 0, 0, 0)
    for changes in (found.settings, found.labels, found.gained, found.lost, found.duplicates, found.exported):
        assert changes == []
    assert (found.scores.compared, found.scores.moved) == (6, 0)
    assert found.weights is not None
    assert (found.weights.compared, found.weights.moved) == (6, 0)


def test_rows_are_matched_by_messages_and_then_by_place(
    make: Callable[..., Workspace], records: list[Any], chat: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "ROWS", 2)
    other = [records[1], records[0], records[2], chat("Changed?", "Now it is.", id="n"), records[4]]
    found = curate.diff(make("a", records).path, make("b", other).path, quiet=True)
    # Rows 0 and 1 changed places, row 3 changed its text, row 5 went.
    assert (found.same, found.changed, found.out, found.into) == (4, 1, 1, 0)
    (changed,), (out,) = found.changed_examples, found.out_examples
    assert (changed.row, changed.about) == (3, "What is number 3 of the list of rivers?")
    assert (out.row, out.key, out.key_b) == (5, 5, None)


def test_labels_weights_and_settings_that_changed_are_told(make: Callable[..., Workspace], records: list[Any]) -> None:
    found = curate.diff(make("a", records).path, make("b", records, assume="gpt-4").path, examples=2, quiet=True)
    (change,) = found.labels
    assert (change.before, change.after, change.count) == ("unknown (no rule)", "gpt-4 (assumed)", 6)
    assert [(one.key, one.turn) for one in change.examples] == [(0, 1), (1, 1)]
    assert found.weights is not None
    assert found.weights.moved == 6
    assert found.weights.mean == pytest.approx(0.9, abs=1e-4)
    assert found.weights.steps == {"+0.5 and more": 6}
    assert ("label.assume", None, "gpt-4") in [(one.name, one.before, one.after) for one in found.settings]


def test_flags_scores_and_duplicates_that_changed_are_told(make: Callable[..., Workspace], records: list[Any]) -> None:
    import polars as pl
    import pyarrow as pa

    from curate.schema import TABLES

    a, b = make("a", records), make("b", records)
    none = pl.lit([], pl.List(pl.String))
    edits = {
        "flags": {"rules": pl.when(pl.col("key") == 1).then(pl.lit(pl.Series([["loop"]]))).otherwise(none)},
        "scores": {"reward": pl.when(pl.col("key") == 2).then(0.25).otherwise(pl.col("reward")).cast(pl.Float32)},
        "duplicates": {
            "removed_by": pl.when(pl.col("key") == 3).then(0).cast(pl.UInt64),
            "kind": pl.when(pl.col("key") == 3).then(pl.lit("near")),
        },
    }
    for table, columns in edits.items():
        stamp = b.stamp(table, 0)
        changed: pa.Table = b.read(table, 0).with_columns(**columns).to_arrow().cast(TABLES[table].arrow)
        b.write(table, 0, changed, stamp)
    found = curate.diff(a.path, b.path, quiet=True)
    before = {row["key"]: row["rules"] for row in a.read("flags", 0).to_dicts()}
    assert [(one.after, one.count) for one in found.gained] == [("loop", 1)]
    assert sum(one.count for one in found.lost) == sum(len(rules) for rules in before.values())
    assert [(one.before, one.after, one.count) for one in found.duplicates] == [("kept", "near", 1)]
    assert (found.scores.moved, found.scores.largest[0].key) == (1, 2)
    assert found.scores.largest[0].after == "0.25"


def test_it_is_inert_and_json(
    make: Callable[..., Workspace], chat: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    evil = chat("\x1b[2J[red]<script>", "It was so.", id="x")
    found = curate.diff(make("a", [evil]).path, make("b", [chat("Other?", "Yes.", id="x")]).path, quiet=True)
    text = "\n".join(report.render(found))
    assert "[red]<script>" in text
    assert "\x1b" not in text
    from dataclasses import asdict

    print_json(asdict(found))
    assert '"changed": 1' in capsys.readouterr().out


def test_what_was_said_by_hand_is_a_difference(make: Callable[..., Workspace], records: list[Any]) -> None:
    a, b = make("a", records), make("b", records)
    curate.correct(b.path, [(2, 1)], class_="gpt-4", score=0.25, by="me")
    found = curate.diff(a.path, b.path, quiet=True)
    assert [(change.before, change.after, change.count) for change in found.classes] == [("unknown", "gpt-4", 1)]
    assert [change.after for change in found.labels] == ["gpt-4 (corrected)"]
    assert found.scores.moved == 1
