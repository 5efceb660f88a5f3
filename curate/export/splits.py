"""Train and validation without leaks: what belongs together is on one side.

A family is all that is linked, directly or through others: copies and near copies (`duplicates.cluster` and
`removed_by`), responses that repeat another's (`repeats`), prompts that ask for the same (`similar_to`), records of
one id (`X_0`, `X_5` are fragments of X) or one place in a file (branches of a tree), equal content, and conversations
that begin with the same prompt and the same answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curate.errors import CurateError
from curate.export.hashing import SPLIT, shuffle_hash
from curate.export.mix import survey
from curate.ingest.fragments import SHAREGPT_ID, base_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from curate.export.policy import Policy
    from curate.workspace import Workspace

    Keys = npt.NDArray[np.uint64]


def held_out(ws: Workspace, policy: Policy) -> Keys:
    """Keys of the conversations of the validation split, ascending; of every class and task about the same share.

    Memory: some 40 bytes per conversation.

    Raises:
        CurateError: Nobody looked for duplicates, or families are so large that nothing can be held out.
    """
    if "duplicates" not in policy.tables:
        raise CurateError(
            "a split would leak: nobody looked for duplicates", where=ws.path, hint="run `curate dedup` first"
        )
    keys, roots = families(ws)
    strata = []
    for index in ws.shards("conversations"):
        first = survey(ws, index, policy).unique("key", keep="first", maintain_order=True)
        strata.append(first.select("key", pl.concat_str(pl.col("class", "task").fill_null(""), separator="\0")))
    exported = pl.concat(strata).rename({"class": "stratum"}).sort("key")
    exported = exported.with_columns(family=roots[np.searchsorted(keys, exported["key"].to_numpy())])
    found = _choose(exported, policy.shape.validation, policy.shape.seed)
    if not found.height or found.height == exported.height:
        raise CurateError(
            f"the {exported.height:,} conversations cannot be split: {exported['family'].n_unique():,} families",
            where=ws.path,
            hint="ask for another share with --validation",
        )
    return found["key"].to_numpy()


def _choose(exported: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    """Whole families in a seeded order, while each fits what is left of the share of its stratum.

    Args:
        exported: `key`, `stratum` and `family`.
        share: Of each stratum.
        seed: Of the order.
    """
    by_family = exported.group_by("family").agg(pl.col("stratum").first(), n=pl.len()).sort("family")
    rank = shuffle_hash(by_family["family"].to_numpy(), seed + SPLIT)
    by_family = by_family.with_columns(rank=rank).sort("stratum", "rank")
    chosen: list[int] = []
    owed = 0.0
    for _, rows in by_family.group_by("stratum", maintain_order=True):
        # What small strata cannot give is passed on, so that the whole comes near its share.
        owed += share * int(rows["n"].sum())
        for family, n in rows.select("family", "n").iter_rows():
            if owed < 0.5:
                break
            if n <= owed + 0.5:
                chosen.append(family)
                owed -= n
    return exported.filter(pl.col("family").is_in(chosen))


def families(ws: Workspace) -> tuple[Keys, Keys]:
    """All keys, ascending, and for each the least key of its family."""
    from curate.dedup.clusters import first_rows

    links: list[npt.NDArray[np.int64]] = []
    parts = [_marks(ws, index) for index in ws.shards("conversations")]
    marks = pl.concat([part for part, _ in parts]).sort("key")
    keys = marks["key"].to_numpy()
    direct = pl.concat([pairs for _, pairs in parts])
    for name in marks.columns[1:]:
        order = marks[name].arg_sort().to_numpy()
        values = marks[name].to_numpy()[order]
        same = np.flatnonzero(values[1:] == values[:-1])
        links.append(np.c_[order[same], order[same + 1]].astype(np.int64))
    direct = direct.filter(pl.col("other").is_in(marks["key"].implode()))
    links.append(
        np.c_[[np.searchsorted(keys, direct[name].to_numpy()) for name in ("key", "other")]].T.astype(np.int64)
    )
    return keys, keys[first_rows(len(keys), np.ascontiguousarray(np.concatenate(links)))]


def _marks(ws: Workspace, index: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`key` and numbers that relatives have in common; and pairs of `key` and `other` that are linked."""
    columns = ["key", "source", "source_file", "source_row", "source_id", "content_hash", "messages"]
    rows = ws.read("conversations", index, columns)
    ids = [_base(value) for value in rows["source_id"].to_list()]
    key = pl.col("key").cast(pl.String)
    named = pl.Series(ids, dtype=pl.String)
    rows = rows.with_columns(base=named, opening=pl.Series([_opening(m) for m in rows["messages"]], dtype=pl.String))
    cluster = ws.read("duplicates", index)
    marks = rows.select(
        "key",
        record=pl.concat_str("source", pl.lit("\0id\0"), pl.col("base")).fill_null("\0" + key).hash(1),
        place=pl.concat_str("source_file", pl.lit("\0row\0"), "source_row").hash(2),
        content=pl.col("content_hash").hash(3),
        opening=pl.col("opening").fill_null("\0" + key).hash(4),
    ).join(cluster.select("key", "cluster"), on="key", how="left", maintain_order="left")
    marks = marks.with_columns(pl.coalesce("cluster", "key"))
    own = cluster.filter(pl.col("against").is_null()) if "against" in cluster.columns else cluster
    pairs = [own.select("key", other="removed_by")]
    if "similar_to" in cluster.columns:
        pairs.append(cluster.select("key", other="similar_to"))
    if ws.shard("repeats", index).exists():
        repeats = ws.read("repeats", index, ["key", "repeats", "against"]).filter(pl.col("against").is_null())
        pairs.append(repeats.select("key", other="repeats"))
    return marks, pl.concat(pairs).drop_nulls()


def _base(source_id: str | None) -> str | None:
    """The id of the conversation that a record is a fragment of, else its own; only ShareGPT's ids have fragments."""
    base = base_of(source_id)
    return base if base and SHAREGPT_ID.fullmatch(base) else source_id


def _opening(messages: list[dict[str, str]]) -> str | None:
    """All up to the first response; null where there is none."""
    texts = []
    for message in messages:
        texts.append(message["content"].strip())
        if message["role"] == "assistant":
            return "\0".join(texts)
    return None
