"""Conversations stored as trees: nothing is lost between the branches, and no tree is too deep."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from curate.ingest.conversation import Conversation, UnusableError
from curate.ingest.formats import chatgpt_export, oasst, oasst_flat

DEEP = 20_000


def node(role: str, text: str, parent: str | None) -> dict[str, Any]:
    message = {"author": {"role": role}, "content": {"content_type": "text", "parts": [text]}, "end_turn": True}
    return {"message": message, "parent": parent}


def export(parents: list[int | None], current: str | None = None) -> dict[str, Any]:
    """A ChatGPT conversation whose node n says "n" and hangs on node `parents[n]`."""
    nodes = {
        str(number): node("assistant" if number % 2 else "user", str(number), None if parent is None else str(parent))
        for number, parent in enumerate(parents)
    }
    return {"mapping": nodes, "current_node": current}


def row(number: int, parent: int | None, role: str, **fields: Any) -> dict[str, Any]:
    above = None if parent is None else str(parent)
    ids = {"message_id": str(number), "parent_id": above, "message_tree_id": "0"}
    return ids | {"role": role, "text": str(number)} | fields


def nested(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The same messages as a tree."""
    messages = {row["message_id"]: row | {"replies": []} for row in rows}
    for message in messages.values():
        if message["parent_id"] is not None:
            messages[message["parent_id"]]["replies"].append(message)
    return {"message_tree_id": "0", "prompt": messages["0"]}


def conversations(results: Any) -> list[Conversation]:
    return [result for result in results if isinstance(result, Conversation)]


def said(conversation: Conversation) -> list[str]:
    return [message.content for message in conversation.messages]


def outcomes(record: dict[str, Any]) -> list[Conversation | UnusableError]:
    try:
        results = chatgpt_export.convert(record, branches="all")
    except UnusableError as error:
        return [error]
    assert isinstance(results, list)
    return results


def circular(parents: list[int | None], number: int) -> bool:
    """Whether the parents of a node never end; a parent that is not there is an end."""
    above: int | None = number
    for _ in parents:
        above = parents[above] if above is not None and above < len(parents) else None
    return above is not None and above < len(parents)


def test_a_chat_of_any_length_is_one_path() -> None:
    found = chatgpt_export.convert(export([None, *range(DEEP - 1)], current=str(DEEP - 1)))
    assert isinstance(found, Conversation)
    assert said(found) == [str(number) for number in range(DEEP)]


def test_a_thread_of_any_depth_is_one_path() -> None:
    roles = ("prompter", "assistant")
    rows = [row(number, number - 1 if number else None, roles[number % 2]) for number in range(DEEP)]
    flat = conversations(oasst_flat.convert_group(rows))
    tree = conversations(oasst.convert(nested(rows)))
    assert [said(found) for found in flat] == [said(found) for found in tree] == [[str(n) for n in range(DEEP)]]


def test_a_thread_below_a_deleted_message_is_counted_however_deep() -> None:
    rows = [row(number, number - 1 if number else None, "prompter") for number in range(DEEP)]
    rows[0]["deleted"] = True
    error, *below = oasst_flat.convert_group(rows)
    assert isinstance(error, UnusableError)
    found = [(result.reason, result.record) for result in below if isinstance(result, UnusableError)]
    assert found == [("other_branch", number) for number in range(1, DEEP)]
    assert error.detail == f"message '0' was deleted, and so all below it: {DEEP - 1}"


@given(st.lists(st.none() | st.integers(0, 11), min_size=1, max_size=12), st.none() | st.integers(0, 14))
def test_every_node_of_an_export_is_in_a_branch_or_in_a_circle(parents: list[int | None], current: int | None) -> None:
    record = export(parents, None if current is None else str(current))
    results = outcomes(record)
    reached = {text for conversation in conversations(results) for text in said(conversation)}
    assert reached == {str(number) for number in range(len(parents)) if not circular(parents, number)}
    assert any(isinstance(result, UnusableError) for result in results) == (len(reached) < len(parents))
    assert [result for result in conversations(results) if "branch" not in result.edits] in ([], results[:1])


@given(
    st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 3), st.booleans()), max_size=9).map(
        lambda drawn: [(min(parent, number), rank, deleted) for number, (parent, rank, deleted) in enumerate(drawn)]
    )
)
def test_every_message_of_a_tree_is_in_a_path_or_counted(drawn: list[tuple[int, int | None, bool]]) -> None:
    rows = [row(0, None, "prompter")]
    for number, (parent, rank, deleted) in enumerate(drawn, 1):
        role = "assistant" if rows[parent]["role"] == "prompter" else "prompter"
        rows.append(row(number, parent, role, rank=rank, deleted=deleted))
    results = oasst_flat.convert_group(rows, branches="all")
    paths = conversations(results)
    cut = {number for number, fields in enumerate(rows) if fields.get("deleted")}
    for number, fields in enumerate(rows):
        if fields["parent_id"] is not None and int(fields["parent_id"]) in cut:
            cut.add(number)
    usable = [fields for number, fields in enumerate(rows) if number not in cut]
    answers = {fields["text"] for fields in usable if fields["role"] == "assistant"}
    assert {text for path in paths for text in said(path)} >= answers
    assert all(path.messages[-1].role == "assistant" for path in paths)
    assert len({tuple(said(path)) for path in paths}) == len(paths)
    assert [said(path) for path in conversations(oasst.convert(nested(rows), branches="all"))] == list(map(said, paths))
    best = conversations(oasst_flat.convert_group(rows))
    assert list(map(said, best)) == list(map(said, paths[:1]))


def test_the_best_rank_wins_at_every_step() -> None:
    rows = [
        row(0, None, "prompter"),
        row(1, 0, "assistant", rank=1),
        row(2, 0, "assistant", rank=0),
        row(3, 2, "prompter"),
        row(4, 3, "assistant", rank=2),
        row(5, 3, "assistant"),
        row(6, 3, "assistant", rank=1),
    ]
    best, *others = oasst_flat.convert_group(rows)
    assert isinstance(best, Conversation)
    left = [(result.reason, result.record) for result in others if isinstance(result, UnusableError)]
    assert left == [("other_branch", 1), ("other_branch", 4), ("other_branch", 5)]
    assert (said(best), best.rank) == (["0", "2", "3", "6"], 2)
    every = conversations(oasst_flat.convert_group(rows, branches="all"))
    assert len(every) == len(oasst_flat.convert_group(rows, branches="all"))
    assert [(said(path)[-1], path.rank) for path in every] == [("6", 2), ("4", 3), ("5", None), ("1", 2)]
