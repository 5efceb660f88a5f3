"""A ChatGPT account export (`conversations.json`): one conversation as a tree of messages.

    {"title": "Greeting", "create_time": 1686317999.7, "current_node": "c", "conversation_id": "…", "mapping": {
        "a": {"id": "a", "message": null, "parent": null, "children": ["b"]},
        "b": {"message": {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["Hi"]}},
              "parent": "a", "children": ["c"]},
        "c": {"message": {"author": {"role": "assistant"}, "content": {"content_type": "text", "parts": ["Hello!"]},
              "metadata": {"model_slug": "gpt-4"}, "end_turn": true, "recipient": "all"},
              "parent": "b", "children": []}}}

The conversation is the path of parent links from `current_node` back to the root. An edited question or a regenerated
answer is another branch: every leaf ends one. All branches have the same `source_id`; those that are not the current
one have the edit `branch`, and a current one that leaves others behind has `branches_left`. The message fields are
read in `chatgpt_content`; `weight` in the export is not a weight in the loss and is not kept.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.chatgpt_content import message_of
from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.moments import moment
from curate.ingest.normalise import optional_text

CUT_STATUS = {"in_progress", "finished_partial_completion"}
CUT_FINISH = {"interrupted", "max_tokens"}

Nodes = dict[str, dict[str, Any]]
Said = dict[str, tuple[Message | None, list[str]]]


def matches(record: dict[str, Any]) -> bool:
    """An object under `mapping`, and `current_node` or nodes that name their parent; null beside `current_node`."""
    mapping = record.get("mapping")
    if not isinstance(mapping, dict):
        return mapping is None and record.keys() >= {"mapping", "current_node"}
    first = next(iter(mapping.values()), None)
    return "current_node" in record or (isinstance(first, dict) and "parent" in first)


def convert(record: dict[str, Any], *, branches: str = "current") -> Conversation | list[Conversation | UnusableError]:
    """The branch that the page shows, or with `branches="all"` this one and then one for every other leaf."""
    mapping = record.get("mapping")
    if not isinstance(mapping, dict):
        raise UnusableError("bad_message", "`mapping` is not an object")
    nodes: Nodes = {name: node for name, node in mapping.items() if isinstance(node, dict)}
    parents = {parent for node in nodes.values() if isinstance(parent := node.get("parent"), str)}
    leaves = [name for name in nodes if name not in parents]
    named = record.get("current_node")
    known = isinstance(named, str) and named in nodes
    current = str(named) if known else _newest(nodes, leaves)
    others = [leaf for leaf in leaves if leaf != current]
    said: Said = {}
    notes = [*([] if known else ["current_node_missing"]), *(["branches_left"] if others and branches != "all" else [])]
    if branches != "all":
        return _branch(record, nodes, current, said, notes)
    found: list[Conversation | UnusableError] = []
    for leaf in (current, *others):
        try:
            found.append(_branch(record, nodes, leaf, said, notes if leaf == current else ["branch"]))
        except UnusableError as error:
            found.append(error)
    circular = len(nodes) - len(_reached(nodes, (current, *leaves)))
    if circular:
        found.append(UnusableError("cycle", f"{circular} nodes whose parents lead in a circle"))
    return found


def _newest(nodes: Nodes, leaves: list[str]) -> str:
    """The leaf with the latest time; the last one written where none has a time."""
    if not leaves:
        if not nodes:
            raise UnusableError("empty", "no messages")
        raise UnusableError("cycle", f"{len(nodes)} nodes whose parents lead in a circle")
    return max(reversed(leaves), key=lambda leaf: _time(nodes[leaf]))


def _time(node: dict[str, Any]) -> float:
    message = node.get("message")
    created = moment(message.get("create_time")) if isinstance(message, dict) else None
    return created.timestamp() if created else 0.0


def _path(nodes: Nodes, leaf: str, notes: list[str]) -> list[str]:
    """The names of the nodes from the root to a leaf.

    Raises:
        UnusableError: The parents lead in a circle.
    """
    path: dict[str, None] = {}
    name: Any = leaf
    while isinstance(name, str) and name in nodes:
        if name in path:
            raise UnusableError("cycle", f"the parents of node {leaf!r:.60} lead in a circle")
        path[name] = None
        name = nodes[name].get("parent")
    if name is not None:
        notes.append("parent_missing")
    return list(reversed(path))


def _reached(nodes: Nodes, leaves: tuple[str, ...]) -> set[str]:
    """All nodes on the way from leaves to their roots."""
    seen: set[str] = set()
    for leaf in leaves:
        name: Any = leaf
        while isinstance(name, str) and name in nodes and name not in seen:
            seen.add(name)
            name = nodes[name].get("parent")
    return seen


def _branch(record: dict[str, Any], nodes: Nodes, leaf: str, said: Said, notes: list[str]) -> Conversation:
    """The conversation that ends in a leaf; `said` keeps what nodes say for the branches that share them."""
    edits = set(notes)
    messages: list[Message] = []
    last: dict[str, Any] = {}
    lost: list[str] = []
    for name in _path(nodes, leaf, lost):
        node = nodes[name]
        if name not in said:
            own: list[str] = []
            said[name] = (message_of(node, own), own)
        message, changed = said[name]
        edits.update(changed)
        if message is not None:
            messages.append(message)
        if isinstance(node.get("message"), dict):
            last = node["message"]
    marks = [*(["toxic"] if _flagged(record) else []), *(["incomplete"] if _cut(last) else [])]
    return Conversation(
        messages,
        optional_text(record.get("conversation_id") or record.get("id")),
        optional_text(record.get("default_model_slug")),
        moment(record.get("create_time")),
        edits=sorted(edits.union(lost)),
        marks=marks,
    )


def _cut(message: dict[str, Any]) -> bool:
    """Whether the last message is an answer that was cut off, or one that was to go on."""
    author, metadata = message.get("author"), message.get("metadata")
    if not isinstance(author, dict) or author.get("role") != "assistant":
        return False
    finish = metadata.get("finish_details") if isinstance(metadata, dict) else None
    kind = finish.get("type") if isinstance(finish, dict) else None
    status = message.get("status")
    return (
        message.get("end_turn") is False
        or (isinstance(status, str) and status in CUT_STATUS)
        or (isinstance(kind, str) and kind in CUT_FINISH)
    )


def _flagged(record: dict[str, Any]) -> bool:
    results = record.get("moderation_results")
    return isinstance(results, list) and any(
        isinstance(result, dict) and (result.get("flagged") is True or result.get("blocked") is True)
        for result in results
    )
