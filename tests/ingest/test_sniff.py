"""The first bytes of a file tell how its records are laid out, or that it is no JSON at all."""

from __future__ import annotations

import pytest

from curate.errors import InputError
from curate.ingest.stream import sniff


@pytest.mark.parametrize(
    "head",
    [b"", b" \n", b"\x89PNG\r\n\x1a\n", b"a,b\n1\n", '{"a": 1}'.encode("utf-16"), b"hello", b"\xef\xbb\xbf"],
)
def test_other_files_are_refused(head: bytes) -> None:
    with pytest.raises(InputError) as error:
        sniff(head, "file.json")
    assert error.value.where == "file.json"


@pytest.mark.parametrize(
    ("head", "mode"),
    [
        (b'[{"a": 1}]', "array"),
        (b"\xef\xbb\xbf [", "array"),
        (b'{"a": 1}\n{"b": 2}\n', "lines"),
        (b'\n\r\n{"a": 1}', "lines"),
        (b'{"a": 1,}\n{"b": 2}\n', "lines"),
        (b'oops\n{"b": 2}\n', "lines"),
        (b'{\n  "a": 1\n}\n{\n', "objects"),
        (b'{"a": 1}{"b": 2}', "objects"),
        (b'{"a": 1}\r{"b": 2}\r', "objects"),
    ],
)
def test_the_layout_is_told_by_the_first_bytes(head: bytes, mode: str) -> None:
    assert sniff(head, "file.json") == mode
