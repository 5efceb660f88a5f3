"""A conversation is found by every name that it has, and a name of several leads to a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import curate
from curate.errors import CurateError
from curate.show.find import find
from curate.workspace import Workspace


@pytest.fixture
def ws(workspace: Callable[..., Workspace]) -> Workspace:
    def row(text: str, **more: Any) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "yes"}], **more}

    return workspace(
        row("a", source_id="first:1", content_hash="aaaaaaaa" + "0" * 24),
        row("b", source_id="twin", content_hash="bbbbbbbb" + "0" * 24),
        row("c", source_id="twin", content_hash="aaaaaaaa" + "1" * 24),
        row("d", source_id="1", content_hash="12345678" + "0" * 24),
        row("e", source_id=None, content_hash="bbbbbbbb" + "0" * 24),
        shard_rows=2,
    )


@pytest.mark.parametrize(
    ("name", "key", "turn"),
    [
        (2, 2, None),
        ("2", 2, None),
        (" 4 ", 4, None),
        ("3:1", 3, 1),
        ("1", 1, None),  # a key before an id
        ("first:1", 0, None),  # an id before a turn
        ("first:1:1", 0, 1),
        ("12345678", 3, None),  # no key, so a hash
        ("aaaaaaaa1", 2, None),
        ("aaaaaaaa" + "0" * 24, 0, None),
        ("aaaaaaaa" + "0" * 24 + "-0", 0, None),
        ("bbbbbbbb" + "0" * 24 + "-4.2:3/2", 4, None),
        ("aaaaaaaa" + "1" * 24 + "-77", 2, None),  # of a workspace in which it had another key
    ],
)
def test_every_name_leads_there(ws: Workspace, name: str | int, key: int, turn: int | None) -> None:
    found = find(ws, name)
    assert (found.shard, found.key, found.turn) == (key // 2, key, turn)


@pytest.mark.parametrize("name", ["twin", "aaaaaaaa", "bbbbbbbb" + "0" * 24, "bbbbbbbb" + "0" * 24 + "-77"])
def test_a_name_of_several_lists_them(ws: Workspace, name: str) -> None:
    with pytest.raises(CurateError, match="2 conversations are called") as caught:
        find(ws, name)
    assert caught.value.what.count("dump.json, row") == 2
    assert (caught.value.hint or "").startswith("name one by its key: curate show ")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("99", "a key (17)"),
        ("tw", "ids that begin so: `twin`"),
        ("aaaaaaa", "a key (17)"),  # too few digits
        ("", "a key (17)"),
        ("99999999999999999999999999", "a key (17)"),
        ("%", "a key (17)"),
        ("٣", "a key (17)"),
    ],
)
def test_no_such_name_says_what_names_there_are(ws: Workspace, name: str, hint: str) -> None:
    with pytest.raises(CurateError, match="no conversation is called") as caught:
        find(ws, name)
    assert hint in (caught.value.hint or "")


def test_a_key_that_is_not_there_says_which_are(lived: Any) -> None:
    with pytest.raises(CurateError) as caught:
        curate.show(lived.ws, 4000)
    assert caught.value.hint == "keys go from 0 to 9"
