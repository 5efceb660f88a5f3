"""A real account export (96 conversations, every word replaced), counted from the raw JSON."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import curate
from curate.ingest.conversation import Conversation
from curate.ingest.formats import chatgpt_export

# Read before the tests clean the environment.
DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[4] / "shared" / "data")
EXPORT = DATA / "chatgpt_export" / "conversations.json"
EVERYWHERE = {"gpt-4": 262, "gpt-4-browsing": 6, "gpt-4-plugins": 2, "text-davinci-002-render-sha": 51}
ON_THE_PAGE = EVERYWHERE | {"text-davinci-002-render-sha": 50}

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    if not EXPORT.exists():
        pytest.skip("the ChatGPT export is not here: name the folder above it in CURATE_DATA")
    found: list[dict[str, Any]] = json.loads(EXPORT.read_text("utf-8"))
    return found


def answers(nodes: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """Model and text of the assistant's text messages among raw nodes."""
    messages = [node["message"] for node in nodes if node["message"]]
    return Counter(
        (message["metadata"]["model_slug"], "".join(message["content"]["parts"]))
        for message in messages
        if message["author"]["role"] == "assistant" and message["content"]["content_type"] == "text"
    )


def shown(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes on the current path, by the children: from each node down to the one that leads to `current_node`."""
    nodes = record["mapping"]
    above = {child: name for name, node in nodes.items() for child in node["children"]}
    names = [record["current_node"]]
    while names[-1] in above:
        names.append(above[names[-1]])
    return [nodes[name] for name in names]


def models(counted: Counter[tuple[str, str]]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for (model, _), count in counted.items():
        totals[model] += count
    return dict(totals)


def read(record: dict[str, Any], branches: str) -> list[Conversation]:
    result = chatgpt_export.convert(record, branches=branches)
    results = result if isinstance(result, list) else [result]
    assert all(isinstance(conversation, Conversation) for conversation in results)
    return [conversation for conversation in results if isinstance(conversation, Conversation)]


def said(conversation: Conversation) -> Counter[tuple[str, str]]:
    return Counter(
        (str(message.model), message.content)
        for message in conversation.messages
        if message.role == "assistant" and not message.tool_calls
    )


def test_the_file_is_the_one_that_was_counted(records: list[dict[str, Any]]) -> None:
    assert len(records) == 96
    assert models(answers([node for record in records for node in record["mapping"].values()])) == EVERYWHERE
    assert models(answers([node for record in records for node in shown(record)])) == ON_THE_PAGE


def test_the_current_path_holds_what_the_page_shows(records: list[dict[str, Any]]) -> None:
    for record in records:
        (conversation,) = read(record, "current")
        assert said(conversation) == answers(shown(record))


def test_all_branches_hold_every_answer(records: list[dict[str, Any]]) -> None:
    for record in records:
        every = answers(list(record["mapping"].values()))
        found = set().union(*(said(conversation) for conversation in read(record, "all")))
        assert found == set(every)


def test_no_question_or_tool_message_is_lost(records: list[dict[str, Any]]) -> None:
    counted: Counter[str] = Counter()
    for record in records:
        (conversation,) = read(record, "current")
        counted.update("call" if message.tool_calls else message.role for message in conversation.messages)
        roles = Counter(node["message"]["author"]["role"] for node in shown(record) if node["message"])
        found = Counter(message.role for message in conversation.messages)
        assert found == roles - Counter(system=1)  # each begins with a system message without text
    assert (counted["tool"], counted["call"], counted["system"]) == (11, 9, 0)


@pytest.mark.parametrize(("branches", "conversations", "answered"), [("current", 96, ON_THE_PAGE), ("all", 97, None)])
def test_ingest_takes_all_of_it(
    records: list[dict[str, Any]], branches: str, conversations: int, answered: dict[str, int] | None, tmp_path: Path
) -> None:
    leaves = sum(not node["children"] for record in records for node in record["mapping"].values())
    assert leaves == 97
    result = curate.ingest([EXPORT], tmp_path / "ws", branches=branches, quiet=True)
    assert (result.records, result.conversations, result.rejects) == (96, conversations, {})
    rows = curate.Workspace(tmp_path / "ws").scan("conversations").collect().to_dicts()
    found = Counter(
        message["model"]
        for row in rows
        for message in row["messages"]
        if message["role"] == "assistant" and not message["tool_calls"]
    )
    assert found == answered if answered else set(found) == set(EVERYWHERE)
    assert sum("branch" in row["edits"] for row in rows) == conversations - 96
    assert all(row["created_at"].year == 2023 for row in rows)


def test_answers_that_were_cut_off_are_marked(records: list[dict[str, Any]]) -> None:
    for record in records:
        last = record["mapping"][record["current_node"]]["message"]
        finish = (last["metadata"].get("finish_details") or {}).get("type")
        cut = last["status"] == "in_progress" or last["end_turn"] is False or finish in ("interrupted", "max_tokens")
        (conversation,) = read(record, "current")
        assert conversation.marks == (["incomplete"] if cut and last["author"]["role"] == "assistant" else [])
