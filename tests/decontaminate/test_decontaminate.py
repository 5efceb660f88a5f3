"""`curate decontaminate`: what counts as a hit, what does not, and that nothing about it is silent."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate.decontaminate import DecontaminateResult, index, report
from curate.dedup import texts
from curate.errors import CurateError, WorkspaceError
from tests.decontaminate.conftest import tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from curate.workspace import Workspace

    Words = Callable[[int, int], str]
    Listed = Callable[..., Path]
    Chats = Callable[..., Workspace]
    Hits = Callable[[Workspace], list[dict[str, Any]]]


def found(ws: Workspace, *lists: Path, **options: Any) -> DecontaminateResult:
    return curate.decontaminate(ws.path, [str(path) for path in lists], quiet=True, **options)


def test_prompts_and_answers_are_looked_through_alike(listed: Listed, chats: Chats, words: Words, hits: Hits) -> None:
    item = words(1, 30)
    ws = chats([f"Solve this: {item.upper()}!", "No."], ["Tell me.", f"{words(2, 10)}.\n\n{item}"], [words(3, 50), "x"])
    result = found(ws, listed("gsm", item))
    assert [(row["key"], row["turn"], row["kind"], row["overlap"]) for row in hits(ws)] == [
        (0, 0, "verbatim", 1.0),
        (1, 1, "verbatim", 1.0),
    ]
    assert (result.conversations, result.contaminated, result.hits) == (3, 2, 2)
    (one,) = result.benchmarks
    assert (one.name, one.items, one.hit, one.conversations, one.turns, one.responses) == ("gsm", 1, 1, 2, 2, 1)


def test_thirteen_words_in_a_row_are_a_hit_and_twelve_are_not(
    listed: Listed, chats: Chats, words: Words, hits: Hits
) -> None:
    item = words(1, 100).split()
    ws = chats([" ".join(item[40:53]), "x"], [" ".join(item[40:52]), "x"])
    found(ws, listed("gsm", " ".join(item)))
    (hit,) = hits(ws)
    assert (hit["key"], hit["kind"]) == (0, "13-gram")
    assert hit["overlap"] == pytest.approx(6 / 93)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_half_of_the_8_grams_are_a_hit(share: float, listed: Listed, chats: Chats, words: Words, hits: Hits) -> None:
    """Stretches of 12 words have 5 of them each: of 53, it takes 6 stretches."""
    item = words(1, 60).split()
    pieces = [" ".join(item[n : n + 12]) for n in range(0, 60, 12)]
    more = [" ".join(item[n : n + 12]) for n in (0, 10, 20, 30, 40, 48)]
    ws = chats([" so: ".join(pieces), "x"], [" so: ".join(more), "x"])
    found(ws, listed("gsm", " ".join(item)), overlap=share)
    assert [(hit["key"], hit["kind"]) for hit in hits(ws)] == ([(1, "8-grams")] if share == 0.5 else [])


def test_one_8_gram_is_a_common_phrase_and_no_hit(listed: Listed, chats: Chats, words: Words, hits: Hits) -> None:
    item = words(1, 9)
    ws = chats([item.rpartition(" ")[0], "x"])
    found(ws, listed("gsm", item))
    assert hits(ws) == []


def test_short_items_need_all_their_words_and_tiny_ones_the_whole_turn(
    listed: Listed, chats: Chats, hits: Hits
) -> None:
    ws = chats(
        ["Please: why do chameleons change colors?", "Who are you?"],
        ["And who are you now?", "why do chameleons change"],
        ["continue", "Who are you"],
    )
    found(ws, listed("short", "Why do chameleons change colors?", "Who are you?"))
    assert [(hit["key"], hit["turn"], hit["item"]) for hit in hits(ws)] == [(0, 0, "0"), (0, 1, "1"), (2, 1, "1")]


def test_each_turn_of_an_item_is_a_part(listed: Listed, chats: Chats, words: Words, hits: Hits) -> None:
    turns = [words(1, 20), words(2, 20)]
    ws = chats([turns[0], "x", turns[1], "y"])
    found(ws, listed("mt", {"question_id": 81, "turns": turns}))
    assert [(hit["turn"], hit["item"], hit["part"]) for hit in hits(ws)] == [(0, "81", 0), (2, "81", 1)]


def test_the_passage_is_where_the_item_stands(listed: Listed, chats: Chats, words: Words, hits: Hits) -> None:
    item = words(1, 40)
    before = "Grüße 😀, 你好. " * 300
    ws = chats([f"{before}«{item}» danach", "x"])
    found(ws, listed("gsm", item))
    (hit,) = hits(ws)
    assert ws.read("conversations", 0)["messages"][0][0]["content"][hit["begin"] : hit["end"]] == item


def test_text_in_a_tool_call_counts(
    workspace: Callable[..., Workspace], listed: Listed, words: Words, hits: Hits
) -> None:
    item = words(1, 20)
    message = {"role": "assistant", "content": "I look.", "tool_calls": json.dumps([{"q": item}])}
    ws = workspace({"messages": [{"role": "user", "content": "Look."}, message], "marks": []})
    result = found(ws, listed("gsm", item), show=1)
    assert [hit["turn"] for hit in hits(ws)] == [1]
    assert result.examples[0].passage == "(in a tool call)"


def test_common_8_grams_do_not_count_and_are_counted(listed: Listed, chats: Chats, words: Words, hits: Hits) -> None:
    """A phrase in 60 of 200 conversations tells nothing; an item that stands there as a whole still does."""
    phrase = words(1, 14)
    items = f"{phrase} {words(2, 6)}", words(3, 20), " ".join(phrase.split()[:7])
    ws = chats(*([f"{phrase} {words(100 + n, 5)}", "x"] for n in range(60)), *([items[0], "x"],), *(["a", "b"],) * 139)
    result = found(ws, listed("gsm", *items))
    assert [(hit["key"], hit["item"]) for hit in hits(ws)] == [(60, "0")]
    assert result.common == 7 + 1
    assert result.benchmarks[0].ignored == {"common n-grams only": 1}
    assert any(line.startswith("8 n-grams stand in too many conversations") for line in report.render(result))
    assert len({hit["key"] for hit in hits(ws)}) == 1
    found(ws, listed("gsm", *items), common=0.5)
    assert len(hits(ws)) == 61 + 61


def test_few_conversations_make_nothing_common(listed: Listed, chats: Chats, words: Words) -> None:
    item = words(1, 20)
    result = found(chats(*([item, "x"] for _ in range(50))), listed("gsm", item))
    assert (result.contaminated, result.common) == (50, 0)


def test_templates_are_counted(listed: Listed, chats: Chats, words: Words) -> None:
    head = words(1, 10)
    ws = chats([head, "x"])
    result = found(ws, listed("gsm", *(f"{head} {words(n + 2, 10)}" for n in range(index.TEMPLATE + 1))))
    assert (result.hits, result.templates) == (0, 3)


@pytest.mark.parametrize("processors", [{0}, {0, 1, 2}])
def test_threads_shards_and_batches_change_nothing(
    processors: set[int],
    listed: Listed,
    chats: Chats,
    words: Words,
    hits: Hits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = random.Random(1)
    items = [words(n, 20 + n) for n in range(30)]
    talks = [[words(1000 + n, 30) + " " + source.choice(items), source.choice(items)[:90]] for n in range(40)]
    path = listed("gsm", *items)
    found(ws := chats(*talks), path)
    expected = hits(ws)
    assert len(expected) > 40
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: processors)
    monkeypatch.setattr(texts, "BATCH_ROWS", 3)
    for index_ in range(6):
        for table in ("conversations", "matches", "contamination"):
            ws.shard(table, index_).unlink(missing_ok=True)
    found(ws := chats(*talks, shard_rows=7), path)
    assert hits(ws) == expected


def test_a_second_run_changes_no_byte_and_looks_at_new_shards_only(
    listed: Listed,
    chats: Chats,
    words: Words,
    tree: Callable[[Path], dict[str, bytes]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = listed("gsm", words(1, 20))
    ws = chats([words(1, 20), "x"], ["a", "b"], shard_rows=1)
    found(ws, path)
    before = tree(ws.path)
    first = ws.shard("matches", 0).stat().st_ino
    curate.decontaminate(ws.path, [str(path)])
    assert "nothing has changed" in capsys.readouterr().err
    assert tree(ws.path) == before
    ws.shard("contamination", 1).unlink()
    ws.shard("matches", 1).unlink()
    found(ws, path)
    assert tree(ws.path) == before
    assert ws.shard("matches", 0).stat().st_ino == first


def test_another_list_is_looked_for_again(listed: Listed, chats: Chats, words: Words, hits: Hits) -> None:
    ws = chats([words(1, 20), words(2, 20)])
    found(ws, listed("gsm", words(1, 20)))
    found(ws, listed("gsm", words(2, 20)))
    assert [hit["turn"] for hit in hits(ws)] == [1]


@pytest.mark.parametrize("options", [{"overlap": 0}, {"overlap": 1.5}, {"common": 0}, {"common": float("nan")}])
def test_a_share_that_is_none_is_an_error(listed: Listed, chats: Chats, options: dict[str, float]) -> None:
    with pytest.raises(CurateError, match="must be above 0 and at most 1"):
        found(chats(["a", "b"]), listed("gsm", "What is it?"), **options)


def test_an_empty_workspace_is_told(listed: Listed, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError):
        curate.decontaminate(tmp_path / "none", [str(listed("gsm", "What is it?"))])


def test_hostile_items_stay_inert(listed: Listed, chats: Chats) -> None:
    hostile = "\x1b[31m[bold]one two three four\u202e five six seven eight nine ten\n\x07 eleven"
    path = listed("evil", {"id": "\x1b]0;x\x07", "question": hostile})
    result = found(chats([hostile, "x"]), path, show=1)
    lines = list(report.render(result))
    assert not any(mark in "".join(lines) for mark in "\x1b\x07\u202e\n")
    assert any("[bold]one two three" in line for line in lines)


def test_examples_obey_redaction(listed: Listed, chats: Chats, words: Words) -> None:
    item = f"{words(1, 12)} write to ada.l@fernmail.org about {words(2, 12)}"
    ws = chats([f"Hello. {item}", "x"])
    curate.clean(ws.path, redact=True, quiet=True)
    result = found(ws, listed("gsm", item), show=1)
    (example,) = result.examples
    assert example.passage == item.replace("ada.l@fernmail.org", "[EMAIL]")
    assert tokens(example.text) == tokens(item)
    curate.clean(ws.path, redact=False, quiet=True)
    assert found(ws, listed("gsm", item), show=1).examples[0].passage == item


def test_records_of_a_list_that_cannot_be_read_are_said(
    listed: Listed, chats: Chats, capsys: pytest.CaptureFixture[str]
) -> None:
    path = listed("gsm", "What is the question here?")
    path.write_bytes(path.read_bytes() + b'{"question": "caf\xe9"}\n')
    result = found(chats(["a", "b"]), path)
    assert result.benchmarks[0].ignored == {"invalid_utf8": 1}
    assert "were not looked for: 1 invalid_utf8" in capsys.readouterr().err
