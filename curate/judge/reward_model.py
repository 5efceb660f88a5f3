"""A reward model as the judge: a sequence classifier as RLHF trains them, one number per prompt and response.

Run here by sentence-transformers' CrossEncoder from a folder or a name, or behind a vLLM server's `/score`.
The number has no scale of its own: `score` keeps it as it is, `reward` is its logistic function (the
Bradley-Terry chance of beating a response of score 0), and only the order means anything. Use the percentile.
"""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from curate.errors import JudgeError, MissingExtraError
from curate.judge.parse import Reading
from curate.judge.rates import Rates
from curate.judge.store import Judgement
from curate.judge.wire import BadRequestError, RowError, count_of, not_an_answer, text_of

if TYPE_CHECKING:
    from curate.judge.call import Call
    from curate.judge.wire import Wire

CRITERION = "reward_model"
BATCH = 16


class Encoder:
    """A reward model on this machine; a backend, see `curate.judge.call.Backend`.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        JudgeError: There is no such model, or it gives more than one number.
    """

    def __init__(self, model: str) -> None:
        try:
            from sentence_transformers import CrossEncoder
        except ImportError:
            raise MissingExtraError("sentence-transformers", "semantic") from None
        from torch import nn

        self.address = model
        self.reached = True
        self._model = model
        try:
            # The raw number: what its file may say of an activation would hide the scale.
            self._encoder = CrossEncoder(model, activation_fn=nn.Identity())
        except (OSError, ValueError) as error:
            what = f"the reward model cannot be loaded: {str(error).splitlines()[0]}"
            raise JudgeError(what, where=model, hint="give the folder of a sequence-classification model") from error
        if self._encoder.num_labels != 1:
            what = f"the model gives {self._encoder.num_labels} numbers per response, a reward model gives one"
            raise JudgeError(what, where=model)
        self._lock = asyncio.Lock()
        self.rates = Rates()

    def worst_in(self, call: Call) -> int:
        """Nothing is billed."""
        return 0

    def worst_out(self, call: Call) -> int:
        """Nothing is billed."""
        return 0

    async def ask(self, call: Call) -> Judgement:
        """The number for the one response of a call."""
        pair = _pair(call)
        begun = monotonic()
        async with self._lock:
            value = await asyncio.to_thread(lambda: float(self._encoder.predict([pair], show_progress_bar=False)[0]))
        return _judgement(call, self._model, self._model, value, None, monotonic() - begun)


class Served:
    """A reward model behind a vLLM server's `/score`; a backend, see `curate.judge.call.Backend`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    @property
    def address(self) -> str:
        """What may be shown of the address."""
        return self._wire.address

    @property
    def reached(self) -> bool:
        """Whether the server has answered anything yet."""
        return self._wire.reached

    @property
    def rates(self) -> Rates:
        """What the server says that it will still take."""
        return self._wire.rates

    def worst_in(self, call: Call) -> int:
        """The most tokens that a prompt may be billed for."""
        return call.most_in

    def worst_out(self, call: Call) -> int:
        """A number, and no text."""
        return 0

    async def ask(self, call: Call) -> Judgement:
        """The number for the one response of a call; see `Backend.ask` for what it raises."""
        prompt, response = _pair(call)
        body = {"model": self._wire.model, "text_1": prompt, "text_2": response}
        try:
            reply, seconds = await self._wire.send(self._wire.request("POST", "/score", body))
            value = float(reply["data"][0]["score"])
        except BadRequestError as error:
            raise RowError(f"the server rejects it: {error}") from None
        except (KeyError, IndexError, TypeError, ValueError):
            raise not_an_answer() from None
        usage = reply.get("usage") or {}
        served = text_of(reply.get("model"))
        return _judgement(call, self._wire.model, served, value, count_of(usage.get("prompt_tokens")), seconds)


def is_folder(model: str) -> bool:
    """Whether a judge's name is the folder of a model."""
    return (Path(model).expanduser() / "config.json").is_file()


def read(content: str | None) -> Reading:
    """The reading of a stored number."""
    try:
        value = float(json.loads(content or ""))
    except (ValueError, TypeError):
        value = math.nan
    if not math.isfinite(value):
        return Reading("unparsed", text="the reward model gave no finite number")
    return Reading("ok", {CRITERION: value})


def reward(value: float) -> float:
    """Logistic function: 0 to 1, in the same order."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def _pair(call: Call) -> tuple[str, str]:
    assert call.pairs is not None
    return next(iter(call.pairs.values()))


def _judgement(
    call: Call, model: str, served: str | None, value: float, tokens: int | None, seconds: float
) -> Judgement:
    return Judgement(
        key=call.key,
        api="reward-model",
        model=model,
        served_model=served,
        rubric=CRITERION,
        content=json.dumps(value),
        finish_reason="stop",
        tokens_in=tokens,
        tokens_out=0,
        seconds=round(seconds, 3),
    )
