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
# Younger than detect_secrets, or written otherwise than it expects. A group is the secret without the words around it.
_ALONE = r"(?<![A-Za-z0-9/+_-])"
_MORE = (
    rf"{_ALONE}AIza[0-9A-Za-z_-]{{35}}",
    rf"{_ALONE}hf_[A-Za-z0-9]{{34,}}",
    rf"{_ALONE}sk-(?:ant-[A-Za-z0-9_-]{{32,}}|or-v1-[0-9a-f]{{64}})",
    rf"{_ALONE}github_pat_[A-Za-z0-9_]{{60,}}",
    rf"{_ALONE}sk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{{40,}}|[A-Za-z0-9]{{48}})",
    rf"{_ALONE}(?:gsk_[A-Za-z0-9]{{40,}}|xai-[A-Za-z0-9]{{40,}}|r8_[A-Za-z0-9]{{37,}})",
    rf"{_ALONE}(?:shp(?:at|ca|pa|ss)_[0-9a-fA-F]{{32}}|do[oprt]_v1_[0-9a-f]{{64}})",
    rf"{_ALONE}[0-9a-f]{{10}}msh[0-9a-f]{{15}}p1[0-9a-f]{{5}}jsn[0-9a-f]{{12}}",
    r"(?<![A-Za-z0-9])(?:bot)?(\d{8,10}:AA[0-9A-Za-z_-]{33})(?![0-9A-Za-z_-])",
    r"(?i:aws[a-z_. -]{0,20}(?:secret|key)[a-z_. -]{0,20})[\"']?\s{0,3}(?:=>|[:=])\s{0,3}[\"']?"
    r"([0-9A-Za-z/+]{40})(?![0-9A-Za-z/+=])",
    r"(?i:authorization[\"']?\]?\s{0,3}[:=,]\s{0,3}[\"']?(?:bearer|token|basic) )([A-Za-z0-9._~+/-]{20,}=*)",
)
_OF_OURS = [re.compile(pattern) for pattern in _MORE]
# What is called a key, in quotation marks: believed when it is random.
_NAMED = re.compile(
    r"(?i:key|secret|token|passw(?:or)?d|pwd)[\"']?\]?\s{0,3}(?:=>|:=|[:=])\s{0,3}"
    r"(?:\"([A-Za-z0-9_/+.=-]{20,200})\"|'([A-Za-z0-9_/+.=-]{20,200})')"
)
# What a text must hold for one of these to match it.
LOOKS_SECRET = (
    r"(?:A3T|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}|AccountKey=",
    r"(?i:aws.{0,20}?(?:key|pw|pass|token|secret))",
    r"gh[opusr]_|github_pat_|gl(?:pat|dt|ft|rt|soat|cbt)-|GR1348941|xox[abposr]-|hooks\.slack\.com|[rs]k_live_",
    r"SG\.|sk-[A-Za-z0-9-]{20}|eyJ[A-Za-z0-9_-]{8}|PRIVATE KEY|pypi-AgE|_authToken|sq0csp-|AIza|hf_[A-Za-z0-9]{9}",
    r"gsk_[A-Za-z0-9]{9}|xai-[A-Za-z0-9]{9}|r8_[A-Za-z0-9]{9}|shp(?:at|ca|pa|ss)_|do[oprt]_v1_|msh[0-9a-f]{15}p1",
    r"(?:AC|SK)[a-z0-9]{32}",
    r"[0-9a-z]{32}-us[0-9]",
    r"[0-9]{8}:[0-9A-Za-z_-]{35}",
    r"://[^\s:/@]*:[^\s:/@]+@",
    r"\.[a-zA-Z0-9_-]{6}\.[a-zA-Z0-9_-]{27}",
    r"(?i:bearer|token|basic) [A-Za-z0-9._~+/-]{20}",
    r"(?i:key|secret|token|passw(?:or)?d|pwd)[\"']?\]?\s{0,3}(?:=>|:=|[:=])\s{0,3}[\"'][A-Za-z0-9_/+.=-]{20}",
)
_FENCE = r"(?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
_PRIVATE_KEY = re.compile(rf"-----BEGIN {_FENCE}([^\0]*?)(?:-----END {_FENCE}|(?=\0)|\Z)")
_BASIC_AUTH = re.compile(r"://([^\s:/?#\[\]@\"'<>]*:[^\s:/?#\[\]@\"'<>]+)@")

