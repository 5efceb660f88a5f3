"""JSON Lines, one object at a time in bounded memory, whatever the file holds."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Bytes of a line; parsed, it may take twenty times as much. A conversation of 16 MB has some four million tokens.
MOST = 16 << 20


class OddLineError(Exception):
    """A line that is no object; `code` is the finding."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def read(path: Path) -> Iterator[tuple[int, dict[str, Any] | OddLineError]]:
    """Every line with its number, from 0: the object, or what is wrong with it.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MOST + 1):
            if len(line) > MOST and not line.endswith(b"\n"):
                while (rest := file.readline(1 << 20)) and not rest.endswith(b"\n"):
                    pass
                yield number, OddLineError("line_too_long", f"above {MOST:,} bytes")
            else:
                yield number, parse(line)
            number += 1


def parse(line: bytes) -> dict[str, Any] | OddLineError:
    """The object of a line; NaN and Infinity are numbers, as Python's own reader takes them for."""
    try:
        value = orjson.loads(line)
    except ValueError as error:
        value = error
        if b"NaN" in line or b"Infinity" in line:
            with suppress(ValueError, RecursionError):
                value = json.loads(line)
    if isinstance(value, ValueError):
        return OddLineError("not_json", "an empty line" if line.isspace() else str(value))
    return value if isinstance(value, dict) else OddLineError("not_json", f"{type(value).__name__}, no object")
