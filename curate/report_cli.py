"""`curate report` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curate import output
from curate.cli_options import DEFAULT, Json, Quiet, WorkspaceOption


def report(
    workspace: WorkspaceOption = DEFAULT,
    against: Annotated[Path | None, typer.Option(metavar="DIR", help="Another workspace to compare it with.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write one static page.")] = None,
    sample: Annotated[int, typer.Option(min=0, max=2_000, help="Conversations that the page shows of.")] = 200,
    map: Annotated[bool, typer.Option("--map", help="Responses by meaning, in the plane (extra `semantic`).")] = False,
    map_size: Annotated[int, typer.Option(min=1, max=20_000, help="Most responses of the map.")] = 3_000,
    embedder: Annotated[str | None, typer.Option(help="Its model: a folder, or a name on the hub.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the map.")] = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Show the run in one screen: every loss by its reason, classes, sources, tasks, scores, weights, cost."""
    import curate

    result = curate.report(
        workspace,
        against=against,
        html=html,
        sample=sample,
        map=map,
        map_size=map_size,
        embedder=embedder,
        seed=seed,
        quiet=quiet,
    )
    if json:
        output.json(result)
    else:
        output.report(result)
