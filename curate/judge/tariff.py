"""What each call costs: every judge at its own price, and by the way in which it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.errors import CurateError
from curate.judge.cost import money
from curate.judge.estimate import price_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from curate.judge.plan import Who
    from curate.judge.prices import Price
    from curate.judge.request import Request
    from curate.judge.store import Receipt

Pair = tuple[float, float]


class Tariff:
    """The prices of all judges of a run.

    Args:
        request: Names prices, the cap, and whether grades are asked for in batches.
        judges: All of them, those that escalate or write references included.
        base_url: Where they are; None = api.openai.com.
        free: Whether that is a server of one's own.

    Raises:
        CurateError: There is a cap, and no price for one of them.
    """

    def __init__(self, request: Request, judges: Sequence[Who], base_url: str | None, *, free: bool) -> None:
        self._batch = request.backend == "batch"
        self._prices = {
            who: price_of(who.model, base_url, request.price, free=free or who.server == "here") for who in judges
        }
        if request.max_cost is not None and None in self._prices.values():
            hint = "its price is not in the list of genai-prices: add --price IN,OUT in dollars per million tokens"
            raise CurateError("`max_cost` needs a price", hint=hint)

    @property
    def nothing(self) -> bool:
        """Whether nobody asks for money."""
        return all(price is not None and price[:2] == (0, 0) for price in self._prices.values())

    @property
    def dearest(self) -> Pair | None:
        """The highest price per million prompt and reply tokens; None = one is not known."""
        known = [price for price in self._prices.values() if price is not None]
        if not known or len(known) < len(self._prices):
            return None
        return max(price.tokens_in for price in known), max(price.tokens_out for price in known)

    def of(self, who: Who, *, single: bool = False) -> Price | None:
        """What a judge costs; None = not known.

        Args:
            who: The judge.
            single: Whether it is asked in a call of its own where grades go through a batch, for half: references
                and the questions of a probe are.
        """
        price = self._prices[who]
        return price.half() if price is not None and self._batch and not single else price

    def pair(self, who: Who, *, single: bool = False) -> Pair | None:
        """The same as two numbers."""
        price = self.of(who, single=single)
        return None if price is None else (price.tokens_in, price.tokens_out)

    def cost(self, receipts: Iterable[Receipt]) -> float | None:
        """Dollars for answers, each at the price of the judge that gave it; None = one is not known."""
        judges = {who.model: who for who in self._prices}
        total = 0.0
        for one in receipts:
            price = self.pair(judges[one.model], single=not one.rubric) if one.model in judges else None
            dollars = money(price, one.tokens_in or 0, one.tokens_out or 0)
            if dollars is None:
                return None
            total += dollars
        return total
