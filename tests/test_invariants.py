"""What holds for every dump: made-up ones with random dirt go through ingest, clean, label, dedup and score."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import curate
from curate.ingest import table
from curate.schema import TABLES
from curate.workspace import Workspace

STAGES = {"clean": "flags", "label": "labels", "dedup": "duplicates", "score": "scores"}
PER_CONVERSATION = ("flags", "tasks", "duplicates")
PER_RESPONSE = ("labels", "scores")

modest = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])

WORDS = st.sampled_from(["river", "stone", "letter", "window", "garden", "seven", "music", "paper", "yellow", "engine"])
sentence = st.lists(WORDS, min_size=4, max_size=12).map(" ".join)
dirty = st.sampled_from(["", " ", "\u200b", "I'm sorry, but I cannot help with that.", "Caf\ufffd\ufffd", "\x1b[31m"])
text = sentence | dirty | st.text(max_size=12)
model = st.sampled_from(["gpt-4", "gpt-3.5-turbo", "llama-7b", "gpt-4o-mini", "text-davinci-002-render-sha", "", " "])
role = st.sampled_from(["human", "gpt", "gpt", "human", "system", "chatgpt", "bing", "tool"])

turns = st.lists(st.fixed_dictionaries({"from": role, "value": text}), min_size=1, max_size=5)
record = st.fixed_dictionaries({"conversations": turns}, optional={"model": model, "id": st.text(max_size=4)})
dirt = st.sampled_from(
    [
        {"conversations": []},
        {"conversations": [{"from": "human"}]},
        {"conversations": [{"from": "nobody", "value": "x"}]},
        {"conversations": [{"from": "human", "value": 3}]},
        {"other": 1},
        {},
    ]
)
# The first record is sound: a file in which nothing is known is refused as a whole.
SOUND = {"conversations": [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "Me."}], "model": "gpt-4"}
dumps = st.lists(record | dirt, max_size=6).flatmap(lambda some: st.permutations([*some, *some[:2]])).map(
    lambda some: [SOUND, *some]
)


@contextmanager
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:  # flushing to a disk takes its time
        yield Path(name)


def ingest(place: Path, records: list[Any], shard_rows: int = 3) -> Workspace:
    """The records in a workspace of small shards."""
    file = place / "dump.json"
    file.write_text(json.dumps(records))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "SHARD_ROWS", shard_rows)
        curate.ingest([file], place / "ws", quiet=True)
    return Workspace(place / "ws")


def run(name: str, ws: Workspace) -> None:
    getattr(curate, name)(ws.path, quiet=True)


def curated(place: Path, records: list[Any], shard_rows: int = 3, without: tuple[str, ...] = ()) -> Workspace:
    ws = ingest(place, records, shard_rows)
    for stage in STAGES:
        if stage not in without:
            run(stage, ws)
    return ws


@modest
@given(dumps)
def test_every_record_is_a_conversation_or_a_reject_with_a_reason(records: list[Any]) -> None:
    with folder() as place:
        ws = ingest(place, records)
        kept, rejects = ws.scan("conversations").collect(), ws.scan("rejects").collect()
        rows = sorted([*kept["source_row"], *rejects["source_row"]])
        assert rows == list(range(len(records)))
        assert kept["key"].to_list() == list(range(kept.height))
        assert kept["source_row"].is_sorted()
        assert all(rejects["reason"].str.contains("^[a-z_]+$"))
        assert curate.funnel(ws.path).balanced


@modest
@given(dumps)
def test_the_same_keys_go_in_and_out_of_every_stage(records: list[Any]) -> None:
    with folder() as place:
        ws = curated(place, records)
        keys = ws.scan("conversations").collect()["key"].to_list()
        responses = curate.scan(ws.path).select("key", "turn").collect().rows()
        for name in PER_CONVERSATION:
            assert ws.scan(name).collect()["key"].to_list() == keys, name
        for name in PER_RESPONSE:
            assert ws.scan(name).select("key", "turn").collect().rows() == responses, name
        for name in (*PER_CONVERSATION, *PER_RESPONSE):
            assert ws.shards(name) == ws.shards("conversations")
            for index in ws.shards(name):
                assert ws.read(name, index)["key"].is_in(ws.read("conversations", index)["key"].to_list()).all()


@modest
@given(dumps, st.permutations(list(STAGES)))
def test_a_stage_touches_its_own_table_and_the_manifest_only(
    tree: Callable[[Path], dict[str, bytes]], records: list[Any], order: list[str]
) -> None:
    with folder() as place:
        ws = ingest(place, records)
        for stage in order:
            before = tree(ws.path)
            run(stage, ws)
            after = tree(ws.path)
            changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
            tables = {STAGES[stage], *{"label": ["tasks"], "dedup": ["signatures"]}.get(stage, [])}
            made = {f"{table}/part-{index:05}.parquet" for table in tables for index in ws.shards("conversations")}
            made |= {name.replace("/part-", "/.part-").replace(".parquet", ".digest") for name in made}
            assert changed == made | {"manifest.json"}


@modest
@given(dumps)
def test_running_twice_changes_no_byte(tree: Callable[[Path], dict[str, bytes]], records: list[Any]) -> None:
    with folder() as place:
        ws = curated(place, records)
        before = tree(ws.path)
        curate.ingest([place / "dump.json"], ws.path, quiet=True)
        for stage in STAGES:
            run(stage, ws)
        assert tree(ws.path) == before


@modest
@given(dumps)
def test_an_undisturbed_run_elsewhere_writes_the_same_bytes(
    tree: Callable[[Path], dict[str, bytes]], records: list[Any]
) -> None:
    with folder() as one, folder() as other, pytest.MonkeyPatch.context() as patch:
        found = []
        for place in (one, other):
            patch.chdir(place)
            curated(Path(), records)
            found.append(tree(place / "ws"))
        assert found[0] == found[1]


@modest
@given(dumps)
def test_nobody_named_means_no_class(records: list[Any]) -> None:
    with folder() as place:
        ws = curated(place, records, without=("clean", "dedup", "score"))
        rows = curate.scan(ws.path).collect()
        speakers = pl.col("messages").list.get(pl.col("turn")).struct.field("name")
        nameless = rows.filter(pl.col("model").is_null() & speakers.is_null())
        assert nameless["class"].null_count() == nameless.height
        assert (rows["class"].is_null() == rows["rule"].is_null()).all()
        assert (rows["class"].is_null() == rows["evidence"].is_null()).all()


@modest
@given(dumps)
def test_what_was_not_judged_is_no_number_and_says_why(records: list[Any]) -> None:
    with folder() as place:
        rows = curate.scan(curated(place, records).path).collect()
        judged = rows.filter(pl.col("status") == "ok")
        assert judged["reward"].is_between(0, 1).all()
        assert judged["reward"].null_count() == 0
        assert judged["removed_by"].null_count() == judged.height
        others = rows.filter(pl.col("status") != "ok")
        assert others["reward"].null_count() == others["score"].null_count() == others.height
        assert others["rationale"].null_count() == 0


@modest
@given(dumps)
def test_what_goes_names_a_conversation_that_stays(records: list[Any]) -> None:
    with folder() as place:
        rows = curated(place, records, without=("clean", "score")).scan("duplicates").collect()
        removed = rows.filter(pl.col("removed_by").is_not_null())
        kept = set(rows["key"]) - set(removed["key"])
        assert set(removed["removed_by"]) <= kept
        assert set(removed["kind"]) <= {"exact", "near"}


Verdicts = dict[tuple[str, str | None], Any]


def verdicts(ws: Workspace) -> Verdicts:
    """What the stages say of each conversation, by its content and stated model."""
    flags = ws.scan("flags").collect()
    labels = ws.scan("labels").group_by("key", maintain_order=True).agg("turn", "class", "rule", "evidence")
    scores = ws.scan("scores").group_by("key", maintain_order=True).agg(responses="turn", rewards="reward")
    rows = ws.scan("conversations").select("key", "content_hash", "model").collect()
    for frame in (flags, labels.collect(), scores.collect()):
        rows = rows.join(frame, on="key", how="left")
    return {(row["content_hash"], row["model"]): [*row.values()][3:] for row in rows.to_dicts()}


@modest
@given(dumps, st.randoms(use_true_random=False))
def test_the_order_of_the_records_changes_no_verdict(records: list[Any], random: Any) -> None:
    shuffled = records[1:]
    random.shuffle(shuffled)
    with folder() as one, folder() as other:
        # Without dedup: of two equal copies it keeps the first, which is a matter of order.
        found = [
            verdicts(curated(place, some, without=("dedup",)))
            for place, some in ((one, records), (other, [SOUND, *shuffled]))
        ]
    assert found[0] == found[1]


@modest
@given(dumps, st.sampled_from([1, 2, 100]))
def test_the_size_of_the_shards_changes_no_row(records: list[Any], shard_rows: int) -> None:
    with folder() as one, folder() as other:
        spaces = [curated(one, records), curated(other, records, shard_rows)]
        for name in TABLES:
            if not spaces[0].shards(name):
                assert not spaces[1].shards(name)
                continue
            first, second = (ws.scan(name).collect() for ws in spaces)
            if "source_file" in first.columns:
                first, second = first.drop("source_file"), second.drop("source_file")
            assert first.equals(second), name
