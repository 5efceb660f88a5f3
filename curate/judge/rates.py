"""What a server will still take before it refuses, by the headers of its answers.

OpenAI and those who follow it send `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, with times such as `1s`,
`6m0s` or `12ms`; Anthropic sends `anthropic-ratelimit-{requests,tokens,…}-{limit,remaining,reset}`, with dates. Both
mean by a reset the moment at which all of it is there again. Most refill steadily until then; one whose moment stays
where it is while more is used gives everything back at once.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE = 60.0  # seconds; what a limit counts in where nothing else is said
UNKNOWN = 1.0  # seconds to wait where nobody says when there will be more
DROP = 0.1  # of a limit: how much must be used to tell one kind of server from the other
STILL = 0.25  # of the delay that a steady refill would have
SHORTEST = 0.001  # seconds; a wait that is lost in rounding never ends
REMEMBERED = 2_048  # calls that were sent
LARGEST_NEED = 0.5  # of a limit

_NAMES = {
    "requests": ("x-ratelimit-{}-requests", "anthropic-ratelimit-requests-{}"),
    "tokens": ("x-ratelimit-{}-tokens", "anthropic-ratelimit-tokens-{}"),
    "input": ("x-ratelimit-{}-input-tokens", "anthropic-ratelimit-input-tokens-{}"),
    "output": ("x-ratelimit-{}-output-tokens", "anthropic-ratelimit-output-tokens-{}"),
}
_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def duration(text: str, now: float | None = None) -> float | None:
    """Seconds from `1s`, `6m0s`, `12ms`, `1h2m3.5s`, a bare number or a date; None = it is none of these.

    Args:
        text: Value of a header.
        now: Time of day in seconds since 1970, for a date; None = now.
    """
    text = text.strip().lower()
    if text and _PART.sub("", text) == "":
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    try:
        return max(0.0, float(text)) if float(text) < float("inf") else None
    except ValueError:
        pass
    try:
        date = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    known = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, known.timestamp() - (time() if now is None else now))


def time_at(headers: Mapping[str, str]) -> float:
    """Seconds since 1970 by the clock of the server that answered, or ours: dates in its headers are by its own."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return time()


@dataclass
class _Allowance:
    """One limit as last heard of; times by the caller's clock."""

    left: float
    at: float
    limit: float | None
    reset: float | None
    steady: bool = True
    #: What comes back per second; None = nobody says.
    rate: float | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.reset is not None and self.reset > self.at and self.left < self.limit:
            self.rate = (self.limit - self.left) / (self.reset - self.at)
        elif self.limit is not None:
            self.rate = self.limit / MINUTE

    def take(self, cost: float, now: float) -> None:
        """Count what is on its way; a steady refill is done that much later."""
        self.left, self.at = self.level(now) - cost, now
        if self.steady and self.rate and self.reset is not None:
            self.reset = max(self.reset, now) + cost / self.rate

    def need(self, cost: float) -> float:
        return cost if self.limit is None else min(cost, LARGEST_NEED * self.limit)

    def level(self, now: float) -> float:
        if self.limit is not None and self.reset is not None and now >= self.reset > self.at:
            return self.limit
        rate = self.rate if self.steady else None
        return self.left if rate is None else min(self.limit or self.left, self.left + rate * (now - self.at))

    def wait(self, cost: float, now: float) -> float:
        missing = self.need(cost) - self.level(now)
        if missing <= 0:
            return 0.0
        return max(SHORTEST, self._wait(missing, now))

    def _wait(self, missing: float, now: float) -> float:
        until_reset = None if self.reset is None else max(0.0, self.reset - now)
        rate = self.rate
        if rate is None or (not self.steady and until_reset is not None):
            return UNKNOWN - (now - self.at) if until_reset is None else until_reset
        return missing / rate


class Rates:
    """The limits of one server; knows of none until it has heard of them."""

    def __init__(self) -> None:
        self._known: dict[str, _Allowance] = {}
        self._seen: dict[str, tuple[float, float]] = {}
        self._sent: deque[tuple[float, int, int]] = deque(maxlen=REMEMBERED)

    def hear(self, headers: Mapping[str, str], now: float, sent: float | None = None) -> None:
        """Take in the headers of an answer, whose names are in lower case.

        Args:
            headers: Of the answer, refusals included.
            now: By the clock that `wait` and `take` are asked with.
            sent: When it was asked for, by that clock: a server may count then, so that what was sent since is not
                yet part of what it says; None = now.
        """
        since = now if sent is None else sent
        later = [(read, written) for at, read, written in self._sent if at > since]
        for kind, names in _NAMES.items():
            for name in names:
                said = _number(headers.get(name.format("remaining")))
                if said is None:
                    continue
                limit = _number(headers.get(name.format("limit")))
                until = headers.get(name.format("reset"))
                seconds = None if until is None else duration(until, time_at(headers))
                reset = None if seconds is None else now + seconds
                before = self._known.get(kind)
                found = _Allowance(said, now, limit, reset, before.steady if before else True)
                self._tell_apart(kind, found)
                found.left -= sum(_cost(kind, *tokens) for tokens in later)
                self._known[kind] = found

    def take(self, tokens_in: int, tokens_out: int, now: float) -> None:
        """Count a call that is sent: the next answer says how much it really took.

        Args:
            tokens_in: Of its prompt, estimated.
            tokens_out: The most of its reply: what servers count before they know.
            now: By the same clock.
        """
        self._sent.append((now, tokens_in, tokens_out))
        for kind, found in self._known.items():
            found.take(_cost(kind, tokens_in, tokens_out), now)

    def wait(self, tokens_in: int, tokens_out: int, now: float) -> float:
        """Seconds until such a call may be sent without being refused."""
        waits = (found.wait(_cost(kind, tokens_in, tokens_out), now) for kind, found in self._known.items())
        return max(waits, default=0.0)

    def _tell_apart(self, kind: str, found: _Allowance) -> None:
        """A steady refill puts its end off with everything that is used; a window ends when it ends."""
        if found.reset is None or found.limit is None or not found.limit:
            return
        left, reset = self._seen.get(kind, (found.left, found.reset))
        used, rate = left - found.left, found.rate
        if used < 0 or kind not in self._seen or found.at >= reset:
            self._seen[kind] = (found.left, found.reset)
        elif used >= DROP * found.limit and rate:
            found.steady = found.reset - reset > STILL * used / rate
            self._seen[kind] = (found.left, found.reset)


def _cost(kind: str, tokens_in: int, tokens_out: int) -> float:
    return {"requests": 1, "tokens": tokens_in + tokens_out, "input": tokens_in, "output": tokens_out}[kind]


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < float("inf") else None
