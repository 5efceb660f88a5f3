"""A judge behind Chat Completions: any OpenAI-compatible server.

What the server understands is found out by asking (`curate.judge.probe`), and unlearnt when it turns out
otherwise: a server that answers 400 to one way of asking gets the next, and one whose replies do not keep to a
schema is held to them by less.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from curate.judge.levels import TOP_LOGPROBS, digits
from curate.judge.parse import read
from curate.judge.store import Judgement
from curate.judge.wire import BadRequestError, RowError, count_of, not_an_answer, text_of

if TYPE_CHECKING:
    from curate.judge.call import Call
    from curate.judge.rates import Rates
    from curate.judge.wire import Wire

# How a reply is held to its schema, the strictest first.
FORMATS = (
    "json_schema",
    "json_schema without lengths",
    "structured_outputs",
    "guided_json",
    "json_object",
    "prompt only",
)
WATCHED = 50  # first replies whose parsing is watched
MOST_BROKEN = 0.02  # of them
UNLIMITED = 16_384  # tokens that a reply may have where the server ignores its limit
REASONING_TOKENS = 4_000  # api.openai.com counts a model's reasoning as reply tokens

_FORMAT = re.compile(r"response_format|json_?_?schema|json_object|structured|guided|grammar|maxlength", re.IGNORECASE)
_TOO_LONG = re.compile(r"context|too long|maximum.{0,20}length|exceed", re.IGNORECASE)


@dataclass(frozen=True)
class Abilities:
    """What a server understands.

    Attributes:
        format: Index into `FORMATS`.
        limit: Name of the parameter that limits a reply.
        limited: Whether the server keeps to it.
        temperature: Whether one may be set.
        logprobs: Whether replies come with probabilities.
        context: Tokens that a prompt may have; None = as many as were asked for.
        notes: What a user should know.
    """

    format: int = 0
    limit: str = "max_tokens"
    limited: bool = True
    temperature: bool = True
    logprobs: bool = True
    context: int | None = None
    notes: tuple[str, ...] = ()


class Chat:
    """A backend, see `curate.judge.call.Backend`.

    Args:
        wire: The server.
        hosted: Whether it is api.openai.com.
        effort: How much a reasoning model shall think: low, medium, high; None = as it likes.
    """

    def __init__(self, wire: Wire, *, hosted: bool, effort: str | None = None) -> None:
        self._wire = wire
        self._hosted = hosted
        self._effort = effort
        self.abilities = Abilities(limit="max_completion_tokens" if hosted else "max_tokens")
        self._answered = False
        self._seen = self._broken = 0

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
        """The most tokens that a reply may be billed for."""
        return self.limit(call) if self.abilities.limited else max(UNLIMITED, self.limit(call))

    def limit(self, call: Call) -> int:
        """The most tokens that the server is told to reply with."""
        return call.reply_tokens + (REASONING_TOKENS if self._hosted else 0)

    async def ask(self, call: Call) -> Judgement:
        """One judgement; see `Backend.ask` for what it raises."""
        first = self.abilities
        while True:
            used = self.abilities
            try:
                judgement = await self.send(call)
            except BadRequestError as error:
                # Another request in flight may have learnt the same already.
                if self.abilities == used and not self._adapt(str(error), call):
                    if not self._answered:
                        self.abilities = first
                    raise RowError(f"the server rejects it: {error}") from None
            else:
                self._answered = True
                self._watch(call, judgement)
                return judgement

    async def send(self, call: Call) -> Judgement:
        """One request as things stand."""
        request = self._wire.sdk.chat.completions.with_streaming_response.create(**self.body(call))
        reply, seconds = await self._wire.send(request)
        title = call.rubric.title if call.rubric else ""
        return judgement_of(reply, call.key, title, self._wire.model, seconds)

    def body(self, call: Call) -> dict[str, Any]:
        """The request: also what a batch holds."""
        abilities = self.abilities
        body: dict[str, Any] = {
            "model": self._wire.model,
            "messages": [{"role": "system", "content": call.system}, {"role": "user", "content": call.user}],
            abilities.limit: self.limit(call),
        }
        if abilities.temperature:
            body["temperature"] = 0 if call.seed is None else 1
        if call.seed is not None:
            body["seed"] = call.seed
        if self._effort:
            body["reasoning_effort"] = self._effort
        if call.schemas is not None:
            if abilities.logprobs:
                body |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
            body |= _format(FORMATS[abilities.format], call.schemas)
        return body

    def _adapt(self, complaint: str, call: Call) -> bool:
        """Ask differently after a 400; False = it is about this request, not about how we ask."""
        abilities = self.abilities
        if abilities.limit in complaint:
            other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
            self.abilities = replace(abilities, limit=other[abilities.limit])
        elif "temperature" in complaint and abilities.temperature:
            self.abilities = replace(abilities, temperature=False)
        elif "logprob" in complaint and abilities.logprobs:
            self.abilities = replace(abilities, logprobs=False)
        elif "reasoning_effort" in complaint and self._effort:
            self._effort = None
        elif (
            call.schemas is not None
            and abilities.format + 1 < len(FORMATS)
            and (_FORMAT.search(complaint) or not (self._answered or too_long(complaint)))
        ):
            self.abilities = replace(abilities, format=abilities.format + 1)
        elif abilities.logprobs and not self._answered and not too_long(complaint):
            # A complaint that names nothing: everything again, without what fewest servers know.
            self.abilities = replace(abilities, logprobs=False, format=0)
        else:
            return False
        return True

    def _watch(self, call: Call, judgement: Judgement) -> None:
        """Hold replies to their shape by something else when too many of the first do not have it."""
        if call.rubric is None or call.schemas is None or self._seen >= WATCHED:
            return
        slots = tuple(call.slots.values())
        readings = read(judgement.content, judgement.finish_reason, None, call.rubric, slots, None, len(slots))
        self._seen += 1
        self._broken += any(reading.status == "unparsed" for reading in readings.values())
        if self._broken > max(2, MOST_BROKEN * self._seen) and self.abilities.format + 1 < len(FORMATS):
            self.abilities = replace(self.abilities, format=self.abilities.format + 1)
            self._seen = self._broken = 0


def too_long(complaint: str) -> bool:
    """Whether a 400 says that the prompt does not fit the model's context."""
    return _TOO_LONG.search(complaint) is not None


