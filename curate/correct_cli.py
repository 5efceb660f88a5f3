"""The command `curate correct`: say by hand what rules and judges got wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from curate import output
from curate.cli_options import DEFAULT, Json, WorkspaceOption

By = Annotated[str | None, typer.Option(envvar="CURATE_BY", help="Who says so; else the name of the account.")]


def correct(
    responses: Annotated[list[str] | None, typer.Argument(metavar="KEY:TURN", help="The responses.")] = None,
    workspace: WorkspaceOption = DEFAULT,
    class_: Annotated[str | None, typer.Option("--class", help="The right class, or `unknown`.")] = None,
    score: Annotated[float | None, typer.Option(help="The right score, 0 (worst) to 1 (best).")] = None,
    by: By = None,
    why: Annotated[str | None, typer.Option(help="The reason.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take back what was said of them.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Show all corrections that hold.")] = False,
    json: Json = False,
) -> None:
    """Correct the class or the score of responses by hand; `export` takes it, and reruns keep it."""
    import curate
    from curate.corrections import render

    if list_:
        if responses or class_ or score is not None or undo:
            raise typer.BadParameter("list, or correct: one at a time")
        found = curate.corrections(workspace)
    else:
        names = [_response(name) for name in responses or ()]
        found = curate.correct(workspace, names, class_=class_, score=score, by=by, why=why, undo=undo)
    if json:
        output.json(found)
    else:
        output.lines(render(found) if found or not undo else ["taken back"])


def _response(name: str) -> tuple[int, int]:
    from curate.errors import CurateError

    key, _, turn = name.partition(":")
    if not (key.isascii() and key.isdecimal() and turn.isascii() and turn.isdecimal() and len(name) < 30):
        raise CurateError(f"`{name}` is no response", hint="KEY:TURN, such as 17:3")
    return int(key), int(turn)
