"""Files that appear whole or not at all, and outlive a power cut."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def atomic(path: Path, *, apart: str = "") -> Iterator[Path]:
    """A temporary path beside `path` that takes its place, flushed to disk, when the block succeeds.

    Args:
        path: Where it goes.
        apart: Tells the temporary path from that of another process that writes the same file.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{apart}tmp")
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = os.fspath(path)  # a write that fails names no file, and others the temporary one
        raise
    flush(path.parent)


def flush(path: Path) -> None:
    """Return when the bytes of a file, or the names in a folder, are on the disk and outlive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, so that their names, too, are on the disk."""
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in new:
        flush(folder.parent)