_SAID_TO_BE_EXAMPLES = re.compile(
    r"(?i)example|sample|dummy|fake|your|placeholder|redacted|changeme|x{4}|\*{3}|\.{3}"
)
# Nobody's token, but any private key may hold them.
_TYPED_BY_HAND = re.compile(r"(?i)0{6}|123456|abcdef|(.)\1{4}")
_COMMON_PASSWORD_WORDS = re.compile(
    r"(?i)p[a@]s+(?:w(?:[o0]r)?d)?|pwd|pw\b|secret|user|login|your|my|example|test|demo|admin|root|guest|strong|super|"
    r"postgres(?:ql)?|mysql|mongo(?:db)?|rabbit(?:mq)?|redis|token|key|name|host|port|data|base|db|here|change|me\b|"
    r"x{3,}|123456|[\d\W_]"
)
# Of jwt.io's front page: {"sub":"1234567890","name":"John Doe" …
_JWT_EXAMPLE = re.compile(r"\.eyJzdWIiOiIxMjM0NTY3ODkw|\.eyJ1c2VySWQiOiJ|\.eyJpc3MiOiJqb2Ui")
_REST = re.compile(r"[A-Za-z0-9]*")
_JWT_REST = re.compile(r"[A-Za-z0-9_.=+/-]*[A-Za-z0-9_=-]")
_LEAST_BITS = 3.0  # per character: a random token of 20 characters has about 4
_LEAST_BITS_OF_NAMED = 3.7
_WORD = re.compile(r"(?:^|[^A-Za-z0-9])[A-Za-z][a-z]{4,}(?![A-Za-z0-9])")
_HEX = re.compile(r"[0-9a-fA-F-]+$")


def secrets(text: str) -> Iterator[tuple[int, int]]:
    """Where keys, tokens and credentials stand: begin and end in characters; they may overlap."""
    for match in _PRIVATE_KEY.finditer(text):
        if len(re.findall(r"[A-Za-z0-9+/=]", match[1])) >= 100 and not _SAID_TO_BE_EXAMPLES.search(match[1][:60]):
            yield match.span()
    for match in _BASIC_AUTH.finditer(text):
        user, password = match[1].split(":", 1)
        if not _is_common(password) and user != password:
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
    for pattern in _OF_OURS:
        for match in pattern.finditer(text):
            begin, end = match.span(pattern.groups)
            end = _whole(text, begin, end)
            if not _is_example(text[begin:end]):
                yield begin, end
    for match in _NAMED.finditer(text):
        group = 1 if match[1] else 2
        if _is_random(match[group]) and not _is_example(match[group]):
            yield match.span(group)


def _is_common(password: str) -> bool:
    """Whether hardly anything is left of it without words that stand in everybody's examples."""
    return bool(re.search(r"[<>{}$%*]", password)) or len(_COMMON_PASSWORD_WORDS.sub("", password)) < 3


def _begins(text: str, begin: int) -> bool:
    """Whether no longer run of letters has this as its middle: that would be a piece of an image, say."""
    return not re.match(r"[A-Za-z0-9/+_-]", text[begin - 1 : begin])


def _whole(text: str, begin: int, end: int) -> int:
    """The end of the run of letters that a token is in; of a JSON Web Token, behind its signature."""
    rest = _JWT_REST if text.startswith("eyJ", begin) else _REST
    found = rest.match(text, end)
    return found.end() if found else end


def _is_example(token: str) -> bool:
    patterns = (_SAID_TO_BE_EXAMPLES, _TYPED_BY_HAND, _JWT_EXAMPLE)
    return any(pattern.search(token) for pattern in patterns) or _bits(token) < _LEAST_BITS


def _is_random(text: str) -> bool:
    """Whether no one would give this name to anything: no word, digits all through it, hardly a character twice."""
    least = _LEAST_BITS if _HEX.match(text) else _LEAST_BITS_OF_NAMED
    return not _WORD.search(text) and len(re.findall(r"\d+", text)) >= 3 and _bits(text) >= least


def _bits(text: str) -> float:
    """The entropy of a character."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


@cache
def _patterns() -> list[tuple[re.Pattern[str], Callable[[str], bool]]]:
    """Each pattern with the further check that its detector makes of what it matched."""
    from detect_secrets import plugins

    found: list[tuple[re.Pattern[str], Callable[[str], bool]]] = []
    for module, name in _PLUGINS.items():
        detector = getattr(import_module(f"{plugins.__name__}.{module}"), name)
        is_valid = getattr(detector, "is_formally_valid", lambda _: True)
        found += [(pattern, is_valid) for pattern in detector.denylist]
    return found
