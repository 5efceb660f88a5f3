"""Times in every spelling become UTC; what is no time is not known, and never an error."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
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


@pytest.mark.parametrize(
    "written",
    [None, 0, -1, math.nan, math.inf, -math.inf, 10**400, 1e300, True, "", "NaN", "yesterday", "9" * 400, [], {}],
)
def test_what_is_no_time_is_not_known(written: Any) -> None:
    assert moment(written) is None


@given(st.one_of(st.floats(), st.integers(), st.text(), st.datetimes(timezones=st.none() | st.timezones())))
def test_nothing_is_an_error(written: Any) -> None:
    found = moment(written)
    assert found is None or found.tzinfo is UTC
