"""Lines of a given width: headings, named facts, and text from data, wrapped by what it takes on a terminal."""

from __future__ import annotations

from functools import cached_property
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from curate.console import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

NARROW = 60
LEAST_WIDTH = 24
NAME_STYLE, HEAD_STYLE, QUIET, BAD, GOOD = "cyan", "bold", "dim", "yellow", "green"


def one_line(text: str) -> str:
    """Text from data, made inert, with its line breaks as blanks."""
    return plain(text.replace("\r\n", " ").replace("\n", " ").replace("\t", " "))


class Layout:
    """Makes the lines.

    Args:
        width: Columns that no line exceeds.
    """

    def __init__(self, width: int) -> None:
        self.width = max(width, LEAST_WIDTH)
        self.names = 10 if width < NARROW else 13

    @cached_property
    def _console(self) -> Console:
        return Console(width=self.width, file=StringIO(), color_system=None, legacy_windows=False)

    def head(self, text: str) -> Iterator[Text]:
        """An empty line and a heading."""
        yield Text("")
        yield from self._wrapped(Text(plain(text), HEAD_STYLE), "", "  ")

    def fact(self, name: str, value: str | Text, style: str = "") -> Iterator[Text]:
        """A name and what it is, which may go on in further lines; an empty name goes on with the one before."""
        value = Text(one_line(value), style) if isinstance(value, str) else value
        lines = self._wrapped(value, " " * (self.names + 2), " " * (self.names + 2))
        for number, line in enumerate(lines):
            if number == 0:
                label = Text(f"  {plain(name, self.names - 1):<{self.names}}", NAME_STYLE)
                # Where the name is as long as its column, the value still stands apart.
                yield label + line[self.names + 2 :]
            else:
                yield line

    def line(self, value: str | Text, style: str = "", indent: int = 2, further: int = 2) -> Iterator[Text]:
        """One paragraph.

        Args:
            value: Plain text is made inert; a `Text` is so already.
            style: Of plain text.
            indent: Columns before its first line.
            further: More columns before the others.
        """
        value = Text(one_line(value), style) if isinstance(value, str) else value
        yield from self._wrapped(value, " " * indent, " " * (indent + further))

    def body(self, text: str, most: int | None, indent: int = 4) -> Iterator[Text]:
        """Text from data with its own line breaks.

        Args:
            text: As it is in the data.
            most: Lines of the terminal that are shown; None = all.
            indent: Columns before each.
        """
        shown = 0
        paragraphs = text.replace("\r\n", "\n").split("\n")
        for number, paragraph in enumerate(paragraphs):
            inert = Text(plain(paragraph.expandtabs(4)))
            for line in self._wrapped(inert, " " * indent, " " * indent):
                if shown == most:
                    rest = sum(map(len, paragraphs[number:]))
                    yield from self.line(f"… some {rest:,} characters more; --full shows all", QUIET, indent)
                    return
                shown += 1
                yield line

    def _wrapped(self, text: Text, first: str, further: str) -> Iterator[Text]:
        room = max(self.width - len(further), LEAST_WIDTH // 2)
        lines = text.wrap(self._console, room) if text.plain else [Text("")]
        for number, line in enumerate(lines):
            line.rstrip()
            yield Text(first if number == 0 else further) + line if line.plain else Text("")
