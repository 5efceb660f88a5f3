"""`curate report`: a run in figures, and as one page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import CurateError
from curate.report.summary import Summary, summary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from curate.report.map import Map


@dataclass(frozen=True)
class Report:
    """What `curate report` shows.

    Attributes:
        summary: The run.
        against: The run that it is compared with.
        html: The page that was written.
        map: Responses in the plane, where asked for.
    """

    summary: Summary
    against: Summary | None = None
    html: Path | None = None
    map: Map | None = None


def report(
    workspace: str | Path = "curated",
    *,
    against: str | Path | None = None,
    html: str | Path | None = None,
    sample: int = 200,
    chars: int = 1_500,
    map: bool = False,
    map_size: int = 3_000,
    embedder: str | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> Report:
    """A run in figures; with `html` also as one static page that asks for nothing from any network.

    Args:
        workspace: Folder of the workspace.
        against: Another workspace to stand beside it.
        html: File to write.
        sample: Conversations of which the page shows a response, 0 to 2,000.
        chars: Characters of a prompt or response that the page shows.
        map: Embed and project responses (extra `semantic`); the page shows them.
        map_size: Most responses of the map, up to 20,000.
        embedder: Folder or name of a sentence-transformers model; None = the one of the extra.
        seed: Of the map.
        quiet: No progress.

    Raises:
        CurateError: A sample that is too large, a page that cannot be written, or too few responses for a map.
        MissingExtraError: The map needs the extra `semantic`.
        WorkspaceError: Not a workspace, or a shard is damaged.
    """
    from curate.report.page import write

    if not 0 <= sample <= 2_000:
        raise CurateError(f"a sample of {sample:,} is not 0 to 2,000", hint="the page would be too large to open")
    if not 1 <= map_size <= 20_000:
        raise CurateError(f"a map of {map_size:,} responses is not one of 1 to 20,000", hint="3,000 is the default")
    if chars < 1:
        raise CurateError(f"{chars} characters of a text cannot be shown", hint="at least 1; 1,500 is the default")
    folders: Iterable[str | Path] = [workspace] if against is None else [workspace, against]
    found = [summary(folder) for folder in folders]
    drawn = None
    if map:
        from curate.report.map import draw

        drawn = draw(workspace, size=map_size, embedder=embedder, seed=seed, quiet=quiet)
    if html is not None:
        write(Path(html), found, sample, chars, drawn)
    return Report(found[0], found[1] if len(found) > 1 else None, None if html is None else Path(html), drawn)
