"""Files with prompts whose answers lie in other files: FastChat's `question.jsonl`, the input of an OpenAI batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.ingest import formats
from curate.ingest.conversation import UnusableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from curate.ingest.sources import Source

# Where FastChat keeps the questions of the answers in a folder.
QUESTIONS = "question.jsonl"


@dataclass
class Prompts:
    """The prompts of some files, by format and key.

    Attributes:
        files: Identity of each file, and how many prompts it has.
        found: All of them; None for a key under which two files have different prompts.
    """

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    found: dict[tuple[str, str], Any] = field(default_factory=dict)

    def add(self, source: Source, records: Iterable[dict[str, Any]]) -> None:
        """The prompts of one file."""
        count = 0
        for record in records:
            for name, (key, prompt) in keys_of(record).items():
                known = self.found.setdefault((name, key), prompt)
                if known != prompt:
                    self.found[name, key] = None
                count += 1
        self.files[source.file] = {"identity": source.identity, "prompts": count}

    def of(self, name: str, key: str) -> Any:
        """The prompt of a key; None when no file has it.

        Raises:
            UnusableError: Two files have different ones.
        """
        if (name, key) in self.found and self.found[name, key] is None:
            raise UnusableError("ambiguous_prompt", f"two files have different prompts for {key:.80}")
        return self.found.get((name, key))


def keys_of(record: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """Key and prompt that a record holds, by the format whose answers need it; empty when it holds none."""
    found = {}
    for name in formats.names():
        module = formats.answers(name)
        if module and (pair := module.companion(record)):
            found[name] = pair
    return found


def beside(file: str) -> str | None:
    """The questions in the folder of an answer file, or the one above."""
    folder = Path(file).parent
    return next((str(place / QUESTIONS) for place in (folder, folder.parent) if (place / QUESTIONS).is_file()), None)
