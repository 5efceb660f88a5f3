"""curate: raw chat dumps in, conditioned and weighted training shards out.

Every command is one function here, with the same name and arguments:

    import curate

    curate.ingest(["dump.json"], "curated")
    curate.label("curated")
    curate.score("curated", judge="local")
    curate.export("curated", "shards", format="crlft")
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "ingest": "curate.ingest",
    "clean": "curate.clean",
    "label": "curate.label",
    "dedup": "curate.dedup",
    "score": "curate.judge",
    "export": "curate.export",
    "hist": "curate.report.histogram",
    "funnel": "curate.report.funnel",
    "run": "curate.pipeline",
    "scan": "curate.responses",
    "Workspace": "curate.workspace",
    "CurateError": "curate.errors",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    """Load a public name on first use, so that `import curate` stays instant."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'curate' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value
