"""Which backend a judge is asked through."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from curate.errors import CurateError
from curate.judge import probe
from curate.judge.address import OPENAI, identity
from curate.judge.chat import Abilities, Chat
from curate.judge.decisions import Decisions
from curate.judge.plan import Who
from curate.judge.reward_model import Encoder, Served, is_folder
from curate.judge.store import remembered
from curate.judge.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from curate.console import Talk
    from curate.judge.call import Backend
    from curate.judge.choose import Chooser
    from curate.judge.cost import Budget
    from curate.judge.request import Request
    from curate.judge.store import Store


def who(request: Request, model: str, base_url: str | None) -> Who:
    """The identity of a judge of this request, by its name."""
    name = model.removeprefix("openai/") if base_url is None else model
    if is_folder(model) and request.backend in (None, "reward-model"):
        return Who("reward-model", model, "here")
    api = "chat" if request.backend in (None, "batch") else request.backend
    return Who(api, name, identity(base_url or OPENAI), request.effort)


def check(judge: Who, chooser: Chooser, base_url: str | None) -> None:
    """Refuse a judge that cannot grade by these rubrics.

    Raises:
        CurateError: It cannot.
    """
    if judge.api == "decisions" and any(rubric.reply == "rating" for rubric in chooser.rubrics.values()):
        raise CurateError("the scoring call grades by levels; this rubric asks for a rating", hint="--backend chat")
    if judge.api == "reward-model" and judge.server != "here" and base_url is None:
        raise CurateError(
            f"there is no reward model in the folder `{judge.model}`",
            hint="give a folder with config.json, or --base-url of a vLLM server with /score",
        )


@asynccontextmanager
async def opened(
    judge: Who, base_url: str | None, store: Store, talk: Talk, context: int, budget: Budget
) -> AsyncIterator[tuple[Backend, int]]:
    """The backend, and the context that its model has: found out once and remembered.

    Args:
        judge: Who is asked.
        base_url: Where.
        store: Remembers what was found out.
        talk: For what a user should know of the server.
        context: Tokens of context that are wanted.
        budget: Money, at the price of a single call: finding out takes a few.
    """
    if judge.api == "reward-model" and judge.server == "here":
        yield Encoder(judge.model), context
        return
    async with Wire(judge.model, base_url) as wire:
        if judge.api == "decisions":
            yield Decisions(wire), context
        elif judge.api == "reward-model":
            yield Served(wire), context
        else:
            chat = Chat(wire, hosted=base_url is None, effort=judge.effort)
            found = abilities(judge, store.path, context)
            if found is None:
                try:
                    found = await probe.probe(probe.Asking(chat, budget, store), context)
                    store.remember("endpoints", _endpoint(judge, context), probe.as_stored(found)).result()
                except probe.TooDearError:
                    found = chat.abilities
                    talk.warn(f"{judge.model}: the cap on cost has no room to find out all that its server can do")
                for note in found.notes:
                    talk.warn(f"{judge.model}: {note}")
            chat.abilities = found
            yield chat, found.context or context


def abilities(judge: Who, path: Path, context: int) -> Abilities | None:
    """What was found out of a judge's server before; None = it will be asked, or there is nothing to ask."""
    return probe.remembered(remembered(path, "endpoints").get(_endpoint(judge, context)))


def _endpoint(judge: Who, context: int) -> str:
    return f"{judge.server} {judge.model} {context}"
