"""Many calls at once, politely: one shared hold, adaptive concurrency, bounded retries, a breaker.

Measured against a simulated provider (40 requests/s): fixed 64 in flight with SDK retries lost 30 % of the rows.
Halting everyone on Retry-After loses none, but stands still for a second each time; going on at a little below the
pace that the server has shown refuses less often, and grows until it is refused again.
A server that says what it has left is not asked for more than that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import TYPE_CHECKING

from curate.errors import JudgeError
from curate.judge.wire import AgainError, BusyError, RowError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from curate.judge.call import Backend, Call
    from curate.judge.cost import Budget
    from curate.judge.store import Judgement, Store

ATTEMPTS = 5
START = 8
CUT = 0.7
FIRST_WAIT = 1.0  # seconds, when the server names none; doubled per failure
LONGEST_WAIT = 60.0
LONGEST_HOLD = 600.0  # a server that asks for more is left for another day
PACE = 0.95  # of the rate at which answers came before a refusal
GROWTH = 0.003  # of the pace per second; more the longer nothing is refused
CALM = 10.0  # seconds without a refusal after which it grows four times as fast
ENOUGH = 40  # answers that tell a rate
BURST = 0.05  # seconds of pace that may be made up for at once
BREAKER = 20  # failures in a row, other than being busy, after which everyone pauses
LAST_TRIES = 3  # calls after that pause; if they fail too, the run ends
PAUSE = 15.0  # seconds
BUSY_BREAKER = 60  # episodes of being busy in a row, without one answer


@dataclass
class Outcome:
    """What came of the calls.

    Attributes:
        answered: Calls that were answered.
        failed: Response id to reason, for those that have no answer and may have one next time.
        rejected: Response id to reason, for those that are set aside.
        unsent: Response ids that the cap on cost kept back.
        tokens_in: Prompt tokens.
        tokens_out: Reply tokens.
    """

    answered: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    unsent: set[str] = field(default_factory=set)
    tokens_in: int = 0
    tokens_out: int = 0


class Scheduler:
    """The state that all calls of a run share.

    Args:
        backend: Who answers.
        concurrency: Most calls in flight.
        budget: Money.
        store: Told what is about to be sent, and every judgement the moment it arrives.
        advance: Told how many responses are settled.
        outcome: To add to; None = a new one.
    """

    def __init__(
        self,
        backend: Backend,
        concurrency: int,
        budget: Budget,
        store: Store,
        advance: Callable[[float], None],
        outcome: Outcome | None = None,
    ) -> None:
        self._backend = backend
        self._most = concurrency
        self._limit = float(min(START, concurrency))
        self._budget = budget
        self._store = store
        self._advance = advance
        self._gate = asyncio.Condition()
        self._in_flight = 0
        self._hold_until = 0.0
        self._episodes = 0
        self._pace: float | None = None  # calls per second; None = as fast as the concurrency allows
        self._least = 0.0
        self._next = 0.0
        self._resumed = monotonic()
        self._recent: deque[float] = deque(maxlen=ENOUGH)
        self._failures = 0
        self._paused_until = 0.0
        self._random = Random(0)
        self.outcome = outcome or Outcome()

    async def run(self, calls: Iterator[Call]) -> None:
        """Settle every call. The first goes alone, so that an endpoint that cannot work is asked once.

        Raises:
            JudgeError: The endpoint cannot work, or fails again and again.
        """
        first = next(calls, None)
        if first is None:
            return
        await self._settle(first)
        if self.outcome.failed and not self._backend.reached:
            reason = next(iter(self.outcome.failed.values()))
            hint = "is the server running, and --base-url right?"
            raise JudgeError(f"no judge answers: {reason}", where=self._backend.address, hint=hint)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._most):
                    group.create_task(self._work(calls))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _work(self, calls: Iterator[Call]) -> None:
        for call in calls:
            await self._settle(call)

    async def _settle(self, call: Call) -> None:
        reserved = await self._reserve(call)
        if reserved is None:
            self.outcome.unsent.update(call.slots)
            return
        used: tuple[int | None, int | None] = (0, 0)
        try:
            judgement = await self._until_answered(call, reserved)
            used = (judgement.tokens_in, judgement.tokens_out)
            await asyncio.wrap_future(self._store.keep(judgement, call.slots, call.partial))
            self.outcome.answered += 1
            self.outcome.tokens_in += judgement.tokens_in or 0
            self.outcome.tokens_out += judgement.tokens_out or 0
        except RowError as error:
            self.outcome.rejected |= dict.fromkeys(call.slots, str(error))
            self._store.quarantine(call.key, call.slots, str(error))
        except AgainError as error:
            self.outcome.failed |= dict.fromkeys(call.slots, str(error))
        finally:
            self._budget.settle(reserved, *used)
            async with self._gate:
                self._gate.notify_all()
        self._advance(len(call.slots))

    async def _reserve(self, call: Call) -> float | None:
        """The worst case of this call, as soon as the calls in flight leave room for it; None = never."""
        async with self._gate:
            worst = (self._backend.worst_in(call), self._backend.worst_out(call))
            while (reserved := self._budget.reserve(*worst)) is None and self._budget.open:
                await self._gate.wait()
        return reserved

    async def _until_answered(self, call: Call, worst: float) -> Judgement:
        """Being busy spends no attempt; another passing failure spends one of `ATTEMPTS`."""
        attempt = 0
        tokens = (self._backend.worst_in(call), self._backend.worst_out(call))
        dollars = self._budget.worst(*tokens)
        while True:
            await self._enter(call)
            sent = monotonic()
            try:
                await asyncio.wrap_future(self._store.intend(call.key, *tokens, dollars))
                judgement = await self._backend.ask(call)
            except BusyError as busy:
                self._store.failed(call.key, "busy", None)
                # A server that says no time for a refusal may have said how much it has left.
                self._hold(self._room(call) or None if busy.seconds is None else busy.seconds)
            except RowError as error:
                self._store.failed(call.key, str(error), None)
                raise
            except JudgeError as error:
                self._store.failed(call.key, error.what, None)
                raise
            except AgainError as error:
                attempt += 1
                self._store.failed(call.key, str(error), tokens if error.billed else None)
                room = not error.billed or self._budget.book(worst)
                self._count_failure(error, sent)
                if attempt == ATTEMPTS:
                    raise
                if not room:
                    raise AgainError(f"{error}; asking again could break the cap on cost") from None
            else:
                self._failures = self._episodes = 0
                self._grow()
                return judgement
            finally:
                await self._leave()
            if attempt:
                await asyncio.sleep(self._random.uniform(0.5, 1) * self._wait(attempt))

    def _count_failure(self, error: AgainError, sent: float) -> None:
        """After `BREAKER` failures in a row everyone pauses, then goes one by one; if that fails too, it ends.

        Args:
            error: What the call failed of.
            sent: When it was sent: what was in flight when the pause began says nothing about after it.
        """
        if self._failures >= BREAKER and sent < self._paused_until:
            return
        self._failures += 1
        if self._failures == BREAKER:
            self._limit = 1.0
            self._paused_until = monotonic() + PAUSE
            self._hold_until = max(self._hold_until, self._paused_until)
        elif self._failures >= BREAKER + LAST_TRIES:
            raise JudgeError(
                f"the judge failed {self._failures} times in a row: {error}",
                where=self._backend.address,
                hint="what was judged is stored; run the same command again when it works",
            ) from None

    def _room(self, call: Call) -> float:
        """Seconds until the server's limits have room for a call; 0 = they have, or it says nothing of them."""
        return self._backend.rates.wait(call.tokens_in, self._backend.worst_out(call), monotonic())

    async def _enter(self, call: Call) -> None:
        async with self._gate:
            while True:
                await self._gate.wait_for(lambda: self._in_flight < max(1, int(self._limit)))
                now = monotonic()
                room = self._room(call)
                self._check_wait(room)
                pause = max(self._hold_until - now, self._next - now, room)
                if pause <= 0:
                    self._backend.rates.take(call.tokens_in, self._backend.worst_out(call), now)
                    self._in_flight += 1
                    self._next = max(self._next, now - BURST) + (1 / self._pace if self._pace else 0.0)
                    return
                self._gate.release()
                try:
                    await asyncio.sleep(pause)
                finally:
                    await self._gate.acquire()

    async def _leave(self) -> None:
        async with self._gate:
            self._in_flight -= 1
            self._gate.notify_all()

    def _hold(self, seconds: float | None) -> None:
        """Everyone waits; the concurrency is cut once per episode."""
        self._check_wait(seconds or 0.0)
        now = monotonic()
        if now >= self._hold_until:
            self._episodes += 1
            self._limit = max(1.0, self._limit * CUT)
            self._slow_down(now)
        if self._episodes >= BUSY_BREAKER:
            raise JudgeError(
                f"the judge was busy {self._episodes} times in a row",
                where=self._backend.address,
                hint="what was judged is stored; run the same command again later, or with less concurrency",
            )
        wait = self._wait(min(self._episodes, 6)) if seconds is None else seconds
        self._hold_until = max(self._hold_until, now + wait)
        self._resumed = self._hold_until

    def _check_wait(self, seconds: float) -> None:
        if seconds > LONGEST_HOLD:
            raise JudgeError(
                f"the judge asks to wait {seconds:,.0f} s, more than {LONGEST_HOLD:.0f} s",
                where=self._backend.address,
                hint="what was judged is stored; run the same command again then",
            )

    def _slow_down(self, now: float) -> None:
        """What was answered just before is what the server is willing to do; few answers tell nothing."""
        if len(self._recent) == ENOUGH and now > self._recent[0]:
            seen = ENOUGH / (now - self._recent[0])
            self._pace = PACE * min(seen, self._pace or seen)
            self._least = seen / 2
        elif self._pace is not None:
            self._pace = max(self._least, PACE * self._pace)
        self._recent.clear()

    def _grow(self) -> None:
        """One more in flight per round of answers, while the room is used; and a little more of them per second."""
        now = monotonic()
        self._recent.append(now)
        if self._pace is not None:
            calm = max(0.0, now - self._resumed)
            self._pace += GROWTH * (1 + calm / CALM) ** 2
        if self._in_flight >= 0.8 * self._limit:
            self._limit = min(float(self._most), self._limit + 1 / self._limit)

    @staticmethod
    def _wait(failures: int) -> float:
        return min(LONGEST_WAIT, first_wait() * 2.0 ** (failures - 1))


def first_wait() -> float:
    """Seconds to wait after a first failure."""
    return FIRST_WAIT
