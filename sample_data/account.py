"""A ChatGPT account export: trees of messages, with answers made again, a question edited and a tool called."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any
from uuid import UUID

import questions
from talk import conversation, shuffled

if TYPE_CHECKING:
    from random import Random

SLUGS = {"gpt-4": 5, "text-davinci-002-render-sha": 9}
BEGIN = 1_680_000_000  # 28 March 2023


class Tree:
    """A conversation that is being written down.

    Attributes:
        record: What the export holds of it; `current_node` is the message that was added last.
    """

    def __init__(self, rng: Random, title: str) -> None:
        self.rng = rng
        self.record: dict[str, Any] = {
            "title": title,
            "create_time": BEGIN + rng.randrange(20_000_000) + 0.5,
            "mapping": {},
            "moderation_results": [],
            "current_node": None,
            "id": self._id(),
        }
        root = self._node(None, None)
        self.record["mapping"][root]["parent"] = None
        self.say("system", "")

    def say(self, role: str, text: str, slug: str | None = None, **fields: Any) -> str:
        """Add a message below the current one, go there, and give its id."""
        message = {
            "author": {"role": role, "name": fields.pop("name", None), "metadata": {}},
            "create_time": None,
            "content": fields.pop("content", {"content_type": "text", "parts": [text]}),
            "status": "finished_successfully",
            "end_turn": True if role == "assistant" else None,
            "weight": 1.0,
            "metadata": {"model_slug": slug} if slug else {},
            "recipient": "all",
        }
        return self._node(message | fields, self.record["current_node"])

    def back(self, node: str) -> None:
        """Go on from an earlier message: what follows is another branch."""
        self.record["current_node"] = node

    def _id(self) -> str:
        return str(UUID(int=self.rng.getrandbits(128), version=4))

    def _node(self, message: dict[str, Any] | None, parent: str | None) -> str:
        name = self._id()
        nodes = self.record["mapping"]
        nodes[name] = {"id": name, "message": message and {"id": name, **message}, "parent": parent, "children": []}
        if parent:
            nodes[parent]["children"].append(name)
        self.record["current_node"] = name
        return name


def conversations(rng: Random) -> list[dict[str, Any]]:
    """Plain ones by both models, and one of each that is not plain."""
    plain = []
    for slug in [slug for slug, count in SLUGS.items() for _ in range(count)]:
        style = "gpt-4" if slug == "gpt-4" else "gpt-3.5"
        exchanges = conversation(rng, style, 3)
        tree = Tree(rng, exchanges[0][0][:30])
        for ask, answer in exchanges:
            tree.say("user", ask)
            tree.say("assistant", answer, slug)
        plain.append(tree.record)
    return shuffled(rng, [*plain, _regenerated(rng), _edited(rng), _switched(rng), _computed(rng), _stopped(rng)])


def _regenerated(rng: Random) -> dict[str, Any]:
    tree, found = Tree(rng, "Made again"), questions.topic(rng)
    asked = tree.say("user", found.ask)
    tree.say("assistant", found.short, "text-davinci-002-render-sha")
    tree.back(asked)
    tree.say("assistant", found.full, "gpt-4")
    return tree.record


def _edited(rng: Random) -> dict[str, Any]:
    tree, first, second = Tree(rng, "Asked otherwise"), questions.country(rng), questions.country(rng)
    start = tree.record["current_node"]
    tree.say("user", first.ask)
    tree.say("assistant", first.full, "gpt-4")
    tree.back(start)
    tree.say("user", second.ask)
    tree.say("assistant", second.full, "gpt-4")
    return tree.record


def _switched(rng: Random) -> dict[str, Any]:
    """The second answer is by another model than the first."""
    tree, found = Tree(rng, "Asking the other one"), questions.discount(rng)
    tree.say("user", found.ask)
    tree.say("assistant", found.wrong, "text-davinci-002-render-sha")
    tree.say("user", "Are you sure? Please compute it step by step.")
    tree.say("assistant", found.full, "gpt-4")
    return tree.record


def _computed(rng: Random) -> dict[str, Any]:
    tree = Tree(rng, "Primes")
    primes = [n for n in range(2, 200) if all(n % d for d in range(2, n))]
    code = "sum(all(n % d for d in range(2, n)) for n in range(2, 200))"
    tree.say("user", "How many primes are there below 200? Please count them with a program.")
    call = {"content_type": "code", "language": "unknown", "text": code}
    tree.say("assistant", "", "gpt-4-code-interpreter", content=call, recipient="python", end_turn=False)
    output = {"content_type": "execution_output", "text": str(len(primes))}
    tree.say("tool", "", "gpt-4-code-interpreter", content=output, name="python")
    text = f"There are {len(primes)} primes below 200; the largest of them is {primes[-1]}."
    tree.say("assistant", text, "gpt-4-code-interpreter")
    return tree.record


def _stopped(rng: Random) -> dict[str, Any]:
    tree, found = Tree(rng, "Stopped"), questions.topic(rng)
    tree.say("user", found.ask)
    half = found.full[: found.full.index(" ", len(found.full) // 2)]
    tree.say("assistant", half, "gpt-4", status="in_progress", end_turn=None)
    return tree.record


def archive(rng: Random) -> bytes:
    """The file that ChatGPT sends, without its pages."""
    packed = io.BytesIO()
    member = zipfile.ZipInfo("conversations.json", (2023, 12, 24, 12, 0, 0))
    member.create_system, member.external_attr = 3, 0o644 << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(packed, "w") as out:
        out.writestr(member, json.dumps(conversations(rng), ensure_ascii=False))
    return packed.getvalue()
