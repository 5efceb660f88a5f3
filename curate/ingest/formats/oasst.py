"""OpenAssistant trees: one prompt with all replies below it, ranked by people.

    {"message_tree_id": "t", "tree_state": "ready_for_export", "prompt": {"message_id": "t", "role": "prompter",
        "text": "Hi", "lang": "en", "replies": [{"message_id": "a", "parent_id": "t", "role": "assistant",
            "text": "Hello!", "rank": 0, "deleted": false, "review_result": true, "synthetic": false, "replies": []}]}}

By default only the best-ranked answer of each tree is read: of every tree one conversation, and all other answers are
left behind (`branches_left`). `--branches all` gives every answer with its rank.

An answer that no other answer follows ends a conversation: the path from the prompt down to it. The best path has the
best rank at every step; where prompts are not ranked, the first one that was answered. The `rank` of a conversation is
that of its last answer among its siblings, 1 the best (OpenAssistant counts from 0). A message that was deleted or
failed its review takes all below it along, and is counted as unusable. Questions that no one answered are left off
(`unanswered_dropped`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.languages import language_code
from curate.ingest.moments import moment
from curate.ingest.normalise import optional_text, role_of

STOPPED = {"aborted_low_grade", "halted_by_moderator"}
WORST = 2**31 - 2


@dataclass(slots=True)
class Reply:
    """A message of a tree that may be used, with what is below it; `answered` when a usable answer is."""

    raw: dict[str, Any]
    message: Message
    parent: Reply | None
    rank: int | None
    replies: list[Reply] = field(default_factory=list)
    answered: bool = False


def matches(record: dict[str, Any]) -> bool:
    """A tree's id and its root message under `prompt`; null beside the tree's state."""
    if record.get("prompt") is None:
        return record.keys() >= {"message_tree_id", "tree_state", "prompt"} and "message_id" not in record
    return "message_tree_id" in record and isinstance(record["prompt"], dict)


def convert(record: dict[str, Any], *, branches: str = "current") -> list[Conversation | UnusableError]:
    """The best path, or with `branches="all"` every one; and an error for each branch that was cut off."""
    prompt = record.get("prompt")
    if not isinstance(prompt, dict):
        raise UnusableError("bad_message", "`prompt` is not an object")
    return conversations(prompt, record.get("message_tree_id"), record.get("tree_state"), branches)


def conversations(
    prompt: dict[str, Any],
    tree_id: Any,
    state: Any,
    branches: str,
    numbers: dict[int, int] | None = None,
    used: set[int] | None = None,
) -> list[Conversation | UnusableError]:
    """The paths through a tree of messages, best first, and what was cut off.

    Args:
        prompt: The root; every message has its answers under `replies`.
        tree_id: The `source_id` of all conversations.
        state: What became of the tree; a tree that moderators stopped is marked `undesirable`.
        branches: "current" for the best path, "all" for every path.
        numbers: The record that a message comes from, by the `id()` of the message; all from one when missing.
        used: Gains the `id()` of every message that is in one of the conversations.
    """
    cut: list[Conversation | UnusableError] = []
    numbers = numbers or {}
    root = _grow(prompt, cut, numbers)
    if root is None:
        return cut
    ends, beside = _ends(root)
    if not ends:
        return [UnusableError("no_answer", "a prompt without an answer", numbers.get(id(prompt), 0)), *cut]
    used = set() if used is None else used
    for end in ends if branches == "all" else ends[:1]:
        reply: Reply | None = end
        while reply is not None and id(reply.raw) not in used:
            used.add(id(reply.raw))
            reply = reply.parent
    if branches != "all":
        left = ["branches_left"] if len(ends) > 1 else []
        return [_conversation(ends[0], tree_id, state, left), *cut]
    paths = [_conversation(end, tree_id, state, ["branch"] if number else []) for number, end in enumerate(ends)]
    return [*paths, *(_unanswered(reply, numbers) for reply in beside), *cut]


def _grow(prompt: dict[str, Any], cut: list[Conversation | UnusableError], numbers: dict[int, int]) -> Reply | None:
    """The usable part of a tree, without recursion: threads may be longer than Python's stack."""
    root = None
    waiting: list[tuple[Any, Reply | None]] = [(prompt, None)]
    grown: list[Reply] = []
    while waiting:
        raw, parent = waiting.pop()
        try:
            reply = _reply(raw, parent)
        except UnusableError as error:
            below = _size(raw) - 1
            detail = f"{error.detail}, and so all below it: {below}" if below else error.detail
            cut.append(UnusableError(error.reason, detail, numbers.get(id(raw), 0)))
            continue
        if parent is None:
            root = reply
        else:
            parent.replies.append(reply)
        grown.append(reply)
        waiting += [(below, reply) for below in reversed(_replies(raw))]
    for reply in reversed(grown):
        reply.answered = any(below.message.role == "assistant" or below.answered for below in reply.replies)
        reply.replies.sort(key=_order)
    return root


