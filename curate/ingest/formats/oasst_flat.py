"""OpenAssistant messages, one a row: rows of one tree find each other by `message_tree_id` and `parent_id`.

    {"message_id": "t", "parent_id": null, "message_tree_id": "t", "role": "prompter", "text": "Hi", "lang": "en"}
    {"message_id": "a", "parent_id": "t", "message_tree_id": "t", "role": "assistant", "text": "Hello!", "rank": 0}

By default only the best-ranked answer of each tree is read; `--branches all` gives every answer with its rank. A row
may hold its `replies` instead and no `message_tree_id`: then it is a tree by itself. Paths, ranks and what is cut off
are those of the format `oasst`.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.conversation import Conversation, UnusableError
from curate.ingest.formats.oasst import conversations
from curate.ingest.normalise import optional_text


def matches(record: dict[str, Any]) -> bool:
    """A message with the id of itself and of what it replies to, or with its replies."""
    return (
        "message_id" in record
        and "text" in record
        and "role" in record
        and not record.keys().isdisjoint(("parent_id", "replies", "message_tree_id"))
    )


def group(record: dict[str, Any]) -> str | None:
    """The tree that the message belongs to."""
    return optional_text(record.get("message_tree_id"))


def convert(record: dict[str, Any], *, branches: str = "current") -> list[Conversation | UnusableError]:
    """A row that stands alone: a tree of its own, with the replies that it holds."""
    return convert_group([record], branches=branches)


def convert_group(
    records: list[dict[str, Any]], *, branches: str = "current"
) -> list[Conversation | UnusableError]:
    """The paths of the trees that the rows make, and an error for every row that is on none of them."""
    found: list[Conversation | UnusableError] = []
    numbers: dict[int, int] = {}
    messages: dict[str, dict[str, Any]] = {}
    for number, record in enumerate(records):
        name = optional_text(record.get("message_id"))
        if name is None:
            found.append(UnusableError("bad_message", "no `message_id`", number))
            continue
        if name in messages:
            found.append(UnusableError("duplicate_message", f"message {name!r:.60} again", number))
            continue
        replies = record.get("replies")
        messages[name] = {**record, "replies": list(replies) if isinstance(replies, list) else []}
        numbers[id(messages[name])] = number
    roots, orphans = [], []
    for message in messages.values():
        parent = optional_text(message.get("parent_id"))
        if parent is None:
            roots.append(message)
        elif parent in messages:
            messages[parent]["replies"].append(message)
        else:
            orphans.append(message)
    used: set[int] = set()
    for root in roots:
        found += conversations(root, root.get("message_tree_id"), root.get("tree_state"), branches, numbers, used)
    lost = _below(orphans)
    for name, message in messages.items():
        if id(message) in lost:
            detail = f"message {name!r:.60} hangs on one that is not here"
            found.append(UnusableError("orphan", detail, numbers[id(message)]))
    reached = lost | _below(roots)
    for name, message in messages.items():
        if id(message) not in reached:
            detail = f"message {name!r:.60} replies to itself in a circle"
            found.append(UnusableError("cycle", detail, numbers[id(message)]))
    told = {result.record for result in found if isinstance(result, UnusableError)}
    for name, message in messages.items():
        if id(message) not in used and numbers[id(message)] not in told:
            detail = f"message {name!r:.60} is on no path that is read"
            found.append(UnusableError("other_branch", detail, numbers[id(message)]))
    return found


def _below(tops: list[dict[str, Any]]) -> set[int]:
    """The `id()` of messages and of all that hang on them."""
    seen: set[int] = set()
    waiting: list[Any] = list(tops)
    while waiting:
        message = waiting.pop()
        if isinstance(message, dict):
            seen.add(id(message))
            waiting += replies if isinstance(replies := message.get("replies"), list) else []
    return seen
