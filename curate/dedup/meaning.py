"""Texts that stay and mean the same as a better one: flagged, and removed only when somebody asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curate.dedup import semantic
from curate.dedup.kinds import EXACT, KEPT, SEMANTIC
from curate.dedup.prompts import prompts
from curate.errors import CurateError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.console import Talk
    from curate.dedup import Options
    from curate.dedup.corpus import Corpus
    from curate.dedup.verdicts import Verdicts
    from curate.embedding import Embedder
    from curate.workspace import Workspace

MODES = ("off", "flag", "remove")


@dataclass(frozen=True)
class Meaning:
    """What was found.

    Attributes:
        similar: Texts that mean the same as a better one that stays.
        removed: Those of them, and their copies, that go for it.
        limited: Texts that were not compared with everyone.
        left_out: Texts that the model cannot judge, by reason: short, long, foreign.
    """

    similar: int = 0
    removed: int = 0
    limited: int = 0
    left_out: dict[str, int] | None = None


def check(mode: str, cosine: float) -> None:
    """Refuse a mode or a threshold that makes no sense.

    Raises:
        CurateError: With what would.
    """
    if mode not in MODES:
        raise CurateError(f"there is no mode `{mode}`", where="--semantic", hint=did_you_mean(mode, MODES))
    if not 0 < cosine <= 1:
        raise CurateError(f"a cosine of {cosine} is no threshold", where="--cosine", hint="above 0, up to 1")


def compare(
    ws: Workspace,
    options: Options,
    corpus: Corpus,
    decided: Verdicts,
    rows: NDArray[np.int64],
    rank: NDArray[np.int64],
    stays: NDArray[np.bool_],
    embedder: Embedder,
    talk: Talk,
) -> Meaning:
    """Add to the verdicts who means the same as a better one.

    A text that stands for others than equal ones is never removed: it was found to be like them, and what it
    would go for was not.

    Args:
        ws: The workspace.
        options: What a duplicate is.
        corpus: All texts.
        decided: The verdicts so far; they are changed.
        rows: The texts that stay, ascending.
        rank: Per text, its place among those that deserve to stay.
        stays: Per text, whether it may not be removed.
        embedder: The model.
        talk: Where progress is shown.
    """
    texts = _texts(ws, options.unit, corpus, rows)
    with talk.progress("meaning", len(rows), "texts") as advance:
        found = semantic.search(
            texts,
            np.argsort(np.argsort(rank[rows])),
            threshold=options.cosine,
            embedder=embedder,
            store=ws.path / "embeddings.sqlite",
            advance=advance,
        )
    alike = found.by >= 0
    own, others = rows[alike], rows[found.by[alike]]
    for name in ("similar_to", "similar_turns", "cosines"):
        setattr(decided, name, np.array(getattr(decided, name)))
    decided.similar_to[own], decided.similar_turns[own] = corpus.keys[others], corpus.turns[others]
    decided.cosines[own] = found.cosine[alike]
    left_out = {"short": found.short, "long": found.long, "foreign": found.foreign}
    removed = _remove(corpus, decided, own, stays) if options.semantic == "remove" else 0
    return Meaning(len(own), removed, found.limited, {name: count for name, count in left_out.items() if count})


def _remove(corpus: Corpus, decided: Verdicts, rows: NDArray[np.int64], stays: NDArray[np.bool_]) -> int:
    """Let texts go for what means the same, and their copies with them; how many that are."""
    gone = np.flatnonzero((decided.kinds != KEPT) & (decided.sets < 0))
    keepers = np.searchsorted(_names(corpus.keys, corpus.turns), _names(decided.by_keys[gone], decided.by_turns[gone]))
    needed = np.zeros(len(corpus.keys), np.bool_)
    needed[keepers[decided.kinds[gone] != EXACT]] = True
    rows = rows[~needed[rows] & ~stays[rows]]
    copies = np.isin(keepers, rows)
    going, keepers = np.r_[rows, gone[copies]], np.r_[rows, keepers[copies]]
    decided.kinds[going], decided.similarities[going] = SEMANTIC, decided.cosines[keepers]
    decided.by_keys[going], decided.by_turns[going] = decided.similar_to[keepers], decided.similar_turns[keepers]
    return len(going)


def _names(keys: NDArray[np.uint64], turns: NDArray[np.int32]) -> NDArray[np.uint64]:
    """One number per text, ascending as the texts of a corpus are."""
    names: NDArray[np.uint64] = keys * np.uint64(1 << 24) + (turns + 1).astype(np.uint64)
    return names


def _texts(ws: Workspace, unit: str, corpus: Corpus, rows: NDArray[np.int64]) -> list[str]:
    """The responses themselves, or what the user said in each conversation."""
    found: list[str] = []
    for index, first, end in corpus.shards:
        low, high = np.searchsorted(rows, [first, end])
        some = rows[low:high]
        if unit != "responses":
            asked = prompts(ws, index)
            found += [asked[row - first] for row in some.tolist()]
            continue
        wanted = pl.DataFrame({"key": corpus.keys[some], "turn": corpus.turns[some]})
        messages = ws.read("conversations", index, ["key", "messages"])
        content = pl.col("messages").list.get(pl.col("turn")).struct.field("content")
        joined = wanted.join(messages, on="key", how="left", maintain_order="left")
        found += joined.select(content).to_series().to_list()
    return found
