"""One OpenAI-compatible server: how bytes come and go, and what each of its failures means.

The SDK only carries the bytes: its own retries lose rows under load and its parser raises on HTML, cut bodies
and missing choices, so both are off. Redirects are not followed: they would hand the conversations to another
host.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson

from curate.errors import JudgeError
from curate.judge.address import OPENAI, api_key, public, redact, secrets
from curate.judge.rates import Rates, time_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from httpx2 import Response
    from openai import AsyncOpenAI

TIMEOUT = 120.0  # seconds for a whole request, however slowly its bytes drip
LONGEST_REPLY = 4_000_000  # bytes; with log probabilities a reply is large
LARGEST_COUNT = 2**63 - 1  # what the store can hold
PLAIN_SECRET = 8  # characters; a shorter one (`none`, `0`) may stand in an honest reply

_NO_MODEL = re.compile(r"model.{0,80}(not found|not exist|unknown|not supported)|no such model", re.IGNORECASE)
# When the request of this task was sent.
_BEGUN: ContextVar[float] = ContextVar("begun")


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


class BadRequestError(Exception):
    """400 and its kin, with the server's complaint."""


class Wire:
    """A server and the key for it; an async context manager.

    Args:
        model: Name of the model, for what errors say.
        base_url: Address; None = api.openai.com.
        longest: Most bytes of an answer; None = `LONGEST_REPLY`.

    Raises:
        JudgeError: api.openai.com without a key, or a key that cannot be one.
    """

    def __init__(self, model: str, base_url: str | None, *, longest: int | None = None) -> None:
        import openai

        key = api_key()
        if not key and base_url is None:
            raise JudgeError(
                "there is no key for api.openai.com",
                hint="set OPENAI_API_KEY, or name your own server with --base-url",
            )
        url = base_url or OPENAI
        self._http = openai.DefaultAsyncHttpxClient(follow_redirects=False, event_hooks={"response": [self._receive]})
        self.sdk: AsyncOpenAI = openai.AsyncOpenAI(
            api_key=key or "none",
            base_url=url,
            max_retries=0,
            timeout=TIMEOUT,
            default_headers={"Accept-Encoding": "gzip"},
            http_client=self._http,
        )
        self._secrets = secrets(key, url)
        self.model = model
        self.address = public(url)
        self.reached = False
        self.rates = Rates()
        self._longest = LONGEST_REPLY if longest is None else longest

    async def __aenter__(self) -> Wire:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.sdk.close()

    @asynccontextmanager
    async def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> AsyncIterator[Any]:
        """A request that the client has no method for, as `send` takes it."""
        url = f"{str(self.sdk.base_url).rstrip('/')}{path}"
        headers = {"Accept-Encoding": "gzip", **self.sdk.auth_headers}
        async with self._http.stream(method, url, json=body, headers=headers) as response:
            yield SimpleNamespace(http_response=response)

    async def send(self, request: AbstractAsyncContextManager[Any]) -> tuple[Any, float]:
        """The JSON that a streaming request answers with, and the seconds it took; for errors see `fetch`."""
        text, seconds = await self.fetch(request)
        try:
            return orjson.loads(text), seconds
        except ValueError:
            raise not_an_answer() from None

    async def fetch(self, request: AbstractAsyncContextManager[Any]) -> tuple[str, float]:
        """The text that a streaming request answers with, and the seconds it took.

        Raises:
            BusyError, AgainError, RowError, BadRequestError, JudgeError: By the meaning of the failure.
        """
        import httpx2
        import openai

        begun = monotonic()
        _BEGUN.set(begun)
        try:
            async with asyncio.timeout(TIMEOUT), request as reply:
                body: bytes = reply.http_response.extensions["body"]
        except (openai.APITimeoutError, httpx2.TimeoutException, TimeoutError):
            raise AgainError(f"no answer in {TIMEOUT:.0f} s", billed=True) from None
        except (openai.APIConnectionError, httpx2.TransportError) as error:
            raise AgainError(f"no connection: {self._redact(str(error.__cause__ or error))[:200]}") from None
        long_secrets = [secret for secret in self._secrets if len(secret) >= PLAIN_SECRET]
        return redact(body.decode("utf-8", "replace"), long_secrets), monotonic() - begun

    async def _receive(self, response: Response) -> None:
        """Read every answer here, so that none is larger than `LONGEST_REPLY`; raise what a failure means."""
        self.reached = True
        self.rates.hear(response.headers, monotonic(), _BEGUN.get(None))
        # 64 KiB of gzip unpack to 64 MiB at most; of brotli, zstd or gzip in gzip to anything.
        if response.headers.get("content-encoding", "identity").lower() not in ("identity", "gzip"):
            raise AgainError("the answer is packed in a way that was not asked for", billed=True)
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > self._longest:
                raise AgainError(f"the answer is longer than {self._longest:,} bytes", billed=True)
        if response.status_code != 200:
            raise self._meaning(response.status_code, dict(response.headers), body.decode("utf-8", "replace"))
        response.extensions["body"] = bytes(body)

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
            return BadRequestError(text[:300])
        if status >= 500 or status in (408, 409):
            return AgainError(f"the server answers {status}")
        return RowError(f"the server answers {status}: {text[:200]}")

    def _redact(self, text: str) -> str:
        return redact(text, self._secrets)


def not_an_answer() -> AgainError:
    """What is neither an answer nor a failure that says what it is."""
    return AgainError("the answer is no chat completion", billed=True)


def text_of(value: Any) -> str | None:
    """A text that is not empty, else None."""
    return value if isinstance(value, str) and value else None


def count_of(value: Any) -> int | None:
    """A count that the store can hold, else None."""
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
            return max(0.0, parsedate_to_datetime(value).timestamp() - time_at(headers))
    except (ValueError, TypeError, OverflowError):
        return None
