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
from curate.judge.wire import AgainError, BadRequestError, BusyError, RowError

if TYPE_CHECKING:
    from curate.judge.chat import Chat
    from curate.judge.store import Judgement

VERSION = 1
SYSTEM = "This is a probe of the server, before it grades anything."
ENFORCED = ("turnip", "radish")
LIMIT = 24  # tokens
SHARE = 0.7  # of the context that the long prompt shall take
LEAST_SHARE = 0.5  # of its estimate that the server must count
LEAST_CONTEXT = 2_048
PATIENCE = 6  # attempts per question

def _schema(**bounds: int) -> dict[str, Any]:
    answer = {"type": "string", "enum": list(ENFORCED), **bounds}
    properties = {"answer": answer, "level": {"type": "integer", "enum": [0, 1]}}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


async def probe(chat: Chat, context: int) -> Abilities:
    """Find out what the server does with what it is told.

    Args:
        chat: The backend; its `abilities` are set to what was found.
        context: Tokens of context that are wanted.

    Raises:
        JudgeError: The server cannot work, or does not answer.
    """
    await _find_format(chat)
    notes = [] if FORMATS[chat.abilities.format] != "prompt only" else ["no way to enforce the reply's shape works"]
    if not await _limit_holds(chat):
        other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}[chat.abilities.limit]
        before = chat.abilities
        chat.abilities = replace(before, limit=other)
        if not await _limit_holds(chat):
            chat.abilities = before
            notes.append("it ignores the limit on a reply's length")
    found = await _find_context(chat, context)
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


async def _find_format(chat: Chat) -> None:
    """The strictest format whose schema wins over what the prompt asks for."""
    question = "What is the capital of France? Answer in JSON with the keys `answer` and `level`, the latter 7."
    accepted = len(FORMATS) - 1
    while True:
        judgement = await _ask(chat, question, 300, schema=True)
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


async def _limit_holds(chat: Chat) -> bool:
    judgement = await _ask(chat, "Count from 1 to 300, with a space between.", LIMIT)
    bound = chat.worst_out(_call("", LIMIT))
    return judgement.tokens_out is None or judgement.tokens_out <= 2 * bound or judgement.finish_reason == "length"


async def _find_context(chat: Chat, context: int) -> int:
    """Tokens that a prompt may have: halved until the server takes as many as it is sent."""
    while True:
        call = _call(" ".join(f"word{i}" for i in range(int(context * SHARE / 3))) + "\nAnswer: yes.", LIMIT)
        wanted = int(context * SHARE)
        try:
            judgement = await _patiently(chat, call)
        except RowError as error:
            if not too_long(str(error)) or context // 2 < LEAST_CONTEXT:
                return context
            context //= 2
            continue
        counted = judgement.tokens_in
        return context if counted is None or counted >= LEAST_SHARE * wanted else max(LEAST_CONTEXT, counted)


async def _ask(chat: Chat, question: str, reply_tokens: int, *, schema: bool = False) -> Judgement:
    return await _patiently(chat, _call(question, reply_tokens, schema=schema))


def _call(question: str, reply_tokens: int, *, schema: bool = False) -> Call:
    schemas = (_schema(maxLength=300), _schema()) if schema else None
    return Call("probe", {}, None, SYSTEM, question, reply_tokens, schemas)


async def _patiently(chat: Chat, call: Call) -> Judgement:
    from curate.judge.schedule import LONGEST_HOLD, first_wait

    for attempt in range(PATIENCE):
        try:
            return await chat.ask(call)
        except BusyError as busy:
            wait = first_wait() * 2**attempt if busy.seconds is None else busy.seconds
            if wait > LONGEST_HOLD:
                raise JudgeError(f"the judge asks to wait {wait:,.0f} s", where=chat.address) from None
        except AgainError as error:
            if attempt == PATIENCE - 1 or not chat.reached:
                hint = "is the server running, and --base-url right?"
                raise JudgeError(f"no judge answers: {error}", where=chat.address, hint=hint) from None
            wait = first_wait() * 2**attempt
        except BadRequestError as error:
            raise RowError(str(error)) from None
        await asyncio.sleep(wait)
    raise JudgeError("the judge is busy", where=chat.address, hint="run the same command again later")


def _object(content: str | None) -> dict[str, Any] | None:
    try:
        value = json.loads(content or "")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
