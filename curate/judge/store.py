"""What was paid for: `judgements.sqlite`, keyed by content, durable before it counts as received.

SQLite in WAL mode with one writer thread. The raw reply is kept, so a better parser can read it again without
a call. A key says nothing about data set, row, label, price or parser. What is about to be sent is written down
first: a call that a crash cut off is known, counted at its worst case, and never mistaken for one that was not made.
"""

from __future__ import annotations

import json
import zlib
from contextlib import closing
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.judge.cost import money
from curate.judge.database import connect, errors, readable, reader, set_up
from curate.judge.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

FILE = "judgements.sqlite"


@dataclass(frozen=True)
class Judgement:
    """One reply of a judge, as received.

    Attributes:
        key: What was asked, of whom and how.
        api: chat, decisions, batch, reward-model or reference: how the content is to be read.
        model: The model asked for.
        served_model: The model that the server says answered.
        system_fingerprint: What the server says of its own version.
        rubric: name@version.
        content: The reply's text; None = there was none.
        odds: Probabilities of digits by their place in the content.
        refusal: The server's refusal text.
        finish_reason: stop, length, content_filter …
        tokens_in: Prompt tokens; None = the server does not say.
        tokens_cached: Those of them that came from the server's cache.
        tokens_out: Reply tokens, reasoning included.
        seconds: From sending to receiving.
    """

    key: str
    api: str
    model: str
    served_model: str | None = None
    system_fingerprint: str | None = None
    rubric: str = ""
    content: str | None = None
    odds: dict[int, dict[str, float]] | None = None
    refusal: str | None = None
    finish_reason: str | None = None
    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None
    seconds: float = 0.0


class Answers:
    """The committed judgements of a store, to be read; a file that is not there holds none."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, calls: Iterable[str]) -> dict[str, Judgement]:
        """The committed judgements among these calls."""
        found: dict[str, Judgement] = {}
        if not readable(self.path):
            return found
        with errors(self.path), closing(reader(self.path)) as connection:
            for call in calls:
                row = connection.execute("SELECT * FROM judgements WHERE key = ?", (call,)).fetchone()
                if row:
                    found[call] = judgement_of(row)
        return found


class Store(Answers):
    """The judgements of a workspace; a context manager that has written everything when it closes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.moved = 0
        with errors(path), closing(connect(path)) as connection:
            self.moved = set_up(connection)
        self._writer = Writer(path, connect)

    def __enter__(self) -> Store:
        self._writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.stop()

    def lost(self, price: tuple[float, float] | None = None) -> tuple[int, float]:
        """How many calls a crash cut off, and the most dollars that they may have cost; they become attempts.

        Args:
            price: Dollars per million tokens for those that were sent without a known price.
        """
        with errors(self.path), closing(connect(self.path)) as connection, connection:
            rows = connection.execute("SELECT dollars, tokens_in, tokens_out FROM inflight").fetchall()
            connection.execute(
                "INSERT INTO attempts SELECT call, 'lost', tokens_in, tokens_out, NULL, at FROM inflight"
            )
            connection.execute("DELETE FROM inflight")
        worst = [money(price, *tokens) or 0.0 if dollars is None else dollars for dollars, *tokens in rows]
        return len(rows), sum(worst)

    def intend(self, call: str, tokens_in: int, tokens_out: int, dollars: float | None = None) -> Future[None]:
        """Write down that a call is about to be sent, with its worst case; wait for it before sending."""
        row = (call, tokens_in, tokens_out, time(), dollars)
        return self._writer.put(("INSERT OR REPLACE INTO inflight VALUES (?,?,?,?,?)", row))

    def keep(
        self, judgement: Judgement, slots: Mapping[str, str], partial: Container[str] = (), last: int | None = 0
    ) -> Future[None]:
        """Keep a reply, and which responses (by id) it grades in which slot, and which of them it saw in part.

        Args:
            judgement: The reply.
            slots: Response id to slot.
            partial: Ids of those of which only head and tail were shown.
            last: Number of the last response that the call asked about; 0 = as many as there are slots.
        """
        asked = len(slots) if last == 0 else last
        usage = (judgement.tokens_in, judgement.tokens_out, judgement.seconds)
        now = time()
        return self._writer.put(
            ("INSERT OR IGNORE INTO judgements VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", (*_row(judgement), now)),
            *(
                ("INSERT OR REPLACE INTO graded VALUES (?,?,?,?,?)", (i, judgement.key, slot, i in partial, asked))
                for i, slot in slots.items()
            ),
            *(("DELETE FROM quarantine WHERE id = ?", (i,)) for i in slots),
            ("INSERT INTO attempts VALUES (?,?,?,?,?,?)", (judgement.key, "answered", *usage, now)),
            ("DELETE FROM inflight WHERE call = ?", (judgement.key,)),
        )

    def failed(self, call: str, what: str, tokens: tuple[int | None, int | None] | None) -> Future[None]:
        """Write down an attempt that brought nothing; `tokens` is its worst case where it may have been billed."""
        row = (call, what[:300], *(tokens or (None, None)), None, time())
        return self._writer.put(
            ("INSERT INTO attempts VALUES (?,?,?,?,?,?)", row), ("DELETE FROM inflight WHERE call = ?", (call,))
        )

    def quarantine(self, call: str, ids: Iterable[str], reason: str) -> Future[None]:
        """Set aside responses whose call the server rejects and would reject again."""
        rows = [(i, call, reason[:300], time()) for i in ids]
        return self._writer.put(*(("INSERT OR REPLACE INTO quarantine VALUES (?,?,?,?)", row) for row in rows))

    def release(self) -> None:
        """Empty the quarantine."""
        self._writer.put(("DELETE FROM quarantine", ())).result()

    def remember(self, table: str, name: str, value: object) -> Future[None]:
        """Keep what was found out: `endpoints` or `batches`, by name, as JSON."""
        row = (name, json.dumps(value, sort_keys=True), time())
        return self._writer.put((f"INSERT OR REPLACE INTO {table} VALUES (?,?,?)", row))

