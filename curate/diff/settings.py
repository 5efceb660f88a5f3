"""What two manifests say of versions, options, rules and inputs, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a stage counted is no setting, and follows from them and the data.
COUNTED = frozenset(
    (
        *("counts", "by", "flagged", "conversations", "responses", "classes", "conflicts", "claims", "verified"),
        *("tasks", "unmatched", "undecided", "statuses", "defects", "fingerprint", "inputs", "shards", "records"),
        *("rejects", "joined", "split", "fragments", "edits", "truncated", "redacted", "plan", "folders"),
    )
)


@dataclass(frozen=True)
class Setting:
    """One that differs.

    Attributes:
        name: Stage and setting: `label.rules`, `export.policy.weighting`.
        before: In the first manifest; None = not there.
        after: In the second.
    """

    name: str
    before: Any
    after: Any


def compare(a: dict[str, Any], b: dict[str, Any]) -> list[Setting]:
    """The settings that differ, in the order of their names."""
    before, after = dict(_flat(a)), dict(_flat(b))
    names = sorted({*before, *after})
    return [Setting(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _flat(manifest: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "curate", manifest.get("curate")
    yield "schema", manifest.get("schema")
    for stage, entry in manifest.get("stages", {}).items():
        if isinstance(entry, list):
            yield f"{stage}.runs", len(entry)
            for number, run in enumerate(entry):
                yield from _settings(f"{stage}.{number}", run)
        else:
            yield f"{stage}.ran", True
            yield from _settings(stage, entry)


def _settings(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in COUNTED:
                yield from _settings(f"{name}.{key}", inner)
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        for number, one in enumerate(value):
            yield from _settings(f"{name}.{number}", one)
    else:
        yield name, value
