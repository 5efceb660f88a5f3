"""What WildChat knows of its visitors beside their words is not kept."""

from __future__ import annotations

from datetime import UTC, datetime

from curate.ingest.formats import lmsys, wildchat

VISITOR = {"hashed_ip": "aa11", "header": {"user-agent": "Mozilla"}, "country": "Utopia", "state": "Nowhere"}


def test_neither_address_nor_browser_nor_place_is_kept() -> None:
    turns = [{"role": "user", "content": "Hi", **VISITOR}, {"role": "assistant", "content": "Hello!"}]
    kept = repr(wildchat.convert({"conversation_hash": "f1", "conversation": turns, **VISITOR}))
    assert "Hello!" in kept
    assert not any(word in kept for word in ("aa11", "Mozilla", "Utopia", "Nowhere"))


def test_rows_out_of_parquet_have_datetimes_and_nulls() -> None:
    turns = [{"role": "user", "content": "Hi", "toxic": None, "redacted": None, "header": None}]
    row = {
        "conversation_hash": "f1",
        "timestamp": datetime(2023, 4, 9, 0, 2, 53, tzinfo=UTC),
        "conversation": turns,
        "openai_moderation": None,
        "detoxify_moderation": [None],
        "toxic": None,
        "redacted": None,
        "language": None,
    }
    found = wildchat.convert(row)
    assert found.created_at == row["timestamp"]
    assert found.marks == []
    assert lmsys.convert({"conversation": turns, "openai_moderation": [None], "redacted": None}).marks == []
