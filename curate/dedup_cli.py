"""The command `curate dedup`: find, explain and take back."""

from __future__ import annotations

from typing import Annotated

import typer

from curate import output
from curate.cli_options import DEFAULT, Json, Quiet, WorkspaceOption


def dedup(
    workspace: WorkspaceOption = DEFAULT,
    unit: Annotated[str, typer.Option(help="What is compared: conversation, prompts or responses.")] = "conversation",
    threshold: Annotated[float, typer.Option(help="Jaccard similarity of a near duplicate, above 0, up to 1.")] = 0.7,
    num_perm: Annotated[int, typer.Option(help="Values per MinHash signature.")] = 128,
    by_reward: Annotated[bool, typer.Option(help="Of one class, keep the copy with the better reward.")] = False,
    policy: Annotated[str, typer.Option(help="Which copy stays.")] = "keep.toml",
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="SET", help="Workspace, index or redis:// address whose copies stay; repeatable."),
    ] = None,
    index: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Put what stays into this index: a folder, or redis://.")
    ] = None,
    explain: Annotated[
        str | None, typer.Option(metavar="KEY[:TURN]", help="Show why a conversation or response was removed.")
    ] = None,
    restore: Annotated[
        list[int] | None, typer.Option(metavar="KEY", help="Take a removal back, for good; repeatable.")
    ] = None,
    unrestore: Annotated[
        list[int] | None, typer.Option(metavar="KEY", help="Let a conversation be removed again; repeatable.")
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find exact, contained and near duplicates; the best copy of each stays, and nothing is deleted."""
    import curate

    if explain is not None:
        output.duplicate(curate.explain_duplicate(workspace, *_text(explain)), json)
        return
    if restore or unrestore:
        result = curate.restore(workspace, restore or (), again=unrestore or (), quiet=quiet)
    else:
        result = curate.dedup(
            workspace,
            unit=unit,
            threshold=threshold,
            num_perm=num_perm,
            by_reward=by_reward,
            policy=policy,
            against=against or (),
            index=index,
            quiet=quiet,
        )
    counts = {"responses" if result.unit == "responses" else "conversations": result.texts}
    counts |= {name: getattr(result, name) for name in ("kept", "exact", "prefix", "near", "clusters")}
    counts |= {name: getattr(result, name) for name in ("against", "restored", "limited") if getattr(result, name)}
    output.facts(result, json, counts)


def _text(name: str) -> tuple[int, int | None]:
    from curate.errors import CurateError

    key, colon, turn = name.partition(":")
    if not (key.isdecimal() and (turn.isdecimal() if colon else True)):
        raise CurateError(f"`--explain {name}` is no conversation", hint="--explain 17, or --explain 17:3")
    return int(key), int(turn) if colon else None
