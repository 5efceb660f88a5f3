"""What judging takes: tokens before they are sent, money before it is spent, and the cap on it."""

from __future__ import annotations

from dataclasses import dataclass

# Characters per token: prose of Latin script, and everything else.
ASCII_RATIO = 3.6
OTHER_RATIO = 1.6
EXPECTED_REPLY = 120  # tokens: a short evidence and the levels
WORST_INPUT = 1.5  # times the estimate


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to take.

    Attributes:
        calls: Requests to send.
        cached: Judgements that are stored already and cost nothing.
        tokens_in: Prompt tokens, estimated from characters.
        tokens_out: Reply tokens.
        cost: Dollars; None = no price known.
    """

    calls: int
    cached: int
    tokens_in: int
    tokens_out: int
    cost: float | None

    def __str__(self) -> str:
        known = f"about ${self.cost:,.2f}" if self.cost else "free"
        money = "cost unknown (no price given)" if self.cost is None else known
        tokens = f"about {self.tokens_in:,} + {self.tokens_out:,} tokens"
        return f"{self.calls:,} calls, {self.cached:,} already stored, {tokens}, {money}"


def tokens_of(text: str) -> int:
    """Tokens of a text, estimated: characters over a ratio by script."""
    other = 0 if text.isascii() else sum(character > "\x7f" for character in text)
    return int((len(text) - other) / ASCII_RATIO + other / OTHER_RATIO) + 1


def money(price: tuple[float, float] | None, tokens_in: float, tokens_out: float) -> float | None:
    """Dollars at a price per million prompt and reply tokens."""
    return None if price is None else (tokens_in * price[0] + tokens_out * price[1]) / 1e6


class Budget:
    """A cap in dollars: the worst case is reserved before a call is sent and settled after it.

    Args:
        price: Dollars per million prompt and reply tokens; None = everything is admitted.
        cap: Most dollars to spend; None = no cap.
    """

    def __init__(self, price: tuple[float, float] | None, cap: float | None) -> None:
        self._price = price
        self._cap = cap
        self.reserved = 0.0
        self.spent = 0.0

    def reserve(self, tokens_in: int, tokens_out: int) -> float | None:
        """Dollars set aside for the worst case; None = that could break the cap."""
        worst = money(self._price, tokens_in * WORST_INPUT, tokens_out) or 0.0
        if self._cap is not None and self.spent + self.reserved + worst > self._cap:
            return None
        self.reserved += worst
        return worst

    def settle(self, reserved: float, tokens_in: int | None, tokens_out: int | None) -> None:
        """Give the reserve back and book what it was; unknown usage is booked at the worst case."""
        self.reserved -= reserved
        known = tokens_in is not None and tokens_out is not None
        self.spent += (money(self._price, tokens_in or 0, tokens_out or 0) or 0.0) if known else reserved
