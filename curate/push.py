"""Push: an export to a hub of data sets, only when asked, with the hub's own login."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.console import Talk
from curate.errors import CurateError, InputError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

_REPO = re.compile(r"[\w.-]+/[\w.-]+")
# What a hub calls a token; never shown, whatever an error says.
_TOKEN = re.compile(r"\bhf_\w+|(?<=Bearer )\S+")
# The hub asks for commits of less than 100 files (its "Repository limitations and recommendations").
PART = 99


@dataclass(frozen=True)
class Pushed:
    """What was, or would be, uploaded.

    Attributes:
        repo: OWNER/NAME.
        endpoint: The hub.
        private: Whether a repository that is made for it is private.
        files: Files, relative to the folder.
        bytes: Their size.
        commit: The commit at the hub, the last one where there are several; None = nothing was sent.
        commits: How many it is sent as.
    """

    repo: str
    endpoint: str
    private: bool
    files: tuple[str, ...]
    bytes: int
    commit: str | None
    commits: int = 1


def push(
    folder: str | Path,
    repo: str,
    *,
    private: bool = True,
    revision: str | None = None,
    message: str = "Upload training shards",
    dry_run: bool = False,
    confirm: Callable[[Pushed], bool] | None = None,
    quiet: bool = False,
) -> Pushed:
    """Upload an export: the files that its manifest names, after their SHA-256 was compared.

    Up to `PART` files are one commit. More are several, the manifest in the last, so that what has one is whole; the
    same call after a failure leaves out the files that are at the hub already.

    The token is the one of the environment (`HF_TOKEN`) or of `hf auth login`; `HF_ENDPOINT` names another hub.

    Args:
        folder: Folder of the export.
        repo: OWNER/NAME of the data set; made where there is none.
        private: Whether it is made private; nothing changes where it exists.
        revision: Branch; None = the main one.
        message: Of the commit; of several, each says which part it is.
        dry_run: Send nothing.
        confirm: Asked before anything is sent.
        quiet: No progress.

    Raises:
        InputError: The folder is no export, or its files are not those of its manifest.
        CurateError: The hub refuses or cannot be reached, or `confirm` said no.
        MissingExtraError: `huggingface_hub` is not installed.
    """
    from curate.verify.files import compare, find, manifest
    from curate.verify.findings import Findings

    if not _REPO.fullmatch(repo):
        raise CurateError(f"`{repo}` is not OWNER/NAME", hint="curate push shards someone/my-dataset")
    place = Path(folder)
    if not place.is_dir():
        raise InputError("no such folder", where=place, hint="name the folder of an export")
    shards, findings, talk = find(str(place)), Findings(), Talk(quiet=quiet)
    known = manifest(shards)
    if known is None or known[0].resolve() != place.resolve():
        hint = "name the folder that `curate export -o` wrote"
        raise InputError("the folder is no export: it has no manifest", where=place, hint=hint)
    with talk.progress("checksums", len(known[1]["files"]), "files") as advance:
        compare(shards, findings, advance)
    if wrong := [finding for finding in findings.sorted() if finding.severity == "error"]:
        what = f"the files are not those of the manifest: {wrong[0].code} of `{wrong[0].file}`"
        raise InputError(what, where=place, hint="run `curate export` again")
    names = sorted(name for name in known[1]["files"] if (place / name).resolve().is_relative_to(place.resolve()))
    files = (*names, "manifest.json")
    api = _api()
    parts = [files[at : at + PART] for at in range(0, len(files), PART)]
    size = sum((place / name).stat().st_size for name in files)
    planned = Pushed(repo, api.endpoint, private, files, size, None, len(parts))
    if dry_run:
        return planned
    if confirm and not confirm(planned):
        raise CurateError("nothing was sent", hint="--yes uploads without asking")
    from huggingface_hub import CommitOperationAdd

    sent = 0
    try:
        api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        with talk.progress("upload", len(parts), "commits") as advance:
            for number, part in enumerate(parts, 1):
                operations = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(place / name)) for name in part]
                title = message if len(parts) == 1 else f"{message} (part {number} of {len(parts)})"
                told = {"commit_message": title, "repo_type": "dataset", "revision": revision}
                commit = api.create_commit(repo, operations, **told)
                sent = number
                advance(1)
    # The client raises the errors of its HTTP library, which has been another one in each major version.
    except Exception as error:
        why = _TOKEN.sub("…", str(error).strip().split("\n")[0])
        there = f"{sent} of {len(parts)} parts are there; the same command goes on" if sent else "nothing was committed"
        hint = f"log in with `hf auth login` or set HF_TOKEN to a token that may write; {there}"
        raise CurateError(f"the hub refused: {why}", where=f"{api.endpoint}/datasets/{repo}", hint=hint) from None
    return replace(planned, commit=commit.oid)


def _api() -> Any:
    """The hub's client."""
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise MissingExtraError("huggingface_hub", "hub") from None
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
