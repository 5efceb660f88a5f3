"""Conversations with answers by known speakers, and their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest

import curate
from curate import rules
from curate.label.decide import Policy, decide
from curate.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from curate.workspace import Workspace

Row = dict[str, Any]


@pytest.fixture(scope="session")
def talk() -> Callable[..., Row]:
    """`talk("gpt-4", {}, source_id="a")`: a prompt and an answer for each speaker; a dict holds the answer's fields."""

    def make(*speakers: str | Row, **fields: Any) -> Row:
        messages: list[Row] = []
        for speaker in speakers:
            own = speaker if isinstance(speaker, dict) else {"model": speaker}
            messages += [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"} | own]
        return {"messages": messages} | fields

    return make


@pytest.fixture(scope="session")
def labels() -> Callable[..., list[Row]]:
    """The rows of the table `labels` after `curate label` with the given options."""

    def rows(ws: Workspace, **options: Any) -> list[Row]:
        curate.label(ws.path, quiet=True, **options)
        return ws.scan("labels").collect().to_dicts()

    return rows


@pytest.fixture(scope="session")
def decided() -> Callable[..., list[Row]]:
    """The same by the shipped rules alone, for conversations that lie in no workspace."""
    names = ("labels", "impossible", "claims")
    policy = Policy(*(rules.load(name, name) for name in names), side=None, sources={}, assume=None)

    def rows(*conversations: Row) -> list[Row]:
        filled = [
            {"key": key, "source": "made up", "source_file": "dump.json", "source_row": key, "content_hash": str(key)}
            | conversation
            for key, conversation in enumerate(conversations)
        ]
        frame = pl.from_arrow(pa.Table.from_pylist(filled, TABLES["conversations"].arrow))
        assert isinstance(frame, pl.DataFrame)
        return decide(frame, policy).to_dicts()

    return rows
