"""The better class stays, then the longer, then the earlier; a bad policy says all that is wrong."""

from __future__ import annotations

import pytest

from curate.dedup import dedup
from curate.dedup.policy import load
from curate.errors import RuleError, WorkspaceError


@pytest.fixture
def twins(workspace, words):
    """Three near copies; the last is the longest."""
    text = words(1, 300)
    return workspace([[("user", "q"), ("assistant", text + end)] for end in ("", " same", " and longer")])


def kept(ws):
    frame = ws.scan("duplicates").collect()
    return frame.filter(frame["removed_by"].is_null())["key"].to_list()


def policy(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text('schema = 1\nkind = "keep"\n' + text)
    return str(path)


def test_the_shipped_policy_is_valid():
    shipped = load("keep.toml")
    assert shipped.order == ("exported", "class", "reward", "verified", "completeness", "length", "age")
    assert shipped.classes[:2] == ("human", "gpt-4")


def test_what_export_leaves_out_is_what_the_cleaning_rules_say():
    from curate import rules

    cleaning = rules.load("clean.toml", "clean")
    verdicts = {rule.name: rule.verdict for rule in cleaning.rules}
    assert {*load("keep.toml").left_out} == {name for name, verdict in verdicts.items() if verdict != "keep"}


def flag(ws, flags):
    """Flags on conversations, {key: [rule]}, or on responses, {(key, turn): [rule]}."""
    import pyarrow as pa

    from curate.schema import TABLES

    for shard in ws.shards("conversations"):
        rows = []
        for key in ws.read("conversations", shard, ["key"])["key"].to_list():
            turns = [{"turn": name[1], "rule": rule} for name, rules in flags.items() if isinstance(name, tuple)
                     and name[0] == key for rule in rules]
            fired = [*flags.get(key, []), *dict.fromkeys(turn["rule"] for turn in turns)]
            rows.append({"key": key, "rules": fired, "unknown": [], "turns": turns, "redact": []})
        ws.write("flags", shard, pa.Table.from_pylist(rows, TABLES["flags"].arrow), {"fingerprint": str(flags)})


def test_a_longer_conversation_of_which_one_response_is_masked_stays(workspace, words):
    short = [("user", words(1, 40)), ("assistant", words(2, 60))]
    ws = workspace([short, [*short, ("user", words(3, 10)), ("assistant", "I am sorry, I cannot do that for you.")]])
    flag(ws, {(1, 3): ["refusal"]})
    dedup(ws.path, quiet=True)
    assert kept(ws) == [1]
    flag(ws, {(1, 1): ["loop"], (1, 3): ["refusal"]})
    dedup(ws.path, quiet=True)
    assert kept(ws) == [0]


@pytest.mark.parametrize("rule", ["too_short", "secret", "marked_toxic"])
def test_the_copy_that_export_takes_stays(twins, write, rule, tmp_path):
    import curate

    write(twins, "labels", "class", {0: ["gpt-3.5"], 1: ["gpt-3.5"], 2: ["gpt-4"]})
    flag(twins, {2: [rule]})
    dedup(twins.path, quiet=True)
    assert kept(twins) == [1]
    assert curate.export(twins.path, tmp_path / "out", quiet=True).exported == 1


def test_a_repeated_response_stays_where_export_takes_it(workspace, words, tmp_path):
    import curate

    long = words(10, 100)
    rows = [[("user", words(11 + i, 60)), ("assistant", long)] for i in range(3)]
    ws = workspace(rows, shard_rows=9)
    flag(ws, {0: ["marked_toxic"], (1, 1): ["loop"]})
    dedup(ws.path, quiet=True)
    dedup(ws.path, unit="responses", quiet=True)
    assert ws.scan("repeats").select("key", "repeats").collect().rows() == [(0, 2), (1, 2)]
    assert curate.export(ws.path, tmp_path / "out", quiet=True).responses == 1


def test_a_flag_on_another_response_says_nothing_of_this_one(workspace, words):
    long = words(10, 100)
    rows = [[("user", words(11, 60)), ("assistant", "short"), ("user", "and"), ("assistant", long)]]
    ws = workspace([*rows, [("user", words(12, 60)), ("assistant", long)]], shard_rows=9)
    flag(ws, {(0, 1): ["loop"]})
    dedup(ws.path, quiet=True)
    dedup(ws.path, unit="responses", quiet=True)
    assert ws.scan("repeats").select("key", "repeats").collect().rows() == [(1, 0)]


def test_the_clean_beginning_stays_when_the_longer_one_holds_a_benchmark_item(workspace, words, tmp_path, capsys):
    import json

    import curate

    item = words(77, 40)
    short = [("user", words(1, 30)), ("assistant", words(2, 100))]
    ws = workspace([short, [*short, ("user", item), ("assistant", words(3, 20))]])
    (tmp_path / "list.jsonl").write_text(json.dumps({"question": item}))
    dedup(ws.path, quiet=True)
    curate.decontaminate(ws.path, [str(tmp_path / "list.jsonl")], quiet=True)
    with pytest.raises(curate.CurateError, match="nothing is left"):
        curate.export(ws.path, tmp_path / "out", quiet=True)
    assert "1 conversations are left out as duplicates of ones that are left out" in capsys.readouterr().err
    dedup(ws.path, quiet=True)
    assert curate.export(ws.path, tmp_path / "out", quiet=True).exported == 1


def test_without_labels_the_longest_stays(twins):
    dedup(twins.path, quiet=True)
    assert kept(twins) == [2]


def test_the_better_class_stays_though_it_is_shorter(twins, write):
    write(twins, "labels", "class", {0: ["gpt-3.5"], 1: ["gpt-4"], 2: [None]})
    dedup(twins.path, quiet=True)
    assert kept(twins) == [1]


def test_a_conversation_is_as_good_as_its_worst_labelled_response(twins, write):
    write(twins, "labels", "class", {0: ["gpt-4", "gpt-3.5"], 1: ["gpt-4", None], 2: ["gpt-3.5"]})
    dedup(twins.path, quiet=True)
    assert kept(twins) == [1]


def test_classes_not_named_come_last(twins, write):
    write(twins, "labels", "class", {0: ["gpt-3.5"], 1: ["claude"], 2: ["bard"]})
    dedup(twins.path, quiet=True)
    assert kept(twins) == [0]


def test_the_reward_decides_only_when_asked(twins, write):
    write(twins, "scores", "reward", {0: [0.9, 0.7], 1: [0.2, None], 2: [None]})
    dedup(twins.path, quiet=True)
    assert kept(twins) == [2]
    dedup(twins.path, by_reward=True, quiet=True)
    assert kept(twins) == [0]


def test_by_reward_needs_scores(twins):
    with pytest.raises(WorkspaceError, match="needs scores") as error:
        dedup(twins.path, by_reward=True, quiet=True)
    assert "curate score" in str(error.value.hint)


def test_by_reward_needs_a_policy_that_asks_for_it(twins, write, tmp_path):
    write(twins, "scores", "reward", {})
    with pytest.raises(RuleError, match="by reward"):
        dedup(twins.path, by_reward=True, policy=policy(tmp_path, 'order = ["length"]\nclasses = []'), quiet=True)


def test_a_verified_copy_stays_though_it_is_shorter(tmp_path, words):
    import pyarrow as pa

    from curate.schema import TABLES
    from curate.workspace import Workspace

    ws = Workspace(tmp_path / "ws", create=True)
    text = words(1, 300)
    rows = [
        {"key": key, "source": "s", "source_file": "f", "source_row": key, "content_hash": f"{key:032x}", "edits": []}
        | {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": text + end}], "marks": marks}
        for key, (end, marks) in enumerate([("", ["verified"]), (" and longer", [])])
    ]
    ws.write("conversations", 0, pa.Table.from_pylist(rows, TABLES["conversations"].arrow), {"fingerprint": "x"})
    dedup(ws.path, quiet=True)
    assert kept(ws) == [0]


def test_a_whole_copy_stays_though_the_cut_off_one_is_longer(twins):
    import pyarrow as pa

    from curate.schema import TABLES

    for shard in twins.shards("conversations"):
        keys = twins.read("conversations", shard, ["key"])["key"].to_list()
        rows = [{"key": key, "rules": ["cut_off"] if key == 2 else ["email"]} for key in keys]
        table = pa.Table.from_pylist([row | {"unknown": [], "turns": [], "redact": []} for row in rows],
                                     TABLES["flags"].arrow)
        twins.write("flags", shard, table, {"fingerprint": "flagged"})
    dedup(twins.path, quiet=True)
    assert kept(twins) == [1]


def test_age_alone_keeps_the_first(twins, tmp_path):
    dedup(twins.path, policy=policy(tmp_path, 'order = ["age"]\nclasses = []'), quiet=True)
    assert kept(twins) == [0]


def test_of_equal_copies_the_first_stays(workspace, words):
    ws = workspace([[("user", words(1, 50))]] * 3)
    dedup(ws.path, quiet=True)
    assert kept(ws) == [0]


def test_labels_of_some_shards_only_are_used_with_a_warning(workspace, words, write, capsys):
    text = words(1, 300)
    ws = workspace([[("user", text + end)] for end in (" short", " a bit longer")], shard_rows=1)
    write(ws, "labels", "class", {0: ["gpt-4"]})
    ws.shard("labels", 1).unlink()
    dedup(ws.path, quiet=True)
    assert kept(ws) == [0]
    assert "only 1 of 2 shards are labelled" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('order = ["class"]\nclases = ["gpt-4"]\nclasses = []', "unknown key `clases`; did you mean `classes`"),
        ('order = ["lenght"]\nclasses = []', "unknown criterion `lenght`; did you mean `length`"),
        ('order = ["age", "age"]\nclasses = []', "`order` names `age` twice"),
        ("order = 3\nclasses = []", "`order` is missing or not a list of names"),
        ('order = ["age"]\nclasses = []\nincomplete = 3', "`incomplete` is missing or not a list of names"),
        ('order = ["age"]', "`classes` is missing or not a list of names"),
        ('order = ["age"]\nclasses = ["a", "a"]', "`classes` names `a` twice"),
    ],
)
def test_every_mistake_is_named(tmp_path, text, message):
    with pytest.raises(RuleError, match="mistake") as error:
        load(policy(tmp_path, text))
    assert message in str(error.value)


def test_a_policy_that_does_not_exist_is_an_error():
    with pytest.raises(RuleError, match=r"no rule file `kept\.toml`") as error:
        load("kept.toml")
    assert "`keep`" in str(error.value.hint)
