"""OpenAssistant's samples of 100 trees, nested and by message, counted from the raw JSON."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import curate
from curate.ingest.conversation import Conversation
from curate.ingest.formats import oasst, oasst_flat

# Read before the tests clean the environment.
DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[4] / "shared" / "data")
TREES = DATA / "oasst" / "en_100_tree.jsonl"
MESSAGES = DATA / "oasst" / "en_100_message.jsonl"
Way = list[dict[str, Any]]

pytestmark = pytest.mark.real


def raw(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        pytest.skip(f"{path.name} is not here: name the folder above it in CURATE_DATA")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def prompts() -> list[dict[str, Any]]:
    return [tree["prompt"] for tree in raw(TREES)]


def everything(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [message, *(below for reply in message["replies"] for below in everything(reply))]


def to_answers(message: dict[str, Any]) -> list[Way]:
    """All paths down to an answer that no other answer follows."""
    below = [[message, *path] for reply in message["replies"] for path in to_answers(reply)]
    return below or ([[message]] if message["role"] == "assistant" else [])


def read(path: Path, branches: str) -> list[Conversation]:
    convert = {TREES: oasst.convert, MESSAGES: oasst_flat.convert}[path]
    results = [result for record in raw(path) for result in convert(record, branches=branches)]
    return [result for result in results if isinstance(result, Conversation)]


def words(conversation: Conversation) -> tuple[tuple[str, str], ...]:
    return tuple((message.role, message.content) for message in conversation.messages)


def written(path: Way) -> tuple[tuple[str, str], ...]:
    roles = {"prompter": "user", "assistant": "assistant"}
    return tuple((roles[message["role"]], message["text"]) for message in path)


def test_the_files_are_the_ones_that_were_counted() -> None:
    messages = [message for prompt in prompts() for message in everything(prompt)]
    assert Counter(message["role"] for message in messages) == {"prompter": 480, "assistant": 687}
    assert not any(message["deleted"] or message["review_result"] is False for message in messages)
    assert {row["message_id"] for row in raw(MESSAGES)} == {prompt["message_id"] for prompt in prompts()}


@pytest.mark.parametrize("path", [TREES, MESSAGES], ids=["tree", "message"])
def test_every_path_to_an_answer_is_a_conversation(path: Path) -> None:
    paths = [found for prompt in prompts() for found in to_answers(prompt)]
    assert len(paths) == 546
    found = read(path, "all")
    assert Counter(map(words, found)) == Counter(map(written, paths))
    ends = [path[-1] for path in paths]
    assert Counter(each.rank for each in found) == Counter(end["rank"] + 1 if "rank" in end else None for end in ends)
    messages = [message for prompt in prompts() for message in everything(prompt)]
    answers = {message["text"] for message in messages if message["role"] == "assistant"}
    assert {content for each in found for role, content in words(each) if role == "assistant"} == answers


@pytest.mark.parametrize("path", [TREES, MESSAGES], ids=["tree", "message"])
def test_by_default_a_tree_is_its_best_path(path: Path) -> None:
    found = read(path, "current")
    assert len(found) == 100
    for each, prompt in zip(found, prompts(), strict=True):
        best = min(prompt["replies"], key=lambda reply: reply.get("rank", 99))
        assert words(each)[1] == ("assistant", best["text"])
        assert words(each) in {written(path) for path in to_answers(prompt)}


@pytest.mark.parametrize("path", [TREES, MESSAGES], ids=["tree", "message"])
@pytest.mark.parametrize(
    ("branches", "conversations", "unanswered"), [("current", 100, {}), ("all", 546, {"no_answer": 30})]
)
def test_ingest_takes_all_of_it(
    path: Path, branches: str, conversations: int, unanswered: dict[str, int], tmp_path: Path
) -> None:
    records = raw(path)
    # Questions that no one answered, beside others that someone did.
    assert sum(beside(prompt) for prompt in prompts()) == 30
    result = curate.ingest([path], tmp_path / "ws", branches=branches, quiet=True)
    assert (result.records, result.conversations, result.rejects) == (len(records), conversations, unanswered)


def beside(message: dict[str, Any]) -> int:
    answered = [bool(to_answers(reply)) for reply in message["replies"]]
    own = answered.count(False) if any(answered) else 0
    return own + sum(beside(reply) for reply in message["replies"])


def test_people_wrote_all_but_five_trees() -> None:
    found = read(TREES, "current")
    models = Counter(message.model for each in found for message in each.messages if message.role == "assistant")
    assert models["chip20b"] == 5
    assert set(models) == {"human", "chip20b"}
    assert sum("synthetic" in each.marks for each in found) == 5
