from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "judge")]

from scenes import STAGES, Scene, Zygote, scenes  # noqa: E402

# Forked children, limits of a process and /proc are of this system only.
collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    started = Zygote()
    yield started
    started.close()


@pytest.fixture(scope="session")
def flow(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scene]:
    """Each stage of the flow: what it finds and what it leaves when nobody disturbs it."""
    return scenes(zygote, tmp_path_factory.mktemp("flow"))


@pytest.fixture(scope="session")
def finished(flow: dict[str, Scene], zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after the whole flow; not to be changed."""
    folder = flow["export"].place(tmp_path_factory.mktemp("finished") / "scene")
    assert zygote.run(STAGES["export"], folder).code == 0
    return folder
