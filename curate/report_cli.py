"""`curate report` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curate import output
from curate.cli_options import DEFAULT, Json, WorkspaceOption


def report(
    workspace: WorkspaceOption = DEFAULT,
    against: Annotated[Path | None, typer.Option(metavar="DIR", help="Another workspace to compare it with.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write one static page.")] = None,
    sample: Annotated[int, typer.Option(min=0, max=2_000, help="Conversations that the page shows of.")] = 200,
    json: Json = False,
) -> None:
    """Show the run in one screen: every loss by its reason, classes, sources, tasks, scores, weights, cost."""
    import curate

    result = curate.report(workspace, against=against, html=html, sample=sample)
    if json:
        output.json(result)
    else:
        output.report(result)
