"""Times as dumps write them: seconds or finer since 1970, ISO 8601, datetimes out of Parquet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

# A number from here on counts milliseconds, then microseconds, then nanoseconds: as seconds, 1e11 is the year 5138.
FINER = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))


def moment(value: Any) -> datetime | None:
    """The time in UTC (taken as UTC where no zone is given), or null where it is none: negative, zero, NaN, no date."""
    try:
        if isinstance(value, str):
            text = value.strip()
            value = float(text) if text.replace(".", "", 1).isdecimal() else datetime.fromisoformat(text)
        if isinstance(value, datetime):
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            return None
        unit = next((unit for least, unit in FINER if value >= least), 1.0)
        return datetime.fromtimestamp(value / unit, UTC)
    except (ValueError, OverflowError, OSError):
        return None
