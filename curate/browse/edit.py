"""Corrections from the browser: what a person typed to what is stored, by `curate.correct` alone and one at a time."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from curate.corrections import Correction, author, correct, corrections, store
from curate.errors import CurateError

if TYPE_CHECKING:
    from pathlib import Path

Place = tuple[int, int]


class Session:
    """What was said by hand of the responses of a workspace, and a way to say more.

    Args:
        workspace: Folder of the workspace.
        by: Who corrects; None = `CURATE_BY`, else the name of the account.

    Attributes:
        by: Who corrects.
        said: What holds, by conversation and turn; copies of a conversation share it.
        made: How many corrections and undoings were stored.

    Raises:
        CurateError: `by` is empty.
    """

    def __init__(self, workspace: str | Path, by: str | None = None) -> None:
        self.by = author(by)
        self.said: dict[Place, Correction] = {}
        self.made = 0
        self._path = workspace
        self._lock = Lock()  # a second thread of ours would count as another curate

    def load(self) -> None:
        """Read what holds now, whoever said it."""
        found = corrections(self._path)
        self.said = {(key, one.turn): one for one in found for key in one.keys}

    def say(self, place: Place, said: str | float, why: str = "") -> None:
        """Store a correction, a class or a score; when this returns it is on disk.

        Raises:
            CurateError: A class that nobody knows, or a score out of bounds.
            WorkspaceError: Another curate writes to the workspace; nothing is changed.
        """
        class_, score = (said, None) if isinstance(said, str) else (None, said)
        with self._lock:
            found = correct(self._path, [place], class_=class_, score=score, by=self.by, why=why.strip() or None)
            self.made += 1
            self.said = self.said | {(key, one.turn): one for one in found for key in one.keys}

    def take_back(self, place: Place) -> None:
        """Take back all that was said of a response, whoever said it.

        Raises:
            CurateError: Nothing was said of it.
            WorkspaceError: Another curate writes to the workspace; nothing is changed.
        """
        with self._lock:
            correct(self._path, [place], by=self.by, undo=True)
            self.made += 1
            undone = self.said.get(place)
            copies = {(key, undone.turn) for key in undone.keys} if undone else {place}
            self.said = {other: one for other, one in self.said.items() if other not in copies}


def known_classes() -> list[str]:
    """The classes that may be said, those with a weight first, `unknown` last."""
    from curate import reward, rules

    weights = reward.read_weights("weights.toml").classes
    verdicts = {str(rule.verdict) for rule in rules.load("labels.toml", "labels", check_cases=False).rules}
    return [*weights, *sorted(verdicts - weights.keys() - {store.UNKNOWN}), store.UNKNOWN]


def as_class(text: str, classes: list[str]) -> str:
    """A class by its number in the list (from 1), its name, or a beginning that no other has.

    Raises:
        CurateError: Several begin so, or nothing was typed; `curate.correct` refuses what nobody knows.
    """
    text = text.strip()
    if not text:
        raise CurateError("no class is given", hint="its name, or its number")
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= len(classes):
        return classes[int(text) - 1]
    begun = [name for name in classes if name.startswith(text)]
    if text in classes or not begun:
        return text
    if len(begun) > 1:
        raise CurateError(f"`{text}` may be {' or '.join(begun)}")
    return begun[0]


def as_score(text: str) -> float:
    """A number from 0 to 1; `.7` will do.

    Raises:
        CurateError: It is none.
    """
    try:
        return float(text)
    except ValueError:
        raise CurateError(f"`{text.strip()}` is no number", hint="0 (worst) to 1 (best), such as 0.7") from None
