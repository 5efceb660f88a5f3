"""The data base of a store: its tables, and how those of an earlier curate become them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from curate.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = 3
READABLE = (2, 3)  # the same but for what a call in flight may cost, and how many responses a call asked about

_TABLES = """
CREATE TABLE IF NOT EXISTS judgements (
  key TEXT PRIMARY KEY, api TEXT NOT NULL, model TEXT NOT NULL, served_model TEXT, system_fingerprint TEXT,
  rubric TEXT NOT NULL, content BLOB, odds TEXT, refusal TEXT, finish_reason TEXT,
  tokens_in INTEGER, tokens_cached INTEGER, tokens_out INTEGER, seconds REAL, at REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS graded (
  id TEXT PRIMARY KEY, call TEXT NOT NULL, slot TEXT NOT NULL, partial INTEGER NOT NULL,
  last INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempts (
  call TEXT NOT NULL, what TEXT NOT NULL, tokens_in INTEGER, tokens_out INTEGER, seconds REAL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS inflight (
  call TEXT PRIMARY KEY, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, at REAL NOT NULL,
  dollars REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine (
  id TEXT PRIMARY KEY, call TEXT NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS endpoints (name TEXT PRIMARY KEY, found TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (name TEXT PRIMARY KEY, state TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that waits for others; what it commits survives a crash of the machine."""
    connection = sqlite3.connect(path, timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextmanager
def errors(path: Path) -> Iterator[None]:
    """Around everything that reads or writes a store.

    Raises:
        WorkspaceError: The file is damaged, or cannot be written.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise broken(path, error) from error


def broken(path: Path, error: BaseException) -> WorkspaceError:
    """What it is that keeps a store from being read or written, and the way on."""
    hint = "make room or free the folder, then run the same command again: none that was kept is asked again"
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        hint = "put back a copy of it, or import a pack with `curate judges import`"
    return WorkspaceError(f"the judgements cannot be read or written: {error}", where=path, hint=hint)


def reader(path: Path) -> sqlite3.Connection:
    """A connection for who only reads, also from where nothing may be written: no log can be there beside it."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() or os.access(path.parent, os.W_OK):
        return sqlite3.connect(path, timeout=30)
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, timeout=30)


def set_up(connection: sqlite3.Connection) -> int:
    """Make the tables. Answers of the first version are moved to `judgements_1`; returns how many there are.

    They answer other questions (one call per response, another wording), so they are no grades here; they stay
    readable because they were paid for.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise WorkspaceError(
            f"the judgements are of version {version}, this curate knows up to {VERSION}",
            where=connection.execute("PRAGMA database_list").fetchone()[2],
            hint="upgrade with `pip install -U curate-chat`",
        )
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    with connection:
        if version == 2:
            connection.execute("ALTER TABLE inflight ADD COLUMN dollars REAL")
            connection.execute("ALTER TABLE graded ADD COLUMN last INTEGER")
        if version == 0 and "judgements" in names:
            connection.execute("ALTER TABLE judgements RENAME TO judgements_1")
            names.add("judgements_1")
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    if version == 0 and "judgements_1" in names:
        return int(connection.execute("SELECT count(*) FROM judgements_1").fetchone()[0])
    return 0


def readable(path: Path) -> bool:
    """Whether there is a store of this version, or of one that is read as it is."""
    if not path.exists():
        return False
    with errors(path), closing(reader(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0] in READABLE
