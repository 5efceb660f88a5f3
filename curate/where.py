"""`--where`: responses by a condition over what the workspace says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.errors import CurateError

if TYPE_CHECKING:
    import polars as pl

    from curate.workspace import Workspace


def matching(ws: Workspace, where: str, only: int | None = None) -> pl.DataFrame:
    """`key` and `turn` of the responses for which a condition holds, in order.

    Args:
        ws: The workspace.
        where: Polars SQL condition over the columns of `curate.scan`.
        only: The one shard to look at; None = all.

    Raises:
        CurateError: It is no condition, or asks for a column that is not there.
    """
    import polars as pl

    from curate.responses import scan

    try:
        return scan(ws.path, only).filter(pl.sql_expr(where)).select("key", "turn").collect()
    except BaseException as error:
        # Polars panics on some conditions, with an exception that is none.
        if isinstance(error, CurateError) or not (
            isinstance(error, Exception) or type(error).__name__ == "PanicException"
        ):
            raise
        hint = "such as --where \"source = 'mine' AND task = 'maths'\"; columns: docs/schema.md"
        raise CurateError(f"`--where` cannot be answered: {str(error).splitlines()[0]}", hint=hint) from error
