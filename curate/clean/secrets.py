"""Keys and tokens in text: the patterns of `detect_secrets`, a few newer ones, and which of them are examples."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Modules of detect_secrets.plugins; those that guess from entropy or from the word `password` are left out.
_PLUGINS = {
    "aws": "AWSKeyDetector",
    "azure_storage_key": "AzureStorageKeyDetector",
    "discord": "DiscordBotTokenDetector",
    "github_token": "GitHubTokenDetector",
    "gitlab_token": "GitLabTokenDetector",
    "jwt": "JwtTokenDetector",
    "mailchimp": "MailchimpDetector",
    "npm": "NpmDetector",
    "openai": "OpenAIDetector",
    "pypi_token": "PypiTokenDetector",
    "sendgrid": "SendGridDetector",
    "slack": "SlackDetector",
    "square_oauth": "SquareOAuthDetector",
    "stripe": "StripeDetector",
    "telegram_token": "TelegramBotTokenDetector",
    "twilio": "TwilioKeyDetector",
}
# Younger than detect_secrets: Google, Hugging Face, Anthropic, GitHub's fine-grained tokens, OpenAI.
_MORE = (
    r"AIza[0-9A-Za-z_-]{35}",
    r"hf_[A-Za-z0-9]{34,}",
    r"sk-ant-[A-Za-z0-9_-]{32,}",
    r"github_pat_[A-Za-z0-9_]{60,}",
    r"sk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}|[A-Za-z0-9]{48})",
)
# What a text must hold for one of these to match it.
LOOKS_SECRET = (
    r"(?:A3T|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}|AccountKey=",
    r"(?i:aws.{0,20}?(?:key|pw|pass|token))",
    r"gh[opusr]_|github_pat_|gl(?:pat|dt|ft|rt|soat|cbt)-|GR1348941|xox[abposr]-|hooks\.slack\.com|[rs]k_live_",
    r"SG\.|sk-[A-Za-z0-9-]{20}|eyJ[A-Za-z0-9_-]{8}|PRIVATE KEY|pypi-AgE|_authToken|sq0csp-|AIza|hf_[A-Za-z0-9]{9}",
    r"(?:AC|SK)[a-z0-9]{32}",
    r"[0-9a-z]{32}-us[0-9]",
    r"[0-9]{8}:[0-9A-Za-z_-]{35}",
    r"://[^\s:/@]+:[^\s:/@]+@",
    r"\.[a-zA-Z0-9_-]{6}\.[a-zA-Z0-9_-]{27}",
)
_FENCE = r"(?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
_PRIVATE_KEY = re.compile(rf"-----BEGIN {_FENCE}(.*?)(?:-----END {_FENCE}|\Z)", re.DOTALL)
_BASIC_AUTH = re.compile(r"://([^\s:/?#\[\]@\"'<>]+:[^\s:/?#\[\]@\"'<>]+)@")

_SAID_TO_BE_EXAMPLES = re.compile(
    r"(?i)example|sample|dummy|fake|your|placeholder|redacted|changeme|x{4}|\*{3}|\.{3}|0{6}|123456|abcdef|(.)\1{4}"
)
_COMMON_PASSWORDS = re.compile(
    r"(?i)pass|pwd|pw\b|secret|user|login|your|example|test|admin|root|guest|postgres|mysql|mongo|rabbit|redis|token|key|name|"
    r"host|port|[<>{}$%*]|^.{1,3}$|^\W|^x+$"
)
# Of jwt.io's front page: {"sub":"1234567890","name":"John Doe" …
_JWT_EXAMPLE = re.compile(r"\.eyJzdWIiOiIxMjM0NTY3ODkw|\.eyJ1c2VySWQiOiJ|\.eyJpc3MiOiJqb2Ui")
_REST = re.compile(r"[A-Za-z0-9]*")
_JWT_REST = re.compile(r"[A-Za-z0-9_.=+/-]*[A-Za-z0-9_=-]")
_LEAST_BITS = 3.0  # per character: a random token of 20 characters has about 4


def secrets(text: str) -> Iterator[tuple[int, int]]:
    """Where keys, tokens and credentials stand: begin and end in characters; they may overlap."""
    for match in _PRIVATE_KEY.finditer(text):
        if len(re.findall(r"[A-Za-z0-9+/=]", match[1])) >= 100 and not _SAID_TO_BE_EXAMPLES.search(match[1][:60]):
            yield match.span()
    for match in _BASIC_AUTH.finditer(text):
        user, password = match[1].split(":", 1)
        if not _COMMON_PASSWORDS.search(password) and user != password:
            yield match.span(1)
    for pattern, is_valid in _patterns():
        for match in pattern.finditer(text):
            # A group is the prefix of the token, or else the token itself, with words around it that are not secret.
            group = 1 if pattern.groups and len(match[1] or "") >= 20 else 0
            begin, end = match.span(group)
            if _begins(text, begin) and is_valid(match[group]):
                end = _whole(text, begin, end)
                if not _is_example(text[begin:end]):
                    yield begin, end


def _begins(text: str, begin: int) -> bool:
    """Whether no longer run of letters has this as its middle: that would be a piece of an image, say."""
    return not re.match(r"[A-Za-z0-9/+_-]", text[begin - 1 : begin])


def _whole(text: str, begin: int, end: int) -> int:
    """The end of the run of letters that a token is in; of a JSON Web Token, behind its signature."""
    rest = _JWT_REST if text.startswith("eyJ", begin) else _REST
    found = rest.match(text, end)
    return found.end() if found else end


def _is_example(token: str) -> bool:
    if _SAID_TO_BE_EXAMPLES.search(token) or _JWT_EXAMPLE.search(token):
        return True
    counts = Counter(token).values()
    bits = -sum(count / len(token) * math.log2(count / len(token)) for count in counts)
    return bits < _LEAST_BITS


@cache
def _patterns() -> list[tuple[re.Pattern[str], Callable[[str], bool]]]:
    """Each pattern with the further check that its detector makes of what it matched."""
    from detect_secrets import plugins

    found: list[tuple[re.Pattern[str], Callable[[str], bool]]] = []
    for module, name in _PLUGINS.items():
        detector = getattr(import_module(f"{plugins.__name__}.{module}"), name)
        is_valid = getattr(detector, "is_formally_valid", lambda _: True)
        found += [(pattern, is_valid) for pattern in detector.denylist]
    return found + [(re.compile(pattern), lambda _: True) for pattern in _MORE]
