"""Which responses are judged, in which calls: everything that can be known before anything is sent.

A response is known by an id over what a judge is told and shown of it, and nothing else: the same response after
the same messages is judged once, wherever it stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.judge import prompt, steering, view
from curate.judge.call import Call
from curate.judge.choose import declining
from curate.judge.sample import kept_conversations
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from curate.judge.choose import Chooser
    from curate.judge.rubric import Rubric
    from curate.workspace import Workspace

BARE = "bare"  # the variant without the passages that speak to the grader


class Who(NamedTuple):
    """A judge, by everything that its answers depend on.

    Attributes:
        api: chat (also through a batch), decisions or reward-model.
        model: Its name, or the folder of a reward model.
        server: What tells servers apart.
        effort: Of a reasoning model.
    """

    api: str
    model: str
    server: str
    effort: str | None = None


class Item(NamedTuple):
    """One response to judge.

    Attributes:
        ids: One per repeat.
        bare: Id of the variant without what speaks to the grader; None = nothing does.
        reference: Id of the reference answer to its prompt; None = none is wanted.
    """

    key: int
    turn: int
    task: str | None
    rubric: Rubric
    ids: tuple[str, ...]
    bare: str | None
    reference: str | None

    @property
    def wanted(self) -> tuple[str, ...]:
        """Every id that must be graded."""
        return self.ids if self.bare is None else (*self.ids, self.bare)


class Conversation(NamedTuple):
    """A conversation as a judge may read it, with the responses to judge."""

    messages: Sequence[Mapping[str, Any]]
    shown: list[str]
    digests: list[str]
    items: list[Item]


@dataclass(frozen=True)
class Plan:
    """What is asked of whom.

    Attributes:
        chosen: `key` and `turn` of the responses to judge; None = all that are kept.
        context: Tokens of context that prompt and reply may take.
        repeats: Answers per response.
        references: Texts of reference answers by id; None = none are used.
        helper: Who writes the references; None = the judge.
        solo: Judge every response in a call of its own.
        again: Names a new attempt at what was answered and could not be read.
    """

    ws: Workspace
    who: Who
    chooser: Chooser
    chosen: set[tuple[int, int]] | None
    context: int
    repeats: int = 1
    references: Mapping[str, str] | None = None
    helper: Who | None = None
    solo: bool = False
    again: str = ""
    _declining: dict[int, set[tuple[int, int]]] = field(default_factory=dict, repr=False)
    _steering: dict[str, bool] = field(default_factory=dict, repr=False)

    def of(self, who: Who, chosen: set[tuple[int, int]] | None = None) -> Plan:
        """The same for another judge, or for some of the responses."""
        return replace(self, who=who, chosen=self.chosen if chosen is None else chosen)

    @property
    def base(self) -> str:
        """Over everything about the judge that its answers depend on."""
        return base_of(self.who)

    def conversations(self, shard: int) -> Iterator[Conversation]:
        """The conversations of a shard with something to judge, in order."""
        rows = kept_conversations(self.ws, shard)
        tasks = self._tasks(shard)
        declines = self._declines(shard)
        for key, messages in rows.iter_rows():
            turns = [
                turn
                for turn, message in enumerate(messages)
                if message["role"] == "assistant" and (self.chosen is None or (key, turn) in self.chosen)
            ]
            if not turns:
                continue
            shown = view.texts(messages)
            digests = view.prefixes(messages, shown)
            prompts = sum(message["role"] == "user" for message in messages)
            items = []
            for turn in turns:
                task = tasks.get(key)
                rubric = self.chooser.rubric(task, prompts, declines=(key, turn) in declines)
                items.append(self._item(key, turn, task, rubric, digests, shown, messages))
            yield Conversation(messages, shown, digests, items)

    def items(self, shard: int) -> Iterator[Item]:
        """The responses of a shard to judge, in order."""
        for conversation in self.conversations(shard):
            yield from conversation.items

    def calls(self, shard: int, have: Container[str]) -> Iterator[Call]:
        """The calls for what is not there yet, in order."""
        for conversation in self.conversations(shard):
            for repeat in range(self.repeats):
                by_rubric: dict[str, list[Item]] = {}
                for item in conversation.items:
                    if item.ids[repeat] not in have:
                        by_rubric.setdefault(item.rubric.title, []).append(item)
                for items in by_rubric.values():
                    yield from self._windows(conversation, items, repeat)
            for item in conversation.items:
                if item.bare is not None and item.bare not in have:
                    shown = list(conversation.shown)
                    shown[item.turn] = steering.without(shown[item.turn])
                    yield from self._windows(conversation._replace(shown=shown), [item], None)

    def reference_calls(self, shard: int, have: Container[str]) -> Iterator[Call]:
        """The calls for reference answers that are not there yet."""
        for conversation in self.conversations(shard):
            for item in conversation.items:
                if item.reference is None or item.reference in have:
                    continue
                asked = conversation.messages[: item.turn]
                parts = zip(asked, conversation.shown, strict=False)
                user = view.wrap({"chat": [{"role": message["role"], "text": text} for message, text in parts]})
                if len(user) > self._limits(prompt.REFERENCE_TOKENS, 1).window:
                    continue
                key = fingerprint("reference", item.reference, user)
                yield Call(key, {item.reference: "text"}, None, prompt.REFERENCE, user, prompt.REFERENCE_TOKENS)

    def _item(
        self,
        key: int,
        turn: int,
        task: str | None,
        rubric: Rubric,
        digests: list[str],
        shown: list[str],
        messages: Sequence[Mapping[str, Any]],
    ) -> Item:
        reference = None
        if self.references is not None and rubric.reference and turn:
            reference = reference_id(self.helper or self.who, digests[turn - 1])
        text = (self.references or {}).get(reference or "")
        ids = answer_ids(self.base, rubric, digests[turn], text or "", self.repeats)
        alone = self.who.api != "reward-model" and self._steers(digests[turn], shown[turn])
        bare = bare_id(ids[0]) if alone else None
        return Item(key, turn, task, rubric, ids, bare, reference)

    def _steers(self, digest: str, shown: str) -> bool:
        # A plan goes over its responses several times, and the patterns are the slow part of it.
        if digest not in self._steering:
            self._steering[digest] = steering.steers(shown)
        return self._steering[digest]

    def _windows(self, conversation: Conversation, items: list[Item], repeat: int | None) -> Iterator[Call]:
        rubric, by_turn = items[0].rubric, {item.turn: item for item in items}
        alone = self.solo or rubric.reply == "rating" or self.who.api == "reward-model"
        most = 1 if alone else view.WINDOW
        limits = self._limits(prompt.reply_tokens(rubric, most), most)
        known = self.references or {}
        references = {
            item.turn: known[item.reference] for item in items if item.reference is not None and item.reference in known
        }
        ask_task = items[0].task is None and self.chooser.one is None and rubric.reply == "levels"
        for window in view.windows(conversation.messages, conversation.shown, list(by_turn), limits, references):
            turns = {turn: f"r{number}" for number, turn in enumerate(window.turns, start=1)}
            ids = {turn: self._id(by_turn[turn], repeat) for turn in turns}
            slots = {ids[turn]: slot for turn, slot in turns.items()}
            pairs = {slot: self._pair(conversation, turn, limits) for turn, slot in turns.items()} if alone else None
            key = fingerprint(self.base, _printed(rubric), ask_task, repeat or 0, self.again, window.user)
            yield Call(
                key,
                slots,
                rubric,
                _system(rubric, ask_task, self.who.api == "chat"),
                window.user,
                prompt.reply_tokens(rubric, len(slots)),
                _schemas(rubric, len(slots), ask_task),
                repeat or (1 if self.again else None),
                pairs,
                frozenset(ids[turn] for turn in window.partial),
            )

    @staticmethod
    def _id(item: Item, repeat: int | None) -> str:
        if repeat is not None:
            return item.ids[repeat]
        assert item.bare is not None
        return item.bare

    @staticmethod
    def _pair(conversation: Conversation, turn: int, limits: view.Limits) -> tuple[str, str]:
        """Everything before a response as plain text, the newest whole, and the response."""
        before = "\n\n".join(conversation.shown[:turn])
        return before[-limits.prompt :], view.cut(conversation.shown[turn], limits.response)

    def _limits(self, reply_tokens: int, most: int) -> view.Limits:
        return view.limits(self.context, reply_tokens)._replace(responses=most)

    def _tasks(self, shard: int) -> dict[int, str]:
        if self.chooser.one is not None or not self.ws.has("tasks"):
            return {}
        return dict(self.ws.read("tasks", shard, ["key", "task"]).iter_rows())

    def _declines(self, shard: int) -> set[tuple[int, int]]:
        if self.chooser.one is not None:
            return set()
        if shard not in self._declining:
            self._declining[shard] = declining(kept_conversations(self.ws, shard))
        return self._declining[shard]


def base_of(who: Who) -> str:
    """Over everything about a judge that its answers depend on."""
    return fingerprint(*who, prompt.VERSION)


def answer_ids(base: str, rubric: Rubric, digest: str, reference: str = "", repeats: int = 1) -> tuple[str, ...]:
    """Ids under which the grades of one response are kept, one per repeat.

    Args:
        base: As of `base_of`.
        rubric: What it is graded by.
        digest: Over everything up to the response, as of `view.prefixes`.
        reference: The reference answer that the judge sees; empty = none.
        repeats: How often it is asked.
    """
    first = _digest(base, _printed(rubric), digest, reference)
    return tuple(first if repeat == 0 else _digest(first, str(repeat)) for repeat in range(repeats))


def bare_id(first: str) -> str:
    """The id of a response without what speaks to its grader, by the first of its ids."""
    return _digest(first, BARE)


def reference_id(helper: Who, digest: str) -> str:
    """The id of a reference answer.

    Args:
        helper: Who writes it.
        digest: Over everything up to its prompt.
    """
    return _digest("reference", fingerprint(*helper), digest)


def _digest(*parts: str) -> str:
    return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


@cache
def _printed(rubric: Rubric) -> str:
    return rubric.fingerprint


@cache
def _system(rubric: Rubric, ask_task: bool, reply: bool) -> str:
    return prompt.system(rubric, ask_task=ask_task, reply=reply)


@cache
def _schemas(rubric: Rubric, slots: int, ask_task: bool) -> tuple[dict[str, Any], dict[str, Any]] | None:
    bounded = prompt.schema(rubric, slots, bounded=True, ask_task=ask_task)
    free = prompt.schema(rubric, slots, bounded=False, ask_task=ask_task)
    return None if bounded is None or free is None else (bounded, free)
