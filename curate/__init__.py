"""curate: raw chat dumps in, conditioned and weighted training shards out.

Every command is one function here, with the same name and arguments:

    import curate

    curate.ingest(["dump.json"], "curated")
    curate.label("curated")
    curate.score("curated", judge="local")
    curate.export("curated", "shards", format="crlft")
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curate.browse import browse as browse
    from curate.clean import clean as clean
    from curate.corrections import correct as correct
    from curate.corrections import corrections as corrections
    from curate.decontaminate import decontaminate as decontaminate
    from curate.dedup import dedup as dedup
    from curate.dedup import restore as restore
    from curate.dedup.explain import explain_duplicate as explain_duplicate
    from curate.diff import diff as diff
    from curate.doctor import doctor as doctor
    from curate.errors import CurateError as CurateError
    from curate.export import export as export
    from curate.ingest import ingest as ingest
    from curate.judge import score as score
    from curate.label import label as label
    from curate.pipeline import run as run
    from curate.push import push as push
    from curate.report.funnel import funnel as funnel
    from curate.report.histogram import hist as hist
    from curate.report.run import report as report
    from curate.responses import scan as scan
    from curate.show import search as search
    from curate.show import show as show
    from curate.verify import verify as verify
    from curate.workspace import Workspace as Workspace

__version__ = "0.1.0"

_PUBLIC = {
    "CurateError": "curate.errors",
    "Workspace": "curate.workspace",
    "browse": "curate.browse",
    "clean": "curate.clean",
    "correct": "curate.corrections",
    "corrections": "curate.corrections",
    "decontaminate": "curate.decontaminate",
    "dedup": "curate.dedup",
    "diff": "curate.diff",
    "doctor": "curate.doctor",
    "explain_duplicate": "curate.dedup.explain",
    "export": "curate.export",
    "funnel": "curate.report.funnel",
    "hist": "curate.report.histogram",
    "ingest": "curate.ingest",
    "label": "curate.label",
    "push": "curate.push",
    "report": "curate.report.run",
    "restore": "curate.dedup",
    "run": "curate.pipeline",
    "scan": "curate.responses",
    "score": "curate.judge",
    "search": "curate.show",
    "show": "curate.show",
    "verify": "curate.verify",
}

__all__ = sorted(_PUBLIC)


class _Package(ModuleType):
    """Keeps `curate.ingest` the function, although importing the module `curate.ingest` would take its name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _PUBLIC and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


if not TYPE_CHECKING:  # type checkers would take any name for one that it can load

    def __getattr__(name: str) -> Any:
        """Load a public name on first use, so that `import curate` stays instant."""
        if name not in _PUBLIC:
            raise AttributeError(f"module 'curate' has no attribute {name!r}")
        value = getattr(import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value


sys.modules[__name__].__class__ = _Package
