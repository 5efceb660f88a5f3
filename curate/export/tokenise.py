"""From messages to token ids, segment by segment, as OpenChat does it.

A rendered conversation tokenised in one go differs from this at the seams. Text from data never yields
a control token: `<|end_of_turn|>` in a user's message stays text. (OpenChat's own escaping has no effect
on transformers of 2024-06 and later.)
"""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import polars as pl
import pyarrow as pa

from curate.errors import CurateError, InputError, MissingExtraError
from curate.export.hashing import shuffle_hash
from curate.export.mix import Mixed
from curate.export.ragged import lists

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from curate.export.templates import Template

# Conversations tokenised at a time: bounds the memory that the tokenizer's own results take.
_CHUNK = 256


class Tokenizer(Protocol):
    """What tokenising needs of a tokenizer."""

    def bos(self) -> list[int]:
        """The ids that open a conversation; may be none."""

    def markup(self, text: str) -> list[int]:
        """Ids of our own text: special tokens in it are live."""

    def texts(self, texts: list[str]) -> list[list[int]]:
        """Ids of texts from data: special tokens in them are text."""

    def special(self, token: str) -> int | None:
        """The id of a special token; None when there is none."""


class Segment(NamedTuple):
    """One message as ids: those from `begin` on are the message itself and its end, with its weight in the loss."""

    turn: int
    role: str
    ids: list[int]
    begin: int
    weight: float


