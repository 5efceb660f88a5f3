"""What a token costs: `--price` where it is given, else the table that comes with `genai-prices`."""

from __future__ import annotations

from importlib.metadata import version
from typing import NamedTuple

MILLION = 1_000_000
BATCH = 0.5  # of the price, through OpenAI's Batch API


class Price(NamedTuple):
    """Dollars per million prompt and reply tokens, and where that is from."""

    tokens_in: float
    tokens_out: float
    source: str

    def half(self) -> Price:
        """The price of a batch."""
        return Price(self.tokens_in * BATCH, self.tokens_out * BATCH, f"{self.source}, halved for a batch")


def of(model: str, base_url: str | None) -> Price | None:
    """The list price of a model; None = not known, which is never the same as nothing.

    Args:
        model: As the server names it.
        base_url: Address; None = api.openai.com. Another server may ask another price for the same name, so
            only those that the table knows by their address count.
    """
    from genai_prices import Usage, calc_price

    usages = [Usage(input_tokens=MILLION, output_tokens=0), Usage(input_tokens=0, output_tokens=MILLION)]
    try:
        if base_url is None:
            found = [calc_price(usage, model_ref=model, provider_id="openai") for usage in usages]
        else:
            found = [calc_price(usage, model_ref=model, provider_api_url=base_url) for usage in usages]
    except LookupError:
        return None
    read, written = (float(price.total_price) for price in found)
    return Price(read, written, f"genai-prices {version('genai-prices')}")
