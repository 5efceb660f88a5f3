"""The reading pane: paragraphs wrapped to its width, of which only the lines in sight are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style as Look
from textual.binding import Binding
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from curate.browse.wrap import cut, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import ClassVar

    from textual.binding import BindingType

    from curate.browse.page import Paragraph, Style

_LOOKS: dict[Style, Look] = {
    "title": Look(bold=True),
    "head": Look(color="cyan", bold=True),
    "text": Look(),
    "dim": Look(dim=True),
    "mark": Look(color="magenta"),
}
_FOCUS = Look(bold=True, reverse=True)


class Reader(ScrollView, can_focus=True, inherit_bindings=False):
    """Paragraphs, scrolled up and down."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", show=False),
        Binding("up,k", "scroll_up", show=False),
        Binding("pagedown", "page_down", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("home,g", "scroll_home", show=False),
        Binding("end,G", "scroll_end", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._paragraphs: list[Paragraph] = []
        self._lines: list[tuple[Style, str]] = []
        self._heads: list[int] = []
        self._width = 0

    def show(self, paragraphs: Iterable[Paragraph], *, top: bool = True) -> None:
        """Other paragraphs, from their beginning, or where one has read to."""
        self._paragraphs = list(paragraphs)
        self._layout()
        if top:
            self.scroll_to(y=0, animate=False)

    def jump(self, by: int) -> None:
        """Scroll to the next section, or with -1 to the one before."""
        here = round(self.scroll_y)
        if by > 0:
            to = next((place for place in self._heads if place > here), self.virtual_size.height)
        else:
            to = next((place for place in reversed(self._heads) if place < here), 0)
        self.scroll_to(y=to, animate=False)

    def on_focus(self) -> None:
        """The title shows where the keys go."""
        self.refresh()

    def on_blur(self) -> None:
        """The title shows that the keys go elsewhere."""
        self.refresh()

    def on_resize(self) -> None:
        """Wrap again where the width has changed."""
        if self.scrollable_content_region.width != self._width:
            self._layout()

    def render_line(self, y: int) -> Strip:
        """One line in sight."""
        width, place = self.size.width, round(self.scroll_y) + y
        if place >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        style, text = self._lines[place]
        if style == "title" and self.has_focus:
            return Strip([Segment(text.ljust(width), self.rich_style + _FOCUS)]).adjust_cell_length(width)
        return Strip([Segment(text, self.rich_style + _LOOKS[style])]).adjust_cell_length(width, self.rich_style)

    def _layout(self) -> None:
        self._width = width = max(4, self.scrollable_content_region.width)
        self._lines, self._heads = [], []
        for style, text in self._paragraphs:
            if style == "head":
                self._heads.append(len(self._lines))
                title = f"── {cut(text, width - 6)} "
                self._lines.append((style, title + "─" * max(0, width - len(title))))
            else:
                self._lines += [(style, line) for line in wrap(text, width)]
        self.virtual_size = Size(width, len(self._lines))
        self.refresh()
