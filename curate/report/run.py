"""`curate report`: a run in figures, and as one page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import CurateError
from curate.report.summary import Summary, summary

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Report:
    """What `curate report` shows.

    Attributes:
        summary: The run.
        against: The run that it is compared with.
        html: The page that was written.
    """

    summary: Summary
    against: Summary | None = None
    html: Path | None = None


def report(
    workspace: str | Path = "curated",
    *,
    against: str | Path | None = None,
    html: str | Path | None = None,
    sample: int = 200,
    chars: int = 1_500,
) -> Report:
    """A run in figures; with `html` also as one static page that asks for nothing from any network.

    Args:
        workspace: Folder of the workspace.
        against: Another workspace to stand beside it.
        html: File to write.
        sample: Conversations of which the page shows a response, 0 to 2,000.
        chars: Characters of a prompt or response that the page shows.

    Raises:
        CurateError: A sample that is too large, or a page that cannot be written.
        WorkspaceError: Not a workspace, or a shard is damaged.
    """
    from curate.report.page import write

    if not 0 <= sample <= 2_000:
        raise CurateError(f"a sample of {sample:,} is not 0 to 2,000", hint="the page would be too large to open")
    if chars < 1:
        raise CurateError(f"{chars} characters of a text cannot be shown", hint="at least 1; 1,500 is the default")
    folders: Iterable[str | Path] = [workspace] if against is None else [workspace, against]
    found = [summary(folder) for folder in folders]
    if html is not None:
        write(Path(html), found, sample, chars)
    return Report(found[0], found[1] if against is not None else None, None if html is None else Path(html))