class Encoder:
    """A tokenizer, a template, and how long a row may get.

    Args:
        tokenizer: Turns text into ids.
        template: What stands around each message.
        max_length: Ids a row may have.
        fingerprint: SHA-256 of the tokenizer's file.
        long: What becomes of a longer conversation: `split` into several rows, or `cut` as OpenChat does.
    """

    def __init__(
        self, tokenizer: Tokenizer, template: Template, max_length: int, fingerprint: str, long: str = "split"
    ) -> None:
        self.template = template
        self.max_length = max_length
        self.fingerprint = fingerprint
        self.long = long
        self._tokenizer = tokenizer
        self._texts = tokenizer.texts
        self._markup = cache(tokenizer.markup)
        self._bos = tokenizer.bos()
        self._eot = tokenizer.markup(template.eot)

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process."""
        return Encoder, (self._tokenizer, self.template, self.max_length, self.fingerprint, self.long)

    def count(self, texts: list[str]) -> list[int]:
        """Ids of each text and the end of its turn, however long a row may get."""
        return [len(ids) + len(self._eot) for ids in self._texts(texts)]

    def encode(self, mixed: Mixed) -> Mixed:
        """Tokenise one shard.

        Returns:
            Rows gain `input_ids` list<int32>, `loss_weights` list<float64> (unshifted; 0 in prompts) and `cut`
            (longer than `max_length`, even when split where a question begins); these are cut on the right there,
            then trailing tokens of weight 0 are cut, and a row of which nothing is left goes. Responses gain
            `tokens` (int32, supervised; null = not trained) and are masked `too_long` where the cut left nothing
            of them. Conversations that lost every row are dropped `too_long`.
        """
        counts: list[tuple[int, int, int]] = []
        pieces = [self._encode(chunk, counts) for chunk in mixed.rows.iter_slices(_CHUNK)]
        kept = pl.concat(pieces or [self._encode(mixed.rows, counts)])
        tokens = pl.DataFrame(counts, {"key": pl.UInt64, "turn": pl.Int32, "tokens": pl.Int32}, orient="row")
        lost_row = pl.col("dropped").is_null() & ~pl.col("key").is_in(kept["key"].implode())
        return Mixed(
            kept,
            mixed.responses.join(tokens, on=["key", "turn"], how="left", maintain_order="left").with_columns(
                masked=pl.when(pl.col("tokens") == 0).then(pl.lit("too_long")).otherwise("masked")
            ),
            mixed.conversations.with_columns(dropped=pl.when(lost_row).then(pl.lit("too_long")).otherwise("dropped")),
        )

    def _encode(self, rows: pl.DataFrame, counts: list[tuple[int, int, int]]) -> pl.DataFrame:
        conversations = rows["messages"].to_list()
        contents = iter(self._texts([message["content"] for messages in conversations for message in messages]))
        ids: list[npt.NDArray[np.int32]] = []
        weights: list[npt.NDArray[np.float64]] = []
        cut: list[bool] = []
        places: list[tuple[int, int]] = []
        for row, (key, condition, messages) in enumerate(
            zip(rows["key"], rows["condition"], conversations, strict=True)
        ):
            for window, segments in enumerate(self._windows(self._segments(messages, condition, contents))):
                row_ids, row_weights, spans = self._join(segments)
                length = min(len(row_ids), self.max_length)
                counts += [(key, turn, max(0, min(end, length) - begin)) for turn, begin, end in spans]
                is_cut = length < len(row_ids)
                while length and not row_weights[length - 1]:
                    length -= 1
                if length:
                    ids.append(np.array(row_ids[:length], np.int32))
                    weights.append(np.array(row_weights[:length], np.float64))
                    cut.append(is_cut)
                    places.append((row, window))
        numbers = pl.DataFrame(places, {"row": pl.UInt32, "window": pl.UInt64}, orient="row")
        return _numbered(rows[numbers["row"]].with_columns(numbers["window"], *_columns(ids, weights, cut)))

    def _segments(
        self, messages: list[dict[str, Any]], condition: str, contents: Iterator[list[int]]
    ) -> list[Segment]:
        """Each message of one row."""
        segments = []
        for turn, message in enumerate(messages):
            content = next(contents)
            if turn == 0 and message["role"] == "system":
                if not message["content"]:
                    continue
                prefix = self._markup(self.template.system_prefix) if self.template.system_prefix else []
            else:
                prefix = self._markup(self.template.prefix(message["role"], condition))
            ids = [*prefix, *content, *self._eot]
            segments.append(Segment(turn, message["role"], ids, len(prefix), decimal(message["weight"])))
        return segments

    def _windows(self, segments: list[Segment]) -> Iterator[list[Segment]]:
        """The rows of one conversation: whole exchanges, as many as fit, the system message before each row."""
        space = self.max_length - len(self._bos)
        if self.long == "cut" or sum(len(segment.ids) for segment in segments) <= space:
            yield segments
            return
        has_system = segments[0].turn == 0 and segments[0].role == "system"
        head, turns = segments[:has_system], segments[has_system:]
        begins = [place for place, segment in enumerate(turns) if segment.role == "user" or place == 0]
        window: list[Segment] = []
        for begin, end in pairwise([*begins, len(turns)]):
            exchange = turns[begin:end]
            if window and sum(len(segment.ids) for segment in (*head, *window, *exchange)) > space:
                yield [*head, *window]
                window = []
            window += exchange
        yield [*head, *window]

    def _join(self, segments: list[Segment]) -> tuple[list[int], list[float], list[tuple[int, int, int]]]:
        """Ids and weights of one row, and turn, begin and end of each response with a weight."""
        ids, weights = self._bos.copy(), [0.0] * len(self._bos)
        spans = []
        for turn, _, own, begin, weight in segments:
            if weight:
                spans.append((turn, len(ids) + begin, len(ids) + len(own)))
            ids += own
            weights += [0.0] * begin + [weight] * (len(own) - begin)
        return ids, weights, spans


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of one conversation get an `id` and an `order` of their own."""
    if not rows["window"].sum():
        return rows.drop("window")
    order = shuffle_hash(rows["order"].to_numpy() + rows["window"].to_numpy(), 0)
    later = pl.col("window") > 0
    return rows.with_columns(
        order=pl.when(later).then(pl.Series(order, dtype=pl.UInt64)).otherwise("order"),
        id=pl.when(later).then(pl.col("id") + "/" + (pl.col("window") + 1).cast(pl.String)).otherwise("id"),
    ).drop("window")


@cache
def decimal(weight: float) -> float:
    """A float32 weight as the float64 that its shortest decimal form names, as a JSON reader sees it."""
    return float(str(np.float32(weight)))


