"""The list of responses on the screen: only the lines that fit are ever drawn, however many rows there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from curate.browse.rows import SCHEMA
from curate.browse.wrap import cut

if TYPE_CHECKING:
    from typing import ClassVar

    from textual import events
    from textual.binding import BindingType

    from curate.browse.edit import Place, Session

# Column, least width, and how soon it goes when room is short (0 = never).
_COLUMNS = (
    ("response", 10, 0),
    ("reward", 8, 1),
    ("class", 9, 2),
    ("task", 11, 3),
    ("source", 14, 5),
    ("flags", 12, 4),
)
_WIDEST = 18
_HEAD = Style(bold=True, underline=True)
_CURSOR = Style(reverse=True)
_BY_HAND = Style(color="magenta", bold=True)


class Moved(Message):
    """Another response is under the cursor."""


class Table(Widget, can_focus=True):
    """Rows of `curate.browse.rows.SCHEMA`, one under the cursor.

    Args:
        session: What was said by hand; it is shown instead, with a `*`.

    Attributes:
        labelled: Whether a row without a class is `unknown`, and not merely unlabelled.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("home,g", "end(False)", show=False),
        Binding("end,G", "end(True)", show=False),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.rows = SCHEMA.to_frame()
        self.cursor = 0
        self.labelled = True
        self._top = 0
        self._session = session
        self._widths: dict[str, int] = {}
        self._sources = 0

    @property
    def current(self) -> dict[str, Any] | None:
        """The row under the cursor; None = there is no row."""
        return self.rows.row(self.cursor, named=True) if self.rows.height else None

    @property
    def place(self) -> Place | None:
        """Conversation and turn under the cursor."""
        row = self.current
        return (row["key"], row["turn"]) if row else None

    def show(self, rows: pl.DataFrame, place: Place | None = None) -> None:
        """Other rows, with the cursor on a response if it is among them, else on the first."""
        self.rows, self.cursor, self._top = rows, 0, 0
        if place is not None:
            same = rows.select(((pl.col("key") == place[0]) & (pl.col("turn") == place[1])).arg_true()).to_series()
            self.cursor = int(same[0]) if same.len() else 0
        wide = {name: rows[name].unique().cast(pl.String).str.len_chars().max() for name in ("class", "task", "source")}
        self._widths = {name: min(_WIDEST, int(width)) + 2 for name, width in wide.items() if isinstance(width, int)}
        self._sources = rows["source"].n_unique()
        longest = f"{int(rows['key'].max() or 0)}:{int(rows['turn'].max() or 0)}"  # type: ignore[arg-type]
        self._widths["response"] = len(longest) + 2
        self._follow()

    def grow(self, rows: pl.DataFrame) -> None:
        """The same rows with more behind them; the cursor stays."""
        cursor, top = self.cursor, self._top
        self.show(rows)
        self.cursor, self._top = cursor, top
        self.refresh()

    def move(self, by: int) -> None:
        """Move the cursor by some rows, at most to the first or last."""
        self.go(self.cursor + by)

    def go(self, to: int) -> None:
        """Move the cursor to a row, at most to the first or last."""
        before = self.cursor
        self.cursor = max(0, min(self.rows.height - 1, to))
        self._follow()
        if self.cursor != before:
            self.post_message(Moved())

    @property
    def page(self) -> int:
        """Rows that fit."""
        return max(1, self.size.height - 1)

    def action_move(self, by: int) -> None:
        """Some rows down, or up."""
        self.move(by)

    def action_page(self, by: int) -> None:
        """A page down, or up."""
        self.move(by * self.page)

    def action_end(self, last: bool) -> None:
        """To the last row, or the first."""
        self.go(self.rows.height if last else 0)

    def on_focus(self) -> None:
        """The cursor shows where the keys go."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor shows that the keys go elsewhere."""
        self.refresh()

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._follow()

    def on_mouse_scroll_down(self) -> None:
        """Move down."""
        self.move(3)

    def on_mouse_scroll_up(self) -> None:
        """Move up."""
        self.move(-3)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the row that was clicked."""
        if event.y > 0 and self._top + event.y - 1 < self.rows.height:
            self.go(self._top + event.y - 1)

    def render_line(self, y: int) -> Strip:
        """One line: the names of the columns, then rows."""
        width, style = self.size.width, self.rich_style
        columns = self._columns(width)
        place = self._top + y - 1
        if y == 0:
            text = "  " + "".join(name.ljust(size) for name, size in columns)
            return Strip([Segment(cut(text, width), style + _HEAD)]).adjust_cell_length(width, style + _HEAD)
        if place >= self.rows.height:
            return Strip.blank(width, style)
        row = self.rows.row(place, named=True)
        here = place == self.cursor
        cursor = _CURSOR if self.has_focus else Style(bold=True)
        line = style + cursor if here else style
        segments = [Segment("> " if here else "  ", line)]
        for name, size in columns:
            text, by_hand = self._cell(name, row)
            text = cut(text, size - 1)
            cells = Strip([Segment(text, line + _BY_HAND if by_hand and not here else line)])
            segments += cells.adjust_cell_length(size, line)
        return Strip(segments).adjust_cell_length(width, line)

    def _follow(self) -> None:
        self._top = max(min(self._top, self.cursor), self.cursor - self.page + 1, 0)
        self.refresh()

    def _columns(self, width: int) -> list[tuple[str, int]]:
        """The columns that fit, with their widths; the last one takes what is left."""
        sizes = {name: max(least, self._widths.get(name, 0)) for name, least, _ in _COLUMNS}
        shown: list[str] = []
        room = width - 2
        for name, _, _ in sorted(_COLUMNS, key=lambda column: column[2]):
            if name == "source" and self._sources < 2:
                continue
            if sizes[name] <= room or not shown:
                shown.append(name)
                room -= sizes[name]
        ordered = [name for name, _, _ in _COLUMNS if name in shown]
        return [(name, sizes[name] + (room if name == ordered[-1] else 0)) for name in ordered]

    def _cell(self, name: str, row: dict[str, Any]) -> tuple[str, bool]:
        """What a cell shows, and whether it was said by hand."""
        said = self._session.said.get((row["key"], row["turn"]))
        if name == "response":
            return f"{row['key']}:{row['turn']}", False
        if name == "class" and said and said.class_:
            return f"{said.class_}*", True
        if name == "reward" and said and said.score is not None:
            return f"{said.score:.2f}*", True
        if name == "reward":
            status = row["status"] if row["status"] not in (None, "ok") else "-"
            return status if row["reward"] is None else f"{row['reward']:.2f}", False
        if name == "flags":
            removed = [f"={row['duplicate']}"] if row["duplicate"] else []
            return " ".join([*removed, *filter(None, [row["flags"]])]), False
        nothing = "unknown" if name == "class" and self.labelled else "-"
        return row[name] or nothing, False
