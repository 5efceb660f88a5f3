"""The folder of an export: it appears whole or not at all, and never over anything but an earlier export."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from hashlib import file_digest
from typing import TYPE_CHECKING, Any

from curate import __version__
from curate.errors import CurateError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANIFEST = "manifest.json"
SPILL = ".spill"


def earlier(out: Path) -> dict[str, Any] | None:
    """The manifest of the export that is there, complete; None when the folder is free.

    Raises:
        CurateError: The folder holds anything else.
    """
    replaced = _beside(out, "replaced")
    if replaced.exists() and not out.exists():
        replaced.rename(out)
    if out.exists() and not out.is_dir():
        raise CurateError("the place for the export is a file", where=out, hint="name a folder with -o")
    try:
        names = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()}
    except OSError as error:
        raise CurateError(f"the folder cannot be read: {error.strerror}", where=out) from error
    if not names:
        return None
    try:
        manifest = json.loads((out / MANIFEST).read_text("utf-8"))
        files = manifest["files"] if "curate_export" in manifest else None
    except (OSError, ValueError, KeyError, TypeError):
        files = None
    if not isinstance(files, dict):
        raise CurateError("the folder is not empty and not an export", where=out, hint="name another folder with -o")
    if foreign := names - set(files) - {MANIFEST}:
        raise CurateError(
            f"the export's folder holds a file that curate did not write: `{min(foreign)}`",
            where=out,
            hint="move it away, or name another folder with -o",
        )
    return manifest if all(_size(out / name) == entry["bytes"] for name, entry in files.items()) else {}


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its place, flushed to disk, when the block succeeds.

    Raises:
        CurateError: The disk is full or cannot be written; nothing is left behind.
    """
    temporary, replaced = _beside(out, "tmp"), _beside(out, "replaced")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        shutil.rmtree(temporary / SPILL, ignore_errors=True)
        for path in temporary.rglob("*"):
            _flush(path)
        shutil.rmtree(replaced, ignore_errors=True)
        if out.exists():
            out.rename(replaced)
        temporary.rename(out)
        _flush(out.parent)
        shutil.rmtree(replaced, ignore_errors=True)
    except OSError as error:
        raise CurateError(
            f"the export cannot be written: {error.strerror or error}",
            where=out,
            hint="nothing was kept of it; make room, or name another folder with -o",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_manifest(folder: Path, entries: dict[str, Any]) -> list[str]:
    """Write the manifest, with size and SHA-256 of each file by relative path, and return all paths."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(SPILL):
            with path.open("rb") as file:
                files[name] = {"bytes": path.stat().st_size, "sha256": file_digest(file, "sha256").hexdigest()}
    manifest = {"curate_export": __version__, **entries, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return [*files, MANIFEST]


def _beside(out: Path, word: str) -> Path:
    return out.with_name(f".{out.name}.{word}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
