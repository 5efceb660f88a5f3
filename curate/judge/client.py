"""One OpenAI-compatible endpoint: what it understands, and what each of its failures means.

The SDK only carries the bytes: its own retries lose rows under load and its parser raises on HTML,
cut bodies and missing choices, so both are off. Format and parameters are found out by asking: a
server that answers 400 to one gets the next, and the choice is remembered.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import orjson

from curate.errors import CurateError, JudgeError
from curate.judge import prompt
from curate.judge.cost import tokens_of
from curate.judge.store import Judgement

if TYPE_CHECKING:
    from types import TracebackType

    from openai import APIStatusError

    from curate.judge.rubric import Rubric

TIMEOUT = 120.0  # seconds
OPENAI = "https://api.openai.com/v1"
FORMATS = ("json_schema", "json_schema without lengths", "json_object", "prompt only")

_FORMAT = re.compile(r"response_format|json_?_?schema|json_object|structured|grammar|maxlength", re.IGNORECASE)
_TOO_LONG = re.compile(r"context|too long|maximum.{0,20}length|exceed", re.IGNORECASE)
_NO_MODEL = re.compile(r"model.{0,80}(not found|not exist|unknown|not supported)|no such model", re.IGNORECASE)


class BusyError(Exception):
    """429 or 503: come back in `seconds` (None = the server does not say)."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__("busy")
        self.seconds = seconds


class AgainError(Exception):
    """A failure that may pass: connection, timeout, 5xx, an answer that is no chat completion.

    `billed`: the server may have done the work, and count it.
    """

    def __init__(self, what: str, *, billed: bool = False) -> None:
        super().__init__(what)
        self.billed = billed


class RowError(Exception):
    """The server rejects this request and would reject it again."""


@dataclass(frozen=True)
class Ask:
    """One judgement to get: the key it is stored under and the user message."""

    key: str
    user: str


