"""Personal data and secrets are found, placeholders are left alone, and speed costs nothing that is found.

Every key in this file is made up, most of them by a random generator; they are put together at run time so that
no scanner takes this file for a leak.
"""

from __future__ import annotations

import base64
import random
import string
from functools import cache
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.clean import personal
from curate.clean.personal import find, spans

RANDOM = random.Random(7)
LETTERS = string.ascii_letters + string.digits


@cache
def token(prefix: str, length: int, alphabet: str = LETTERS) -> str:
    return prefix + "".join(RANDOM.choice(alphabet) for _ in range(length))


def jwt(payload: str) -> str:
    parts = ('{"alg":"HS256","typ":"JWT"}', payload)
    encoded = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, token("", 43)])


PRIVATE_KEY = f"-----BEGIN RSA PRIVATE {'KEY'}-----\n{token('MII', 200)}\n-----END RSA PRIVATE {'KEY'}-----"


def found(text: str) -> list[tuple[str, str]]:
    return [(span.kind, text[span.begin : span.end]) for span in spans(text)]


@pytest.mark.parametrize(
    ("kind", "piece", "text"),
    [
        ("email", "ada.l@fernmail.org", "Write to <{}>."),
        ("email", "ada+news@mail.fernmail.co.uk", "[{0}](mailto:it)"),
        ("phone", "+44 20 8366 1177", "Tel {}"),
        ("phone", "+380 (44) 364 61 18", "for emails or {} and then"),
        ("phone", "(212) 736-5000", "Ring {}, please"),
        ("phone", "212-736-5000", "Fax: {}"),
        ("phone", "030 25002333", "Telefon: {}"),
        ("card", "4539 1488 0343 6467", "It is {}"),
        ("card", "4539148803436467", "My card number is {}."),
        ("card", "3714 963529 68433", "Amex {}"),
        ("iban", "DE44 5001 0517 5407 3249 31", "to {} by Friday"),
        ("iban", "GB98MIDL07009312345678", "{}"),
        ("secret", token("AKIA", 16, string.ascii_uppercase + "234567"), "key={} "),
        ("secret", token("ghp_", 36), "git clone with {}"),
        ("secret", token("AIza", 35), "?key={}&v=3"),
        ("secret", token("hf_", 34), "login {}"),
        ("secret", token("sk-ant-api03-", 60), "x-api-key: {}"),
        ("secret", token("sk-", 48), "OPENAI_API_KEY='{}'"),
        ("secret", token("sk_live_", 24), "stripe {}"),
        ("secret", jwt('{"uid":"ada","iat":1617000000}'), 'token = "{}"'),
        ("secret", PRIVATE_KEY, "id_rsa:\n{}\n"),
        ("secret", f"ada:{token('', 14)}", "postgres://{}@db:5432/prod"),
        ("secret", f"https://hooks.slack.com/services/{token('T', 9)}/{token('B', 9)}/{token('', 24)}", "url = '{}'"),
    ],
)
def test_it_is_found_as_a_whole_wherever_it_stands(kind: str, piece: str, text: str) -> None:
    assert found(text.format(piece)) == [(kind, piece)]
    turns = pl.DataFrame({"key": [3], "turn": [1], "content": ["ü " + text.format(piece)]})
    begin = 2 + text.index("{")
    assert find(turns.cast({"key": pl.UInt64, "turn": pl.Int32})).rows() == [(3, 1, begin, begin + len(piece), kind)]


@pytest.mark.parametrize(
    "text",
    [
        "user@example.com, john.doe@gmail.com, your.name@company.com, you@yourdomain.com, noreply@fernmail.org",
        "logo@2x.png, npm i left-pad@1.3.0, git@github.com:ada/fern.git, @ada, a@b",
        "(555) 123-4567, 212-555-0100, +1 212 555 0199, +44 7700 900123, +44 20 7946 0018, 123-456-7890, 1234567890",
        "In 2023-04-01 12:30 it was 3.14159265358979 or 192.168.100.200; [849 957 1571 679]; ISBN 978-3-16-148410-0",
        "4111 1111 1111 1111, 4242 4242 4242 4242, 5555 5555 5555 4444, 3782 822463 10005",
        "4539 1488 0343 6468 fails the check, id 4539148803436467 is not called a card: a snowflake",
        "GB82 WEST 1234 5698 7654 32 and DE89 3704 0044 0532 0130 00 are in every article, AB12 3456 7890 1234 is none",
        "AKIAIOSFODNN7EXAMPLE, sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, ghp_" + "x" * 36,
        "sk-YOUR_API_KEY, Bearer <token>, AIza" + "0" * 35 + ", sk-" + "1234567890abcdef" * 3,
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
        + token("", 43),
        "postgres://user:password@localhost/db, mongodb://admin:admin@mongo:27017, https://<user>:<pass>@host",
        f"-----BEGIN PRIVATE {'KEY'}-----\n...\n-----END PRIVATE {'KEY'}-----",
        "data:image/png;base64," + token("iVBOR/AKIA", 64, string.ascii_uppercase),
        "",
    ],
)
def test_what_is_nobodys_is_left_alone(text: str) -> None:
    assert found(text) == []


def turns(*contents: str, key: int = 0) -> pl.DataFrame:
    rows = {"key": [key] * len(contents), "turn": range(len(contents)), "content": contents}
    return pl.DataFrame(rows, schema={"key": pl.UInt64, "turn": pl.Int32, "content": pl.String})


def test_what_is_found_once_is_found_all_over_its_conversation() -> None:
    number = "4539148803436467"
    mine = turns(f"My card: {number}", f"You said {number}{number}.")
    frame = pl.concat([mine, turns(f"The star {number}", key=1)])
    assert find(frame).rows() == [(0, 0, 9, 25, "card"), (0, 1, 9, 25, "card"), (0, 1, 25, 41, "card")]


def test_overlapping_finds_are_one() -> None:
    secret = token("AIza", 35)
    text = f"{secret}.b@fernmail.org"
    ((kind, piece),) = found(text)
    assert (kind, piece) == ("secret", text)


PIECES = st.sampled_from(
    [
        "ada.l@fernmail.org", "+44 20 8366 1177", "(212) 736-5000", "4539 1488 0343 6467", "card 4539148803436467",
        "GB98MIDL07009312345678", "Tel: 030 25002333", token("ghp_", 36), token("AIza", 35), PRIVATE_KEY,
        " ", "\n", "-", ".", "/", "1", "a", "é", "茶", "@", ":", "x.org",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=8).map("".join))
@settings(max_examples=200, deadline=None)
def test_the_fast_way_finds_what_the_slow_way_finds(text: str) -> None:
    slow = spans(text)
    fast = find(turns(text)).rows()
    assert {place for _, _, begin, end, _ in fast for place in range(begin, end)} >= {
        place for span in slow for place in range(span.begin, span.end)
    }
    assert all(before[3] <= after[2] for before, after in pairwise(fast))


@given(st.lists(PIECES, max_size=8).map("".join))
@settings(max_examples=200, deadline=None)
def test_where_it_was_taken_out_there_is_no_more(text: str) -> None:
    for span in reversed(spans(text)):
        text = text[: span.begin] + "\0" * (span.end - span.begin) + text[span.end :]
    assert spans(text) == []


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_looked_at_without_a_crash(text: str) -> None:
    assert all(0 <= span.begin < span.end <= len(text) and span.kind in personal.KINDS for span in spans(text))