def judgement_of(reply: Any, key: str, rubric: str, model: str, seconds: float, api: str = "chat") -> Judgement:
    """A chat completion as a judgement.

    Args:
        reply: The completion.
        key: Of the call.
        rubric: Title of the rubric; empty = none.
        model: The model that was asked for.
        seconds: It took.
        api: How the content is to be read.

    Raises:
        AgainError: It is none.
    """
    try:
        choice = reply["choices"][0]
        message = choice["message"]
        usage = reply.get("usage") or {}
        content, refusal = message.get("content"), message.get("refusal")
        if not (content is None or isinstance(content, str)):
            raise TypeError
        details = usage.get("prompt_tokens_details") or {}
        return Judgement(
            key=key,
            api=api,
            model=model,
            served_model=text_of(reply.get("model")),
            system_fingerprint=text_of(reply.get("system_fingerprint")),
            rubric=rubric,
            content=content,
            odds=_odds(choice, content),
            refusal=text_of(refusal),
            finish_reason=text_of(choice.get("finish_reason")),
            tokens_in=count_of(usage.get("prompt_tokens")),
            tokens_cached=count_of(details.get("cached_tokens")),
            tokens_out=count_of(usage.get("completion_tokens")),
            seconds=round(seconds, 3),
        )
    except (KeyError, IndexError, TypeError, AttributeError):
        raise not_an_answer() from None


def _odds(choice: dict[str, Any], content: str | None) -> dict[int, dict[str, float]] | None:
    tokens = (choice.get("logprobs") or {}).get("content")
    if not tokens or not content:
        return None
    # The tokens may hold more than the text: llama.cpp cuts fences off, others thoughts. Places count within the text.
    text = "".join(str(token.get("token")) for token in tokens)
    if text.count(content) != 1:
        return None
    begin = text.index(content)
    return {place - begin: odds for place, odds in digits(tokens).items() if place >= begin} or None


def _format(name: str, schemas: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    if name.startswith("json_schema"):
        schema = {"name": "grade", "strict": True, "schema": schemas[0 if name == "json_schema" else 1]}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if name == "structured_outputs":
        return {"extra_body": {"structured_outputs": {"json": schemas[1]}}}
    if name == "guided_json":
        return {"extra_body": {"guided_json": schemas[1]}}
    return {"response_format": {"type": "json_object"}} if name == "json_object" else {}
