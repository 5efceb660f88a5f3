"""The panel at the foot that asks for a filter or a correction, and keeps what was typed until it is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from curate.browse.wrap import wrap

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import ClassVar

    from textual.app import ComposeResult
    from textual.binding import BindingType


class Answered(Message):
    """Enter was pressed.

    Attributes:
        kind: What was asked for.
        answers: What stands in the fields.
    """

    def __init__(self, kind: str, answers: list[str]) -> None:
        super().__init__()
        self.kind = kind
        self.answers = answers


class Closed(Message):
    """The panel is gone."""


class Ask(Vertical):
    """A title, one or two fields, and an error if what was typed was not accepted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", show=False),
        Binding("tab,shift+tab", "other", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    Ask { dock: bottom; height: auto; max-height: 100%; display: none; border-top: solid $accent; }
    Ask Static { height: auto; }
    Ask Input, Ask Input:focus { border: none; height: 1; padding: 0; }
    Ask Input > .input--cursor { background: ansi_default; color: ansi_default; text-style: reverse; }
    Ask #error { max-height: 4; color: $error; text-style: bold; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.kind = ""

    def compose(self) -> ComposeResult:
        """Its parts; which of them are seen depends on what is asked for."""
        yield Static(id="ask", markup=False)
        yield Input(id="first")
        yield Input(id="why")
        yield Static(id="error", markup=False)

    @property
    def open(self) -> bool:
        """Whether something is being asked for."""
        return bool(self.display)

    def ask(self, kind: str, title: str, value: str = "", *, why: bool = False, words: Sequence[str] = ()) -> None:
        """Ask for something.

        Args:
            kind: Goes into the answer.
            title: What is asked for.
            value: What stands in the field at first.
            why: Whether a second field asks for the reason.
            words: Completed while one types.
        """
        from textual.suggester import SuggestFromList

        self.kind = kind
        self.query_one("#ask", Static).update(Text(title))
        first, second = self.query_one("#first", Input), self.query_one("#why", Input)
        first.suggester = SuggestFromList(list(words)) if words else None
        first.value, second.value, second.display = value, "", why
        first.placeholder = ""
        second.placeholder = "why (Tab, if you like)"
        self.complain("")
        self.display = True
        first.focus()
        first.cursor_position = len(value)

    def complain(self, what: str) -> None:
        """Say why the answer was not accepted; what was typed stays."""
        error = self.query_one("#error", Static)
        error.update(Text("\n".join(wrap(what, max(20, self.app.size.width)))))
        error.display = bool(what)

    def action_other(self) -> None:
        """To the other field."""
        first, second = self.query_one("#first", Input), self.query_one("#why", Input)
        (second if first.has_focus and second.display else first).focus()

    def action_close(self) -> None:
        """Ask no more."""
        self.display = False
        self.post_message(Closed())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Pass on what stands in the fields."""
        event.stop()
        self.post_message(Answered(self.kind, [field.value for field in self.query(Input)]))
