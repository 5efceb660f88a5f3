"""What a path stands for: sets of shards that a loader reads together, and the manifest beside them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from glob import glob, has_magic
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.export.folder import is_damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from curate.verify.findings import Findings

_SHARD = re.compile(r"(?P<set>.*)-(?P<number>\d+)-of-(?P<count>\d+)\.parquet$")
_MANIFEST = "manifest.json"


@dataclass
class Shards:
    """Files that one path named.

    Attributes:
        root: What file names are told relative to.
        files: The Parquet files, in order.
        whole: Whether a folder was named, so that nothing of it may lack.
        others: All others.
    """

    root: Path
    files: list[Path]
    others: list[Path] = field(default_factory=list)
    whole: bool = False

    @property
    def lines(self) -> list[Path]:
        """The files of JSON lines."""
        return [path for path in self.others if path.suffix == ".jsonl"]

    def name(self, path: Path) -> str:
        """A file as findings call it."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


def find(path: str) -> Shards:
    """The files of a path, folder or glob.

    Raises:
        InputError: There is nothing.
    """
    place = Path(path)
    if place.is_dir():
        below = sorted(found for found in place.rglob("*") if not _hidden(found.relative_to(place)) and found.is_file())
        return Shards(place, *_apart(below, lambda path: path.suffix == ".parquet"), whole=True)
    if place.is_file():
        return Shards(place.parent, *_apart([place]))
    matches = sorted(Path(match) for match in glob(path, recursive=True)) if has_magic(path) else []  # noqa: PTH207
    files = [match for match in matches if match.is_file()]
    for match in matches:
        if match.is_dir():
            inside = find(str(match))
            files += [*inside.files, *inside.lines]
    if not files:
        hint = "name a file of Parquet or JSON lines, a folder of them or a glob"
        raise InputError("no such file or folder", where=path, hint=hint)
    parents = {file.parent for file in files}
    return Shards(parents.pop() if len(parents) == 1 else Path(), *_apart(files))


def _is_no_jsonl(path: Path) -> bool:
    return path.suffix != ".jsonl"


def _apart(paths: list[Path], parquet: Callable[[Path], bool] = _is_no_jsonl) -> tuple[list[Path], list[Path]]:
    """Parquet and other files; what was named is Parquet unless it says that it is lines."""
    return [path for path in paths if parquet(path)], [path for path in paths if not parquet(path)]


def _hidden(path: Path) -> bool:
    """Loaders skip what begins with a dot or an underscore."""
    return any(part.startswith((".", "_")) for part in path.parts)


def manifest(shards: Shards) -> tuple[Path, dict[str, Any]] | None:
    """The manifest of the export that the files belong to, and its folder."""
    for folder in _places(shards):
        try:
            value = json.loads((folder / _MANIFEST).read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(value, dict) and "curate_export" in value and isinstance(value.get("files"), dict):
            return folder, value
    return None


def _places(shards: Shards) -> Iterable[Path]:
    return (shards.root, *list(shards.root.resolve().parents)[:2])


def compare(shards: Shards, findings: Findings, advance: Any) -> bool:
    """Compare the files with the manifest; whether there is one."""
    for place in _places(shards):
        if is_damaged(file := place / _MANIFEST):
            again = "delete the folder and run `curate export` again"
            findings.add("manifest", shards.name(file), detail=f"it does not say what was written: {again}")
    found = manifest(shards)
    if found is None:
        return False
    folder, value = found
    # Names come from a file, and lead nowhere outside of its folder.
    listed = {
        (folder / name).resolve(): entry
        for name, entry in value["files"].items()
        if isinstance(entry, dict) and (folder / name).resolve().is_relative_to(folder.resolve())
    }
    ours = {path.resolve(): path for path in (*shards.files, *shards.others)}
    for path, entry in listed.items():
        if path not in ours:
            if shards.whole and path.is_relative_to(shards.root.resolve()) and not path.exists():
                name = path.relative_to(shards.root.resolve()).as_posix()
                findings.add("missing_file", name, detail="named by manifest.json")
            continue
        try:
            with path.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
        except OSError as error:
            findings.add("unreadable", shards.name(ours[path]), detail=str(error.strerror))
            continue
        if digest != entry.get("sha256"):
            findings.add("checksum", shards.name(ours[path]), detail=f"SHA-256 {digest[:16]}…")
        advance(1)
    of_lines = any(path.suffix == ".jsonl" for path in listed)
    for path in (*shards.files, *(shards.lines if of_lines else ())):
        if path.resolve() not in listed:
            findings.add("unlisted_file", shards.name(path), detail="not named by manifest.json")
    return True


def check_names(shards: Shards, folder: Path, files: Iterable[Path], findings: Findings) -> None:
    """Shards that lack in a numbered set, and files that stop a loader that reads the folder as a whole."""
    sets: dict[tuple[str, str], set[int]] = {}
    for path in files:
        if match := _SHARD.match(path.name):
            sets.setdefault((match["set"], match["count"]), set()).add(int(match["number"]))
    for (name, count), numbers in sets.items():
        lacking = int(count) - len(numbers)
        if shards.whole and lacking > 0:
            first = next(number for number in range(int(count)) if number not in numbers)
            what = f"`{name}-{first:0{len(count)}}-of-{count}.parquet`"
            findings.add("missing_shard", shards.name(folder) or None, count=lacking, detail=what)
    if folder.name == "data" or folder.suffix == ".parquet":
        for path in shards.others:
            if path.parent == folder:
                findings.add("foreign_file", shards.name(path), detail=f"beside the shards in `{folder.name}/`")