def load(path: str, template: Template, max_length: int | None, long: str = "split") -> Encoder:
    """An encoder from a folder with `tokenizer.json` or `tokenizer.model`.

    Raises:
        InputError: There is no tokenizer, or it cannot be read.
        MissingExtraError: The package that reads it is not installed.
        CurateError: The tokenizer does not know the template's special tokens.
    """
    length = template.context if max_length is None else max_length
    if length < 1:
        raise CurateError(f"`max_length` is {length}, it must be above 0")
    folder = Path(path)
    files = [folder] if folder.is_file() else [folder / "tokenizer.json", folder / "tokenizer.model"]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise InputError(
            "no `tokenizer.json` or `tokenizer.model` here",
            where=folder,
            hint="name a folder with the tokenizer of the base model; nothing is downloaded",
        )
    tokenizer: Tokenizer = _SentencePiece(file) if file.suffix == ".model" else _HuggingFace(file)
    for token in {template.eot, *([template.start] if template.start else [])}:
        if tokenizer.special(token) is None:
            raise CurateError(
                f"the tokenizer has no special token `{token}`, which the template `{template.name}` needs",
                where=file,
                hint="use the tokenizer of an OpenChat base model, or another --template",
            )
    return Encoder(tokenizer, template, length, sha256(file.read_bytes()).hexdigest(), long)


class _HuggingFace:
    """`tokenizer.json`, by the package `tokenizers`."""

    def __init__(self, file: Path) -> None:
        try:
            from tokenizers import Tokenizer as Backend
        except ImportError:
            raise MissingExtraError("tokenizers", "tokenizer") from None
        # The package raises the bare Exception for any mistake, so the likely ones are looked for first.
        try:
            if "model" not in json.loads(file.read_text("utf-8")):
                raise InputError("the tokenizer has no `model`", where=file)
        except (OSError, ValueError) as error:
            raise InputError("the tokenizer cannot be read", where=file, hint=str(error)) from error
        self._live, self._text = Backend.from_file(str(file)), Backend.from_file(str(file))
        for backend in (self._live, self._text):
            backend.no_truncation()
            backend.no_padding()
        self._text.encode_special_tokens = True

    def __setstate__(self, state: dict[str, Any]) -> None:
        # The package forgets it on the way to another process, and text from data would yield control tokens.
        self.__dict__ |= state
        self._text.encode_special_tokens = True

    def bos(self) -> list[int]:
        return list(self._live.encode("").ids)

    def markup(self, text: str) -> list[int]:
        return list(self._live.encode(text, add_special_tokens=False).ids)

    def texts(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._text.encode_batch_fast(texts, add_special_tokens=False)]

    def special(self, token: str) -> int | None:
        found: int | None = self._live.token_to_id(token)
        return found


class _SentencePiece:
    """`tokenizer.model`, by the package `sentencepiece`, with the tokens of `added_tokens.json` beside it."""

    def __init__(self, file: Path) -> None:
        try:
            from sentencepiece import SentencePieceProcessor
        except ImportError:
            raise MissingExtraError("sentencepiece", "tokenizer") from None
        try:
            self._model = SentencePieceProcessor(model_file=str(file))
            added = file.with_name("added_tokens.json")
            self._added: dict[str, int] = json.loads(added.read_text("utf-8")) if added.exists() else {}
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError("the tokenizer cannot be read", where=file, hint=str(error)) from error

    def bos(self) -> list[int]:
        bos = self._model.bos_id()
        return [bos] if bos >= 0 else []

    def markup(self, text: str) -> list[int]:
        return [self._added[text]] if text in self._added else self.texts([text])[0]

    def texts(self, texts: list[str]) -> list[list[int]]:
        return [list(ids) for ids in self._model.encode(texts)]

    def special(self, token: str) -> int | None:
        return self._added.get(token)


def _columns(
    ids: list[npt.NDArray[np.int32]], weights: list[npt.NDArray[np.float64]], cut: list[bool]
) -> list[pl.Series]:
    lengths = np.array([len(row) for row in ids], np.int64)
    flat_ids = np.concatenate([np.array([], np.int32), *ids])
    flat_weights = np.concatenate([np.array([]), *weights])
    return [
        lists(flat_ids, lengths, pa.int32()).alias("input_ids"),
        lists(flat_weights, lengths, pa.float64()).alias("loss_weights"),
        pl.Series("cut", cut, pl.Boolean),
    ]
