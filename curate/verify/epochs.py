"""A file per epoch: none may lack between others, and no two may be the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from curate.verify import layouts

if TYPE_CHECKING:
    from pathlib import Path

    from curate.verify.files import Shards
    from curate.verify.findings import Findings

_EPOCH = re.compile(r"(?P<prefix>.*)\.(?P<epoch>\d+)\.(?P<kind>parquet|jsonl)$")


def check(shards: Shards, findings: Findings) -> None:
    """Note files that lack between others, and two that say the same in the same order."""
    epochs: dict[tuple[str, str], dict[int, list[Path]]] = {}
    for path in (*shards.files, *shards.lines):
        place = path.parent if path.parent.suffix == ".parquet" else path
        if match := _EPOCH.match(shards.name(place)):
            key = match["prefix"], match["kind"]
            epochs.setdefault(key, {}).setdefault(int(match["epoch"]), []).append(path)
    for (prefix, kind), found in epochs.items():
        lacking = [epoch for epoch in range(max(found) + 1) if epoch not in found] if max(found) < 10_000 else []
        if lacking and shards.whole:
            what = f"`{prefix}.{lacking[0]}.{kind}` is not there"
            findings.add("epoch_gap", count=len(lacking), detail=what)
        seen: dict[bytes, int] = {}
        for epoch, members in sorted(found.items()):
            if len(found) > 1 and (digest := layouts.digest(members)):
                if digest in seen:
                    what = f"`{prefix}.{epoch}.{kind}` and `{prefix}.{seen[digest]}.{kind}`"
                    findings.add("equal_epochs", shards.name(members[0]), detail=what)
                seen.setdefault(digest, epoch)
