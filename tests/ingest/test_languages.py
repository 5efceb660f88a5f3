"""Names and codes of languages become ISO 639-1."""

from __future__ import annotations

from typing import Any

import pytest

from curate.ingest.languages import CODES, language_code


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("English", "en"),
        ("Portuguese", "pt"),
        ("CHINESE", "zh"),
        ("Scottish Gaelic", "gd"),
        ("en", "en"),
        ("pt-BR", "pt"),
        ("zh_CN", "zh"),
        (" de ", "de"),
    ],
)
def test_a_name_or_a_code_becomes_a_code(written: str, code: str) -> None:
    assert language_code(written) == code


@pytest.mark.parametrize("written", ["Unknown", "nolang", "xx", "Klingon", "", "-", None, 7, True, ["en"]])
def test_what_is_no_language_is_not_known(written: Any) -> None:
    assert language_code(written) is None


def test_the_table_holds_iso_639_1() -> None:
    codes = set(CODES.values())
    assert len(codes) >= 180
    assert all(len(code) == 2 and code.isalpha() and code.islower() for code in codes)
