"""From messages to token ids: the rows and the responses of a shard, in ids.

`segments.py` frames a conversation, `truncate.py` says what of it fits a row.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from curate.errors import CurateError
from curate.export import vocabulary
from curate.export.ahead import ahead
from curate.export.chat import ChatTemplate
from curate.export.hashing import shuffle_hash
from curate.export.mix import Mixed
from curate.export.ragged import lists, stretches
from curate.export.rendered import Rendered
from curate.export.segments import Part, Segments
from curate.export.truncate import Window, windows
from curate.export.vocabulary import flat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from curate.export.segments import Framed, Framing, Messages
    from curate.export.templates import Template
    from curate.export.vocabulary import Ids, Tokenizer

# Bytes of text tokenised at a time: bounds the memory that the tokenizer's own results take, some 30 times as much.
_CHUNK = 1 << 20


class Limit(NamedTuple):
    """How long a row may get.

    Attributes:
        max_length: Ids of a row; None = the template's context.
        truncate: What becomes of a longer conversation: one of `truncate.TRUNCATIONS`.
        context: Exchanges that the later rows of a split conversation repeat with weight 0.
    """

    max_length: int | None = None
    truncate: str = "turn"
    context: int = 0


class Tokens(NamedTuple):
    """A shard in ids.

    Attributes:
        rows: `row` uint32 (its place among the rows given), `window` uint64, `input_ids`, `loss_weights`, `cut`.
        counts: `key`, `turn`, `tokens`: how many ids of a trained response are learned.
        refused: `key` of conversations that the template does not take, and `why`.
    """

    rows: pl.DataFrame
    counts: pl.DataFrame
    refused: pl.DataFrame


class Encoder:
    """A tokenizer, a template, and how long a row may get.

    Args:
        framing: Turns conversations into ids.
        template: What stands around each message.
        limit: How long a row may get; its `max_length` is set.
        tokenizer: The tokenizer.
    """

    def __init__(
        self, framing: Framing, template: Template | ChatTemplate, limit: Limit, tokenizer: Tokenizer
    ) -> None:
        self.framing = framing
        self.template = template
        self.limit = limit
        self._tokenizer = tokenizer
        self.max_length = limit.max_length or 0
        self.fingerprint = tokenizer.fingerprint
        self.specials = tokenizer.specials()
        self.size = tokenizer.size()

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process."""
        return build, (self._tokenizer, self.template, self.limit)

    def count(self, texts: list[str]) -> list[int]:
        """Ids of each text and the end of its turn, however long a row may get."""
        return self.framing.count(texts)

    def encode(self, mixed: Mixed, tokenise: Callable[[pl.DataFrame], Tokens] | None = None) -> Mixed:
        """Tokenise one shard.

        Args:
            mixed: The shard.
            tokenise: Instead of `tokenise`.

        Returns:
            Rows gain `input_ids` list<int32>, `loss_weights` list<float64> (unshifted; 0 in prompts) and `cut` (lost
            its end at `max_length`); trailing tokens of weight 0 are cut, and a row of which nothing is left goes.
            Responses gain `tokens` (int32, supervised; null = not trained) and are masked `too_long` where nothing of
            them is left. Conversations that lost every row are dropped `too_long`, and those that the template does
            not take `target_template`.
        """
        tokens = (tokenise or self.tokenise)(mixed.rows)
        kept = _numbered(mixed.rows[tokens.rows["row"]].hstack(tokens.rows.drop("row")))
        lost_row = pl.col("dropped").is_null() & ~pl.col("key").is_in(kept["key"].implode())
        refused = pl.col("key").is_in(tokens.refused["key"].implode())
        why = pl.when(refused).then(pl.lit("target_template")).otherwise(pl.lit("too_long"))
        return Mixed(
            kept,
            mixed.responses.join(tokens.counts, on=["key", "turn"], how="left", maintain_order="left").with_columns(
                masked=pl.when(pl.col("tokens") == 0).then(pl.lit("too_long")).otherwise("masked")
            ),
            mixed.conversations.with_columns(dropped=pl.when(lost_row).then(why).otherwise("dropped")),
        )

    def tokenise(self, rows: pl.DataFrame) -> Tokens:
        """Rows with `key`, `condition` and `messages` as ids."""

        def framed(span: tuple[int, int]) -> tuple[Sequence[Messages], list[list[_Row] | str]]:
            part = rows[slice(*span)]
            said: list[Messages] = part["messages"].to_list()
            return said, self.framed(list(zip(said, part["condition"], strict=True)))

        contents = rows["messages"].list.eval(pl.element().struct.field("content").str.len_bytes())
        spans = stretches(contents.list.sum().to_numpy(), _CHUNK)
        chunks = [_Chunk(self)]
        for (begin, end), (said, found) in zip(spans, ahead(framed, spans), strict=True):
            chunk = _Chunk(self)
            for place, key in enumerate(rows["key"][begin:end]):
                chunk.conversation(key, begin + place, found[place], said[place])
            chunks.append(chunk)
        counts = list(chain.from_iterable(chunk.counts for chunk in chunks))
        refused = list(chain.from_iterable(chunk.refused for chunk in chunks))
        return Tokens(
            pl.concat([chunk.rows() for chunk in chunks]),
            pl.DataFrame(counts, {"key": pl.UInt64, "turn": pl.Int32, "tokens": pl.Int32}, orient="row"),
            pl.DataFrame(refused, {"key": pl.UInt64, "why": pl.String}, orient="row"),
        )

    def framed(self, spoken: Sequence[tuple[Messages, str]]) -> list[list[_Row] | str]:
        """The rows of each conversation, given as messages and condition; where the template refuses it, why."""
        truncate = self.limit.truncate
        rows: list[list[_Row] | str] = []
        # Parts of conversations that do not fit, and whose.
        parts: list[tuple[int, Window, Part]] = []
        # Later rows of a split conversation begin where no one knows who has not seen all of it.
        enough = None if truncate == "split" else self.max_length
        for place, framed in enumerate(self.framing.frame(spoken, enough)):
            if isinstance(framed, str):
                rows.append(framed)
                continue
            turns = tuple(segment.turn for segment in framed.segments)
            over = framed.length() > self.max_length
            if truncate == "openchat" or not turns or not over:
                rows.append([_Row(framed, Window(turns, 0), over)])
                continue
            rows.append([])
            messages, condition = spoken[place]
            roles = [messages[turn]["role"] for turn in turns]
            lengths = [len(segment.ids) for segment in framed.segments]
            space = self.max_length - len(framed.opening)
            parts += [
                (place, window, Part(framed, window.turns, messages, condition))
                for window in windows(turns, roles, lengths, space, truncate, self.limit.context)
            ]
        for (place, window, _), found in zip(parts, self.framing.parts([part for *_, part in parts]), strict=True):
            own = rows[place]
            if found and found.length() <= self.max_length and isinstance(own, list):
                own.append(_Row(found, window, truncate == "turn"))
        return rows


