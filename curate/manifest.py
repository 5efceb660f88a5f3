"""The manifest of a workspace: what each stage did, written when it has ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from curate.errors import WorkspaceError
from curate.files import atomic

if TYPE_CHECKING:
    from pathlib import Path

ANEW = "ingest the dumps into a new workspace, and copy a `judgements.sqlite` there: it is paid for"
_PARTS = {"curate", "schema", "stages"}
_INGEST = {"plan", "options", "files", "shards", "records", "conversations", "rejects", "joined", "split"}


def read(path: Path) -> dict[str, Any]:
    """What ran, by stage; empty where there is none.

    Raises:
        WorkspaceError: The file is no manifest, or one of another schema version.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise WorkspaceError("the manifest is not JSON", where=path, hint=str(error)) from error
    # First: other versions have other parts.
    _require_version(path, value)
    if not _is_manifest(value):
        raise WorkspaceError(
            "the manifest is not one that curate wrote",
            where=path,
            hint="put back the one that was there, or ingest into a new workspace",
        )
    manifest: dict[str, Any] = value
    return manifest


def _require_version(path: Path, value: object) -> None:
    from curate.schema import SCHEMA_VERSION

    schema = value.get("schema", SCHEMA_VERSION) if isinstance(value, dict) else SCHEMA_VERSION
    if not isinstance(schema, int) or schema > SCHEMA_VERSION:
        raise WorkspaceError(
            f"the workspace has schema version {schema}, this curate knows up to {SCHEMA_VERSION}",
            where=path,
            hint="upgrade with `pip install -U curate-chat`, or ingest into another workspace",
        )
    if schema < SCHEMA_VERSION:
        raise WorkspaceError(
            f"the workspace has schema version {schema}, this curate writes {SCHEMA_VERSION}", where=path, hint=ANEW
        )


def record(path: Path, stage: str, entry: object) -> None:
    """Put down what a stage did: its last act."""
    from curate import __version__
    from curate.schema import SCHEMA_VERSION

    manifest = read(path)
    stages = {**manifest.get("stages", {}), stage: entry}
    value = {"curate": __version__, "schema": SCHEMA_VERSION, "stages": stages}
    if value != manifest:
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")


def _is_manifest(value: object) -> bool:
    """Whether the parts that stages rely on have the shape that they wrote; a changed letter must not hide what ran."""
    if not isinstance(value, dict) or not value.keys() <= _PARTS or not isinstance(value.get("stages", {}), dict):
        return False
    stages = value.get("stages", {})
    ingests = stages.get("ingest", [])
    return (
        isinstance(ingests, list)
        and all(isinstance(run, dict) and run.keys() >= _INGEST for run in ingests)
        and all(isinstance(entry, dict) for stage, entry in stages.items() if stage != "ingest")
    )
