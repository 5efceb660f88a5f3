"""The judge: whether a key is set, whether its server answers, and what it supports. Nothing is sent unasked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from curate.doctor import NOTE, OK, PROBLEM, Check
from curate.errors import CurateError
from curate.reward import LOCAL_JUDGE

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTEXT = 16_384
SHOWN = 5


def checks(judge: str | None, base_url: str | None) -> Iterator[Check]:
    """The key; the server only where it is named."""
    yield _key()
    if judge == LOCAL_JUDGE:
        yield Check("judge", "judge", OK, "local: it needs no server and no key")
        return
    if judge is None and base_url is None:
        yield Check("judge", "server", NOTE, "not asked: name it with --judge MODEL or --base-url URL")
        return
    try:
        yield from asyncio.run(_asked(judge, base_url))
    except CurateError as error:
        at = f" ({error.where})" if error.where else ""
        yield Check("judge", "server", PROBLEM, error.what + at, error.hint)


def _key() -> Check:
    """Whether there is one; neither it nor its length is ever shown."""
    from curate.judge.address import api_key

    try:
        return Check("judge", "OPENAI_API_KEY", OK if (key := api_key()) else NOTE, "set" if key else "not set")
    except CurateError as error:
        return Check("judge", "OPENAI_API_KEY", PROBLEM, error.what, error.hint)


async def _asked(judge: str | None, base_url: str | None) -> list[Check]:
    from curate.judge.address import address
    from curate.judge.wire import AgainError, BadRequestError, BusyError, RowError, Wire

    url = address(base_url)
    model = (judge or "").removeprefix("openai/") if url is None else judge or ""
    async with Wire(model, url) as wire:
        try:
            if judge is None:
                return [_models(wire.address, (await wire.send(wire.request("GET", "/models")))[0])]
            return await _probed(wire, hosted=url is None)
        except BusyError:
            return [Check("judge", wire.address, PROBLEM, "the server is busy", "try again later")]
        except (AgainError, BadRequestError, RowError) as error:
            hint = "is the server running, and --base-url right?"
            return [Check("judge", wire.address, PROBLEM, str(error), hint)]


def _models(address: str, reply: Any) -> Check:
    listed = reply.get("data") if isinstance(reply, dict) else None
    names = [str(one["id"]) for one in listed or () if isinstance(one, dict) and "id" in one]
    if not names:
        return Check("judge", address, PROBLEM, "it lists no model", "name one with --judge to see whether it answers")
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return Check("judge", address, OK, f"{len(names):,} models: {', '.join(names[:SHOWN])}{more}")


async def _probed(wire: Any, *, hosted: bool) -> list[Check]:
    from curate.judge.chat import FORMATS, Chat
    from curate.judge.probe import Asking, probe

    found = await probe(Asking(Chat(wire, hosted=hosted)), CONTEXT)
    holds = f"{found.context or CONTEXT:,} tokens" + ("" if found.context else " or more")
    supports = {
        "replies": FORMATS[found.format],
        "limit of a reply": found.limit,
        "probabilities": "yes" if found.logprobs else "no",
        "temperature": "can be set" if found.temperature else "cannot be set",
        "context": holds,
    }
    return [
        Check("judge", wire.address, OK, f"{wire.model} answers"),
        *(Check("judge", name, OK, text) for name, text in supports.items()),
        *(Check("judge", "note", NOTE, note) for note in found.notes),
    ]
