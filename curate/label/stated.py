"""The class that the user states for a whole source, and the one assumed for everything else.

Both are used only where neither the side file nor a rule knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from curate.errors import CurateError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from curate.workspace import Workspace

# What a source may be named by; the file is the narrower of the two and goes first.
PLACES = ("source_file", "source")
# The columns of a side file, where there is none.
NOBODY = (
    pl.lit(None, pl.String).alias("side_class"),
    pl.lit(None, pl.String).alias("side_evidence"),
    pl.lit(False).alias("side_decides"),
)


def check(workspace: Workspace, sources: Mapping[str, str], coming: Collection[str] = ()) -> None:
    """Refuse classes for sources that are not there.

    Args:
        workspace: The workspace; it may be empty.
        sources: Class by source or file.
        coming: Sources and files that are about to be ingested.

    Raises:
        CurateError: A class is empty, or a name is neither a `source` nor a `source_file` of the workspace.
    """
    for name, class_ in sources.items():
        if class_.strip() in ("", "unknown"):
            raise CurateError(f"the source `{name}` is given no class", hint=f"--source-class {name}=gpt-4")
    known = set(coming)
    if sources and workspace.shards("conversations"):
        there = workspace.scan("conversations").select(PLACES).unique().collect()
        known.update(name for place in PLACES for name in there[place].to_list())
    if not known:
        return
    for name in sources:
        if name not in known:
            near = did_you_mean(name, known) or ""
            hint = near if len(known) < 10 or near.startswith("did") else "`curate hist --by source` lists the sources"
            raise CurateError(f"the workspace has no source or file `{name}`", where=workspace.path, hint=hint)


def join(rows: pl.DataFrame, sources: Mapping[str, str], assume: str | None) -> pl.DataFrame:
    """Rows with `source_class`, `source_rule` and `source_evidence`; null where nothing is stated."""
    class_, name, evidence = (
        pl.lit(text, pl.String)
        for text in (assume, None if assume is None else "assumed", None if assume is None else f"--assume {assume}")
    )
    for place in reversed(PLACES):
        own = pl.col(place).replace_strict(dict(sources), default=None, return_dtype=pl.String)
        stated = own.is_not_null()
        class_ = pl.when(stated).then(own).otherwise(class_)
        name = pl.when(stated).then(pl.lit("source_default")).otherwise(name)
        evidence = pl.when(stated).then(pl.format("{} = {}", pl.lit(place), pl.col(place))).otherwise(evidence)
    return rows.with_columns(source_class=class_, source_rule=name, source_evidence=evidence)
