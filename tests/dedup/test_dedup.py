"""What `curate dedup` promises: the best copy stays, every removal is justified, nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.dedup import DedupResult, dedup
from curate.errors import CurateError, WorkspaceError


def table(ws):
    return ws.scan("duplicates").collect()


def removals(ws):
    frame = table(ws).select("key", "removed_by", "kind", "similarity").drop_nulls("removed_by")
    return {key: (by, kind, round(similarity, 4)) for key, by, kind, similarity in frame.iter_rows()}


def content(ws):
    return {path.name: path.read_bytes() for path in sorted((ws.path / "duplicates").iterdir())}


def truth(plain_shingles, left, right):
    one, two = plain_shingles(left), plain_shingles(right)
    return len(one & two) / len(one | two)


def edited(text, *positions):
    tokens = text.split()
    for position in positions:
        tokens[position] = f"changed{position}"
    return " ".join(tokens)


def test_equal_conversations_are_exact_duplicates_whatever_their_shard(workspace, words):
    ws = workspace([[("user", words(i % 4, 30))] for i in range(8)])
    result = dedup(ws.path, quiet=True)
    assert removals(ws) == {i: (i - 4, "exact", 1.0) for i in range(4, 8)}
    assert (result.texts, result.kept, result.exact, result.near, result.copies) == (8, 4, 4, 0, 4)


def test_ids_are_never_looked_at(workspace, words):
    ws = workspace([[("user", words(i, 30))] for i in range(3)])
    assert set(ws.scan("conversations").collect()["source_id"].to_list()) == {None}
    assert dedup(ws.path, quiet=True).kept == 3


def test_a_near_duplicate_names_the_kept_one_and_the_true_similarity(workspace, words, plain_shingles):
    text = words(1, 200)
    conversations = [[("user", "hello"), ("assistant", t)] for t in (text, edited(text, 50, 120), words(2, 200))]
    ws = workspace(conversations)
    result = dedup(ws.path, quiet=True)
    # The edited copy has more characters, so it stays.
    expected = truth(plain_shingles, conversations[0], conversations[1])
    assert removals(ws) == {0: (1, "near", round(expected, 4))}
    assert (result.near, result.clusters, result.limited) == (1, 1, 0)


def test_below_the_threshold_both_stay(workspace, words, plain_shingles):
    text = words(1, 200)
    conversations = [[("user", text)], [("user", edited(text, *range(0, 200, 16)))]]
    similarity = truth(plain_shingles, *conversations)
    assert 0.4 < similarity < 0.7
    ws = workspace(conversations)
    assert dedup(ws.path, quiet=True).kept == 2
    assert dedup(ws.path, threshold=similarity - 0.01, quiet=True).kept == 1


def test_exactly_at_the_threshold_is_a_duplicate(workspace, words):
    # One role token and 103 words make 100 shingles, 58 words 55 of them; 0.55 * 100 is not 55 in floating point.
    text = words(1, 103)
    ws = workspace([[("user", text)], [("user", " ".join(text.split()[:58]))]])
    assert dedup(ws.path, threshold=0.55, quiet=True).near == 1
    assert removals(ws)[1] == (0, "near", 0.55)


def test_a_chain_of_small_steps_removes_only_what_resembles_something_kept(workspace, words, plain_shingles):
    text = words(1, 120)
    steps = [edited(text, *range(0, 4 * i, 2)) for i in range(20)]
    conversations = [[("user", step)] for step in steps]
    assert all(truth(plain_shingles, a, b) >= 0.7 for a, b in pairwise(conversations))
    assert truth(plain_shingles, conversations[0], conversations[-1]) < 0.3
    ws = workspace(conversations)
    result = dedup(ws.path, quiet=True)
    assert 1 < result.kept < 20
    for key, (by, _, similarity) in removals(ws).items():
        assert similarity == round(truth(plain_shingles, conversations[key], conversations[by]), 4) >= 0.7


def test_the_keeper_named_is_the_most_similar_one(workspace, words, plain_shingles):
    text = words(1, 100)
    middle = edited(text, 10, 60)
    conversations = [
        [("user", edited(text, 10, 11, 12, 13, 60) + " longer by some words")],
        [("user", edited(text, 60, 61, 62, 63, 64) + " and longer by yet other words")],
        [("user", middle)],
    ]
    similarities = [truth(plain_shingles, conversations[2], other) for other in conversations[:2]]
    ws = workspace(conversations)
    dedup(ws.path, threshold=min(similarities) - 0.01, quiet=True)
    assert removals(ws)[2][0] == similarities.index(max(similarities))


def test_copies_follow_their_best_copy_to_the_conversation_that_stays(workspace, words):
    text = words(1, 200)
    short, long = [("user", text)], [("user", text + " and a longer end")]
    ws = workspace([short, short, long])
    result = dedup(ws.path, quiet=True)
    assert {key: (by, kind) for key, (by, kind, _) in removals(ws).items()} == {0: (2, "near"), 1: (2, "near")}
    assert (result.exact, result.near, result.copies) == (0, 2, 1)
    assert table(ws)["cluster"].to_list() == [0, 0, 0]


def test_swapped_speakers_are_not_duplicates(workspace, words):
    question, answer = words(1, 8), words(2, 8)
    ws = workspace([[("user", question), ("assistant", answer)], [("assistant", question), ("user", answer)]])
    assert dedup(ws.path, quiet=True).kept == 2


def test_boilerplate_in_common_does_not_make_a_duplicate(workspace, words):
    system = "You are a helpful assistant. Answer as concisely as possible."
    ws = workspace([[("system", system), ("user", words(i, 20)), ("assistant", words(i + 50, 20))] for i in range(6)])
    assert dedup(ws.path, quiet=True).kept == 6


@pytest.mark.parametrize("pair", [("What is 2 + 2?", "What is 2 - 2?"), ("ha " * 500, "ha " * 510), ("", " ")])
def test_texts_that_say_too_little_are_duplicates_only_when_equal(workspace, pair):
    ws = workspace([[("user", text)] for text in (*pair, pair[0])])
    assert removals(dedup(ws.path, quiet=True) and ws) in (
        {2: (0, "exact", 1.0)},
        {0: (2, "exact", 1.0)},
    )


def test_one_word_in_a_short_conversation_may_differ(workspace, words):
    text = words(1, 30)
    ws = workspace([[("user", text)], [("user", edited(text, 0))]])
    assert dedup(ws.path, quiet=True).near == 1


def test_chinese_near_duplicates_are_found(workspace):
    text = "".join(chr(0x4E00 + (i * 7919) % 5000) for i in range(300))
    ws = workspace([[("user", text)], [("user", text[:150] + "改" + text[151:])]])
    assert dedup(ws.path, quiet=True).near == 1


def test_empty_one_word_and_very_long_conversations_work(workspace, words):
    long = (words(1, 3000) + " ") * 300
    conversations = [[], [("user", "")], [("user", "hi")], [("user", long)], [("user", long + "end")]]
    ws = workspace(conversations, shard_rows=2)
    assert dedup(ws.path, quiet=True).near == 1
    assert table(ws)["key"].to_list() == [0, 1, 2, 3, 4]


def test_a_workspace_without_conversations_is_done_at_once(workspace):
    ws = workspace([])
    ws.record("ingest", [])
    assert dedup(ws.path, quiet=True) == DedupResult("conversation", *[0] * 12)


def test_a_crowd_in_one_bucket_stays_bounded_and_is_counted(workspace, words, monkeypatch, capsys):
    from curate.dedup import near

    monkeypatch.setattr(near, "BUCKET_LIMIT", 2)
    monkeypatch.setattr(near, "CANDIDATE_LIMIT", 1)
    text = words(1, 100)
    ws = workspace([[("user", edited(text, i))] for i in range(40)])
    # At threshold 1 there is one band, which most of these near copies share without being removed.
    result = dedup(ws.path, threshold=1.0, quiet=True)
    assert result.kept == 40
    assert result.limited > 20
    assert 0 < result.verified <= 40
    assert "a template?" in capsys.readouterr().err


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plan=st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 59), max_size=6)), max_size=14),
    threshold=st.sampled_from([0.5, 0.7, 0.9]),
)
def test_every_removal_is_justified_by_a_kept_conversation(
    workspace, words, plain_shingles, tmp_path_factory, plan, threshold
):
    conversations = [[("user", edited(words(seed, 60), *places))] for seed, places in plan]
    ws = workspace(conversations, name=tmp_path_factory.mktemp("plan").name)
    for shard in ws.shards("conversations"):
        if shard * 3 >= len(conversations):
            ws.shard("conversations", shard).unlink()
    if not conversations:
        return
    result = dedup(ws.path, threshold=threshold, quiet=True)
    gone = removals(ws)
    assert table(ws)["key"].to_list() == list(range(len(conversations)))
    assert result.kept + result.exact + result.prefix + result.near == result.texts == len(conversations)
    assert len(gone) == result.exact + result.prefix + result.near
    for key, (by, kind, similarity) in gone.items():
        assert by not in gone
        assert similarity == round(truth(plain_shingles, conversations[key], conversations[by]), 4)
        assert similarity >= threshold
        assert (kind == "exact") == (conversations[key] == conversations[by])


def test_a_second_run_does_nothing_and_changes_no_byte(workspace, words, capsys):
    ws = workspace([[("user", words(i % 3, 40))] for i in range(7)])
    first = dedup(ws.path)
    before, manifest = content(ws), ws.manifest
    assert dedup(ws.path) == first
    assert "nothing has changed" in capsys.readouterr().err
    assert (content(ws), ws.manifest) == (before, manifest)


def test_new_conversations_options_or_labels_redo_the_work(workspace, words, write):
    rows = [[("user", words(1, 200) + end)] for end in ("", " x")]
    ws = workspace(rows)
    assert dedup(ws.path, quiet=True).kept == 1
    assert dedup(ws.path, threshold=1.0, quiet=True).kept == 2
    write(ws, "labels", "class", {0: ["gpt-4"]})
    dedup(ws.path, quiet=True)
    assert list(removals(ws)) == [1]
    workspace([*rows, [("user", words(2, 30))], rows[0]])
    with pytest.raises(WorkspaceError, match="`labels` was made from other conversations"):
        dedup(ws.path, quiet=True)
    write(ws, "labels", "class", {0: ["gpt-4"]})
    assert dedup(ws.path, quiet=True).texts == 4
    assert ws.has("duplicates")


def test_a_deleted_shard_is_made_again(workspace, words):
    ws = workspace([[("user", words(i % 3, 40))] for i in range(7)])
    dedup(ws.path, quiet=True)
    before = content(ws)
    ws.shard("duplicates", 1).unlink()
    dedup(ws.path, quiet=True)
    assert content(ws) == before


def test_how_rows_are_sharded_changes_nothing(workspace, words):
    rows = [[("user", edited(words(i % 3, 80), i % 7))] for i in range(12)]
    tables = []
    for shard_rows in (1, 5, 12):
        ws = workspace(rows, shard_rows=shard_rows, name=f"by-{shard_rows}")
        dedup(ws.path, quiet=True)
        tables.append(table(ws))
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


def test_the_number_of_processors_changes_nothing(workspace, words, monkeypatch):
    found = []
    for processors in (1, 7):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, n=processors: set(range(n)), raising=False)
        rows = [[("user", edited(words(i % 40, 60), i % 7))] for i in range(900)]
        ws = workspace(rows, shard_rows=700, name=str(processors))
        dedup(ws.path, quiet=True)
        found.append(content(ws))
    assert found[0] == found[1]


@pytest.mark.parametrize("where", ["signatures", "duplicates"])
def test_a_killed_run_leaves_nothing_and_the_next_gives_the_same_bytes(workspace, words, where):
    rows = [[("user", edited(words(i % 3, 80), i % 7))] for i in range(9)]
    killed, whole = workspace(rows, name="killed"), workspace(rows, name="whole")
    before = {path.name for path in killed.path.iterdir()}
    script = (
        "import os, sys\n"
        "from curate.workspace import Workspace\n"
        "from curate.dedup import dedup\n"
        "write = Workspace.write\n"
        "def once(self, table, index, data, stamp):\n"
        f"    os.kill(os.getpid(), 9) if index and table == {where!r} else write(self, table, index, data, stamp)\n"
        "Workspace.write = once\n"
        "dedup(sys.argv[1], quiet=True)\n"
    )
    run = subprocess.run([sys.executable, "-c", script, str(killed.path)], check=False, timeout=120)
    assert run.returncode == -signal.SIGKILL
    assert killed.shards(where) == [0]
    assert {path.name for path in killed.path.iterdir()} - before <= {".lock", "duplicates", "signatures"}
    assert dedup(killed.path, quiet=True) == dedup(whole.path, quiet=True)
    assert content(killed) == content(whole)
    assert killed.manifest == whole.manifest


@pytest.mark.parametrize("options", [{"threshold": 0}, {"threshold": 1.2}, {"num_perm": 0}])
def test_nonsense_is_refused_before_any_work(workspace, words, options):
    ws = workspace([[("user", words(1, 30))]])
    with pytest.raises(CurateError) as error:
        dedup(ws.path, quiet=True, **options)
    assert error.value.exit_code == 2
    assert not ws.shards("duplicates")


def test_a_damaged_shard_says_how_to_go_on(workspace, words):
    ws = workspace([[("user", words(i, 30))] for i in range(6)])
    path = ws.shard("conversations", 1)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(WorkspaceError, match="damaged") as error:
        dedup(ws.path, quiet=True)
    assert "part-00001" in str(error.value.where)
    assert not ws.shards("duplicates")


def test_not_a_workspace_is_an_error(tmp_path):
    with pytest.raises(WorkspaceError, match="not a curate workspace"):
        dedup(tmp_path, quiet=True)


def test_a_workspace_that_another_curate_writes_to_is_refused(workspace, words):
    ws = workspace([[("user", words(1, 30))]])
    with ws.lock(), pytest.raises(WorkspaceError, match="another curate"):
        dedup(ws.path, quiet=True)
