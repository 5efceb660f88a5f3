"""The smallest working recipe of a trainer: files that stand beside the data, from `recipes/`."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curate.export.job import Job

FOLDER = Path(__file__).with_name("recipes")


def write(job: Job, *names: str, **values: object) -> None:
    """Copy recipe files into the export.

    Args:
        job: The export.
        names: `folder/file` in `recipes/`; the file keeps its name.
        values: What stands for `${KEY}` in files that are not Python.
    """
    for name in names:
        file = FOLDER / name
        text = file.read_text("utf-8")
        if file.suffix != ".py":
            text = Template(text).substitute(name=job.name, **values)
        (job.folder / file.name).write_text(text, "utf-8")