class Place(NamedTuple):
    """Where the grade of a response stands.

    Attributes:
        last: Number of the last response that the call asked about; None = an earlier curate did not keep it.
    """

    call: str
    slot: str
    partial: bool
    last: int | None = None


def known(path: Path) -> dict[str, Place]:
    """Ids of all graded responses, with the place of the grade; empty when there is no store."""
    rows = _rows(path, "SELECT * FROM graded")
    return {i: Place(call, slot, bool(partial), *last) for i, call, slot, partial, *last in rows}


def places(path: Path, ids: Iterable[str]) -> dict[str, Place]:
    """Of these responses, where the grade of each stands; those without one are left out."""
    found = {}
    for some in _chunks(ids):
        marks = ",".join("?" * len(some))
        for i, call, slot, partial, *last in _rows(path, f"SELECT * FROM graded WHERE id IN ({marks})", some):
            found[i] = Place(call, slot, bool(partial), *last)
    return found


def answers(path: Path, calls: Iterable[str]) -> dict[str, Judgement]:
    """The judgements of these calls, without a store being opened to write."""
    found = {}
    for some in _chunks(calls):
        marks = ",".join("?" * len(some))
        for row in _rows(path, f"SELECT * FROM judgements WHERE key IN ({marks})", some):
            found[row[0]] = judgement_of(row)
    return found


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
    """As many as a statement may have."""
    listed = list(names)
    yield from (listed[begin : begin + 500] for begin in range(0, len(listed), 500))


def quarantined(path: Path) -> dict[str, str]:
    """Ids of the responses that are set aside, with the reason."""
    return dict(_rows(path, "SELECT id, reason FROM quarantine"))


def usage(path: Path) -> dict[str, tuple[int | None, int | None]]:
    """Keys of all committed judgements with their prompt and reply tokens."""
    return {row[0]: (row[1], row[2]) for row in _rows(path, "SELECT key, tokens_in, tokens_out FROM judgements")}


class Receipt(NamedTuple):
    """What an answer was billed for; None = the server does not say.

    Attributes:
        rubric: Title of the rubric; empty for a reference answer.
    """

    model: str
    rubric: str
    tokens_in: int | None
    tokens_out: int | None


def receipts(path: Path, but: Container[str] = ()) -> list[Receipt]:
    """Of all committed judgements but those with these keys."""
    rows = _rows(path, "SELECT key, model, rubric, tokens_in, tokens_out FROM judgements")
    return [Receipt(*rest) for key, *rest in rows if key not in but]


def spent(path: Path) -> list[tuple[str, str, int, int, int]]:
    """Per model and api: its answers, and their prompt and reply tokens."""
    sums = "count(*), coalesce(sum(tokens_in), 0), coalesce(sum(tokens_out), 0)"
    return _rows(path, f"SELECT model, api, {sums} FROM judgements GROUP BY model, api ORDER BY model, api")


def remembered(path: Path, table: str) -> dict[str, Any]:
    """What `remember` has kept in a table, by name."""
    return {name: json.loads(value) for name, value in _rows(path, f"SELECT name, {_VALUE[table]} FROM {table}")}


_VALUE = {"endpoints": "found", "batches": "state"}


def judgement_of(row: Sequence[Any]) -> Judgement:
    """A row of the table `judgements`."""
    content = None if row[6] is None else zlib.decompress(row[6]).decode()
    odds = None if row[7] is None else {int(place): found for place, found in json.loads(row[7]).items()}
    return Judgement(*(*row[:6], content, odds, *row[8:14]))


def _row(judgement: Judgement) -> tuple[Any, ...]:
    content = None if judgement.content is None else zlib.compress(judgement.content.encode("utf-8", "replace"))
    odds = json.dumps(judgement.odds) if judgement.odds else None
    head = (judgement.key, judgement.api, judgement.model, judgement.served_model, judgement.system_fingerprint)
    refusal = None if judgement.refusal is None else judgement.refusal.encode("utf-8", "replace").decode()
    middle = (judgement.rubric, content, odds, refusal, judgement.finish_reason)
    return (*head, *middle, judgement.tokens_in, judgement.tokens_cached, judgement.tokens_out, judgement.seconds)


def _rows(path: Path, query: str, values: Sequence[str] = ()) -> list[Any]:
    if not readable(path):
        return []
    with errors(path), closing(reader(path)) as connection:
        return connection.execute(query, values).fetchall()


def seconds(path: Path, most: int = 200) -> list[float]:
    """How long the latest answers took."""
    query = f"SELECT seconds FROM judgements WHERE seconds > 0 ORDER BY at DESC LIMIT {most}"
    return [float(row[0]) for row in _rows(path, query)]
