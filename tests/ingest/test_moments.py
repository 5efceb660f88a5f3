"""Times in every spelling become UTC; what is no time is not known, and never an error."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.ingest.moments import moment

NOON = datetime(2023, 4, 9, 12, 0, 0, tzinfo=UTC)
SECONDS = int(NOON.timestamp())


@pytest.mark.parametrize(
    "written",
    [
        SECONDS,
        float(SECONDS),
        str(SECONDS),
        SECONDS * 1_000,
        SECONDS * 1_000_000,
        SECONDS * 1_000_000_000,
        "2023-04-09T12:00:00",
        "2023-04-09 12:00:00",
        "2023-04-09T12:00:00Z",
        "2023-04-09 14:00:00+02:00",
        "20230409T120000",
        f"{SECONDS}000",
        f"{SECONDS}.0",
        "1.6810416e+09",
        Decimal(SECONDS),
        NOON,
        NOON.replace(tzinfo=None),
        NOON.astimezone(timezone(timedelta(hours=-5))),
    ],
)
def test_every_spelling_is_the_same_time(written: Any) -> None:
    assert moment(written) == NOON
    assert moment(written).tzinfo is UTC  # type: ignore[union-attr]


def test_fractions_of_a_second_are_kept() -> None:
    assert moment(SECONDS + 0.5) == NOON + timedelta(seconds=0.5)


@pytest.mark.parametrize("written", ["2023-04-09", "20230409", 20230409, date(2023, 4, 9)])
def test_a_date_is_its_midnight(written: Any) -> None:
    assert moment(written) == datetime(2023, 4, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    ["2023", 2023, "2023-04", "202304", 123456, 999_999_999, 1e11, 20230409120000, "99999999", 1e13, 1e14, 1e19],
)
def test_a_year_a_month_or_a_count_is_no_time(written: Any) -> None:
    """Read as seconds they would be days of 1970, as milliseconds a far future: dates that no one wrote."""
    assert moment(written) is None


@pytest.mark.parametrize("seconds", [1_612_011_512, 1_704_101_112, 2_012_010_112])
@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_digits_that_begin_like_a_date_are_still_a_count(seconds: int, unit: int) -> None:
    """Out of CSV every number is text: 1612011512345 is no year 1612."""
    assert moment(str(seconds * unit)) == moment(seconds * unit) == datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    "written",
    [None, 0, -1, math.nan, math.inf, -math.inf, 10**400, 1e300, True, "", "NaN", "yesterday", "9" * 400, [], {}],
)
def test_what_is_no_time_is_not_known(written: Any) -> None:
    assert moment(written) is None


@pytest.mark.parametrize("written", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal(-1)])
def test_neither_is_a_decimal_that_is_none(written: Decimal) -> None:
    assert moment(written) is None


ZONES = st.none() | st.timezones()


@given(st.floats() | st.integers() | st.text() | st.decimals() | st.dates() | st.datetimes(timezones=ZONES))
def test_nothing_is_an_error(written: Any) -> None:
    found = moment(written)
    assert found is None or found.tzinfo is UTC
