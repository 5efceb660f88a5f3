"""The command `curate dedup`: find, explain and take back."""

from __future__ import annotations

from typing import Annotated

import typer

from curate import output
from curate.cli_options import DEFAULT, Engine, Json, Quiet, WorkspaceOption


def dedup(
    workspace: WorkspaceOption = DEFAULT,
    unit: Annotated[str, typer.Option(help="What is compared: conversation, prompts or responses.")] = "conversation",
    threshold: Annotated[float, typer.Option(help="Jaccard similarity of a near duplicate, 0.01 to 1.")] = 0.7,
    num_perm: Annotated[int, typer.Option(help="Values per MinHash signature.")] = 64,
    by_reward: Annotated[bool, typer.Option(help="Of one class, keep the copy with the better reward.")] = False,
    policy: Annotated[str, typer.Option(help="Which copy stays.")] = "keep.toml",
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="SET", help="Workspace, index or redis:// address whose copies stay; repeatable."),
    ] = None,
    index: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Put what stays into this index: a folder, or redis://.")
    ] = None,
    semantic: Annotated[
        str, typer.Option(help="Prompts that ask for the same in other words: off, flag, or remove; needs an extra.")
    ] = "off",
    cosine: Annotated[float, typer.Option(help="Cosine from which on they do, above 0, up to 1.")] = 0.9,
    embedder: Annotated[str | None, typer.Option(help="The model: a folder, or a name on the hub.")] = None,
    explain: Annotated[
        str | None, typer.Option(metavar="KEY[:TURN]", help="Show why a conversation or response was removed.")
    ] = None,
    restore: Annotated[
        list[str] | None, typer.Option(metavar="KEY[:TURN]", help="Take a removal back, for good; repeatable.")
    ] = None,
    unrestore: Annotated[
        list[str] | None, typer.Option(metavar="KEY[:TURN]", help="Let it be removed again; repeatable.")
    ] = None,
    engine: Engine = "local",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find exact, contained and near duplicates; the best copy of each stays, and nothing is deleted."""
    import curate

    if explain is not None:
        if restore or unrestore:
            raise typer.BadParameter("explain, or take back: one at a time")
        output.duplicate(curate.explain_duplicate(workspace, *_text("--explain", explain)), json)
        return
    if restore or unrestore:
        plus = [_name("--restore", name) for name in restore or ()]
        minus = [_name("--unrestore", name) for name in unrestore or ()]
        result = curate.restore(workspace, plus, again=minus, against=against or None, quiet=quiet)
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
            semantic=semantic,
            cosine=cosine,
            embedder=embedder,
            engine=engine,
            quiet=quiet,
        )
    counts: dict[str, object] = {"responses" if result.unit == "responses" else "conversations": result.texts}
    counts |= {name: getattr(result, name) for name in ("kept", "exact", "prefix", "near", "clusters")}
    more = ("similar", "semantic", "left_out", "against", "restored", "limited")
    counts |= {name.replace("_", " "): getattr(result, name) for name in more if getattr(result, name)}
    output.facts(result, json, counts)


def _name(option: str, name: str) -> int | tuple[int, int]:
    key, turn = _text(option, name)
    return key if turn is None else (key, turn)


def _text(option: str, name: str) -> tuple[int, int | None]:
    from curate.errors import CurateError

    key, colon, turn = name.partition(":")
    if not (key.isdecimal() and (turn.isdecimal() if colon else True)):
        raise CurateError(f"`{option} {name}` is no conversation", hint=f"{option} 17, or {option} 17:3")
    return int(key), int(turn) if colon else None
