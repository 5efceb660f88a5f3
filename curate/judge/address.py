"""Where a judge lives and how it is entered: the address, the key, and what of both may be shown."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from curate.errors import CurateError, JudgeError

if TYPE_CHECKING:
    from collections.abc import Iterable

OPENAI = "https://api.openai.com/v1"

_KEY = re.compile(r"[!-~]+")
_BLANK = re.compile(r"[\x00-\x20\x7f\\]")


def address(base_url: str | None) -> str | None:
    """The address to use: as given, else `OPENAI_BASE_URL`; None = api.openai.com.

    Raises:
        CurateError: Not an http address; the message shows no user name, password or query.
    """
    url = base_url or os.environ.get("OPENAI_BASE_URL") or None
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or _BLANK.search(url):
        shown = url.rpartition("@")[2].partition("?")[0]
        raise CurateError(f"`{shown}` is no address of a server", hint="such as --base-url http://localhost:8000/v1")
    return None if public(url) == OPENAI else url


def public(url: str) -> str:
    """The address without user name, password and query: what may be shown, and what tells servers apart."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower()
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}"


def identity(url: str) -> str:
    """What tells servers apart where the same model name may mean another model.

    As `public`; of a server on this machine or network only the host, because its port changes from one
    start to the next.
    """
    return (urlsplit(url).hostname or "") if is_local(url) else public(url)


def api_key() -> str | None:
    """`OPENAI_API_KEY` without blanks around it; None = not set.

    Raises:
        JudgeError: It cannot be sent in a header; the message does not show it.
    """
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if key and not _KEY.fullmatch(key):
        raise JudgeError("OPENAI_API_KEY holds characters that no key has", hint="copy the key again, without quotes")
    return key or None


def secrets(key: str | None, url: str) -> list[str]:
    """Every text that must not be shown, the longest first: the key, and what the address hides."""
    parts: SplitResult = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    hidden = {key or "", user, parts.password or "", parts.query}
    hidden |= {unquote(text) for text in hidden}
    hidden.add(base64.b64encode(unquote(user).encode()).decode())
    return sorted(hidden - {""}, key=len, reverse=True)


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with `***` for every secret."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def is_local(url: str) -> bool:
    """Whether the address is by its name this machine or a private network: such a judge costs nothing.

    Only `localhost` and literal addresses are: any other name may lead anywhere.
    """
    host = urlsplit(url).hostname or ""
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return (literal.is_private or literal.is_loopback) and not literal.is_link_local  # where clouds keep secrets
