"""Times as dumps write them: seconds or finer since 1970, ISO 8601, dates and datetimes out of Parquet."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

# Seconds, milliseconds, microseconds, nanoseconds: whichever of them is a time between 2001 and 2286.
UNITS = (1.0, 1e3, 1e6, 1e9)
EARLIEST, LATEST = 1e9, 1e10


def moment(value: Any) -> datetime | None:
    """The time in UTC (taken as UTC where no zone is given), a date as its midnight; null where it is none.

    A number that is no time of this century in any unit is none: a year, a count, NaN. `20230409` is a date, also as
    a number.
    """
    try:
        if isinstance(value, str) or (type(value) is int and 10_000_000 <= value < 100_000_000):
            value = _read(str(value).strip())
        if isinstance(value, datetime):
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return None
        number = float(value)
        unit = next((unit for unit in UNITS if EARLIEST <= number / unit < LATEST), None)
        return datetime.fromtimestamp(number / unit, UTC) if unit else None
    except (ValueError, OverflowError, OSError):
        return None


def _read(text: str) -> datetime | float:
    """ISO 8601 first; of digits alone only eight are a date, as more of them would pass for a date and an hour."""
    if text.replace(".", "", 1).isdecimal() and len(text) != len("YYYYMMDD"):
        return float(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return float(text)
