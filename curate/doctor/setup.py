"""The installation: versions, extras, rule files, limits of the machine, and whether a key is set."""

from __future__ import annotations

import platform
import re
import sys
from importlib import metadata
from importlib.metadata import PackageNotFoundError
from typing import TYPE_CHECKING, Any

from curate import __version__, rules
from curate.doctor import NOTE, OK, PROBLEM, Check
from curate.errors import CurateError

if TYPE_CHECKING:
    from collections.abc import Iterator

DISTRIBUTION = "curate-chat"
KEY_PACKAGES = ("polars", "pyarrow", "numpy", "numba", "openai", "typer", "rich")
# Extras that only who develops curate needs.
OWN_EXTRAS = ("lint", "test", "proof")
LEAST_HANDLES = 256
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")


def checks(facts: dict[str, Any]) -> Iterator[Check]:
    """Everything that does not depend on a workspace or a server."""
    yield from _versions(facts)
    yield from _extras(facts)
    yield from _rule_files()
    yield from _handles(facts)


def _versions(facts: dict[str, Any]) -> Iterator[Check]:
    python = platform.python_version()
    fit = sys.version_info >= (3, 11)
    hint = None if fit else "curate needs Python 3.11 or later"
    yield Check("python", "python", OK if fit else PROBLEM, f"{python} on {platform.system()}", hint)
    yield Check("python", "curate", OK, __version__)
    facts["versions"] = {"python": python, "curate": __version__}
    for package in KEY_PACKAGES:
        version = _version(package)
        facts["versions"][package] = version
        if version is None:
            yield Check("python", package, PROBLEM, "not installed", f"pip install --upgrade {DISTRIBUTION}")
        else:
            yield Check("python", package, OK, version)


def _extras(facts: dict[str, Any]) -> Iterator[Check]:
    """Each extra with what it lacks."""
    try:
        declared = metadata.requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        yield Check("extras", "extras", NOTE, "curate runs from a source tree, so its extras are not known")
        return
    wanted: dict[str, list[str]] = {}
    for line in declared:
        if found := _EXTRA.search(line):
            wanted.setdefault(found[1], []).append(re.split(r"[^\w.-]", line)[0])
    facts["extras"] = {}
    for extra, packages in sorted(wanted.items()):
        if extra in OWN_EXTRAS:
            continue
        missing = [package for package in packages if _version(package) is None]
        facts["extras"][extra] = missing
        if missing:
            hint = f"pip install '{DISTRIBUTION}[{extra}]'"
            yield Check("extras", extra, NOTE, f"not installed: {', '.join(missing)}", hint)
        else:
            yield Check("extras", extra, OK, ", ".join(f"{package} {_version(package)}" for package in packages))


def _rule_files() -> Iterator[Check]:
    files = rules.shipped()
    broken = []
    for path in files:
        try:
            rules.check(str(path))
        except CurateError as error:
            broken.append(Check("rules", path.name, PROBLEM, error.what, "curate rules check"))
    yield from broken
    if not broken:
        yield Check("rules", "rule files", OK, f"{len(files)} valid")


def _handles(facts: dict[str, Any]) -> Iterator[Check]:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    facts["open_files"] = None if unlimited else soft
    low = not unlimited and soft < LEAST_HANDLES
    found = "unlimited" if unlimited else f"{soft:,} (at most {'unlimited' if hard == -1 else f'{hard:,}'})"
    yield Check("machine", "open files", PROBLEM if low else OK, found, "ulimit -n 1024" if low else None)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except PackageNotFoundError:
        return None
