"""A ShareGPT page's own data, and the items of ShareGPT's API.

    {"props": {"pageProps": {"id": "QWJhYvA", "views": 3, "content": {"title": "…", "model": "Model: GPT-4",
        "items": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "<div class=\\"markdown\\">…</div>"}]}}}}

The whole `__NEXT_DATA__` object, its `pageProps`, or an item of the API, which looks the same.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.conversation import Conversation, UnusableError
from curate.ingest.formats import sharegpt
from curate.ingest.moments import moment
from curate.ingest.normalise import is_null


def matches(record: dict[str, Any]) -> bool:
    """`content` with `items`, maybe null, at the top or under `props.pageProps`."""
    content = _page(record).get("content")
    items = content.get("items", "") if isinstance(content, dict) else ""
    if items == [] or is_null(items):
        return True
    return isinstance(items, list) and isinstance(items[0], dict) and "from" in items[0]


def convert(record: dict[str, Any]) -> Conversation:
    """One page is one conversation."""
    page = _page(record)
    content, query = page.get("content"), record.get("query")
    if not isinstance(content, dict):
        raise UnusableError("unknown_shape", "no `content` on the page")
    source_id = page.get("id") or (query.get("id") if isinstance(query, dict) else None)
    items = {"id": source_id, "model": content.get("model"), "items": content.get("items")}
    conversation = sharegpt.convert(items)
    conversation.created_at = moment(page.get("createdAt"))
    return conversation


def _page(record: dict[str, Any]) -> dict[str, Any]:
    """The object that has the page's `content`."""
    for name in ("props", "pageProps"):
        inner = record.get(name)
        record = inner if isinstance(inner, dict) else record
    return record
