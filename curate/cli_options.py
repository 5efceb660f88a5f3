"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

WorkspaceOption = Annotated[
    Path, typer.Option("-w", "--workspace", envvar="CURATE_WORKSPACE", help="Folder of the workspace.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but warnings and errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Engine = Annotated[
    str, typer.Option(envvar="CURATE_ENGINE", help="`local`, or `ray`: many machines, see docs/scale.md.")
]

DEFAULT = Path("curated")
