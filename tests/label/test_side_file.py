"""A side file says who wrote what; it goes before the rules, and whatever is odd in it is said."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import curate
from curate.errors import CurateError, InputError
from curate.label import side_file
from curate.rules import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from curate.workspace import Workspace

Row = dict[str, Any]


@pytest.fixture
def ws(workspace: Callable[..., Workspace], talk: Callable[..., Row]) -> Workspace:
    """Three conversations with the ids a, b, b; their responses state gpt-4, nothing twice, and claude-2."""
    return workspace(
        talk("gpt-4", source_id="a"), talk({}, {}, source_id="b"), talk("claude-2", source_id="b"), shard_rows=2
    )


@pytest.fixture
def side(tmp_path: Path) -> Callable[[str], str]:
    """Write `ids.csv`."""

    def write(text: str) -> str:
        (tmp_path / "ids.csv").write_text(text, "utf-8")
        return str(tmp_path / "ids.csv")

    return write


def mistake(path: str | Path) -> InputError:
    with pytest.raises(InputError) as caught:
        side_file.read(path, load("labels.toml", "labels"))
    assert caught.value.where == str(path)
    return caught.value


@pytest.mark.parametrize(
    ("header", "values"),
    [("id", "b"), ("source_id", "b"), ("key", "1"), ("source_file,source_row", "dump.json,1"), ("key,id", "1,b")],
)
def test_a_conversation_is_named_in_any_of_these_ways(
    ws: Workspace, side: Callable[[str], str], labels: Callable[..., list[Row]], header: str, values: str
) -> None:
    found = labels(ws, labels=side(f"{header},class\n{values},human\n"))
    assert [row["class"] for row in found][:3] == ["gpt-4", "human", "human"]
    assert found[1]["rule"] == "side_file"
    assert found[1]["evidence"] == "ids.csv: class = human"


def test_the_content_hash_names_a_conversation_whatever_its_key(
    ws: Workspace, side: Callable[[str], str], labels: Callable[..., list[Row]]
) -> None:
    content = ws.scan("conversations").collect()["content_hash"][2]
    assert [r["class"] for r in labels(ws, labels=side(f"content_hash,class\n{content},human\n"))][3] == "human"


def test_of_several_names_all_must_agree(
    ws: Workspace, side: Callable[[str], str], labels: Callable[..., list[Row]]
) -> None:
    found = labels(ws, labels=side("key,id,class\n1,a,human\n"))
    assert "human" not in {row["class"] for row in found}


def test_a_turn_narrows_it_and_wins_over_the_whole_conversation(
    ws: Workspace, side: Callable[[str], str], labels: Callable[..., list[Row]]
) -> None:
    found = labels(ws, labels=side("key,turn,class\n1,,gpt-4\n1,3,human\n"))
    assert [row["class"] for row in found] == ["gpt-4", "gpt-4", "human", None]


def test_a_model_goes_through_the_rules(
    ws: Workspace, side: Callable[[str], str], labels: Callable[..., list[Row]]
) -> None:
    found = labels(ws, labels=side("key,model\n1,gpt-3.5-turbo-0301\n"), assume="human")
    assert [row["class"] for row in found] == ["gpt-4", "gpt-3.5", "gpt-3.5", "human"]
    assert found[1]["evidence"] == "ids.csv: model = gpt-3.5-turbo-0301"


def test_a_model_that_no_rule_knows_decides_nothing_and_is_said(
    ws: Workspace, side: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    result = curate.label(ws.path, labels=side("key,model\n0,claude-2\n1,gpt-4-0314\n"), quiet=True)
    assert (result.undecided, result.unmatched) == (1, 0)
    found = ws.scan("labels").collect().to_dicts()
    assert [row["class"] for row in found] == ["gpt-4", "gpt-4", "gpt-4", None]
    assert (found[0]["rule"], found[0]["conflicts"]) == (
        "gpt4_model_name", ["side_file: ids.csv: model = claude-2, which no rule knows"]
    )  # fmt: skip
    said = capsys.readouterr().err
    assert "decide nothing, as no rule knows their model: 1; the first is line 2, key = 0" in said


def test_the_class_unknown_decides(ws: Workspace, side: Callable[[str], str], labels: Callable[..., list[Row]]) -> None:
    found = labels(ws, labels=side("key,class\n0,unknown\n"), assume="human")
    assert (found[0]["class"], found[0]["rule"]) == (None, "side_file")


def test_a_turn_of_an_unknown_model_is_not_given_the_class_of_its_conversation(
    ws: Workspace, side: Callable[[str], str], labels: Callable[..., list[Row]]
) -> None:
    found = labels(ws, labels=side("key,turn,model\n1,,gpt-4\n1,3,claude-2\n"))
    assert [row["class"] for row in found][1:3] == ["gpt-4", None]


def test_it_decides_before_the_rules_and_the_other_answer_is_listed(
    ws: Workspace, side: Callable[[str], str], labels: Callable[..., list[Row]]
) -> None:
    found = labels(ws, labels=side("key,class\n0,gpt-3.5\n"))
    assert (found[0]["class"], found[0]["conflicts"]) == (
        "gpt-3.5",
        ["side_file: the rule gpt4_model_name says gpt-4 (model = gpt-4)"],
    )
    assert curate.label(ws.path, labels=side("key,class\n0,gpt-3.5\n"), quiet=True).conflicts == {"side_file": 1}
    assert labels(ws, labels=side("key,class\n0,gpt-4\n"))[0]["conflicts"] == []


def test_unknown_is_a_class_that_one_can_give(
    ws: Workspace, side: Callable[[str], str], labels: Callable[..., list[Row]]
) -> None:
    (row, *_) = labels(ws, labels=side("key,class\n0,unknown\n"))
    assert (row["class"], row["rule"]) == (None, "side_file")


def test_rows_that_match_nothing_are_counted_and_said(
    ws: Workspace, side: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    result = curate.label(ws.path, labels=side("id,turn,class\na,,human\nz,,human\na,0,human\nb,3,human\n"))
    assert result.unmatched == 2
    said = capsys.readouterr().err
    assert "that speak of no response: 2; the first is line 3, source_id = z" in said
    assert curate.label(ws.path, quiet=True).unmatched is None


def test_all_three_containers_say_the_same(
    ws: Workspace, tmp_path: Path, labels: Callable[..., list[Row]]
) -> None:
    rows = [{"key": 1, "turn": 3, "class": "human"}, {"key": 0, "turn": None, "class": "gpt-3.5"}]
    (tmp_path / "ids.csv").write_text("key,turn,class\n1,3,human\n0,,gpt-3.5\n", "utf-8-sig")
    (tmp_path / "ids.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    pl.DataFrame(rows).write_parquet(tmp_path / "ids.parquet")
    found = [
        [row["class"] for row in labels(ws, labels=str(tmp_path / f"ids.{ending}"))]
        for ending in ("csv", "jsonl", "parquet")
    ]
    assert found == [["gpt-3.5", None, "human", None]] * 3


def test_whole_numbers_may_come_as_floats_with_gaps(
    ws: Workspace, tmp_path: Path, labels: Callable[..., list[Row]]
) -> None:
    rows = {"key": [1.0, 0.0], "turn": [3.0, float("nan")], "class": ["human", "gpt-3.5"]}
    pl.DataFrame(rows).write_parquet(tmp_path / "ids.parquet")
    found = labels(ws, labels=str(tmp_path / "ids.parquet"))
    assert [row["class"] for row in found] == ["gpt-3.5", None, "human", None]


def test_one_response_with_two_classes_names_both_lines(side: Callable[[str], str]) -> None:
    error = mistake(side('id,class\na,gpt-4\n"b\nc",human\na,gpt-3.5\n'))
    assert "the lines 2 and 5 give one response two classes: `gpt-4` and `gpt-3.5` (source_id = a)" in error.what


def test_the_same_twice_is_no_mistake(ws: Workspace, side: Callable[[str], str]) -> None:
    result = curate.label(ws.path, labels=side("id,model\na,gpt-4\na,gpt-4-0314\n"), quiet=True)
    assert result.classes["gpt-4"] == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no rows"),
        ("id,class\n", "has no rows"),
        ("name,class\nx,gpt-4\n", "does not say which conversation"),
        ("source_file,class\nx,gpt-4\n", "does not say which conversation"),
        ("source_row,class\n1,gpt-4\n", "does not say which conversation"),
        ("id,answer\nx,gpt-4\n", "gives no class"),
        ("id,clas\nx,gpt-4\n", "a column `clas`, which means nothing"),
        ("id,id,class\nx,y,gpt-4\n", "line 1: two columns are called `id`"),
        ("id,source_id,class\nx,y,gpt-4\n", "`id` and `source_id` are one column"),
        ("source,class\nx,gpt-4\n", "does not say which conversation"),
        ("id,class\nx\n", "line 2: neither `class` nor `model` says anything"),
        ("id,class\n,gpt-4\n", "line 2: `source_id` is empty"),
        ("key,class\n1,gpt-4\nx,gpt-4\n", "line 3: `key` is 'x', not a number"),
        ("key,class\n-1,gpt-4\n", "`key` is '-1', not a number"),
        ("key,turn,class\n1,1.5,gpt-4\n", "`turn` is '1.5', not a number"),
        ("id,class\nx,gpt-4,more\n", "more cells than the header"),
        ('id,class\n"x,gpt-4\n', "not a csv file"),
    ],
)
def test_a_side_file_that_cannot_be_used_says_why(side: Callable[[str], str], text: str, says: str) -> None:
    assert says in mistake(side(text)).what


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("ids.txt", b"id,class", "a side file ends in"),
        ("ids.jsonl", b"[1]\n", "line 1 is not an object"),
        ("ids.jsonl", b"{", "not a jsonl file"),
        ("ids.jsonl", b'{"id": ["x"], "class": "gpt-4"}', "`source_id` is ['x']"),
        ("ids.jsonl", b'{"key": 1.5, "class": "gpt-4"}', "`key` is 1.5"),
        ("ids.jsonl", b'{"key": 99999999999999999999, "class": "gpt-4"}', "not a number"),
        ("ids.jsonl", b'{"id": true, "class": "gpt-4"}', "`source_id` is True"),
        ("ids.parquet", b"PAR1", "not a parquet file"),
        ("ids.csv", b"id,class\nx,gpt-4\n\xff,gpt-4\n", "not a csv file: line 3: the byte 0xff is no UTF-8"),
        ("ids.csv", b'id,class\nx,gpt-4\n"y"z,gpt-4\n', "not a csv file: line 3: "),
        ("ids.jsonl", b'{"id": "x", "class": "gpt-4"}\n\n{bad\n', "not a jsonl file: line 3: "),
        ("ids.csv.gz", b"\x1f\x8bnothing", "cannot be unpacked"),
    ],
)
def test_a_file_that_is_not_what_its_name_says(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert says in mistake(tmp_path / name).what


@pytest.mark.parametrize("name", ["ids.CSV", "ids.csv.gz", "ids.tsv"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_whatever_its_ending_delimiter_and_spaces(
    ws: Workspace, tmp_path: Path, labels: Callable[..., list[Row]], name: str, delimiter: str
) -> None:
    content = f"\ufeff source_id {delimiter} class \n\na{delimiter} human\n".encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert labels(ws, labels=str(tmp_path / name))[0]["class"] == "human"


@pytest.mark.parametrize(("column", "meant"), [("Turn", "turn"), ("ID", "id"), ("modle", "model"), ("turns", "turn")])
def test_a_column_that_looks_like_a_slip_is_an_error(side: Callable[[str], str], column: str, meant: str) -> None:
    names = {"ID": f"{column},key,class"}.get(column, f"id,{column},class")
    assert f"did you mean `{meant}`?" in str(mistake(side(f"{names}\nx,1,gpt-4\n")).hint)


def test_a_column_that_means_nothing_is_said(
    ws: Workspace, side: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    curate.label(ws.path, labels=side("id,class,remark\na,gpt-4,nice\n"), quiet=True)
    assert "that mean nothing: `remark`" in capsys.readouterr().err


def test_the_source_narrows_an_id_that_two_dumps_share(
    workspace: Callable[..., Workspace],
    talk: Callable[..., Row],
    side: Callable[[str], str],
    labels: Callable[..., list[Row]],
) -> None:
    ws = workspace(talk({}, source_id="1", source="one"), talk({}, source_id="1", source="two"))
    assert [row["class"] for row in labels(ws, labels=side("source,id,class\ntwo,1,human\n"))] == [None, "human"]


def test_a_class_that_nobody_knows_is_told_before_any_work_with_its_line(
    ws: Workspace, side: Callable[[str], str]
) -> None:
    with pytest.raises(CurateError, match="neither the label rules nor the class weights know") as caught:
        curate.label(ws.path, labels=side("id,class\na,gpt-4\nb,GPT-4\n"), quiet=True)
    assert caught.value.where is not None
    assert caught.value.where.endswith("ids.csv, line 3")
    assert caught.value.hint == "did you mean `gpt-4`?"
    assert not ws.shards("labels")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot be read" in mistake(tmp_path / "ids.csv").what


def test_only_what_a_side_file_says_makes_the_labels_anew(ws: Workspace, side: Callable[[str], str]) -> None:
    def stamp() -> str:
        return str(ws.stamp("labels", 0)["fingerprint"])

    curate.label(ws.path, labels=side("key,class\n0,human\n1,gpt-4\n"), quiet=True)
    before = stamp()
    curate.label(ws.path, labels=side("key,class\n1,gpt-4\n0,human\n"), quiet=True)
    assert stamp() == before
    curate.label(ws.path, labels=side("key,class\n0,human\n1,human\n"), quiet=True)
    assert stamp() != before


@given(data=st.data())
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_its_rows_means_nothing(
    ws: Workspace, side: Callable[[str], str], labels: Callable[..., list[Row]], data: st.DataObject
) -> None:
    rows = ["a,,gpt-3.5,", "b,,,gpt-4-0314", "b,,gpt-4,", "b,3,human,", "b,1,,claude-2", "z,,human,"]
    shuffled = data.draw(st.permutations(rows))
    expected = labels(ws, labels=side("\n".join(["id,turn,class,model", *rows])))
    assert labels(ws, labels=side("\n".join(["id,turn,class,model", *shuffled]))) == expected
