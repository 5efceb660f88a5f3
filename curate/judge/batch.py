"""OpenAI's Batch API: the same calls at half the price, within a day.

What is about to be uploaded is written down first, with which response each line grades. A batch that was created
when the answer got lost is found again by its name; lines that expired, failed or are missing go back to be asked
again; nothing is known by its position.
"""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from curate.errors import JudgeError
from curate.judge import backends
from curate.judge.chat import Chat, judgement_of
from curate.judge.store import remembered
from curate.judge.wire import AgainError, BadRequestError, BusyError, RowError, Wire
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from curate.console import Talk
    from curate.judge.call import Call
    from curate.judge.cost import Budget
    from curate.judge.plan import Plan
    from curate.judge.schedule import Outcome
    from curate.judge.store import Store

MOST_LINES = 50_000
MOST_BYTES = 180_000_000
LONGEST = 400_000_000  # bytes of an output file
ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
POLL = 30.0  # seconds
TRIES = 5
ENDED = ("completed", "expired", "cancelled", "failed")
OVER = "over"
PURPOSE = "curate"  # the key in the metadata under which a batch says its name


def buy(
    plan: Plan,
    base_url: str | None,
    have: set[str],
    store: Store,
    budget: Budget,
    outcome: Outcome,
    talk: Talk,
    *,
    probing: Budget,
    wait: bool,
) -> None:
    """Collect what earlier batches brought, and submit what is missing.

    Args:
        plan: What is asked of whom.
        base_url: Where.
        have: Ids that are graded or set aside; those that are asked for are added.
        store: Where answers and the state of batches go.
        budget: Money, with the judge's price set.
        outcome: What came of it is added here.
        talk: For what was submitted.
        probing: The same money, at the price of a single call.
        wait: Come back only when every batch has ended.

    Raises:
        JudgeError: The endpoint cannot work; what was received is stored.
    """

    async def run() -> None:
        async with backends.opened(plan.who, base_url, store, talk, plan.context, probing) as (chat, _):
            assert isinstance(chat, Chat)
            async with Wire(plan.who.model, base_url, longest=LONGEST) as wire:
                work = _Batches(wire, chat, store, budget, outcome, talk)
                await work.collect(have)
                for lines in work.files(plan, have):
                    await work.submit(lines)
                while wait and waiting(store.path):
                    await asyncio.sleep(POLL)
                    await work.collect(have)
                for i, name in waiting(store.path).items():
                    outcome.failed[i] = f"its batch {name} has not ended; the same command collects it"

    asyncio.run(run())


def waiting(path: Path) -> dict[str, str]:
    """Response ids that wait for a batch of a store, with its name at the server."""
    return {
        i: state["batch"]
        for state in remembered(path, "batches").values()
        if state["status"] != OVER
        for line in state["lines"].values()
        for i in line["slots"]
    }


