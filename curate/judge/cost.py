"""What judging takes: tokens before they are sent, money before it is spent, and the cap on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

# Characters per token: prose of Latin script, and everything else.
ASCII_RATIO = 3.6
OTHER_RATIO = 1.6
EXPECTED_REPLY = 120  # tokens per response: a short evidence and the levels
SECONDS_PER_CALL = 3.0  # before there is an answer to measure


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to take.

    Attributes:
        calls: Requests to send for grades and reference answers.
        responses: Responses that they grade.
        cached: Responses that are graded already and cost nothing.
        tokens_in: Prompt tokens, estimated from the characters of every call, those of a probe included.
        tokens_out: Reply tokens.
        cost: Dollars; None = no price known.
        most: Dollars if every byte of a prompt were a token, every reply as long as it may be, and every response
            escalated: what `max_cost` reserves in all, so that it never ends a run with that much or more, unless
            calls that may have been billed had to be sent again; None = no price known.
        seconds: With the wanted concurrency, by the mean time of earlier answers or `SECONDS_PER_CALL`.
        source: Where the price is from.
        rubrics: Responses to grade by rubric.
    """

    calls: int
    responses: int
    cached: int
    tokens_in: int
    tokens_out: int
    cost: float | None
    most: float | None = None
    seconds: float = 0.0
    source: str = ""
    rubrics: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        known = f"about ${self.cost:,.2f}, at most ${self.most or 0:,.2f} ({self.source})" if self.cost else "free"
        money = "cost unknown (no price given)" if self.cost is None else known
        tokens = f"about {self.tokens_in:,} + {self.tokens_out:,} tokens"
        time = f"about {timedelta(seconds=round(self.seconds))}"
        calls = f"{self.calls:,} calls for {self.responses:,} responses"
        return f"{calls}, {self.cached:,} already stored, {tokens}, {time}, {money}"


def tokens_of(text: str) -> int:
    """Tokens of a text, estimated: characters over a ratio by script."""
    other = 0 if text.isascii() else sum(character > "\x7f" for character in text)
    return int((len(text) - other) / ASCII_RATIO + other / OTHER_RATIO) + 1


def money(price: tuple[float, float] | None, tokens_in: float, tokens_out: float) -> float | None:
    """Dollars at a price per million prompt and reply tokens."""
    return None if price is None else (tokens_in * price[0] + tokens_out * price[1]) / 1e6


@dataclass
class _Sums:
    """What all who spend below one cap share."""

    reserved: float = 0.0
    spent: float = 0.0
    probing: float = 0.0
    open: int = 0


class Budget:
    """A cap in dollars: the worst case is reserved before a call is sent and settled after it.

    Args:
        cap: Most dollars to spend; None = no cap.
        price: Dollars per million prompt and reply tokens of the judge that is asked; None = not known.
    """

    def __init__(self, cap: float | None, price: tuple[float, float] | None = None) -> None:
        self._cap = cap
        self.price = price
        self._sums = _Sums()

    def at(self, price: tuple[float, float] | None) -> Budget:
        """The same cap, for calls at another price."""
        other = Budget(self._cap, price)
        other._sums = self._sums
        return other

    @property
    def open(self) -> int:
        """Reservations that are not settled."""
        return self._sums.open

    @property
    def spent(self) -> float:
        """Dollars settled, and those that may have been billed for nothing."""
        return self._sums.spent

    @property
    def probing(self) -> float:
        """Dollars of it that went into finding out what servers do."""
        return self._sums.probing

    def worst(self, tokens_in: int, tokens_out: int) -> float | None:
        """Dollars that a call may cost; None = no price known."""
        return money(self.price, tokens_in, tokens_out)

    def reserve(self, tokens_in: int, tokens_out: int) -> float | None:
        """Dollars set aside for the worst case; None = that could break the cap.

        Args:
            tokens_in: The most prompt tokens that may be billed.
            tokens_out: The most reply tokens.
        """
        worst = self.worst(tokens_in, tokens_out) or 0.0
        if self._cap is not None and self._sums.spent + self._sums.reserved + worst > self._cap:
            return None
        self._sums.reserved += worst
        self._sums.open += 1
        return worst

    def book(self, lost: float) -> bool:
        """Book an attempt that may have been billed for nothing; whether what is reserved still fits below the cap."""
        self._sums.spent += lost
        return self._cap is None or self._sums.spent + self._sums.reserved <= self._cap

    def settle(
        self, reserved: float, tokens_in: int | None, tokens_out: int | None, *, probing: bool = False
    ) -> None:
        """Give the reserve back and book what it was; unknown usage is booked at the worst case."""
        sums = self._sums
        sums.open -= 1
        sums.reserved = sums.reserved - reserved if sums.open else 0.0
        known = tokens_in is not None and tokens_out is not None
        cost = (money(self.price, tokens_in or 0, tokens_out or 0) or 0.0) if known else reserved
        sums.spent += cost
        sums.probing += cost if probing else 0.0
