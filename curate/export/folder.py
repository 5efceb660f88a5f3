"""The folder of an export: it appears whole or not at all, and never over anything but an earlier export."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager, suppress
from hashlib import file_digest
from itertools import count
from typing import TYPE_CHECKING, Any

from curate import __version__
from curate.errors import CurateError
from curate.files import flush, make_folder
from curate.schema import TABLES
from curate.seal import sealed, unsealed, was_ours

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANIFEST = "manifest.json"
SPILL = ".spill"
# Says of a temporary folder that it is ours to remove.
MARKER = f"{SPILL}/curate"


def earlier(out: Path) -> dict[str, Any] | None:
    """The manifest of the export that is there; empty when that is damaged, None when the folder is free.

    Raises:
        CurateError: The folder holds anything else.
    """
    replaced = _beside(out, "replaced")
    if replaced.exists() and not _is_ours(replaced):
        raise CurateError("a folder stands in the way of the export", where=replaced, hint="move it away")
    if out.exists() and not out.is_dir():
        raise CurateError("the place for the export is a file", where=out, hint="name a folder with -o")
    try:
        names = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()}
    except OSError as error:
        raise CurateError(f"the folder cannot be read: {error.strerror}", where=out) from error
    if not names:
        return None
    manifest = _manifest(out)
    files = manifest.get("files")
    damaged = is_damaged(out / MANIFEST)
    if not isinstance(files, dict) and not damaged:
        raise CurateError("the folder is not empty and not an export", where=out, hint="name another folder with -o")
    foreign = names - set(files) - {MANIFEST} if isinstance(files, dict) else names
    if foreign and damaged:
        raise CurateError(
            "the manifest of the export is damaged, so it is not known which files are its own",
            where=out / MANIFEST,
            hint="delete the folder if it holds nothing else, and run `curate export` again",
        )
    if foreign:
        raise CurateError(
            f"the export's folder holds a file that curate did not write: `{min(foreign)}`",
            where=out,
            hint="move it away, or name another folder with -o",
        )
    whole = all(_size(out / name) == entry["bytes"] for name, entry in manifest["files"].items())
    return manifest if whole and not damaged else {}


def remembered(earlier: object, out: Path, workspace: Path, made_from: str) -> dict[str, str]:
    """Folders that a workspace was exported to, and what each was made from; the latest last.

    They are told relative to the workspace, so that its manifest stays the same wherever both lie.

    Args:
        earlier: As it was so far.
        out: The folder of this export.
        workspace: That of the workspace.
        made_from: Changes when an export of the workspace may be out of date.
    """
    own = os.path.relpath(out, workspace).encode("utf-8", "replace").decode()
    before = earlier if isinstance(earlier, dict) else {}
    return {**{name: value for name, value in before.items() if name != own}, own: made_from}


def restore(out: Path) -> None:
    """Put back the earlier export that a run had set aside when it was killed."""
    replaced = _beside(out, "replaced")
    if not out.exists() and _is_ours(replaced):
        replaced.rename(out)


def check_outside(out: Path, workspace: Path) -> None:
    """See that the export would not stand among the tables of the workspace, or around it.

    Raises:
        CurateError: It would.
    """
    inside = out.relative_to(workspace).parts if out.is_relative_to(workspace) else None
    taken = inside == () or (inside and inside[0] in {*TABLES, MANIFEST, "judgements.sqlite"})
    if taken or workspace.is_relative_to(out):
        what = "the export would stand among the workspace's own files"
        raise CurateError(what, where=out, hint="name another folder with -o")


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Hold the place of an export against a second curate that would write there, from whatever workspace.

    Raises:
        CurateError: Another process holds it, or the place cannot be written.
    """
    lock = _beside(out, "lock")
    try:
        make_folder(out.parent)
        handle = _locked(lock)
    except BlockingIOError:
        what = "another curate is writing this export"
        raise CurateError(what, where=out, hint="wait for it, or name another folder with -o") from None
    except OSError as error:
        raise _unwritable(out, error) from error
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()
            flush(out.parent)
        os.close(handle)


def _locked(lock: Path) -> int:
    """The handle of a lock that is held, and is still the one that others would find there."""
    import fcntl

    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if lock.stat().st_ino == os.fstat(handle).st_ino:
                    return handle
        except OSError:
            os.close(handle)
            raise
        os.close(handle)  # whoever had it has just removed it


def _unwritable(out: Path, error: OSError) -> CurateError:
    what = f"the export cannot be written: {error.strerror or error}"
    return CurateError(what, where=out, hint="nothing was kept of it; make room, or name another folder with -o")


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its place, flushed to disk, when the block succeeds.

    Raises:
        CurateError: The disk is full or cannot be written; nothing is left behind.
    """
    temporary, replaced = _temporary(out), _beside(out, "replaced")
    try:
        make_folder(temporary)
        (temporary / SPILL).mkdir()
        (temporary / MARKER).touch()
        yield temporary
        shutil.rmtree(temporary / SPILL, ignore_errors=True)
        for path in (*temporary.rglob("*"), temporary):
            flush(path)
        _remove(replaced)
        if out.exists() and any(out.iterdir()):
            out.rename(replaced)
        temporary.rename(out)
        flush(out.parent)
        _remove(replaced)
    except OSError as error:
        raise _unwritable(out, error) from error
    finally:
        _remove(temporary)


def write_manifest(folder: Path, entries: dict[str, Any]) -> list[str]:
    """Write the manifest, with size and SHA-256 of each file by relative path, and return all paths."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(SPILL):
            with path.open("rb") as file:
                files[name] = {"bytes": path.stat().st_size, "sha256": file_digest(file, "sha256").hexdigest()}
    manifest = sealed({"curate_export": __version__, **entries, "files": files})
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
    return [*files, MANIFEST]


def is_damaged(file: Path) -> bool:
    """Whether it was the manifest of an export and says something else now."""
    try:
        text = file.read_bytes()
    except OSError:
        return False
    try:
        value = json.loads(text.decode())
    except (ValueError, RecursionError):
        value = None
    return was_ours(text) and not (isinstance(value, dict) and unsealed(value) is not None)


def _beside(out: Path, word: str) -> Path:
    return out.with_name(f".{out.name}.{word}")


def _temporary(out: Path) -> Path:
    """A free name beside `out`; what a killed run of ours left there is removed, nothing else."""
    names = (_beside(out, f"tmp{number or ''}") for number in count())
    for path in names:
        _remove(path)
        if not os.path.lexists(path):
            return path
    raise AssertionError


def _remove(folder: Path) -> None:
    """Remove a folder of ours; what says that it is ours goes last, so that a kill leaves nothing strange behind."""
    if not _is_ours(folder):
        return
    for path in folder.rglob("*"):
        if path not in (folder / MARKER, folder / MANIFEST) and (path.is_symlink() or not path.is_dir()):
            with suppress(OSError):
                path.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    """Whether it says so, or holds no file at all."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    empty = all(path.is_dir() and not path.is_symlink() for path in folder.rglob("*"))
    return empty or (folder / MARKER).is_file() or bool(_manifest(folder))


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an export; empty when the folder is none."""
    try:
        value = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) and "curate_export" in value else {}


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1
