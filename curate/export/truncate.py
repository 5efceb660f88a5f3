"""What becomes of a conversation that is longer than a row may be.

    turn       the row ends where the last message that fits ends; what follows is set aside
    split      several rows, each of whole exchanges, the system message before each; an exchange that fits in no
               row is set aside; later rows may begin with exchanges of the row before, which weigh 0 there
    openchat   cut on the right, in the midst of a response, as OpenChat's converter does

Only `openchat` trains a part of a response: the model would learn to stop there, or never to.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

TRUNCATIONS = ("turn", "split", "openchat")


class Window(NamedTuple):
    """One row.

    Attributes:
        turns: Places of its messages, in order.
        learned: From which place on responses have their weight; those before are context.
    """

    turns: tuple[int, ...]
    learned: int


def windows(
    places: Sequence[int], roles: Sequence[str], lengths: Sequence[int], space: int, truncate: str, context: int
) -> list[Window]:
    """The rows of a conversation that does not fit.

    Args:
        places: Places of the messages that have ids; a system message may stand first, at place 0.
        roles: Their roles.
        lengths: Their ids.
        space: Ids that a row has for them.
        truncate: `turn` or `split`.
        context: Exchanges that later rows repeat, as far as there is room.
    """
    if truncate == "turn":
        kept, used = [], 0
        for place, length in zip(places, lengths, strict=True):
            used += length
            if used > space:
                break
            kept.append(place)
        return [Window(tuple(kept), 0)] if kept else []
    has_system = int(roles[0] == "system" and places[0] == 0)
    head, room = tuple(places[:has_system]), space - sum(lengths[:has_system])
    begins = [at for at in range(has_system, len(places)) if roles[at] == "user" or at == has_system]
    exchanges = list(pairwise([*begins, len(places)]))
    sizes = [sum(lengths[begin:end]) for begin, end in exchanges]
    found: list[Window] = []
    at = 0
    while at < len(exchanges):
        if sizes[at] > room:
            at += 1
            continue
        first = at
        # Context is what stands right before; nothing in between is left out, or it would answer another question.
        while first and at - first < context and found and sum(sizes[first - 1 : at + 1]) <= room:
            first -= 1
        used, end = sum(sizes[first : at + 1]), at + 1
        while end < len(exchanges) and used + sizes[end] <= room:
            used += sizes[end]
            end += 1
        turns = tuple(places[exchanges[first][0] : exchanges[end - 1][1]])
        found.append(Window((*head, *turns), places[exchanges[at][0]]))
        at = end
    return found