class _Row(NamedTuple):
    """One row of a conversation: ids, what they are of, and whether the end is cut off."""

    framed: Framed
    window: Window
    cut: bool


class _Chunk:
    """Rows of some conversations."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.counts: list[tuple[int, int, int]] = []
        self.refused: list[tuple[int, str]] = []
        self._places: list[tuple[int, int]] = []
        self._cut: list[bool] = []
        self._lengths: list[int] = []
        self._ids = flat(())
        # Stretches of one weight.
        self._stretches: list[int] = []
        self._weights: list[float] = []

    def conversation(self, key: int, row: int, found: list[_Row] | str, messages: Messages) -> None:
        """Add the rows of one."""
        if isinstance(found, str):
            self.refused.append((key, found))
            return
        trained = {turn for turn, message in enumerate(messages) if message["weight"]}
        for number, (framed, window, cut) in enumerate(found):
            own = trained.intersection(turn for turn in window.turns if turn >= window.learned)
            trained -= own
            self._row(key, (row, number), framed, {turn: decimal(messages[turn]["weight"]) for turn in own}, cut)
        self.counts += [(key, turn, 0) for turn in sorted(trained)]

    def _row(self, key: int, place: tuple[int, int], framed: Framed, weights: dict[int, float], cut: bool) -> None:
        most, first = self._encoder.max_length, len(framed.opening)
        pieces = [framed.opening]
        kept: tuple[Ids, ...] = ()
        over = 0
        for turn, ids, begin, end in framed.segments:
            pieces.append(ids)
            if turn in weights:
                begin, end = first + begin, min(first + end, most)
                self.counts.append((key, turn, max(0, end - begin)))
                if begin < end:
                    self._stretches += (begin - over, end - begin)
                    self._weights += (0.0, weights[turn])
                    kept, over = (*pieces[:-1], ids[: end - first]), end
            first += len(ids)
        if over:
            # What follows the last id that is learned goes.
            for piece in kept:
                self._ids += piece
            self._places.append(place)
            self._lengths.append(over)
            self._cut.append(cut)

    def rows(self) -> pl.DataFrame:
        """As `Tokens.rows`."""
        lengths = np.array(self._lengths, np.int64)
        weights = np.repeat(np.array(self._weights), np.array(self._stretches, np.int64))
        return pl.DataFrame(self._places, {"row": pl.UInt32, "window": pl.UInt64}, orient="row").with_columns(
            lists(np.frombuffer(self._ids, np.int32), lengths, pa.int32()).alias("input_ids"),
            lists(weights, lengths, pa.float64()).alias("loss_weights"),
            pl.Series("cut", self._cut, pl.Boolean),
        )


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


@lru_cache(1 << 16)
def decimal(weight: float) -> float:
    """A float32 weight as the float64 that its shortest decimal form names, as a JSON reader sees it."""
    return float(str(np.float32(weight)))


def load(path: str, template: Template | ChatTemplate, limit: Limit | None = None) -> Encoder:
    """An encoder from a folder with `tokenizer.json` or `tokenizer.model`.

    Raises:
        InputError: There is no tokenizer, or it cannot be read.
        MissingExtraError: The package that reads it is not installed.
        CurateError: The tokenizer does not know the template's special tokens.
    """
    return build(vocabulary.read(path), template, limit or Limit())


def build(tokenizer: Tokenizer, template: Template | ChatTemplate, limit: Limit) -> Encoder:
    """An encoder of a tokenizer that was read; raises as `load`."""
    length = template.context if limit.max_length is None else limit.max_length
    if length is None:
        what = "the chat template's tokenizer does not say how long a row may be"
        raise CurateError(what, where=template.name, hint="--max-length 8192")
    if length < 1:
        raise CurateError(f"`max_length` is {length}, it must be above 0")
    limit = limit._replace(max_length=length)
    if isinstance(template, ChatTemplate):
        if not isinstance(tokenizer, vocabulary.HuggingFace):
            what = "a chat template needs a `tokenizer.json`"
            raise CurateError(what, where=tokenizer.file, hint="OpenChat's templates take a `tokenizer.model`, too")
        return Encoder(Rendered(tokenizer, template), template, limit, tokenizer)
    for token in template.markup:
        if tokenizer.special(token) is None:
            raise CurateError(
                f"the tokenizer has no special token `{token}`, which the template `{template.name}` needs",
                where=tokenizer.file,
                hint="use the tokenizer of an OpenChat base model, or another --template",
            )
    return Encoder(Segments(tokenizer, template), template, limit, tokenizer)
