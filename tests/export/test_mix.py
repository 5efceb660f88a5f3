"""Every conversation ends in one bucket, every response under one condition, and nothing is lost in silence."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import output
from curate.clean import clean
from curate.errors import CurateError, RuleError, WorkspaceError
from curate.export import ExportResult, check, export
from curate.judge import LOCAL_NOTE
from curate.reward import Weights

from .workspaces import conversation, make, talk, turn

GPT4, GPT35 = {"class": "gpt-4"}, {"class": "gpt-3.5"}


def run(tmp_path: Path, rows: list[dict[str, Any]], *, judge: str | None = None, **options: Any) -> ExportResult:
    make(tmp_path / "ws", rows, judge=judge)
    clean = str(tmp_path / "ws" / "clean.toml")
    return export(tmp_path / "ws", tmp_path / "out", clean=clean, quiet=True, **options)


def read(result: ExportResult) -> pl.DataFrame:
    return pl.read_parquet(result.out / "data" / "*.parquet").with_columns(
        key=pl.col("meta").str.json_path_match("$.key").cast(pl.Int64)
    ).sort("id")


def test_each_class_has_its_condition_and_its_weight(tmp_path: Path) -> None:
    rows = [conversation(talk("Hi", "Hello"), **{"class": name}) for name in ("gpt-4", "gpt-3.5", "human", None)]
    found = read(run(tmp_path, rows)).sort("key")
    assert found["condition"].to_list() == ["GPT4", "GPT3", "Human", "Unknown"]
    assert found["weight"].to_list() == pytest.approx([1.0, 0.1, 1.0, 0.1])
    assert found["chat_template_kwargs"].struct.field("condition").to_list() == found["condition"].to_list()


def test_the_first_reason_counts(tmp_path: Path) -> None:
    said = talk("Hi", "Hello")
    rows = [
        conversation(said, **GPT4, flags=["short"], removed_by=1),
        conversation(said, **GPT4, flags=["odd_roles"]),
        conversation(said, **GPT4, removed_by=1),
        conversation(said[:1], **GPT4, removed_by=1),
        conversation(said[:1], **GPT4),
        conversation(said, **{"class": None}),
    ]
    result = run(tmp_path, rows, unlabelled="drop")
    assert result.dropped == {"flagged:short": 1, "duplicate": 2, "no_response": 1, "unlabelled": 1}
    assert (result.conversations, result.exported, result.rows) == (6, 1, 1)
    manifest = json.loads((result.out / "manifest.json").read_text())
    assert manifest["counts"]["dropped"] == result.dropped


def test_flags_can_be_kept_or_dropped_after_all(tmp_path: Path) -> None:
    rows = [conversation(talk("Hi", "Hello"), **GPT4, flags=[flag]) for flag in ("short", "odd_roles")]
    result = run(tmp_path, rows, keep_flagged=["short"], drop_flagged=["odd_roles"])
    assert result.dropped == {"flagged:odd_roles": 1}
    assert read(result)["key"].to_list() == [0]


def test_a_misspelt_or_unknown_flag_is_an_error(tmp_path: Path) -> None:
    rows = [conversation(talk("Hi", "Hello"), **GPT4, flags=["gone"])]
    with pytest.raises(CurateError, match="no cleaning rule `shrt`") as caught:
        run(tmp_path / "a", rows, keep_flagged=["shrt"])
    assert "short" in str(caught.value.hint)
    with pytest.raises(CurateError, match="the flag `gone` is of no cleaning rule"):
        run(tmp_path / "b", rows)


def test_responses_of_two_classes_make_two_rows(tmp_path: Path) -> None:
    said = talk("a", "b", "c", "d", system="Be brief.")
    found = read(run(tmp_path, [conversation(said, **{"class": ["gpt-4", "gpt-3.5"]})]))
    assert found["id"].str.tail(2).to_list() == [".1", ".2"]
    assert found["condition"].to_list() == ["GPT4", "GPT3"]
    weights = [[message["weight"] for message in messages] for messages in found["messages"]]
    assert weights[0] == pytest.approx([0, 0, 1.0, 0, 0])
    assert weights[1] == pytest.approx([0, 0, 0, 0, 0.1])


def test_nobody_becomes_gpt3_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(tmp_path, [conversation(talk("Hi", "Hello"))])
    assert result.conditions == {"Unknown": 1}
    assert "every response is of unknown class" in capsys.readouterr().err


def test_a_class_without_condition_or_weight_stops_the_export(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="the class `claude` has no weight"):
        run(tmp_path, [conversation(talk("Hi", "Hello"), **{"class": "claude"})])
    assert not (tmp_path / "out").exists()


def test_a_weight_that_is_not_finite_never_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = Weights(tmp_path / "w.toml", {"gpt-4": 1e39}, 0.1)
    monkeypatch.setattr("curate.reward.read_weights", lambda _: endless)
    with pytest.raises(CurateError, match="not a finite number"):
        run(tmp_path, [conversation(talk("Hi", "Hello"), **GPT4)])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["a\\nb", " GPT4", "<|end_of_turn|>", "<s>"])
def test_a_condition_that_would_not_survive_the_tokenizer_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "c.toml"
    cases = 'case = [{ class = "a", fires = true }, { class = "b", fires = false }]'
    rule = f'[[rule]]\nname = "a"\nwhy = "test"\nwhen = "class = \'a\'"\ncondition = "{text}"\n{cases}\n'
    file.write_text(f'schema = 1\nkind = "conditions"\n{rule}')
    with pytest.raises(RuleError, match="conditions must be plain text"):
        run(tmp_path, [conversation(talk("Hi", "Hello"), **GPT4)], conditions=str(file))


def test_conditions_may_ask_for_task_and_reward(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    blocks = [
        ("math", "task = 'math' AND reward > 0.5", "Math Correct", "task = 'math', reward = 0.9".replace("'", '"')),
        ("rest", "class IS NOT NULL", "GPT4", 'class = "gpt-4"'),
    ]
    text = 'schema = 1\nkind = "conditions"\n'
    for name, when, condition, case in blocks:
        text += f'[[rule]]\nname = "{name}"\nwhy = "test"\nwhen = "{when}"\ncondition = "{condition}"\n'
        text += f'case = [{{ {case}, fires = true }}, {{ source = "x", fires = false }}]\n'
    file.write_text(text)
    rows = [
        conversation(talk("1+1", "2"), **GPT4, task="math", reward=0.9),
        conversation(talk("1+1", "3"), **GPT4, task="math", reward=0.1),
    ]
    found = read(run(tmp_path, rows, conditions=str(file))).sort("key")
    assert found["condition"].to_list() == ["Math Correct", "GPT4"]


def test_auto_weighs_by_the_judge_there_is(tmp_path: Path) -> None:
    rows = [conversation(talk("Hi", "Hello"), **GPT35, reward=0.5)]
    local = read(run(tmp_path / "a", rows, judge="local"))
    model = read(run(tmp_path / "b", rows, judge="some-model"))
    only = read(run(tmp_path / "c", rows, judge="some-model", weighting="judge"))
    assert local["weight"].item() == pytest.approx(0.05)
    assert model["weight"].item() == pytest.approx((0.1 * 10**-0.5) ** 0.5)
    assert only["weight"].item() == pytest.approx(10**-0.5)
    assert only["reward"].item() == 0.5


@pytest.mark.parametrize(
    ("fallback", "dropped", "masked", "weights"),
    [
        ("coarse", {}, {}, [0, 1.0, 0, 1.0]),
        ("mask", {}, {"unscored": 1}, [0, 1.0, 0, 0]),
        ("drop", {"unscored": 1}, {}, None),
    ],
)
def test_a_response_without_reward_is_counted(
    tmp_path: Path, fallback: str, dropped: dict[str, int], masked: dict[str, int], weights: list[float] | None
) -> None:
    rows = [
        conversation(talk("a", "b", "c", "d"), **GPT4, reward=[1.0, None]),
        conversation(talk("x", "y"), **GPT4, reward=1.0),
    ]
    result = run(tmp_path, rows, judge="some-model", fallback=fallback)
    assert (result.dropped, result.masked) == (dropped, masked)
    assert result.fallback == (fallback == "coarse")
    first = read(result).filter(key=0)
    assert [m["weight"] for m in first["messages"][0]] == weights if weights else first.is_empty()


def test_rewards_of_two_judges_are_never_pooled(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", [conversation(talk("a", "b"), reward=1.0)] * 2, shard=1, judge="one")
    other = make(tmp_path / "other", [conversation(talk("a", "b"), reward=1.0)] * 2, shard=1, judge="two")
    other.shard("scores", 1).replace(ws.shard("scores", 1))
    with pytest.raises(WorkspaceError, match="more than one judge"):
        export(ws.path, tmp_path / "out", quiet=True)


def test_a_half_finished_table_is_not_taken_for_the_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ws = make(tmp_path / "ws", [conversation(talk("a", "b"), **GPT4, reward=1.0)] * 2, shard=1)
    ws.shard("scores", 1).unlink()
    assert export(ws.path, tmp_path / "out", quiet=True).fallback == 1
    assert "`scores` has 1 of 2 shards" in capsys.readouterr().err
    ws.shard("labels", 1).unlink()
    with pytest.raises(WorkspaceError, match="`labels` has 1 of 2 shards"):
        export(ws.path, tmp_path / "out2", quiet=True)


def test_a_response_that_only_calls_a_tool_is_not_trained_to_be_empty(tmp_path: Path) -> None:
    said = [
        turn("user", "Weather?"),
        turn("assistant", "", tool_calls='[{"name":"weather"}]'),
        turn("tool", "rain"),
        turn("assistant", "It rains."),
    ]
    result = run(tmp_path, [conversation(said, **GPT4)])
    assert result.masked == {"tool_call": 1}
    messages = read(result)["messages"][0]
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "assistant"]
    assert [m["weight"] for m in messages] == [0, 0, 0, 1]


def test_nothing_left_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="nothing is left") as caught:
        run(tmp_path, [conversation(talk("Hi", "Hello"), **GPT4, flags=["short"])])
    assert caught.value.hint == "conversations dropped: 1 `flagged:short`"
    assert not (tmp_path / "out").exists()


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, [conversation(talk("Hi", "Hello"), **GPT4)], dry_run=True)
    assert (result.rows, result.files) == (1, ())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options",
    [{"format": "crlf"}, {"weighting": "best"}, {"beta": 0.0}, {"mix": 2.0}, {"fallback": "none"}, {"name": "../x"}],
)
def test_wrong_options_are_refused_with_a_way_out(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(CurateError):
        run(tmp_path, [conversation(talk("Hi", "Hello"), **GPT4)], **options)
    assert not (tmp_path / "out").exists()


def test_options_are_checked_before_the_workspace_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "ws", [conversation(talk("Hi", "Hello"))])
    with pytest.raises(CurateError, match="unknown weighting"):
        export(tmp_path / "ws", tmp_path / "out", weighting="best")
    assert capsys.readouterr().err == "", "no warning about missing tables comes before"
    with pytest.raises(CurateError, match="unknown template"):
        check(tmp_path / "nowhere", tmp_path / "out", template="x")


def test_check_takes_the_arguments_of_export_with_their_defaults() -> None:
    told, taken = (inspect.signature(function).parameters for function in (check, export))
    assert set(taken) - set(told) == {"dry_run", "engine", "quiet"}
    assert all(told[name].default == taken[name].default for name in told)


def test_the_local_judge_is_named_wherever_its_weights_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [conversation(talk("a", "b", "c", "d"), **GPT4, reward=[0.5, None])]
    result = run(tmp_path / "local", rows, judge="local")
    assert result.note == LOCAL_NOTE
    assert LOCAL_NOTE in (result.out / "README.md").read_text("utf-8")
    assert json.loads((result.out / "manifest.json").read_text())["policy"]["note"] == LOCAL_NOTE
    output.export(result)
    shown = capsys.readouterr().out
    assert LOCAL_NOTE in shown
    assert "1 trained responses have no reward: weighed by their class alone" in shown
    model = run(tmp_path / "model", rows, judge="some-model")
    assert model.note is None
    assert "is `local`" not in (model.out / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("fallback", "says"),
    [
        ("mask", "1 responses have no reward: masked"),
        ("drop", "1 conversations have a response without reward: dropped"),
    ],
)
def test_what_became_of_responses_without_reward_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fallback: str, says: str
) -> None:
    rows = [conversation(talk("a", "b", "c", "d"), **GPT4, reward=reward) for reward in ([1.0, None], 1.0)]
    output.export(run(tmp_path, rows, judge="some-model", fallback=fallback))
    assert says in capsys.readouterr().out


def test_the_card_tells_of_tools_and_special_tokens(tmp_path: Path) -> None:
    result = run(tmp_path, [conversation(talk("Hi", "Hello"), **GPT4)])
    card = (result.out / "README.md").read_text("utf-8")
    for part in ("user, assistant or tool", "Tool calls are in no shard", "Texts are raw", "--tokenizer"):
        assert part in card


classes = st.sampled_from(["gpt-4", "gpt-3.5", "human", None])


@st.composite
def conversations(draw: st.DrawFn) -> dict[str, Any]:
    roles = draw(st.lists(st.sampled_from(["system", "user", "assistant", "tool"]), min_size=1, max_size=6))
    said = [turn(role, draw(st.text(max_size=8))) for role in roles]
    responses = roles.count("assistant")
    rewards = st.none() | st.floats(0, 1, width=32)
    return conversation(
        said,
        **{"class": draw(st.lists(classes, min_size=responses, max_size=responses))},
        reward=draw(st.lists(rewards, min_size=responses, max_size=responses)),
        flags=draw(st.lists(st.sampled_from(["short", "odd_roles"]), unique=True, max_size=2)),
        removed_by=draw(st.none() | st.just(0)),
    )


@given(
    st.lists(conversations(), min_size=1, max_size=8),
    st.sampled_from(["local", "some-model"]),
    st.sampled_from(["coarse", "drop", "mask"]),
    st.sampled_from(["keep", "drop", "mask"]),
)
@settings(max_examples=25, deadline=None)
def test_nothing_is_lost_and_no_response_is_trained_twice(
    rows: list[dict[str, Any]], judge: str, fallback: str, unlabelled: str
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder)
        options: dict[str, Any] = {"judge": judge, "fallback": fallback, "unlabelled": unlabelled}
        counted = run(path / "dry", rows, dry_run=True, **options)
        assert counted.conversations == len(rows) == counted.exported + sum(counted.dropped.values())
        if not counted.rows:
            return
        result = run(path, rows, **options)
        found = read(result)
    assert found["id"].n_unique() == found.height == result.rows
    assert found["key"].n_unique() == result.exported
    trained: dict[tuple[int, int], str] = {}
    for key, condition, messages in found.select("key", "condition", "messages").rows():
        assert [m["content"] for m in messages] == [m["content"] for m in rows[key]["messages"]]
        for number, message in enumerate(messages):
            assert 0 <= message["weight"] < float("inf")
            if message["weight"]:
                assert message["role"] == "assistant"
                assert (key, number) not in trained
                trained[key, number] = condition
    responses = sum(m["role"] == "assistant" for key in set(found["key"]) for m in rows[key]["messages"])
    assert len(trained) == result.responses == responses - sum(result.masked.values())
    assert sum(entry.responses for entry in result.classes.values()) == result.responses
    names = {"gpt-4": "GPT4", "gpt-3.5": "GPT3", "human": "Human", None: "Unknown"}
    for (key, number), condition in trained.items():
        nth = [m["role"] for m in rows[key]["messages"][:number]].count("assistant")
        assert condition == names[rows[key]["class"][nth]]


MASKING = """\
schema = 1
kind = "clean"
[[rule]]
name = "no"
why = "test"
unit = "response"
when = "text = 'No'"
export = "mask"
case = [{ text = "No", fires = true }, { text = "Yes", fires = false }]
[[rule]]
name = "short"
why = "test"
when = "chars < 10"
export = "keep"
case = [{ chars = 1, fires = true }, { chars = 20, fires = false }]
"""


def masked(tmp_path: Path, *talks: list[dict[str, Any]], **options: Any) -> ExportResult:
    ws = make(tmp_path / "ws", [conversation(messages, **GPT4) for messages in talks])
    (ws.path / "mine.toml").write_text(MASKING)
    clean(ws.path, rules_file=str(ws.path / "mine.toml"), quiet=True)
    return export(ws.path, tmp_path / "out", clean=str(ws.path / "mine.toml"), quiet=True, **options)


def test_a_masked_response_weighs_nothing_and_stays_as_context(tmp_path: Path) -> None:
    result = masked(tmp_path, talk("Do it?", "No", "Please?", "Yes"))
    assert result.masked == {"flagged:no": 1}
    (messages,) = read(result)["messages"].to_list()
    assert [(message["content"], message["weight"]) for message in messages] == [
        ("Do it?", 0), ("No", 0), ("Please?", 0), ("Yes", 1),
    ]  # fmt: skip


def test_a_conversation_whose_responses_are_all_masked_is_dropped_for_that(tmp_path: Path) -> None:
    result = masked(tmp_path, talk("Do it?", "No", "Why?", "No"), talk("Do it?", "Yes"))
    assert result.dropped == {"flagged:no": 1}
    assert result.exported == 1


def test_masking_can_be_told_otherwise(tmp_path: Path) -> None:
    said = talk("Do it?", "No", "Please?", "Yes")
    kept = masked(tmp_path / "keep", said, keep_flagged=["no"])
    assert (kept.masked, kept.responses) == ({}, 2)
    assert masked(tmp_path / "drop", said, talk("A?", "Yes"), drop_flagged=["no"]).dropped == {"flagged:no": 1}
    with pytest.raises(CurateError, match="only a response can be masked"):
        masked(tmp_path / "mask", said, mask_flagged=["short"])
    with pytest.raises(CurateError, match="two verdicts"):
        masked(tmp_path / "both", said, mask_flagged=["no"], keep_flagged=["no"])


def test_what_the_record_itself_weighs_zero_is_not_trained(tmp_path: Path) -> None:
    turns = talk("Hi", "Ho", "Hey", "Hoho")
    turns[1]["weight"], turns[3]["weight"] = 0.0, 1.0
    ws = make(tmp_path / "ws", [conversation(turns, **{"class": "gpt-4"})])
    result = export(ws.path, tmp_path / "out", quiet=True)
    assert (result.responses, result.masked) == (1, {"source_weight": 1})
    (row,) = pl.read_parquet(result.out / "data" / "*.parquet").to_dicts()
    assert [message["weight"] for message in row["messages"]] == [0, 0, 0, 1]


def test_a_text_that_goes_on_with_a_tool_call_is_not_trained_as_if_it_ended_there(tmp_path: Path) -> None:
    turns = talk("What time is it?", "Let me look.")
    turns[1]["tool_calls"] = '[{"name":"clock"}]'
    ws = make(tmp_path / "ws", [conversation([*turns, *talk("", "Noon.")[1:]], **{"class": "gpt-4"})])
    result = export(ws.path, tmp_path / "out", quiet=True)
    assert (result.responses, result.masked) == (1, {"tool_call": 1})
