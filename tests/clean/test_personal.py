"""Personal data and secrets are found, placeholders are left alone, and speed costs nothing that is found.

Every key in this file is made up, most of them by a random generator; they are put together at run time so that
no scanner takes this file for a leak.
"""

from __future__ import annotations

import base64
import json
import random
import string
from functools import cache
from itertools import pairwise
from time import process_time
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.clean import parts, personal
from curate.clean.personal import find, spans

if TYPE_CHECKING:
    from collections.abc import Iterator

RANDOM = random.Random(7)
LETTERS = string.ascii_letters + string.digits


@cache
def token(prefix: str, length: int, alphabet: str = LETTERS) -> str:
    return prefix + "".join(RANDOM.choice(alphabet) for _ in range(length))


def jwt(payload: str) -> str:
    parts = ('{"alg":"HS256","typ":"JWT"}', payload)
    encoded = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, token("", 43)])


HEX = "0123456789abcdef"
PRIVATE_KEY = f"-----BEGIN RSA PRIVATE {'KEY'}-----\n{token('MII', 200)}\n-----END RSA PRIVATE {'KEY'}-----"

# Its header is the same in every key, and has five A in a row.
OPENSSH_KEY = (
    f"-----BEGIN OPENSSH PRIVATE {'KEY'}-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    f"{token('QyNTUxOQAAACB', 150)}\n-----END OPENSSH PRIVATE {'KEY'}-----"
)


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
        ("phone", "+91\u00a082489\u00a084965", "\u202a{}\u202c: Done Sir."),
        ("phone", "+1\u2011415\u2011867\u20115309", "{} is mine"),
        ("phone", "(215) 753-9393", "TEL;type=HOME;type=VOICE:{}"),
        ("phone", "415-867-5309", "Office:{}"),
        ("phone", "415-867-5309x22", "T: {}"),
        ("phone", "0049 171 8452093", "{}"),
        ("phone", "0171/8452093", "Handy: {}"),
        ("phone", "98204 56189", "Mob: {}"),
        ("phone", "(11) 98165-4921", "Celular {}"),
        ("phone", "4158675309", "Phone (mobile): {}"),
        ("phone", "13884520931", "我的手机号码是{}谢谢"),
        ("phone", "010-2845-6719", "전화: {}"),
        ("phone", "+86 138 8452 0931", "电话{}。"),
        ("email", "ivan.petrov@mail.ru", "_{}_"),
        ("email", "max@fernmail.org", "-{}"),
        ("email", r"ada\_l@fernmail.org", "{}"),
        ("email", "jane.k@theguardian.com", "{}"),
        ("email", "katie@deo.myflorida.com", "{}"),
        ("email", "h.maier@organisation.org", "{}"),
        ("email", "a.jones@school.edu", "{}"),
        ("email", "mykola.shevchenko@gmail.com", "{}"),
        ("email", "student12@mit.edu", "{}"),
        ("email", "me@joebloggs.com", "{}"),
        ("email", "ana@uni.edu.py", "https://fern.org/users/{}"),
        ("card", "4539\u00a01488\u00a00343\u00a06467", "It is {}"),
        ("iban", "DE44\u00a05001\u00a00517\u00a05407\u00a03249\u00a031", "to {}"),
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
        ("secret", OPENSSH_KEY, "id_ed25519:\n{}\n"),
        ("secret", PRIVATE_KEY.replace("\n", "\\n"), '["{}"]'),
        ("secret", token("sk-or-v1-", 64, HEX), "key {}"),
        ("secret", token("gsk_", 52), "key {}"),
        ("secret", token("xai-", 80), "key {}"),
        ("secret", token("shpat_", 32, HEX), "key {}"),
        ("secret", token("dop_v1_", 64, HEX), "key {}"),
        ("secret", token("", 10, HEX) + token("msh", 15, HEX) + token("p1", 5, HEX) + token("jsn", 12, HEX), "'{}'"),
        ("secret", token("5820394817:AA", 33), "https://api.telegram.org/bot{}/getMe"),
        ("secret", token("", 40), "AWS_SECRET_ACCESS_KEY={}"),
        ("secret", token("", 37, HEX), "Authorization: Bearer {}"),
        ("secret", ":" + token("", 12), "redis://{}@host:6379"),
        ("secret", f"app:{token('secret', 9)}", "postgres://{}@db:5432/x"),
        ("secret", token("", 40, HEX), 'sparkpost\\_api\\_key = "{}"'),
        ("secret", token("", 32), "'secret': '{}'"),
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
        "me@mydomain.com, jane@yourcompany.co.uk, your.name@gmail.com, my.email@gmail.com, a@acme.com",
        'api_key = "put-the-key-of-your-account-here", token: "v1.0-beta-2-candidate", secret="my_secret_key"',
        "key='com.fern.app.settings.version2', Authorization: Bearer YOUR_ACCESS_TOKEN_GOES_HERE, mysql://root:Pass123@db/x",
        "0010 0020 0030 0040, from 12:345-678-9012 on, call 2020 2021 2022, that is handy 100 200 300",
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


