"""`curate browse` on the screen: list, reading pane, and what the keys do. Reading and saving run beside it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rich.cells import set_cell_size
from rich.text import Text
from textual.app import App
from textual.binding import Binding
from textual.containers import Container
from textual.widgets import Static

from curate.browse.ask import Answered, Ask, Closed
from curate.browse.edit import as_class, as_score, known_classes
from curate.browse.help import KEYS, Help, foot
from curate.browse.listing import TROUBLE, Failed, Listed, Listing, Progressed
from curate.browse.look import CSS
from curate.browse.opening import Opened, Opening
from curate.browse.page import page
from curate.browse.reader import Reader
from curate.browse.rows import missing
from curate.browse.table import Moved, Table
from curate.browse.wrap import cut, wrap
from curate.errors import CurateError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from curate.browse.edit import Place, Session
    from curate.browse.response import Response
    from curate.workspace import Workspace

_ACTIONS = {action.split("(")[0] for _, action, _ in KEYS} - {"quit"}


class Browser(App[None]):
    """Page through responses and correct them.

    Args:
        ws: The workspace.
        session: What was said by hand.
        where: Condition that the list begins with.
        sort: Order that it begins with.
        seed: Of the random order.
        limit: Most rows.
    """

    TITLE = "curate browse"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(keys, action, show=False) for keys, action, _ in KEYS),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]
    CSS = CSS

    def __init__(
        self, ws: Workspace, session: Session, where: str | None, sort: str, seed: int, limit: int | None
    ) -> None:
        super().__init__(ansi_color=True)
        self._ws, self._session = ws, session
        self._listing, self._opening = Listing(self, ws, session, where, sort, seed, limit), Opening(self, ws)
        self._table, self._reader, self._asking = Table(session), Reader(), Ask()
        self._missing: list[str] = []
        self._shown: Response | None = None
        self._about: Place | None = None
        self._earlier = self._saving = self._filtering = False

    def compose(self) -> ComposeResult:
        """List, status, pane, and what comes and goes below them."""
        with Container(id="body"):
            yield self._table
            yield Static(id="status", markup=False)
            yield self._reader
        yield Static(id="message", markup=False)
        yield Static(id="foot", markup=False)
        yield self._asking

    def on_mount(self) -> None:
        """Begin to read."""
        self.theme = "ansi-dark"  # the colours of the terminal itself, light ones too; under NO_COLOR none
        self._missing = missing(self._ws)
        self._table.labelled = self._ws.has("labels")
        self._table.focus()
        self._listing.resume()

    def on_unmount(self) -> None:
        """Read no more."""
        self._listing.stop()

    def on_resize(self) -> None:
        """Status and keys are cut to the width."""
        self.call_after_refresh(self._say_status)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No key means anything but its letter while something is typed."""
        return action not in _ACTIONS or not self._asking.open

    # The list.

    def on_listed(self, event: Listed) -> None:
        """Show the rows, with the cursor where it was if its response is among them."""
        if not event.whole:
            self._table.grow(event.rows)
        else:
            self._table.show(event.rows, None if event.first else self._table.place)
            if self._filtering:
                self._filtering = False
                self._asking.action_close()
            self._tell("")
        self._open()

    def on_progressed(self, _: Progressed) -> None:
        """Say how far the reading is."""
        self._open()

    def on_failed(self, event: Failed) -> None:
        """Say why there is no other list, where it was asked for."""
        self._say_status()
        self._refuse(event.error, self._filtering)
        self._filtering = False
        self._listing.resume()

    # The response under the cursor.

    def on_moved(self, _: Moved) -> None:
        """Show the response that the cursor is on now."""
        self._earlier = False
        self._tell("")
        self._open()

    def _open(self) -> None:
        row = self._table.current
        self._say_status()
        if row is None:
            self._shown = None
            self._opening.want(None)
            self._reader.show([("dim", self._nothing())])
        elif self._shown is None or (self._shown.key, self._shown.turn) != self._table.place:
            self._opening.want(row)
        else:
            self._opening.want(None)
            self._show()

    def on_opened(self, event: Opened) -> None:
        """Show it, if the cursor is still there."""
        if event.place != self._table.place:
            return
        self._shown = event.response
        if event.error:
            self._reader.show([("mark", str(event.error))])
        self._show()

    def _show(self, *, top: bool = True) -> None:
        if self._shown:
            said = self._session.said.get((self._shown.key, self._shown.turn))
            self._reader.show(page(self._shown, said, earlier=self._earlier), top=top)

    def _nothing(self) -> str:
        if self._listing.progress:
            return self._listing.progress
        return "no response matches the filter" if self._listing.where else "no responses\n" + "\n".join(self._missing)

    # What is said below.

    def _say_status(self) -> None:
        table, width = self._table, self.size.width
        place = f"{table.cursor + 1:,} of {table.rows.height:,}" if table.rows.height else "none"
        listing = self._listing
        said = [place, f"sort {listing.sort}", *([f"filter {listing.where}"] if listing.where else []), *self._missing]
        said += [listing.progress] if listing.progress else []
        corrected = len(self._session.said)
        said += [f"{corrected:,} corrected"] if corrected else []
        said += [f"by {self._session.by}"]
        self.query_one("#status", Static).update(Text(set_cell_size(cut(" " + " · ".join(said), width), width)))
        keys = foot(width)
        if self._asking.open:
            keys = f" Enter {'filters' if self._asking.kind == 'filter' else 'saves'}  Esc leaves it"
        self.query_one("#foot", Static).update(Text(keys))

    def _tell(self, what: str) -> None:
        message = self.query_one("#message", Static)
        message.update(Text("\n".join(wrap(what, self.size.width))))
        message.display = bool(what)

    def _refuse(self, error: Exception, asked: bool) -> None:
        """Something was not done: say why, in the panel if it was asked for there."""
        if asked and self._asking.open:
            self._asking.complain(_said(error))
        else:
            self._tell(f"error: {_said(error)}")

    # The keys.

    def action_move(self, by: int) -> None:
        """To another response."""
        self._table.move(by)

    def action_read(self, by: int) -> None:
        """A page of the text down or up."""
        self._reader.scroll_page_down(animate=False) if by > 0 else self._reader.scroll_page_up(animate=False)

    def action_section(self, by: int) -> None:
        """To the next section of the text, or the one before."""
        self._reader.jump(by)

    def action_zoom(self) -> None:
        """The text alone, or the list beside it again."""
        self._reading(not self.query_one("#body").has_class("-reading"))

    def action_list(self) -> None:
        """Back to the list."""
        self._reading(False)

    def _reading(self, reading: bool) -> None:
        self.query_one("#body").set_class(reading, "-reading")
        (self._reader if reading else self._table).focus()

    def action_earlier(self) -> None:
        """Show or fold the messages before the prompt."""
        self._earlier = not self._earlier
        self._show()

    def action_sort(self) -> None:
        """The next order, from its first row on."""
        self._listing.turn(self._table.rows)
        self._say_status()

    def action_filter(self) -> None:
        """Ask for a filter."""
        self._tell("")
        example = "task = 'code' AND reward < 0.5"
        self._asking.ask("filter", f"show only where (empty = all), such as {example}", self._listing.where or "")
        self._say_status()

    def action_correct(self, kind: str) -> None:
        """Ask for a class or a score."""
        self._about = self._table.place
        if self._about is None:
            return
        self._tell("")
        key, turn = self._about
        if kind == "class":
            classes = known_classes()
            named = "  ".join(f"{number} {name}" for number, name in enumerate(classes, start=1))
            self._asking.ask(kind, f"class of {key}:{turn}, number or name: {named}", why=True, words=classes)
        else:
            self._asking.ask(kind, f"score of {key}:{turn}, 0 (worst) to 1 (best)", why=True)
        self._say_status()

    def action_undo(self) -> None:
        """Take back what was said of the response."""
        if self._table.place is not None:
            self._save(partial(self._session.take_back, self._table.place), "taken back")

    def action_help(self) -> None:
        """What the keys do."""
        self.push_screen(Help())

    def on_closed(self, _: Closed) -> None:
        """Back to where one was."""
        self._say_status()
        self._reading(self.query_one("#body").has_class("-reading"))

    def on_answered(self, event: Answered) -> None:
        """Filter by, or store, what was typed."""
        first, why = event.answers
        place = self._about  # not where the mouse has moved the cursor meanwhile
        if event.kind == "filter":
            self._filtering = True
            self._listing.read(first.strip() or None)
        elif place is not None:
            try:
                said = as_class(first, known_classes()) if event.kind == "class" else as_score(first)
            except CurateError as error:
                self._asking.complain(_said(error))
                return
            self._save(partial(self._session.say, place, said, why), f"saved: {said}")

    def _save(self, store: Callable[[], None], done: str) -> None:
        if not self._saving:
            self._saving = True
            self.run_worker(partial(self._store, store, done), thread=True, group="save")

    def _store(self, store: Callable[[], None], done: str) -> None:
        """In a thread: store, and only then say so."""
        try:
            store()
        except TROUBLE as error:
            self.call_from_thread(self._stored, "", error)
        else:
            self.call_from_thread(self._stored, done, None)

    def _stored(self, done: str, error: Exception | None) -> None:
        self._saving = False
        if error:
            self._refuse(error, self._asking.kind != "filter")
            return
        if self._asking.open and self._asking.kind != "filter":
            self._asking.action_close()
        self._table.refresh()
        self._show(top=False)
        self._say_status()
        self._tell(done)


def _said(error: Exception) -> str:
    """What happened and how to go on, without the place, which is before one's eyes."""
    return f"{error.what}\n{error.hint or ''}".rstrip() if isinstance(error, CurateError) else str(error)
