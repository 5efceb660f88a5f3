"""The keys, said once: what they do, the line at the foot, and the page behind `?`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

if TYPE_CHECKING:
    from typing import ClassVar

    from textual.app import ComposeResult
    from textual.binding import BindingType

# Keys, the action of the app, and what `?` says of it.
KEYS = (
    ("n", "move(1)", "the next response"),
    ("p", "move(-1)", "the one before"),
    ("space", "read(1)", "a page of the text down"),
    ("b", "read(-1)", "a page of the text up"),
    ("right,l", "section(1)", "the next section of the text"),
    ("left,h", "section(-1)", "the section before"),
    ("e", "earlier", "show or fold the earlier messages"),
    ("enter", "zoom", "the text alone, or with the list"),
    ("slash", "filter", "filter, as curate score --where"),
    ("s", "sort", "other order: key, worst first, best first, random"),
    ("c", "correct('class')", "correct the class"),
    ("r", "correct('score')", "correct the score"),
    ("u", "undo", "take back what was said of it by hand"),
    ("question_mark", "help", "this page"),
    ("q", "quit", "quit; everything is saved"),
    ("escape", "list", "back to the list"),
)
_NAMES = {"slash": "/", "question_mark": "?", "escape": "Esc", "enter": "Enter", "space": "Space"}
_FOOT = ("? help", "q quit", "/ filter", "c class", "r score", "u undo", "s sort", "n/p next", "Enter read")
_LEGEND = """
j k ↓ ↑       a row, or a line of the text
g G           to the first, to the last
PgDn PgUp     a page of the list or text
Tab           list or text


*             corrected by hand
=near         removed as a duplicate
-             not known

Corrections are the table of curate correct;
they win at export.
"""


def foot(width: int) -> str:
    """As many keys as fit on a line, the most needed first."""
    line = ""
    for key in _FOOT:
        if len(line) + len(key) + 2 > width:
            break
        line += f" {key} "
    return line


class Help(ModalScreen[None]):
    """What the keys do."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", show=False),
        Binding("j", "down", show=False),
        Binding("k", "up", show=False),
    ]
    DEFAULT_CSS = """
    Help { background: ansi_default; }
    Help Static { height: auto; padding: 0 1; }
    """

    def compose(self) -> ComposeResult:
        """One page, which scrolls where it does not fit."""
        lines = []
        for keys, _, meaning in KEYS:
            names = " ".join(_NAMES.get(key, {"right": "→", "left": "←"}.get(key, key)) for key in keys.split(","))
            lines.append(f"{names:<14}{meaning}")
        with VerticalScroll():
            yield Static(Text("\n".join(lines) + "\n" + _LEGEND.lstrip("\n")), markup=False)

    def action_down(self) -> None:
        """A line down."""
        self.query_one(VerticalScroll).scroll_down(animate=False)

    def action_up(self) -> None:
        """A line up."""
        self.query_one(VerticalScroll).scroll_up(animate=False)
