"""The commands `curate diff` and `curate doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curate import output
from curate.cli_options import DEFAULT, Json, Quiet, WorkspaceOption


def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="Folder of the first workspace.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Folder of the second.")],
    examples: Annotated[int, typer.Option("-n", "--examples", min=0, help="Examples of every change.")] = 3,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Show what changed between two workspaces: rows, labels, scores, weights, flags, duplicates and settings."""
    import curate
    from curate.diff.report import render

    found = curate.diff(a, b, examples=examples, quiet=quiet)
    if json:
        output.json(found)
    else:
        output.lines(render(found))


def doctor(
    workspace: WorkspaceOption = DEFAULT,
    judge: Annotated[
        str | None, typer.Option(envvar="CURATE_JUDGE", help="Model whose server is asked what it supports.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Address of the server; without --judge it is asked for its models.")
    ] = None,
    json: Json = False,
) -> None:
    """Check the installation, the workspace and, where one is named, the judge; exit code 1 on a problem."""
    import curate
    from curate.doctor import render

    found = curate.doctor(workspace, judge=judge, base_url=base_url)
    if json:
        output.json(found)
    else:
        output.lines(render(found))
    if found.problems:
        raise typer.Exit(1)
