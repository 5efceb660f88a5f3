"""A judge behind the OpenAI client's typed scoring call: no text to parse, a probability for every level.

`client.decisions` came with openai 3.54; the endpoint answers each question with a distribution over the levels
that were described, so a score is an expected value, and costs no reply tokens. It gives no evidence in words.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from curate.errors import JudgeError
from curate.judge.levels import Spread, expected
from curate.judge.parse import Reading
from curate.judge.rubric import TOP_LEVEL
from curate.judge.store import Judgement
from curate.judge.wire import BadRequestError, RowError, count_of, not_an_answer, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.judge.call import Call
    from curate.judge.rates import Rates
    from curate.judge.rubric import Rubric
    from curate.judge.wire import Wire

MOST_MASS = 1.01  # of the probabilities of an answer, rounding allowed for

_LABELS = frozenset(str(level) for level in range(TOP_LEVEL + 1))


class Decisions:
    """A backend, see `curate.judge.call.Backend`.

    Raises:
        JudgeError: The installed client has no such call.
    """

    def __init__(self, wire: Wire) -> None:
        if not hasattr(wire.sdk, "decisions"):
            raise JudgeError(
                "the installed package `openai` has no scoring call",
                hint="pip install -U 'openai>=3.54', or judge with --backend chat",
            )
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
        """The most tokens that a prompt may be billed for, its questions included."""
        return most_in(call)

    def worst_out(self, call: Call) -> int:
        """Answers are a number each."""
        return 0 if call.rubric is None else 8 * len(questions(call.rubric, tuple(call.slots.values())))

    async def ask(self, call: Call) -> Judgement:
        """One judgement; see `Backend.ask` for what it raises."""
        assert call.rubric is not None
        slots = tuple(call.slots.values())
        messages: Any = [{"role": "developer", "content": call.system}, {"role": "user", "content": call.user}]
        request = self._wire.sdk.decisions.with_streaming_response.create(
            model=self._wire.model, input=messages, questions=questions(call.rubric, slots)
        )
        try:
            reply, seconds = await self._wire.send(request)
        except BadRequestError as error:
            raise RowError(f"the server rejects it: {error}") from None
        if not isinstance(reply, dict) or not isinstance(reply.get("answers"), list):
            raise not_an_answer()
        usage = reply["usage"] if isinstance(reply.get("usage"), dict) else {}
        return Judgement(
            key=call.key,
            api="decisions",
            model=self._wire.model,
            served_model=text_of(reply.get("model")),
            rubric=call.rubric.title,
            content=json.dumps(reply["answers"]),
            finish_reason="stop",
            tokens_in=count_of(usage.get("input_tokens")),
            tokens_out=count_of(usage.get("output_tokens")),
            seconds=round(seconds, 3),
        )


def most_in(call: Call) -> int:
    """The most prompt tokens of a call, its questions included."""
    asked = [] if call.rubric is None else questions(call.rubric, tuple(call.slots.values()))
    return call.most_in + len(json.dumps(asked))


def questions(rubric: Rubric, slots: Sequence[str]) -> list[Any]:
    """One score per response and criterion, one predicate per response and flag."""
    asked: list[Any] = []
    for slot in slots:
        asked += [
            {
                "type": "score",
                "name": f"{slot}.{criterion.name}",
                "instructions": f"The message marked {slot}: {criterion.question}",
                "levels": [{"label": str(i), "description": text} for i, text in enumerate(criterion.levels)],
            }
            for criterion in rubric.criteria
        ]
        asked += [
            {
                "type": "predicate",
                "name": f"{slot}.{flag.name}",
                "instructions": f"The message marked {slot}: {flag.question}",
            }
            for flag in rubric.flags
        ]
    return asked


def read(content: str | None, rubric: Rubric, slots: Sequence[str]) -> dict[str, Reading]:
    """The readings of the stored answers, by slot; an answer is known by its name, never by its place."""
    try:
        answers = {answer["name"]: answer for answer in json.loads(content or "")}
    except (ValueError, TypeError, KeyError):
        return dict.fromkeys(slots, Reading("unparsed", text="the answers are no list of named answers"))
    return {slot: _reading(answers, slot, rubric) for slot in slots}


def _reading(answers: dict[str, Any], slot: str, rubric: Rubric) -> Reading:
    levels: dict[str, float] = {}
    doubts = []
    for criterion in rubric.criteria:
        answer = answers.get(f"{slot}.{criterion.name}") or {}
        if answer.get("type") == "refusal":
            return Reading("refused", text=f"the judge declined to grade `{criterion.name}`")
        spread = _spread(answer)
        if spread is None:
            return Reading("unparsed", text=f"`{slot}` has no score for `{criterion.name}`")
        levels[criterion.name] = spread.mean
        doubts.append(spread.deviation)
    raised = [flag.name for flag in rubric.flags if _probability(answers.get(f"{slot}.{flag.name}")) >= 0.5]
    return Reading("ok", levels, tuple(sorted(raised)), doubt=max(doubts, default=None))


def _spread(answer: Any) -> Spread | None:
    try:
        odds = {str(int(p["label"])): float(p["probability"]) for p in answer["probabilities"]}
    except (KeyError, TypeError, ValueError):
        return None
    if not all(label in _LABELS and p >= 0 for label, p in odds.items()) or sum(odds.values()) > MOST_MASS:
        return None
    return expected(odds)


def _probability(answer: Any) -> float:
    value = answer.get("probability") if isinstance(answer, dict) else None
    return float(value) if isinstance(value, (int, float)) else 0.0
