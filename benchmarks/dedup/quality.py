"""How right a removal is, whatever the rule that chose which copy stays."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from truth import Pairs


@dataclass(frozen=True)
class Quality:
    """What a tool's removals are worth.

    Attributes:
        recall: Of the documents that had to go, those that did: removed ones with a true duplicate, over these and
            the ones still to be removed until no two kept documents are duplicates. None where nothing had to go.
        precision: Of the removed documents, those that have a true duplicate. None where nothing was removed.
        without: Removed documents with no true duplicate among the kept ones.
    """

    recall: float | None
    precision: float | None
    without: int


def judge(removed: set[int], pairs: Pairs, aside: frozenset[int] = frozenset()) -> Quality:
    """Judge removals by the true pairs.

    Args:
        removed: Positions in the list of documents.
        pairs: At least as similar as the tool's threshold.
        aside: Documents that are not judged, as if they were not there: those that a tool removed because another
            contains them, which their similarity says nothing of.
    """
    similar: defaultdict[int, list[int]] = defaultdict(list)
    for left, right in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True):
        if left not in aside and right not in aside:
            similar[left].append(right)
            similar[right].append(left)
    right_ones = sum(row in similar for row in removed)
    without = sum(all(other in removed for other in similar.get(row, ())) for row in removed)
    left_over: set[int] = set()
    for row in sorted(set(similar) - removed):
        if any(other < row and other not in removed and other not in left_over for other in similar[row]):
            left_over.add(row)
    had_to_go = right_ones + len(left_over)
    return Quality(
        recall=right_ones / had_to_go if had_to_go else None,
        precision=right_ones / len(removed) if removed else None,
        without=without,
    )
