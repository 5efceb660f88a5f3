"""Fields as dumps have them: what is not stated stays unknown, what is not text never passes for text."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from curate.ingest.conversation import UnusableError
from curate.ingest.formats import columns
from curate.ingest.normalise import is_undesirable, json_text, optional_text, parsed_json

HI = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, Decimal("NaN"), Decimal("Infinity"), True, " ", []])
def test_what_is_no_text_is_not_known(value: Any) -> None:
    assert optional_text(value) is None


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (0, "0"), (Decimal(12), "12"), (Decimal("1E+2"), "100"), (Decimal("1.50"), "1.50")]
)
def test_a_number_is_its_digits(value: Any, text: str) -> None:
    assert optional_text(value) == text


def test_a_row_of_parquet_with_nan_names_no_model() -> None:
    row = {"prompt": "Hi", "response": "Hello!", "id": math.nan, "model": math.nan, "created_at": math.nan}
    found = columns.convert(row)
    assert (found.source_id, found.model, found.created_at) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "text"), [(Decimal("1.5"), '"1.5"'), (date(2023, 4, 9), '"2023-04-09"'), (math.nan, "null"), ("é", '"é"')]
)
def test_what_only_parquet_has_becomes_json_too(value: Any, text: str) -> None:
    """A tool call out of Parquet may hold any type of Arrow's."""
    assert json_text([{"arguments": value}]) == f'[{{"arguments":{text}}}]'


@pytest.mark.parametrize("text", ['"\\ud83d"', '["a", "\\udc00"]', "[", "", "{'a': 1}", "NaN", "\ud83d"])
def test_broken_json_and_half_a_surrogate_pair_are_a_reason(text: str) -> None:
    with pytest.raises(UnusableError) as caught:
        parsed_json(text, "the list")
    assert caught.value.reason == "bad_message"
    assert caught.value.detail.startswith("the list is not JSON")


@pytest.mark.parametrize(
    "row",
    [
        {"messages": HI, "label": False},
        {"prompt": "Hi", "completion": "Hello!", "label": False, "rating": 2.0, "system": ""},
        {"messages": HI, "kto_tag": False, "toxicity": True},
    ],
)
def test_an_answer_that_nobody_wants_is_undesirable(row: dict[str, Any]) -> None:
    assert is_undesirable(row)


@pytest.mark.parametrize(
    "row",
    [
        {"messages": HI, "label": True},
        {"messages": HI, "label": 0},
        {"messages": HI, "label": False, "is_spam": False},
        {"prompt": "Hi", "response": "Hello!", "label": False},
        {"prompt": "Is it spam?", "completion": "No.", "label": False, "task": "spam"},
        {"instruction": "Is it spam?", "output": "No.", "label": False},
    ],
)
def test_the_label_of_another_task_says_nothing_about_the_answer(row: dict[str, Any]) -> None:
    assert not is_undesirable(row)
