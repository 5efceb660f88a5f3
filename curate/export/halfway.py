"""The ids of shards that are done, kept until the export is whole: a run that is killed does not tokenise them again.

    .OUT.tokens/DIGEST.{counts,refused,rows}.arrow    beside OUT; the digest is of what was tokenised and how

`rows` is written last. The folder goes when the export is there.
"""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import blake2b, sha256
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl

from curate.export.tokenise import Tokens
from curate.workspace import atomic

if TYPE_CHECKING:
    from pathlib import Path

    from curate.export.tokenise import Encoder

# Rises when the same rows and options give other ids.
VERSION = 1
# What of a row becomes ids; `rows` comes last.
_READ = ("key", "condition", "messages")
_PARTS = ("counts", "refused", "rows")


class Halfway:
    """Tokens by what they are of.

    Args:
        out: Folder of the export.
        encoder: Makes them.
    """

    def __init__(self, out: Path, encoder: Encoder) -> None:
        self._folder = out.with_name(f".{out.name}.tokens")
        self._encoder = encoder
        template = sha256(encoder.template.jinja.encode()).hexdigest()
        told = [VERSION, encoder.fingerprint, encoder.template.name, template, *encoder.limit]
        self._told = json.dumps(told).encode()

    def tokens(self, rows: pl.DataFrame) -> Tokens:
        """The rows as ids: kept ones, or made and kept now."""
        paths = {part: self._folder / f"{self._digest(rows)}.{part}.arrow" for part in _PARTS}
        if paths["rows"].exists():
            # What cannot be read is made again.
            with suppress(OSError, pl.exceptions.PolarsError):
                return Tokens(**{part: pl.read_ipc(path) for part, path in paths.items()})
        tokens = self._encoder.tokenise(rows)
        self._folder.mkdir(parents=True, exist_ok=True)
        for part, path in paths.items():
            with atomic(path) as temporary:
                getattr(tokens, part).write_ipc(temporary, compression="lz4")
        return tokens

    def clear(self) -> None:
        """Remove what was kept; nothing else that stands there."""
        for path in self._folder.glob("*.arrow*"):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            self._folder.rmdir()

    def _digest(self, rows: pl.DataFrame) -> str:
        written = BytesIO()
        rows.select(_READ).rechunk().write_ipc(written)
        return blake2b(self._told + written.getbuffer(), digest_size=16).hexdigest()
