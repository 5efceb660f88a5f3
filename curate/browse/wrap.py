"""Texts of any length to lines that fit a width and are inert on a terminal, in time linear in their length."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from curate.console import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

TAB = 4
# Characters without a width could fill a line for ever.
_MOST_PER_CELL = 4
_BREAK = re.compile(r"\r\n|\r|\n")


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """The lines of a text, broken between words where that is possible.

    Args:
        text: Text from data: control characters, and those that reorder a line, become `?`; tabs become blanks.
        width: Cells of a line; wide characters take two.
        indent: What every line begins with.
    """
    room = max(2, width - len(indent))
    lines = (plain(line.expandtabs(TAB)) for line in _BREAK.split(text))
    return [indent + piece for line in lines for piece in _pieces(line, room)]


def cut(text: str, width: int) -> str:
    """A text on one line of at most `width` cells, inert."""
    from rich.cells import cell_len, set_cell_size

    text = plain(text[: width * _MOST_PER_CELL])
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)) + "…"


def _pieces(line: str, width: int) -> Iterator[str]:
    if line.isascii():
        yield from _ascii(line, width)
    else:
        yield from _wide(line, width)


def _ascii(line: str, width: int) -> Iterator[str]:
    begin = 0
    while len(line) - begin > width:
        end = line.rfind(" ", begin, begin + width + 1)
        # Blanks that a line of code begins with are no place to break it.
        if end < 0 or line[begin:end].isspace() or end == begin:
            yield line[begin : begin + width]
            begin += width
        else:
            yield line[begin:end]
            begin = end + 1
    yield line[begin:]


def _wide(line: str, width: int) -> Iterator[str]:
    from rich.cells import get_character_cell_size

    sizes = {character: get_character_cell_size(character) for character in set(line)}
    begin, used, blank = 0, 0, -1
    for place, character in enumerate(line):
        size = sizes[character]
        if used + size > width or place - begin >= width * _MOST_PER_CELL:
            if blank > begin and not line[begin:blank].isspace():
                yield line[begin:blank]
                begin = blank + 1
                used = sum(sizes[other] for other in line[begin:place])
            else:
                yield line[begin:place]
                begin, used = place, 0
            blank = -1
        if character == " ":
            blank = place
        used += size
    yield line[begin:]