class Client:
    """An endpoint and what has been learnt about it; an async context manager.

    Args:
        model: Name of the model.
        base_url: Address; None = api.openai.com.
        rubric: What to grade by.

    Raises:
        JudgeError: api.openai.com without a key.
    """

    def __init__(self, model: str, base_url: str | None, rubric: Rubric) -> None:
        import openai

        key = os.environ.get("OPENAI_API_KEY")
        if not key and base_url is None:
            raise JudgeError(
                "there is no key for api.openai.com",
                hint="set OPENAI_API_KEY, or name your own server with --base-url",
            )
        url = base_url or OPENAI
        self._sdk = openai.AsyncOpenAI(api_key=key or "none", base_url=url, max_retries=0, timeout=TIMEOUT)
        self._key = key
        self.model = model
        self.address = re.sub(r"//[^/@]*@", "//", url)
        self._system = prompt.system(rubric)
        self.system_tokens = tokens_of(self._system)
        self._schemas = [prompt.schema(rubric, bounded=True), prompt.schema(rubric, bounded=False)]
        self.sampling = sampling(base_url)
        self._format = 0
        self._limit_name = "max_completion_tokens" if base_url is None else "max_tokens"
        self._send_temperature = True
        self._answered = False
        self.reached = False

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._sdk.close()

    @property
    def format(self) -> str:
        """How replies are held to the schema: the strictest way the server has accepted."""
        return FORMATS[self._format]

    async def ask(self, ask: Ask) -> Judgement:
        """One judgement.

        Raises:
            BusyError: Wait and ask again; no attempt is spent.
            AgainError: Ask again, a few times.
            RowError: This one cannot be judged.
            JudgeError: Nothing can be: key, quota, model or address.
        """
        first = self._settings
        while True:
            used = self._settings
            try:
                return await self._send(ask)
            except _BadRequestError as error:
                # Another request in flight may have learnt the same already.
                if self._settings == used and not self._adapt(str(error)):
                    if not self._answered:
                        self._settings = first
                    raise RowError(f"the server rejects it: {error}") from None

    async def _send(self, ask: Ask) -> Judgement:
        import openai

        begun = monotonic()
        try:
            raw = await self._sdk.chat.completions.with_raw_response.create(**self._body(ask))
            text = raw.text
        except openai.APIStatusError as error:
            self.reached = True
            raise self._meaning(error) from None
        except openai.APITimeoutError:
            raise AgainError(f"no answer in {TIMEOUT:.0f} s", billed=True) from None
        except openai.APIConnectionError as error:
            raise AgainError(f"no connection: {error.__cause__ or error}"[:200]) from None
        self.reached = True
        judgement = _read(ask.key, self.model, text, monotonic() - begun)
        self._answered = True
        return judgement

    def _body(self, ask: Ask) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "system", "content": self._system}, {"role": "user", "content": ask.user}],
            self._limit_name: self.sampling["reply_tokens"],
        }
        if self._send_temperature:
            body["temperature"] = self.sampling["temperature"]
        if self._format < len(self._schemas):
            schema = {"name": "grade", "strict": True, "schema": self._schemas[self._format]}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif self.format == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    @property
    def _settings(self) -> tuple[int, str, bool]:
        return self._format, self._limit_name, self._send_temperature

    @_settings.setter
    def _settings(self, value: tuple[int, str, bool]) -> None:
        self._format, self._limit_name, self._send_temperature = value

    def _adapt(self, complaint: str) -> bool:
        """Ask differently after a 400; False = it is about this request, not about how we ask."""
        if self._limit_name in complaint and self._limit_name == "max_tokens":
            self._limit_name = "max_completion_tokens"
        elif self._limit_name in complaint:
            self._limit_name = "max_tokens"
        elif "temperature" in complaint and self._send_temperature:
            self._send_temperature = False
        elif self._format + 1 < len(FORMATS) and (
            _FORMAT.search(complaint) or not (self._answered or _TOO_LONG.search(complaint))
        ):
            self._format += 1
        else:
            return False
        return True

    def _meaning(self, error: APIStatusError) -> Exception:
        status, text = error.status_code, self._redact(error.response.text)
        where = f"{self.address}, model {self.model}"
        if status in (401, 403):
            return JudgeError(f"the judge refuses the key ({status})", where=where, hint="check OPENAI_API_KEY")
        if "insufficient_quota" in text or status == 402:
            return JudgeError("the account's quota is used up", where=where, hint="top it up, then run this again")
        if status == 404 or (status == 400 and ("model_not_found" in text or _NO_MODEL.search(text))):
            return JudgeError(f"there is no such model or address ({status})", where=where, hint=text[:200] or None)
        if status in (429, 503):
            return BusyError(_wait(dict(error.response.headers)))
        if status in (400, 413, 422):
            return _BadRequestError(text[:300])
        if status >= 500 or status in (408, 409):
            return AgainError(f"the server answers {status}")
        return RowError(f"the server answers {status}: {text[:200]}")

    def _redact(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text


class _BadRequestError(Exception):
    """400 and its kin, with the server's complaint."""


def sampling(base_url: str | None) -> dict[str, Any]:
    """Parameters that an answer depends on; api.openai.com counts a model's reasoning as reply tokens."""
    return {"temperature": 0, "reply_tokens": 4_000 if base_url is None else 500}


def address(base_url: str | None) -> str | None:
    """The address to use: as given, else `OPENAI_BASE_URL`; None = api.openai.com.

    Raises:
        CurateError: Not an http address.
    """
    url = base_url or os.environ.get("OPENAI_BASE_URL") or None
    if url is not None and not re.match(r"https?://[^/\s]", url):
        raise CurateError(f"`{url}` is no address of a server", hint="such as --base-url http://localhost:8000/v1")
    return url


def _read(key: str, model: str, text: str, seconds: float) -> Judgement:
    try:
        reply = orjson.loads(text)
        choice = reply["choices"][0]
        message = choice["message"]
        usage = reply.get("usage") or {}
        content, refusal = message.get("content"), message.get("refusal")
        if not (content is None or isinstance(content, str)):
            raise TypeError
        return Judgement(
            key,
            model,
            _text(reply.get("model")),
            content,
            _text(refusal),
            _text(choice.get("finish_reason")),
            _count(usage.get("prompt_tokens")),
            _count(usage.get("completion_tokens")),
            round(seconds, 3),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise AgainError("the answer is no chat completion", billed=True) from None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _wait(headers: dict[str, str]) -> float | None:
    """Seconds from `retry-after-ms` or `retry-after` (seconds or a date); None = not said."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after")
        if value is None:
            return None
        try:
            return max(0.0, float(value))
        except ValueError:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, TypeError):
        return None
