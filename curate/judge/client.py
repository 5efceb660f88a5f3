"""One OpenAI-compatible endpoint: what it understands, and what each of its failures means.

The SDK only carries the bytes: its own retries lose rows under load and its parser raises on HTML,
cut bodies and missing choices, so both are off. Redirects are not followed: they would hand the
conversations to another host. Format and parameters are found out by asking: a
server that answers 400 to one gets the next, and the choice is remembered.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import orjson

from curate.errors import JudgeError
from curate.judge import prompt
from curate.judge.address import OPENAI, api_key, public, redact, secrets
from curate.judge.cost import tokens_of
from curate.judge.store import Judgement

if TYPE_CHECKING:
    from types import TracebackType

    from httpx2 import Response

    from curate.judge.rubric import Rubric

TIMEOUT = 120.0  # seconds for a whole request, however slowly its bytes drip
LONGEST_REPLY = 1_000_000  # bytes
LARGEST_COUNT = 2**63 - 1  # what the store can hold
PLAIN_SECRET = 8  # characters; a shorter one (`none`, `0`) may stand in an honest reply
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
        JudgeError: api.openai.com without a key, or a key that cannot be one.
    """

    def __init__(self, model: str, base_url: str | None, rubric: Rubric) -> None:
        import openai

        key = api_key()
        if not key and base_url is None:
            raise JudgeError(
                "there is no key for api.openai.com",
                hint="set OPENAI_API_KEY, or name your own server with --base-url",
            )
        url = base_url or OPENAI
        http = openai.DefaultAsyncHttpxClient(follow_redirects=False, event_hooks={"response": [self._receive]})
        self._sdk = openai.AsyncOpenAI(
            api_key=key or "none",
            base_url=url,
            max_retries=0,
            timeout=TIMEOUT,
            default_headers={"Accept-Encoding": "gzip"},
            http_client=http,
        )
        self._secrets = secrets(key, url)
        self.model = model
        self.address = public(url)
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
            async with (
                asyncio.timeout(TIMEOUT),
                self._sdk.chat.completions.with_streaming_response.create(**self._body(ask)) as reply,
            ):
                body: bytes = reply.http_response.extensions["body"]
        except (openai.APITimeoutError, TimeoutError):
            raise AgainError(f"no answer in {TIMEOUT:.0f} s", billed=True) from None
        except openai.APIConnectionError as error:
            raise AgainError(f"no connection: {self._redact(str(error.__cause__ or error))[:200]}") from None
        long_secrets = [secret for secret in self._secrets if len(secret) >= PLAIN_SECRET]
        text = redact(body.decode("utf-8", "replace"), long_secrets)
        judgement = _read(ask.key, self.model, text, monotonic() - begun)
        self._answered = True
        return judgement

    async def _receive(self, response: Response) -> None:
        """Read every answer here, so that none is larger than `LONGEST_REPLY`; raise what a failure means."""
        self.reached = True
        # 64 KiB of gzip unpack to 64 MiB at most; of brotli, zstd or gzip in gzip to anything.
        if response.headers.get("content-encoding", "identity").lower() not in ("identity", "gzip"):
            raise AgainError("the answer is packed in a way that was not asked for", billed=True)
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > LONGEST_REPLY:
                raise AgainError(f"the answer is longer than {LONGEST_REPLY:,} bytes", billed=True)
        if response.status_code != 200:
            raise self._meaning(response.status_code, dict(response.headers), body.decode("utf-8", "replace"))
        response.extensions["body"] = bytes(body)

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

    def _meaning(self, status: int, headers: dict[str, str], body: str) -> Exception:
        text, where = self._redact(body), f"{self.address}, model {self.model}"
        if 300 <= status < 400:
            hint = "give the address it leads to, if you trust it, with --base-url"
            return JudgeError(f"the server redirects ({status}), which is not followed", where=where, hint=hint)
        if status in (401, 403):
            return JudgeError(f"the judge refuses the key ({status})", where=where, hint="check OPENAI_API_KEY")
        if "insufficient_quota" in text or status == 402:
            return JudgeError("the account's quota is used up", where=where, hint="top it up, then run this again")
        if status == 404 or (status == 400 and ("model_not_found" in text or _NO_MODEL.search(text))):
            return JudgeError(f"there is no such model or address ({status})", where=where, hint=text[:200] or None)
        if status in (429, 503):
            return BusyError(_wait(headers))
        if status in (400, 413, 422):
            return _BadRequestError(text[:300])
        if status >= 500 or status in (408, 409):
            return AgainError(f"the server answers {status}")
        return RowError(f"the server answers {status}: {text[:200]}")

    def _redact(self, text: str) -> str:
        return redact(text, self._secrets)


class _BadRequestError(Exception):
    """400 and its kin, with the server's complaint."""


def sampling(base_url: str | None) -> dict[str, Any]:
    """Parameters that an answer depends on; api.openai.com counts a model's reasoning as reply tokens."""
    return {"temperature": 0, "reply_tokens": 4_000 if base_url is None else 500}


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
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT
    return value if known else None


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
    except (ValueError, TypeError, OverflowError):
        return None
