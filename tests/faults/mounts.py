"""A small file system in memory, for what only a real one does: no room, no more names, read-only."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = 4096


class Mount:
    """A tmpfs.

    Args:
        path: Where it lies.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def change(self, options: str) -> None:
        """Remount it with other options: `size=1m`, `nr_inodes=40`, `ro` …"""
        _run("mount", "-o", f"remount,{options}", str(self.path))

    def used(self) -> tuple[int, int]:
        """Bytes and inodes that are taken."""
        import os

        found = os.statvfs(self.path)
        return (found.f_blocks - found.f_bfree) * found.f_frsize, found.f_files - found.f_ffree


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


@contextmanager
def mounted(path: Path) -> Iterator[Mount]:
    """A tmpfs of 64 MB; the test is skipped where none may be mounted."""
    path.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", "size=64m,nr_inodes=10000,mode=755", "tmpfs", str(path))
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or error
        pytest.skip(f"no file system may be mounted here: {str(said).strip()}")
    try:
        yield Mount(path)
    finally:
        _run("umount", "-l", str(path))
