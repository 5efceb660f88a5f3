"""The keys, said once: what they do, the line at the foot, and the page behind `?`."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.text import Text
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from curate.browse.wrap import wrap

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
_NAMES |= {"right": "→", "left": "←"}
_FOOT = ("? help", "q quit", "/ filter", "c class", "r score", "u undo", "s sort", "n/p next", "Enter read")
_MORE = (
    ("j k ↓ ↑", "a row, or a line of the text"),
    ("g G", "to the first, to the last"),
    ("PgDn PgUp", "a page of the list or text"),
    ("Tab", "list or text"),
    ("", ""),
    ("*", "corrected by hand: `curate correct --list`; wins at export"),
    ("=near", "removed as a duplicate"),
    ("-", "not known"),
)
_COLUMN = 11


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
        rows = [(" ".join(_NAMES.get(key, key) for key in keys.split(",")), meaning) for keys, _, meaning in KEYS]
        lines = []
        for names, meaning in (*rows, *_MORE):
            pieces = wrap(meaning, self.app.size.width - _COLUMN - 4)
            lines += [f"{name:<{_COLUMN}}{piece}" for name, piece in zip_longest([names], pieces, fillvalue="")]
        with VerticalScroll():
            yield Static(Text("\n".join(lines)), markup=False)

    def action_down(self) -> None:
        """A line down."""
        self.query_one(VerticalScroll).scroll_down(animate=False)

    def action_up(self) -> None:
        """A line up."""
        self.query_one(VerticalScroll).scroll_up(animate=False)
