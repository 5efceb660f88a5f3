"""What a server really does, asked once per server and model: not every 200 means that a parameter was obeyed.

Ollama ignores `n` and `max_completion_tokens`, Ollama Cloud accepts a schema and does not enforce it, vLLM from
0.12 ignores `guided_json`, and some servers cut a long prompt in silence. Each of these turns grades into noise.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from curate.errors import JudgeError
from curate.judge.call import Call
from curate.judge.chat import FORMATS, Abilities, too_long
from curate.judge.cost import Budget
from curate.judge.wire import AgainError, BadRequestError, BusyError, RowError

if TYPE_CHECKING:
    from curate.judge.chat import Chat
    from curate.judge.store import Judgement, Store

VERSION = 1
SYSTEM = "This is a probe of the server, before it grades anything."
ENFORCED = ("turnip", "radish")
LIMIT = 24  # tokens
SHARE = 0.7  # of the context that the long prompt shall take
LEAST_SHARE = 0.5  # of its estimate that the server must count
LEAST_CONTEXT = 2_048
PATIENCE = 6  # attempts per question
CAPITAL = "What is the capital of France? Answer in JSON with the keys `answer` and `level`, the latter 7."
COUNT = "Count from 1 to 300, with a space between."
FORMAT_REPLY = 300  # tokens
EXPECTED = 3  # questions, the last of `most`, where the server does what it is told


class TooDearError(Exception):
    """The cap on cost has no room for a question."""


class Asking:
    """Asks a server the questions of a probe: each is paid for like any other call.

    Args:
        chat: The backend.
        budget: Money, at the price of a single call; None = whatever it takes.
        store: Told what is about to be sent, and what came of it; None = nothing is kept.
    """

    def __init__(self, chat: Chat, budget: Budget | None = None, store: Store | None = None) -> None:
        self.chat = chat
        self._budget = budget or Budget(None)
        self._store = store

    async def ask(self, call: Call) -> Judgement:
        """The reply to one attempt.

        Raises:
            TooDearError: The cap on cost has no room for it.
            BusyError, AgainError, RowError, JudgeError: See `Backend.ask`.
        """
        worst = (self.chat.worst_in(call), self.chat.worst_out(call))
        reserved = self._budget.reserve(*worst)
        if reserved is None:
            raise TooDearError
        used: tuple[int | None, int | None] = (0, 0)
        what = "probe"
        try:
            if self._store is not None:
                await asyncio.wrap_future(self._store.intend(call.key, *worst, self._budget.worst(*worst)))
            judgement = await self.chat.ask(call)
            used = (judgement.tokens_in, judgement.tokens_out)
            return judgement
        except AgainError as error:
            used, what = (None, None) if error.billed else used, f"probe: {error}"
            raise
        finally:
            self._budget.settle(reserved, *used, probing=True)
            if self._store is not None:
                self._store.failed(call.key, what, worst if None in used else used)


def most(context: int) -> list[Call]:
    """The questions of the longest probe: every format refused but the last, the second limit obeyed, all it can read.

    In an order by which the last `EXPECTED` are what a good server is asked.
    """
    format_, limit = _question(CAPITAL, FORMAT_REPLY, schema=True), _question(COUNT, LIMIT)
    return [*[format_] * (len(FORMATS) - 1), limit, format_, limit, _long(context)]


def _schema(**bounds: int) -> dict[str, Any]:
    answer = {"type": "string", "enum": list(ENFORCED), **bounds}
    properties = {"answer": answer, "level": {"type": "integer", "enum": [0, 1]}}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


async def probe(asking: Asking, context: int) -> Abilities:
    """Find out what the server does with what it is told.

    Args:
        asking: Whom to ask; the backend's `abilities` are set to what was found.
        context: Tokens of context that are wanted.

    Raises:
        TooDearError: The cap on cost has no room for a question; what was found so far is set.
        JudgeError: The server cannot work, or does not answer.
    """
    chat = asking.chat
    await _find_format(asking)
    notes = [] if FORMATS[chat.abilities.format] != "prompt only" else ["no way to enforce the reply's shape works"]
    if not await _limit_holds(asking):
        other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}[chat.abilities.limit]
        before = chat.abilities
        chat.abilities = replace(before, limit=other)
        if not await _limit_holds(asking):
            chat.abilities = replace(before, limited=False)
            notes.append("it ignores the limit on a reply's length")
    found = await _find_context(asking, context)
    if found < context:
        notes.append(f"its context holds about {found:,} tokens, not {context:,}")
    chat.abilities = replace(chat.abilities, context=found if found < context else None, notes=tuple(notes))
    return chat.abilities


def remembered(value: Any) -> Abilities | None:
    """Abilities as `asdict` stored them; None = found by another version of the questions."""
    if not isinstance(value, dict) or value.get("version") != VERSION:
        return None
    known = {name: value[name] for name in asdict(Abilities()) if name in value}
    return Abilities(**{**known, "notes": tuple(known.get("notes", ()))})


def as_stored(abilities: Abilities) -> dict[str, Any]:
    """What `remembered` reads."""
    return {"version": VERSION, **asdict(abilities)}


async def _find_format(asking: Asking) -> None:
    """The strictest format whose schema wins over what the prompt asks for."""
    chat = asking.chat
    accepted = len(FORMATS) - 1
    while True:
        judgement = await _patiently(asking, _question(CAPITAL, FORMAT_REPLY, schema=True))
        name = FORMATS[chat.abilities.format]
        value = _object(judgement.content)
        if chat.abilities.logprobs and not judgement.odds:
            chat.abilities = replace(chat.abilities, logprobs=False)
        if value is not None and value.get("answer") in ENFORCED:
            return
        if name == "json_object" and value is not None:
            accepted = chat.abilities.format
        if name in ("json_object", "prompt only"):
            chat.abilities = replace(chat.abilities, format=accepted)
            return
        chat.abilities = replace(chat.abilities, format=chat.abilities.format + 1)


async def _limit_holds(asking: Asking) -> bool:
    call = _question(COUNT, LIMIT)
    judgement = await _patiently(asking, call)
    bound = asking.chat.limit(call)
    return judgement.tokens_out is None or judgement.tokens_out <= 2 * bound or judgement.finish_reason == "length"


async def _find_context(asking: Asking, context: int) -> int:
    """Tokens that a prompt may have: halved until the server takes as many as it is sent."""
    while True:
        wanted = int(context * SHARE)
        try:
            judgement = await _patiently(asking, _long(context))
        except RowError as error:
            if not too_long(str(error)) or context // 2 < LEAST_CONTEXT:
                return context
            context //= 2
            continue
        counted = judgement.tokens_in
        return context if counted is None or counted >= LEAST_SHARE * wanted else max(LEAST_CONTEXT, counted)


def _long(context: int) -> Call:
    words = " ".join(f"word{i}" for i in range(int(context * SHARE / 3)))
    return _question(f"{words}\nAnswer: yes.", LIMIT)


def _question(question: str, reply_tokens: int, *, schema: bool = False) -> Call:
    schemas = (_schema(maxLength=300), _schema()) if schema else None
    return Call("probe", {}, None, SYSTEM, question, reply_tokens, schemas)


async def _patiently(asking: Asking, call: Call) -> Judgement:
    from curate.judge.schedule import LONGEST_HOLD, first_wait

    for attempt in range(PATIENCE):
        try:
            return await asking.ask(call)
        except BusyError as busy:
            wait = first_wait() * 2**attempt if busy.seconds is None else busy.seconds
            if wait > LONGEST_HOLD:
                raise JudgeError(f"the judge asks to wait {wait:,.0f} s", where=asking.chat.address) from None
        except AgainError as error:
            if attempt == PATIENCE - 1 or not asking.chat.reached:
                hint = "is the server running, and --base-url right?"
                raise JudgeError(f"no judge answers: {error}", where=asking.chat.address, hint=hint) from None
            wait = first_wait() * 2**attempt
        except BadRequestError as error:
            raise RowError(str(error)) from None
        await asyncio.sleep(wait)
    raise JudgeError("the judge is busy", where=asking.chat.address, hint="run the same command again later")


def _object(content: str | None) -> dict[str, Any] | None:
    try:
        value = json.loads(content or "")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
