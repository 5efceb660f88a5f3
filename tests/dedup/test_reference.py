"""What another set has goes, whatever the policy says; the other set is not read again."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.dedup import dedup, minhash, reference
from curate.errors import CurateError, WorkspaceError


@pytest.fixture
def old(workspace, words):
    """Another workspace: three texts, one of them a dialogue of four messages."""
    dialogue = [(("user", "assistant")[i % 2], words(i + 1, (40, 60)[i % 2])) for i in range(4)]
    ws = workspace([dialogue, [("user", words(5, 80))], [("user", words(6, 80))]], name="old", shard_rows=2)
    dedup(ws.path, quiet=True)
    return ws


def rows(words):
    changed = words(5, 80).split()
    changed[10] = "changed"
    return [
        [("user", words(6, 80))],
        [("user", " ".join(changed) + " and a bit longer")],
        [("user", words(1, 40)), ("assistant", words(2, 60))],
        [("user", words(7, 80))],
        [("user", words(7, 80))],
    ]


EXPECTED = [(0, 2, "exact"), (1, 1, "near"), (2, 0, "prefix"), (4, 3, "exact")]


def gone(ws):
    frame = ws.scan("duplicates").drop_nulls("removed_by").collect()
    return frame.select("key", "removed_by", "kind").rows(), frame["against"].to_list()


def test_exact_near_and_contained_texts_go_for_the_other_workspace(workspace, words, old):
    ws = workspace(rows(words))
    result = dedup(ws.path, against=[old.path], quiet=True)
    assert gone(ws) == (EXPECTED, [str(old.path)] * 3 + [None])
    assert (result.kept, result.against) == (1, 3)


def test_an_index_says_the_same_when_the_workspace_is_gone(workspace, words, old, tmp_path):
    dedup(old.path, index=tmp_path / "index", quiet=True)
    shutil.rmtree(old.path)
    ws = workspace(rows(words))
    dedup(ws.path, against=[tmp_path / "index"], quiet=True)
    assert gone(ws) == (EXPECTED, [str(tmp_path / "index")] * 3 + [None])


def test_an_index_holds_no_text(words, old, tmp_path):
    dedup(old.path, index=tmp_path / "index", quiet=True)
    content = b"".join(path.read_bytes() for path in (tmp_path / "index").iterdir())
    assert words(5, 80).split()[3].encode() not in content


def test_what_went_there_is_no_reason_here(workspace, words, old, tmp_path):
    ws = workspace([[("user", words(8, 60))], [("user", words(8, 60) + " and longer")]], name="two")
    dedup(ws.path, index=tmp_path / "index", quiet=True)
    alone = workspace([[("user", words(8, 60))]], name="alone")
    for other in (ws.path, tmp_path / "index"):
        dedup(alone.path, against=[other], quiet=True)
        assert gone(alone)[0] == [(0, 1, "near")]


def test_several_workspaces_share_an_index_and_none_meets_itself(workspace, words, old, tmp_path):
    index = tmp_path / "index"
    dedup(old.path, index=index, quiet=True)
    ws = workspace(rows(words))
    for _ in range(2):
        result = dedup(ws.path, against=[index], index=index, quiet=True)
        assert (result.kept, result.against) == (1, 3)
    assert len(list(index.iterdir())) == 2


def test_the_other_set_is_not_signed_again(workspace, words, old, monkeypatch):
    ws = workspace(rows(words))
    signed, plain = [], minhash.signatures
    monkeypatch.setattr(minhash, "signatures", lambda *a: signed.append(len(a[3]) - 1) or plain(*a))
    dedup(ws.path, against=[old.path], quiet=True)
    assert sum(signed) == len(rows(words))


def test_a_second_run_does_nothing_until_the_other_set_changes(workspace, words, old, capsys):
    ws = workspace(rows(words))
    dedup(ws.path, against=[old.path])
    dedup(ws.path, against=[old.path])
    assert "nothing has changed" in capsys.readouterr().err
    dedup(old.path, threshold=0.9, quiet=True)
    dedup(ws.path, against=[old.path])
    assert "nothing has changed" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [({"num_perm": 32, "threshold": 0.9}, "num_perm 64, not 32"), ({"unit": "prompts"}, "no signatures")],
)
def test_signatures_of_another_kind_are_refused(workspace, words, old, options, message):
    ws = workspace(rows(words))
    with pytest.raises(CurateError, match=message) as error:
        dedup(ws.path, against=[old.path], quiet=True, **options)
    assert "curate dedup" in str(error.value.hint)


def test_an_index_of_another_kind_is_refused(workspace, words, old, tmp_path):
    dedup(old.path, index=tmp_path / "index", quiet=True)
    ws = workspace(rows(words))
    with pytest.raises(CurateError, match="num_perm 64, not 256"):
        dedup(ws.path, against=[tmp_path / "index"], num_perm=256, quiet=True)
    with pytest.raises(CurateError, match="unit conversation, not prompts"):
        dedup(ws.path, against=[tmp_path / "index"], unit="prompts", quiet=True)


def test_places_that_cannot_be_compared_with_are_told(workspace, words, tmp_path):
    ws = workspace(rows(words))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    for options, message in (
        ({"against": [tmp_path / "nowhere"]}, "nothing to compare with"),
        ({"against": [ws.path]}, "with itself"),
        ({"index": tmp_path / "full"}, "no index, and not empty"),
    ):
        with pytest.raises(CurateError, match=message):
            dedup(ws.path, quiet=True, **options)
    with pytest.raises(WorkspaceError, match="not a curate workspace"):
        dedup(ws.path, against=[tmp_path / "full"], quiet=True)


def test_a_damaged_index_is_told(workspace, words, old, tmp_path):
    dedup(old.path, index=tmp_path / "index", quiet=True)
    for path in (tmp_path / "index").iterdir():
        path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CurateError, match="damaged"):
        dedup(workspace(rows(words)).path, against=[tmp_path / "index"], quiet=True)


def test_candidates_above_the_limit_are_counted(workspace, words, monkeypatch):
    monkeypatch.setattr(reference, "CANDIDATE_LIMIT", 2)
    base = words(1, 60)
    many = workspace([[("user", f"{base} {words(50 + i, 3)}")] for i in range(6)], name="many", shard_rows=9)
    dedup(many.path, threshold=1.0, quiet=True)
    ws = workspace([[("user", f"{base} {words(99, 18)}")]])
    result = dedup(ws.path, threshold=0.76, against=[many.path], quiet=True)
    assert (result.against, result.limited) == (0, 1)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 59), max_size=5)), min_size=2, max_size=12))
def test_found_elsewhere_is_what_one_workspace_of_both_would_find(
    workspace, words, plain_shingles, tmp_path_factory, plan
):
    texts = []
    for seed, places in plan:
        text = words(seed, 60).split()
        for place in places:
            text[place] = f"changed{place}"
        texts.append(" ".join(text))
    half = len(texts) // 2
    folder = tmp_path_factory.mktemp("both").name
    there = workspace([[("user", text)] for text in texts[:half]], name=f"{folder}-there", shard_rows=99)
    here = workspace([[("user", text)] for text in texts[half:]], name=f"{folder}-here", shard_rows=99)
    dedup(there.path, threshold=1.0, quiet=True)
    kept = there.scan("duplicates").collect().filter(there.scan("duplicates").collect()["removed_by"].is_null())["key"]
    dedup(here.path, against=[there.path], quiet=True)
    found = here.scan("duplicates").collect().filter(here.scan("duplicates").collect()["against"].is_not_null())
    sets = [plain_shingles([("user", text)]) for text in texts]
    expected = {
        key: max(len(sets[half + key] & sets[k]) / len(sets[half + key] | sets[k]) for k in kept)
        for key in range(len(texts) - half)
    }
    assert {*found["key"]} == {key for key, similarity in expected.items() if similarity >= 0.7}
    for key, similarity in found.select("key", "similarity").iter_rows():
        assert similarity == pytest.approx(expected[key])


def test_a_workspace_that_moved_does_not_meet_itself_in_the_index(workspace, words, tmp_path):
    ws = workspace([[("user", words(i, 60))] for i in range(3)])
    index = tmp_path / "index"
    dedup(ws.path, index=index, quiet=True)
    moved = ws.path.rename(ws.path.with_name("moved"))
    assert dedup(moved, against=[index], index=index, quiet=True).kept == 3
    assert len(list(index.iterdir())) == 1


def test_an_index_of_another_kind_is_not_written_to(workspace, words, old, tmp_path):
    dedup(old.path, index=tmp_path / "index", quiet=True)
    before = sorted(path.name for path in (tmp_path / "index").iterdir())
    ws = workspace(rows(words))
    with pytest.raises(CurateError, match="num_perm 64, not 256"):
        dedup(ws.path, num_perm=256, index=tmp_path / "index", quiet=True)
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == before
    assert not ws.shards("duplicates")


@pytest.mark.parametrize("stamp", ["[]", '"x"', "{}"])
def test_a_file_that_is_no_part_of_an_index_is_told(workspace, words, tmp_path, stamp):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "index").mkdir()
    table = pa.table({"a": [1]}).replace_schema_metadata({"curate": stamp})
    pq.write_table(table, tmp_path / "index" / "x.index.parquet")
    with pytest.raises(CurateError, match="no part of an index"):
        dedup(workspace(rows(words)).path, against=[tmp_path / "index"], quiet=True)


def test_signatures_of_texts_that_changed_since_are_refused(workspace, words, old):
    workspace([[("user", words(50 + i, 80))] for i in range(3)], name="old", shard_rows=2)
    with pytest.raises(WorkspaceError, match="`signatures` was made from other conversations"):
        dedup(workspace(rows(words)).path, against=[old.path], quiet=True)


def test_another_name_of_the_same_set_is_written_down(workspace, words, old):
    ws = workspace(rows(words))
    dedup(ws.path, against=[old.path], quiet=True)
    copy = shutil.copytree(old.path, old.path.with_name("copy"))
    dedup(ws.path, against=[copy], quiet=True)
    assert gone(ws)[1][0] == str(copy)


def test_an_interrupted_run_is_not_believed(workspace, words, monkeypatch, tmp_path):
    import curate
    from curate.workspace import Workspace

    ws = workspace([[("user", words(i % 2, 60)), ("assistant", "x")] for i in range(6)])
    dedup(ws.path, quiet=True)
    write = Workspace.write

    def failing(self, table, index, *rest):
        if table == "duplicates" and index:
            raise KeyboardInterrupt
        return write(self, table, index, *rest)

    monkeypatch.setattr(Workspace, "write", failing)
    with pytest.raises(KeyboardInterrupt):
        dedup(ws.path, threshold=0.9, quiet=True)
    monkeypatch.undo()
    with pytest.raises(WorkspaceError, match="`curate dedup` was interrupted"):
        curate.export(ws.path, tmp_path / "out", quiet=True)
    other = workspace([[("user", words(9, 60))]], name="other")
    with pytest.raises(WorkspaceError, match="was interrupted"):
        dedup(other.path, against=[ws.path], quiet=True)
    dedup(ws.path, threshold=0.9, quiet=True)
    assert curate.export(ws.path, tmp_path / "out", quiet=True).exported == 2
