"""The digest that a manifest carries of itself, so that a changed byte shows.

It is BLAKE2b-128 over what the JSON says, whatever the order of its keys and its white space. The value names what
it is, so that a manifest whose key was changed is not taken for one of an older curate, which had no digest.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

KEY = "digest"
_KIND = "blake2b:"
# What a file that is no JSON any more is told by to have been a manifest of ours.
MARKS = (b'"curate_export"', f'"{_KIND}'.encode())


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """A JSON object with its digest."""
    plain = json.loads(json.dumps(value, allow_nan=False))  # as it will be read
    return {**plain, KEY: _digest(plain)}


def unsealed(value: dict[str, Any]) -> dict[str, Any] | None:
    """The object without its digest; None when it says something else than was written."""
    rest = {key: part for key, part in value.items() if key != KEY}
    if KEY in value:
        return rest if value[KEY] == _digest(rest) else None
    lost = any(isinstance(part, str) and part.startswith(_KIND) for part in rest.values())
    return None if lost else rest


def was_ours(text: bytes) -> bool:
    """Whether a damaged file was the manifest of an export: one changed byte cannot hit both marks."""
    return any(mark in text for mark in MARKS)


def _digest(value: dict[str, Any]) -> str:
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return _KIND + blake2b(canonical.encode(), digest_size=16).hexdigest()