class _Batches:
    """The batches of a store."""

    def __init__(
        self, wire: Wire, chat: Chat, store: Store, budget: Budget, outcome: Outcome, talk: Talk
    ) -> None:
        self._wire, self._chat, self._store = wire, chat, store
        self._budget, self._outcome, self._talk = budget, outcome, talk

    async def collect(self, have: set[str]) -> None:
        """Take in every batch that has ended; ids that it settled, and those of the others, are added to `have`."""
        for name, state in remembered(self._store.path, "batches").items():
            if state["status"] == OVER:
                continue
            if state["batch"] is None:
                # What was never uploaded cannot have become a batch; an earlier curate wrote down no file.
                found = await self._find(name, state.get("file")) if state.get("file", "") is not None else None
                if found is None:
                    self._save(name, {**state, "status": OVER})
                    continue
                state["batch"] = str(found["id"])
            batch = await self._patiently(partial(self._wire.request, "GET", f"/batches/{state['batch']}"))
            state["status"] = batch.get("status")
            if state["status"] in ENDED:
                for file in ("output_file_id", "error_file_id"):
                    if batch.get(file):
                        await self._read(batch[file], state["lines"], have)
                state["status"] = OVER
            else:
                have.update(i for line in state["lines"].values() for i in line["slots"])
            self._save(name, state)

    def files(self, plan: Plan, have: set[str]) -> Iterator[list[tuple[Call, bytes]]]:
        """The missing calls as lines of files that the server takes, as far as the cap on cost allows."""
        lines: list[tuple[Call, bytes]] = []
        size = 0
        for shard in plan.ws.shards("conversations"):
            for call in plan.calls(shard, have):
                if all(i in have for i in call.slots):
                    continue
                have.update(call.slots)
                if self._budget.reserve(self._chat.worst_in(call), self._chat.worst_out(call)) is None:
                    self._outcome.unsent.update(call.slots)
                    continue
                body = self._chat.body(call)
                body |= body.pop("extra_body", {})
                line = {"custom_id": call.key, "method": "POST", "url": ENDPOINT, "body": body}
                text = json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
                if lines and (len(lines) == MOST_LINES or size + len(text) > MOST_BYTES):
                    yield lines
                    lines, size = [], 0
                lines.append((call, text))
                size += len(text)
        if lines:
            yield lines

    async def submit(self, lines: list[tuple[Call, bytes]]) -> None:
        """Write down what is about to be sent, upload it, create the batch."""
        name = fingerprint([call.key for call, _ in lines])
        state: dict[str, Any] = {"status": "intended", "batch": None, "file": None}
        state["lines"] = {
            call.key: {
                "slots": dict(call.slots),
                "partial": sorted(call.partial),
                "rubric": call.rubric.title if call.rubric else "",
            }
            for call, _ in lines
        }
        self._save(name, state)
        content = b"".join(text for _, text in lines)
        files, batches = self._wire.sdk.files.with_streaming_response, self._wire.sdk.batches.with_streaming_response
        uploaded = await self._patiently(lambda: files.create(file=(f"{name}.jsonl", content), purpose="batch"))
        state["file"] = str(uploaded["id"])
        self._save(name, state)
        batch = await self._patiently(
            lambda: batches.create(
                input_file_id=state["file"],
                endpoint=ENDPOINT,
                completion_window="24h",
                metadata={PURPOSE: name},
            ),
            # A server may answer with a failure, or not at all, after it has begun the work and will bill it.
            lambda: self._find(name, state["file"]),
        )
        self._save(name, {**state, "batch": batch["id"], "status": batch.get("status")})
        self._talk.say(f"batch {batch['id']}: {len(lines):,} calls submitted")

    async def _find(self, name: str, file: str | None) -> dict[str, Any] | None:
        """A batch that was created although its answer never arrived; None = there is none.

        Args:
            name: That it says in its metadata; the same lines, submitted again after a batch expired, have it too.
            file: Id of the one file that it may be made of; None = not known, the newest of that name counts.
        """
        after = ""
        while True:
            page = await self._patiently(partial(self._wire.request, "GET", f"/batches?limit=100{after}"))
            found = page.get("data") or []
            for batch in found:
                said = (batch.get("metadata") or {}).get(PURPOSE)
                if batch.get("input_file_id") == file if file else said == name:
                    return dict(batch)
            if not page.get("has_more") or not found:
                return None
            after = f"&after={found[-1]['id']}"

    async def _read(self, file: str, lines: dict[str, Any], have: set[str]) -> None:
        """Keep the answers of an output or error file; lines that nobody asked for are left alone."""
        contents = self._wire.sdk.files.with_streaming_response
        text, _ = await self._wire.fetch(contents.content(file))
        for row in text.splitlines():
            try:
                value = json.loads(row)
                asked = lines[value["custom_id"]]
                response = value.get("response") or {}
                status = response.get("status_code")
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            slots = asked["slots"]
            try:
                if status == 200:
                    body, title = response["body"], asked["rubric"]
                    judgement = judgement_of(body, value["custom_id"], title, self._wire.model, 0.0)
                    self._store.keep(judgement, slots, asked["partial"]).result()
                    self._outcome.answered += 1
                    have.update(slots)
                elif status in (400, 413, 422):
                    reason = f"the server rejects it: {str(response.get('body'))[:200]}"
                    self._store.quarantine(value["custom_id"], slots, reason).result()
                    self._outcome.rejected |= dict.fromkeys(slots, reason)
                    have.update(slots)
                else:
                    self._store.failed(value["custom_id"], f"batch: {str(value.get('error') or status)[:200]}", None)
            except AgainError as error:
                self._store.failed(value["custom_id"], str(error), None)

    def _save(self, name: str, state: dict[str, Any]) -> None:
        kept = {**state, "lines": {}} if state["status"] == OVER else state
        self._store.remember("batches", name, kept).result()

    async def _patiently(
        self, request: Callable[[], Any], made: Callable[[], Awaitable[dict[str, Any] | None]] | None = None
    ) -> dict[str, Any]:
        """The answer to a request that is not about one response.

        Args:
            request: Makes the request.
            made: Looks for what a failed request has made all the same; asked before the request is sent again.
        """
        why = "no answer is an object"
        for attempt in range(TRIES):
            try:
                value, _ = await self._wire.send(request())
                if isinstance(value, dict):
                    return value
            except BusyError as busy:
                why = "it is busy"
                await asyncio.sleep(busy.seconds or 2.0**attempt)
            except AgainError as error:
                why = str(error)
                await asyncio.sleep(2.0**attempt / 4)
            except (BadRequestError, RowError) as error:
                hint = "does this server have a Batch API? --backend chat needs none"
                what = f"the server rejects the batch: {error}"
                raise JudgeError(what, where=self._wire.address, hint=hint) from None
            if made is not None and (found := await made()):
                return found
        hint = "run the same command again"
        raise JudgeError(f"the batch cannot be reached: {why}", where=self._wire.address, hint=hint)
