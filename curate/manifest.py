"""The manifest of a workspace: what each stage did, written when it has ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from curate.errors import WorkspaceError, unwritable
from curate.files import atomic
from curate.seal import KEY, sealed, unsealed

if TYPE_CHECKING:
    from pathlib import Path

ANEW = "ingest the dumps into a new workspace, and copy a `judgements.sqlite` there: it is paid for"
_PARTS = {"curate", "schema", "stages", KEY}
MEND = (
    "put back a copy of it; or delete it, and run the commands that made this workspace again, `curate ingest` first: "
    "they take over every table that is whole, and write it anew"
)
_INGEST = {"plan", "options", "files", "shards", "records", "conversations", "rejects", "joined", "split"}


def read(path: Path) -> dict[str, Any]:
    """What ran, by stage, without the digest; empty where there is none.

    Raises:
        WorkspaceError: The file is no manifest, says something else than was written, or has another schema version.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise WorkspaceError(f"the manifest is not JSON: {error}", where=path, hint=MEND) from error
    manifest: dict[str, Any] | None = unsealed(value) if isinstance(value, dict) else {}
    if manifest is None:
        what = "the manifest is damaged: it does not say what was written"
        raise WorkspaceError(what, where=path, hint=MEND)
    # Before its parts: other versions have others.
    _require_version(path, value)
    if not _is_manifest(value):
        raise WorkspaceError("the manifest is not one that curate wrote", where=path, hint=MEND)
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
    """Put down what a stage did: its last act.

    Raises:
        WorkspaceError: It cannot be written, or what is there is damaged.
    """
    from curate import __version__
    from curate.schema import SCHEMA_VERSION

    manifest = read(path)
    stages = {**manifest.get("stages", {}), stage: entry}
    value = sealed({"curate": __version__, "schema": SCHEMA_VERSION, "stages": stages})
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if not path.exists() or path.read_text("utf-8") != text:
        try:
            with atomic(path) as temporary:
                temporary.write_text(text, "utf-8")
        except OSError as error:
            raise unwritable(error, path) from error


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