def _order(reply: Reply) -> int:
    return WORST if reply.rank is None else reply.rank


def _reply(raw: Any, parent: Reply | None) -> Reply:
    """One message.

    Raises:
        UnusableError: It was deleted, failed its review, or is no message.
    """
    if not isinstance(raw, dict) or not isinstance(raw.get("text"), str):
        raise UnusableError("bad_message", "a message of the tree has no text")
    name = f"message {optional_text(raw.get('message_id'))!r:.60}"
    if raw.get("deleted") is True:
        raise UnusableError("deleted", f"{name} was deleted")
    if raw.get("review_result") is False:
        raise UnusableError("review_failed", f"{name} failed its review")
    role, _ = role_of(raw.get("role"))
    model = None
    if role == "assistant":
        model = optional_text(raw.get("model_name")) or (None if raw.get("synthetic") is True else "human")
    return Reply(raw, Message(role, raw["text"], model), parent, _rank(raw.get("rank")))


def _rank(value: Any) -> int | None:
    """Ours, from 1; a column of Parquet with nulls may have made a float of it."""
    known = type(value) in (int, float) and 0 <= value < WORST and value == int(value)
    return int(value) + 1 if known else None


def _replies(raw: dict[str, Any]) -> list[Any]:
    replies = raw.get("replies")
    return replies if isinstance(replies, list) else []


def _size(raw: Any) -> int:
    """How many messages hang on this one, itself included."""
    count, waiting = 0, [raw]
    while waiting:
        count += 1
        item = waiting.pop()
        waiting += _replies(item) if isinstance(item, dict) else []
    return count


def _ends(root: Reply) -> tuple[list[Reply], list[Reply]]:
    """The answers that no other answer follows, the best path first; and the questions that no path goes through."""
    ends: list[Reply] = []
    beside: list[Reply] = []
    waiting = [root]
    while waiting:
        reply = waiting.pop()
        if reply.answered:
            waiting += reversed(reply.replies)
        else:
            (ends if reply.message.role == "assistant" else beside).append(reply)
    return ends, beside


def _unanswered(reply: Reply, numbers: dict[int, int]) -> UnusableError:
    detail = f"message {optional_text(reply.raw.get('message_id'))!r:.60} has no answer"
    return UnusableError("no_answer", detail, numbers.get(id(reply.raw), 0))


def _conversation(end: Reply, tree_id: Any, state: Any, notes: list[str]) -> Conversation:
    """The path from the root to an answer."""
    path: list[Reply] = []
    step: Reply | None = end
    while step is not None:
        path.append(step)
        step = step.parent
    path.reverse()
    first = path[0].raw
    marks = []
    if any(reply.raw.get("synthetic") is True for reply in path):
        marks.append("synthetic")
    if isinstance(state, str) and state in STOPPED:
        marks.append("undesirable")
    if all(reply.raw.get("review_result") is True and _counted(reply.raw.get("review_count")) for reply in path):
        marks.append("verified")
    return Conversation(
        [reply.message for reply in path],
        optional_text(tree_id) or optional_text(first.get("message_id")),
        created_at=moment(first.get("created_date")),
        language=language_code(first.get("lang")),
        edits=sorted([*notes, *(["unanswered_dropped"] if end.replies else [])]),
        marks=marks,
        rank=end.rank,
    )


def _counted(reviews: Any) -> bool:
    return type(reviews) is int and reviews > 0
