"""The map: responses in the plane, close where their texts mean the same, and figures that say how true it is.

Needs the extra `semantic`. Embeddings are kept in `embeddings.sqlite` of the workspace; t-SNE (van der Maaten and
Hinton, 2008) is scikit-learn's. A picture shows groups where there are none, so the share of a response's nearest
neighbours that are of its own group is counted twice: among the embeddings, and in the picture.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from curate.console import Talk, plain
from curate.errors import CurateError, MissingExtraError
from curate.report.histogram import CLASS_ORDER
from curate.report.sample import sample
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

NEIGHBOURS = 10
FEWEST = 20
CLUSTERS = 8
PROMPT = 160  # characters of a prompt that a dot shows


@dataclass(frozen=True)
class Point:
    """One response: where it is, its group by each way of grouping, and what was asked."""

    x: float
    y: float
    groups: dict[str, str]
    prompt: str


@dataclass(frozen=True)
class Group:
    """One group and its responses on the map."""

    name: str
    count: int


@dataclass(frozen=True)
class Purity:
    """How far a grouping is one of meaning, over the responses whose group is known.

    Attributes:
        by: class, reward, task or cluster.
        responses: How many that are.
        chance: Share of two random responses that are of one group, 0 to 1.
        meaning: Mean share of the nearest neighbours by embedding that are of a response's own group.
        picture: The same by the distance on the map.
    """

    by: str
    responses: int
    chance: float
    meaning: float
    picture: float


@dataclass(frozen=True)
class Map:
    """Responses in the plane.

    Attributes:
        points: The sample.
        groups: By each way of grouping, its groups, the largest first; rewards in their own order.
        purity: By each way of grouping that has two groups or more.
        neighbours_kept: Share of the nearest neighbours by embedding that are nearest on the map, 0 to 1.
        conversations: Conversations of the workspace; the map shows one response of each, or of a sample of them.
        model: The embedding model.
        seconds: Time of embedding, and of the projection.
    """

    points: tuple[Point, ...]
    groups: dict[str, tuple[Group, ...]]
    purity: tuple[Purity, ...]
    neighbours_kept: float
    conversations: int
    model: str
    seconds: tuple[float, float]


def draw(
    workspace: str | Path, *, size: int = 3_000, embedder: str | None = None, seed: int = 0, quiet: bool = False
) -> Map:
    """Embed and project one response each of a sample of the conversations.

    Args:
        workspace: Folder of the workspace; only its `embeddings.sqlite` is written.
        size: Most responses.
        embedder: Folder or name of a sentence-transformers model; None = the one of the extra.
        seed: Of projection and clusters.
        quiet: No progress.

    Raises:
        MissingExtraError: The extra `semantic` is not installed.
        CurateError: Fewer than 20 responses, or no such model.
    """
    from importlib.util import find_spec

    if find_spec("sklearn") is None:
        raise MissingExtraError("scikit-learn", "semantic")
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.manifold import TSNE

    from curate import embedding

    model = embedding.Embedder(embedder or embedding.DEFAULT)
    ws, talk = Workspace(workspace), Talk(quiet=quiet)
    rows = sample(ws, size, embedding.CHARS)
    if len(rows) < FEWEST:
        raise CurateError(f"a map needs {FEWEST} responses, there are {len(rows)}", where=ws.path)
    began = monotonic()
    texts = [row.response for row in rows]
    with talk.progress("embed", len(texts), "responses") as advance, ws.lock():
        vectors = embedding.cached(texts, model, ws.path / "embeddings.sqlite", advance)
    embedded = monotonic()
    perplexity = min(30.0, (len(rows) - 1) / 3)
    place = TSNE(metric="cosine", init="random", perplexity=perplexity, random_state=seed).fit_transform(vectors)
    count = min(CLUSTERS, len(rows) // 5)
    clusters = KMeans(count, n_init=3, random_state=seed).fit_predict(vectors)
    seconds = (embedded - began, monotonic() - embedded)
    names = {
        "class": [row.class_ or "unknown" for row in rows],
        "reward": [_band(row.reward) for row in rows],
        "task": [row.task or "unknown" for row in rows],
        "cluster": [f"cluster {number + 1}" for number in clusters],
    }
    near, seen = _neighbours(vectors, "cosine"), _neighbours(np.asarray(place, np.float32), "euclidean")
    kept = np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(near.tolist(), seen.tolist(), strict=True)])
    return Map(
        points=tuple(
            Point(
                float(x),
                float(y),
                {way: of[n] for way, of in names.items()},
                plain(" ".join(row.prompt.split()), PROMPT),
            )
            for n, (row, (x, y)) in enumerate(zip(rows, place.tolist(), strict=True))
        ),
        groups={way: _groups(way, of) for way, of in names.items()},
        purity=tuple(found for way, of in names.items() if (found := _purity(way, of, near, seen))),
        neighbours_kept=float(kept),
        conversations=ws.rows("conversations"),
        model=model.id.partition(":")[0],
        seconds=seconds,
    )


def lines(found: Map) -> list[str]:
    """What is to be said beside the picture."""
    shown, all_ = len(found.points), found.conversations
    what = f"map: a response each of {shown:,} of {all_:,} conversations, by {plain(found.model, 60)}"
    rate = f"{shown / found.seconds[0]:,.0f} a second" if found.seconds[0] > 0.5 else "kept from before"
    said = [f"{what}; embedded {found.seconds[0]:.1f} s ({rate}), projected {found.seconds[1]:.1f} s"]
    said += [
        f"  {one.by}: of {NEIGHBOURS} neighbours {100 * one.meaning:.1f} % are of the same by meaning, "
        f"{100 * one.picture:.1f} % in the picture, {100 * one.chance:.1f} % by chance ({one.responses:,} responses)"
        for one in found.purity
    ]
    return [*said, f"  the picture keeps {100 * found.neighbours_kept:.1f} % of the nearest neighbours"]


def _neighbours(vectors: npt.NDArray[np.float32], metric: str) -> Any:
    """Per row, the places of the rows nearest to it, itself aside."""
    from sklearn.neighbors import NearestNeighbors

    return (
        NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(vectors) - 1), metric=metric)
        .fit(vectors)
        .kneighbors(return_distance=False)
    )


def _purity(way: str, names: Sequence[str], near: Any, seen: Any) -> Purity | None:
    """None where fewer than two groups are known."""
    import numpy as np

    counts = Counter(name for name in names if name not in ("unknown", "unscored"))
    if len(counts) < 2:
        return None
    of = np.array(names)
    known = np.isin(of, list(counts))
    total = counts.total()
    chance = sum(n * (n - 1) for n in counts.values()) / (total * (total - 1))

    def share(places: Any) -> float:
        """A response none of whose neighbours is known says nothing."""
        alike = (of[places] == of[:, None]) & known[places]
        asked = known[places].sum(axis=1)
        rows = known & (asked > 0)
        return float((alike[rows].sum(axis=1) / asked[rows]).mean()) if rows.any() else 0.0

    return Purity(way, total, chance, share(near), share(seen))


def _groups(way: str, names: Sequence[str]) -> tuple[Group, ...]:
    counts = Counter(names)
    order = sorted(counts) if way in ("reward", "cluster") else [name for name, _ in counts.most_common()]
    if way == "class":
        # The same colours as everywhere else on the page.
        order.sort(key=lambda name: CLASS_ORDER.index(name) if name in CLASS_ORDER else len(CLASS_ORDER))
    return tuple(Group(name, counts[name]) for name in order)


def _band(reward: float | None) -> str:
    if reward is None:
        return "unscored"
    low = min(int(reward * 5), 4)
    return f"{low / 5:.1f} to {(low + 1) / 5:.1f}"
