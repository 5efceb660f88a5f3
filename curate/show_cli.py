"""The command `curate show`: one conversation's whole history, or those that a condition holds for."""

from __future__ import annotations

from typing import Annotated

import typer

from curate import output
from curate.cli_options import DEFAULT, Json, WorkspaceOption


def show(
    name: Annotated[
        str | None,
        typer.Argument(metavar="KEY|ID", help="Key, KEY:TURN, id in the source, content hash, or id of a row."),
    ] = None,
    workspace: WorkspaceOption = DEFAULT,
    where: Annotated[
        str | None, typer.Option(help="Those with … instead (SQL over the columns of `scan`).")
    ] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="Responses that `--where` lists.")] = 10,
    whole: Annotated[bool, typer.Option("--whole", help="Of those, tell the whole history.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Show every message whole.")] = False,
    export: Annotated[
        list[str] | None, typer.Option(metavar="FOLDER", help="Further export to look into; repeatable.")
    ] = None,
    pager: Annotated[bool, typer.Option("--pager/--no-pager", help="Page what is longer than the screen.")] = True,
    json: Json = False,
) -> None:
    """Show a conversation's whole history: origin, edits, rules, label, duplicates, judges, exports and texts."""
    import curate

    if (name is None) == (where is None):
        raise typer.BadParameter("name a conversation, such as 17, or give --where CONDITION")
    if name is not None:
        stories = [curate.show(workspace, name, exports=export or ())]
        if json:
            output.json(stories[0])
            return
    else:
        found = curate.search(workspace, where or "", limit=limit)
        if not whole:
            output.matches(found, json, pager)
            return
        keys = dict.fromkeys(match.key for match in found.matches)
        stories = [curate.show(workspace, key, exports=export or ()) for key in keys]
        if json:
            output.json(stories)
            return
    output.stories(stories, full=full, pager=pager)
