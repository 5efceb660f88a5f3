"""The tokenizer of a base model, from its folder: `tokenizer.json` or `tokenizer.model`; nothing is downloaded."""

from __future__ import annotations

import json
import re
from array import array
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from curate.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    # Four bytes an id, and numpy reads it where it lies.
    Ids = array[int]


class Tokenizer(Protocol):
    """What tokenising needs of a tokenizer.

    Attributes:
        file: What it was read from.
        fingerprint: SHA-256 of that file.
    """

    file: Path
    fingerprint: str

    def bos(self) -> list[int]:
        """The ids that open a conversation; may be none."""

    def markup(self, text: str) -> list[int]:
        """Ids of our own text: special tokens in it are live."""

    def texts(self, texts: list[str]) -> Sequence[Ids]:
        """Ids of texts from data: special tokens in them are text."""

    def special(self, token: str) -> int | None:
        """The id of a special token; None when there is none."""

    def specials(self) -> set[str]:
        """All special tokens."""

    def size(self) -> int:
        """What every id is below: its last one, and 1."""


def read(path: str) -> Tokenizer:
    """The tokenizer in a folder, or in a file.

    Raises:
        InputError: There is none, or it cannot be read.
        MissingExtraError: The package that reads it is not installed.
    """
    folder = Path(path)
    files = [folder] if folder.is_file() else [folder / "tokenizer.json", folder / "tokenizer.model"]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise InputError(
            "no `tokenizer.json` or `tokenizer.model` here",
            where=folder,
            hint="name a folder with the tokenizer of the base model; nothing is downloaded",
        )
    return SentencePiece(file) if file.suffix == ".model" else HuggingFace(file)


class HuggingFace:
    """`tokenizer.json`, by the package `tokenizers`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        # The package raises the bare Exception for any mistake, so the likely ones are looked for first.
        try:
            raw = file.read_bytes()
            description = json.loads(raw)
            if "model" not in description:
                raise InputError("the tokenizer has no `model`", where=file)
        except (OSError, ValueError) as error:
            raise InputError("the tokenizer cannot be read", where=file, hint=str(error)) from error
        self.fingerprint = sha256(raw).hexdigest()
        self._live, self._text = (backend(raw.decode("utf-8")) for _ in range(2))
        self._text.encode_special_tokens = True
        # No more of it: a hundred thousand merges as lists are gone through by every collection of garbage.
        self.added: list[dict[str, Any]] = description.get("added_tokens") or []

    def description(self) -> dict[str, Any]:
        """All of the file."""
        found: dict[str, Any] = json.loads(self.file.read_bytes())
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process reads the file, since a copy of the package's object forgets which tokens are text."""
        return HuggingFace, (self.file,)

    def bos(self) -> list[int]:
        """As `Tokenizer.bos`."""
        return list(self._live.encode("").ids)

    def markup(self, text: str) -> list[int]:
        """As `Tokenizer.markup`."""
        return list(self._live.encode(text, add_special_tokens=False).ids)

    def texts(self, texts: list[str]) -> Sequence[Ids]:
        """As `Tokenizer.texts`."""
        return [flat(encoding.ids) for encoding in self._text.encode_batch_fast(texts, add_special_tokens=False)]

    def special(self, token: str) -> int | None:
        """As `Tokenizer.special`."""
        found: int | None = self._live.token_to_id(token)
        return found

    def specials(self) -> set[str]:
        """As `Tokenizer.specials`."""
        return {entry["content"] for entry in self.added if entry.get("special")}

    def size(self) -> int:
        """As `Tokenizer.size`."""
        return max(self._live.get_vocab(with_added_tokens=True).values(), default=-1) + 1


def flat(ids: Iterable[int]) -> Ids:
    """Ids as an array of the standard library, which reads a list in half of numpy's time."""
    return array("i", ids)


def backend(description: str) -> Any:
    """A `tokenizers.Tokenizer` of the text of a `tokenizer.json`, that neither cuts nor pads.

    Raises:
        MissingExtraError: The package is not installed.
    """
    try:
        from tokenizers import Tokenizer as Backend
    except ImportError:
        raise MissingExtraError("tokenizers", "tokenizer") from None
    found = Backend.from_str(description)
    found.no_truncation()
    found.no_padding()
    return found


def renamed(description: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """A tokenizer in which control tokens go by other names and keep their ids."""
    added = [
        {**entry, "content": names.get(entry["content"], entry["content"])} for entry in description["added_tokens"]
    ]
    model = dict(description["model"])
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        model["vocab"] = {names.get(token, token): number for token, number in vocabulary.items()}
    elif isinstance(vocabulary, list):
        model["vocab"] = [[names.get(token, token), score] for token, score in vocabulary]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    return {**description, "added_tokens": added, "model": model, "post_processor": None}


class SentencePiece:
    """`tokenizer.model`, by the package `sentencepiece`, with the tokens of `added_tokens.json` beside it."""

    def __init__(self, file: Path) -> None:
        try:
            from sentencepiece import SentencePieceProcessor
        except ImportError:
            raise MissingExtraError("sentencepiece", "tokenizer") from None
        self.file = file
        try:
            self.fingerprint = sha256(file.read_bytes()).hexdigest()
            self._model = SentencePieceProcessor(model_file=str(file))
            added = file.with_name("added_tokens.json")
            self._special: dict[str, int] = json.loads(added.read_text("utf-8")) if added.exists() else {}
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError("the tokenizer cannot be read", where=file, hint=str(error)) from error
        size = self._model.vocab_size()
        controls = [number for number in range(size) if self._model.is_control(number)]
        self._special |= {self._model.id_to_piece(number): number for number in controls}
        longest = sorted(self._special, key=len, reverse=True)
        self._split = re.compile(f"({'|'.join(map(re.escape, longest)) or '(?!)'})")

    def __reduce__(self) -> tuple[Any, ...]:
        """As of `HuggingFace`."""
        return SentencePiece, (self.file,)

    def bos(self) -> list[int]:
        """As `Tokenizer.bos`."""
        bos = self._model.bos_id()
        return [bos] if bos >= 0 else []

    def markup(self, text: str) -> list[int]:
        """As `Tokenizer.markup`."""
        pieces = [piece for piece in self._split.split(text) if piece]
        ids = [[self._special[piece]] if piece in self._special else self._model.encode(piece) for piece in pieces]
        return [id_ for piece in ids for id_ in piece]

    def texts(self, texts: list[str]) -> Sequence[Ids]:
        """As `Tokenizer.texts`."""
        return [flat(ids) for ids in self._model.encode(texts)]

    def special(self, token: str) -> int | None:
        """As `Tokenizer.special`."""
        return self._special.get(token)

    def specials(self) -> set[str]:
        """As `Tokenizer.specials`."""
        return set(self._special)

    def size(self) -> int:
        """As `Tokenizer.size`."""
        return max(self._model.vocab_size(), *(id_ + 1 for id_ in self._special.values()))
