"""Whatever stands in a record of roughly the right shape, a format makes conversations of it or says why not."""

from __future__ import annotations

import copy
import inspect
from datetime import datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.ingest import formats
from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.stream import Position, Record, read, sniff
from curate.schema import ROLES

HERE = Path(__file__).parent
GONE = Ellipsis  # the value is removed

quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def nested(depth: int) -> Any:
    value: Any = "end"
    for level in range(depth):
        value = [value] if level % 2 else {"children": value, "content": "x"}
    return value


plain: list[Any] = [GONE, None, True, False, 0, -1, 2**63, 0.5, 1e300, [], [None], ["a"], [[]], [{}], {}, {"a": None}]
texts = ["", " ", "text", "null", "[1]", '{"a": 1}', "1e999", "2023-13-45", "2023-04-01T00:00:00Z", "\u200b", "<div>"]
halves = ['["\\ud83d"]', '{"model": "\\ud800"}', '[{"role": "user", "content": "\\udc00"}]', '"a\\ud83d"', "\\ud83d"]
turns = [{"role": "user", "content": "x"}, [{"from": "gpt", "value": "x"}], nested(3), nested(40)]
junk = st.sampled_from(plain + texts + halves + turns)


@cache
def examples(name: str, stem: str = "input") -> list[dict[str, Any]]:
    """The records of all reader folders of a format, and of their companions."""
    found = []
    for path in sorted(chain(HERE.glob(f"{name}/{stem}.*"), HERE.glob(f"{name}-*/{stem}.*"))):
        with path.open("rb") as stream:
            mode = sniff(stream.read(1 << 20), str(path))
            stream.seek(0)
            found += [item.value for item in read(stream, Position(mode=mode), is_any) if isinstance(item, Record)]
    assert stem != "input" or any(formats.load(name).matches(record) for record in found), "mutants of nothing"
    return found


def is_any(_: dict[str, Any]) -> bool:
    return True


def places(value: Any) -> list[tuple[Any, ...]]:
    """The path of every value inside."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [path for key, inner in items for path in ((key,), *((key, *rest) for rest in places(inner)))]
    return []


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@st.composite
def mutants(draw: st.DrawFn, records: list[dict[str, Any]]) -> dict[str, Any]:
    """One of the records, in which up to four values are replaced by junk or by another value of it, or removed."""
    record: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(records)))
    for _ in range(draw(st.integers(1, 4))):
        paths = places(record)
        if not paths:
            break
        *outer, last = draw(st.sampled_from(paths))
        owner = at(record, tuple(outer))
        value = copy.deepcopy(at(record, draw(st.sampled_from(paths))) if draw(st.booleans()) else draw(junk))
        if value is GONE:
            del owner[last]
        else:
            owner[last] = value
    return record


def outcomes(name: str, records: list[dict[str, Any]], prompt: Any, branches: str) -> list[Any]:
    """What a format makes of records, called as `curate ingest` calls it."""
    module = formats.load(name)
    given = {"branches": branches} if "branches" in inspect.signature(module.convert).parameters else {}
    answers, grouped = formats.answers(name), formats.grouped(name)
    found: list[Any] = []
    for record in records:
        assert module.matches(record) in (True, False)
        try:
            if answers:
                pair = answers.companion(prompt) if isinstance(prompt, dict) else None
                assert pair is None or isinstance(pair[0], str)
                assert isinstance(answers.needs(record), str)
                result = module.convert(record, pair[1] if pair else prompt, **given)
            else:
                result = module.convert(record, **given)
            found += result if isinstance(result, list) else [result]
        except UnusableError as error:
            found.append(error)
    if grouped:
        keys = [grouped.group(record) for record in records if grouped.matches(record)]
        assert all(key is None or isinstance(key, str) for key in keys)
        together = [record for record in records if grouped.matches(record) and grouped.group(record) is not None]
        if together:
            given = {name: given[name] for name in inspect.signature(grouped.convert_group).parameters if name in given}
            results = grouped.convert_group(together, **given)
            assert all(0 <= result.record < len(together) for result in results if isinstance(result, UnusableError))
            found += results
    return found


def assert_is_text(*texts: str | None) -> None:
    """Half of a surrogate pair, which JSON can spell and UTF-8 cannot, never comes out."""
    for text in filter(None, texts):
        text.encode()


def check(outcome: Any) -> None:
    if isinstance(outcome, UnusableError):
        assert outcome.reason.isidentifier()
        assert isinstance(outcome.detail, str)
        assert outcome.detail
        assert_is_text(outcome.detail)
        return
    assert isinstance(outcome, Conversation)
    for message in outcome.messages:
        assert isinstance(message, Message)
        assert message.role in ROLES
        assert type(message.content) is str
        assert all(text is None or (type(text) is str and text.strip()) for text in (message.model, message.name))
        assert message.tool_calls is None or orjson.loads(message.tool_calls) is not None
        assert_is_text(message.content, message.model, message.name, message.tool_calls)
        assert message.weight is None or (type(message.weight) is float and 0 <= message.weight < 1e30)
    stated = (outcome.source_id, outcome.model, outcome.language, outcome.task)
    assert all(text is None or (type(text) is str and text.strip()) for text in stated)
    assert_is_text(*stated)
    assert outcome.created_at is None or (isinstance(outcome.created_at, datetime) and outcome.created_at.tzinfo)
    assert outcome.rank is None or type(outcome.rank) is int
    assert all(type(word) is str and word for word in (*outcome.edits, *outcome.marks))
    assert outcome.edits == sorted(set(outcome.edits))
    assert len(set(outcome.marks)) == len(outcome.marks)


@pytest.mark.parametrize("name", formats.names())
@given(data=st.data())
@quick
def test_any_record_is_conversations_or_a_reason(name: str, data: st.DataObject) -> None:
    records = data.draw(st.lists(mutants(examples(name)), min_size=1, max_size=4))
    companions = examples(name, "companion")
    prompts = mutants(companions) if companions else st.none()
    prompt = data.draw(prompts | st.none() | junk.filter(lambda value: value is not GONE))
    before = copy.deepcopy(records)
    for outcome in outcomes(name, records, prompt, data.draw(st.sampled_from(["current", "all"]))):
        check(outcome)
    assert records == before  # what is told of a reject is the record as it was


@pytest.mark.parametrize("name", formats.names())
def test_any_value_may_be_missing_or_something_else(name: str) -> None:
    """Every value of every example, one after the other; nested as deep as the parser lets a record be, too."""
    deep = nested(1000)
    modules = [formats.load(other) for other in formats.names()]
    for record in copy.deepcopy(examples(name)):
        for *outer, last in places(record):
            owner = at(record, tuple(outer))
            value = owner[last]
            for other in (None, 7, "text", [], ["a"], {"a": None}, deep, *halves, GONE):
                if other is not GONE:
                    owner[last] = other
                elif isinstance(owner, dict):
                    del owner[last]
                assert sum(module.matches(record) for module in modules) <= 1, "two formats take it"
                for outcome in outcomes(name, [record], record, "all"):
                    check(outcome)
            owner[last] = value
