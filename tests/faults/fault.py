"""What goes wrong in a command, installed in its process before it starts.

    {"kill": 7}                      SIGKILL right before the 7th change of the file system
    {"stop": 7}                      SIGINT there
    {"count": "FILE"}                nothing; FILE says at the end how many changes there were
    {"cut": 7, "disk": "FOLDER"}     the power goes there: FOLDER becomes what is sure to be on the disk; 0 = at the end
    {"full": 7}                      no room from the 7th change on: opening to write, renaming, mkdir and fsync fail
    {"unprivileged": true}           root may write no more than others: what a folder's mode forbids
    {"file_size": 4096}              no file may become larger: how a full disk looks to who writes
    {"handles": 20}                  no more open files
    {"clock": -86400}                the clock of the wall stands so many seconds off
"""

from __future__ import annotations

import atexit
import ctypes
import errno
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink"}


def install(fault: dict[str, Any]) -> None:
    """Arrange for it."""
    if "file_size" in fault:
        resource.setrlimit(resource.RLIMIT_FSIZE, (fault["file_size"], fault["file_size"]))
    if "handles" in fault:
        resource.setrlimit(resource.RLIMIT_NOFILE, (fault["handles"], fault["handles"]))
    if "clock" in fault:
        real = time.time

        def shifted() -> float:
            return real() + fault["clock"]

        time.time = shifted
        for module in [*sys.modules.values()]:  # those that have taken it by name, too
            if getattr(module, "time", None) is real:
                module.time = shifted  # type: ignore[attr-defined]
    if fault.get("unprivileged"):
        drop_privileges()
    if not fault.keys() & {"kill", "stop", "count", "cut", "full"}:
        return
    here, count = f"{Path.cwd()}/", [0]
    disk = Disk(Path.cwd()) if "cut" in fault else None

    def change(*, grows: bool = True) -> None:
        count[0] += 1
        if grows and count[0] >= fault.get("full", 1 << 60):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if count[0] == fault.get("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        if count[0] == fault.get("stop"):
            os.kill(os.getpid(), signal.SIGINT)
        if disk and count[0] == fault["cut"]:
            disk.write(Path(fault["disk"]))
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writing = any(sign in mode for sign in "wax+") if isinstance(mode, str) else (flags or 0) & WRITING
            if writing and isinstance(path, str | os.PathLike) and os.path.abspath(path).startswith(here):  # noqa: PTH100
                change()
        elif event in CHANGES:
            change(grows=event in ("os.rename", "os.mkdir"))

    real_fsync = os.fsync

    def fsync(handle: int) -> None:
        change()
        real_fsync(handle)
        if disk:
            disk.flushed(handle)

    os.fsync = fsync
    sys.addaudithook(watch)
    if "count" in fault:
        atexit.register(lambda: Path(fault["count"]).write_text(str(count[0])))
    if disk and fault["cut"] == 0:
        atexit.register(lambda: disk.write(Path(fault["disk"])))


def drop_privileges() -> None:
    """Root keeps its name and loses the right to pass over the modes of files and folders."""
    if os.geteuid() != 0:
        return
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    data = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capget(header, data):
        raise OSError(ctypes.get_errno(), "capget")
    for capability in (1, 2, 3):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
        for place in (0, 1):  # effective, permitted
            data[place] &= ~(1 << capability)
    if libc.capset(header, data):
        raise OSError(ctypes.get_errno(), "capset")


class Disk:
    """What survives a power cut, at the worst: bytes of files that were flushed, names in folders that were.

    Everything that is there at the beginning is on the disk.

    Args:
        root: The folder to watch; what is inside others is not.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bytes: dict[int, bytes] = {}
        self.names: dict[int, dict[str, tuple[int, bool]]] = {}
        for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
            self._list(folder)
            for path in folder.iterdir():
                if path.is_file():
                    self.bytes[path.stat().st_ino] = path.read_bytes()

    def flushed(self, handle: int) -> None:
        """Take in a file or folder that was flushed."""
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if not path.is_relative_to(self.root):
            return
        if path.is_dir():
            self._list(path)
        else:
            self.bytes[path.stat().st_ino] = path.read_bytes()

    def _list(self, folder: Path) -> None:
        entries = {path.name: (path.stat().st_ino, path.is_dir()) for path in folder.iterdir()}
        self.names[folder.stat().st_ino] = entries

    def write(self, to: Path) -> None:
        """Make a folder that holds what is sure to be there."""
        self._write(self.root.stat().st_ino, to)

    def _write(self, inode: int, to: Path) -> None:
        to.mkdir()
        for name, (inner, is_folder) in self.names.get(inode, {}).items():
            if is_folder:
                self._write(inner, to / name)
            else:
                (to / name).write_bytes(self.bytes.get(inner, b""))
