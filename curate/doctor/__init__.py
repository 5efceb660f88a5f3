"""`curate doctor`: is this installation, this workspace and this judge fit to work?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curate.console import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Check", "Diagnosis", "doctor", "render"]

OK, NOTE, PROBLEM = "ok", "note", "problem"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        area: python, extras, rules, judge, machine or workspace.
        name: What exactly.
        status: `ok`, `note` (worth knowing, nothing is broken) or `problem`.
        found: What it is.
        hint: What to do; None = nothing.
    """

    area: str
    name: str
    status: str
    found: str
    hint: str | None = None


@dataclass(frozen=True)
class Diagnosis:
    """What `curate doctor` found.

    Attributes:
        checks: In the order they were made.
        problems: How many of them are problems.
        facts: What the checks saw, as plain values: versions, free bytes …
    """

    checks: list[Check]
    problems: int
    facts: dict[str, Any] = field(default_factory=dict)


def doctor(workspace: str | Path = "curated", *, judge: str | None = None, base_url: str | None = None) -> Diagnosis:
    """Look at everything that can keep curate from working; nothing is written.

    Args:
        workspace: Folder of the workspace; one that does not exist is a note.
        judge: Name of a model: its server is asked what it supports, in a few short calls. None = nothing is sent.
        base_url: Address of the server; of it alone only its list of models is asked for.
    """
    from curate.doctor import endpoint, integrity, setup

    facts: dict[str, Any] = {}
    checks = [*setup.checks(facts), *endpoint.checks(judge, base_url), *integrity.checks(workspace, facts)]
    return Diagnosis(checks, sum(check.status == PROBLEM for check in checks), facts)


def render(found: Diagnosis) -> Iterator[str]:
    """The lines of a diagnosis; nothing in them can reach the terminal but as text."""
    area = None
    for check in found.checks:
        if check.area != area:
            area = check.area
            yield plain(area)
        yield f"  {check.status:<8} {plain(check.name, 48):<22} {plain(check.found)}"
        if check.hint:
            yield f"  {'':<8} hint: {plain(check.hint)}"
    yield "no problem found" if not found.problems else f"problems: {found.problems}"