def asked(**message: str) -> pl.DataFrame:
    row = {"key": [0], "turn": [0], "content": ["Done."], "name": [None], "tool_calls": [None]}
    schema = {"key": pl.UInt64, "turn": pl.Int32, "content": pl.String, "name": pl.String, "tool_calls": pl.String}
    return pl.DataFrame(row | {name: [value] for name, value in message.items()}, schema=schema)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("email", {"name": "ada.l@fernmail.org"}),
        ("email", {"tool_calls": '[{"arguments": "{\\"to\\": \\"\\\\nada.l@fernmail.org\\"}"}]'}),
        ("phone", {"tool_calls": '[{"arguments": {"phone": "030 25002333"}}]'}),
        ("phone", {"tool_calls": '[{"arguments": {"phone": 4158675309}}]'}),
        ("secret", {"tool_calls": json.dumps([{"arguments": json.dumps({"key": PRIVATE_KEY})}])}),
        ("email", {"tool_calls": "no JSON: ada.l@fernmail.org"}),
    ],
)
def test_names_and_tool_calls_are_searched_too(kind: str, message: dict[str, str]) -> None:
    (row,) = asked(**message).iter_rows(named=True)
    spans = [personal.Span(begin, end, kind) for _, _, begin, end, kind in find(asked(**message)).rows()]
    assert [span.kind for span in spans] == [kind]
    changed = parts.replaced(row, spans, str.upper)
    assert changed["content"] == "Done."
    assert kind.upper() in str(changed)
    assert "tool_calls" not in message or message["tool_calls"].startswith("no") or json.loads(changed["tool_calls"])
    assert find(asked(**{name: changed[name] for name in message})).is_empty()


calls = st.recursive(
    st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3), inner.map(json.dumps)
    ),
    max_leaves=8,
)


@given(calls)
@settings(max_examples=100, deadline=None)
def test_what_is_not_found_in_a_tool_call_stays_to_the_letter(value: object) -> None:
    message = {"content": "", "tool_calls": json.dumps([value])}
    assert parts.replaced(message, [], str.upper) == message
    assert parts.searched(pl.DataFrame([message])).to_list() == [parts.text(message)]


def test_a_list_of_addresses_takes_time_in_proportion() -> None:
    def seconds(count: int) -> float:
        list_of = turns(" ".join(f"ada{number}.l@fernmail.org" for number in range(count)))
        began = process_time()
        assert find(list_of).height == count
        return process_time() - began

    few, many = (min(seconds(count) for _ in range(3)) for count in (1500, 12_000))
    assert many < 24 * few, "8 times the addresses; 64 times the time would be quadratic"


def test_the_second_look_is_around_what_was_found_only(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0
    emails = personal._DETECTORS["email"]

    def counted(text: str) -> Iterator[tuple[int, int]]:
        nonlocal looked_at
        looked_at += len(text)
        return emails(text)

    monkeypatch.setitem(personal._DETECTORS, "email", counted)
    text = ("word " * 1000).join(["", *(f" ada{number}.l@fernmail.org " for number in range(20)), ""])
    assert len(spans(text)) == 20
    assert looked_at < 1.5 * len(text)


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
