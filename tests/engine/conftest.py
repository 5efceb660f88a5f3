"""A real Ray cluster on this machine: worker processes, a scheduler, an object store."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WORDS = ("river", "stone", "lamp", "orange", "quiet", "engine", "table", "seven", "music", "paper", "cloud", "north")


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """Two processors' worth of workers, as `--engine ray` starts them where there is no other cluster."""
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed: make test-engine")
    pytest.importorskip("daft", reason="the extra `ray` is not installed: make test-engine")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")
        from curate.engine import ray_tasks

        ray_tasks.LOCAL |= {"num_cpus": 2, "object_store_memory": 500_000_000}
        yield
        ray.shutdown()


@pytest.fixture(scope="session")
def talks() -> Callable[[int], list[dict[str, Any]]]:
    """So many made-up conversations: some equal, some nearly, some going on, some flawed, with mails and models."""

    def make(count: int) -> list[dict[str, Any]]:
        chance = random.Random(7)
        rows: list[dict[str, Any]] = []
        for number in range(count):
            copy = rows[chance.randrange(len(rows))] if rows and chance.random() < 0.4 else None
            messages = [dict(message) for message in copy["messages"]] if copy else _fresh(chance)
            change = chance.random()
            if copy and change < 0.3:
                messages[-1]["content"] += " " + " ".join(chance.choices(WORDS, k=3))
            elif copy and change < 0.6:
                messages += _fresh(chance)[:2]
            elif copy and change < 0.7:
                messages[-1]["content"] = messages[-1]["content"][:-40]
            model = chance.choice(["gpt-4", "gpt-3.5-turbo", None])
            rows.append({"messages": messages, "model": model, "source_id": f"talk-{number}", "marks": []})
        return rows

    return make


def _fresh(chance: random.Random) -> list[dict[str, Any]]:
    messages = []
    for _ in range(chance.randint(1, 3)):
        question = chance.choice(["Tell me of the", "Solve 12 + 7 and the", "Write to ann@example.org of the"])
        messages.append({"role": "user", "content": f"{question} {' '.join(chance.choices(WORDS, k=4))}"})
        answer = chance.choice(["", "As an AI language model I cannot. ", "```python\nprint(1)\n``` "])
        size = chance.choice([3, 60, 150])
        messages.append({"role": "assistant", "content": answer + " ".join(chance.choices(WORDS, k=size)) + "."})
    return messages


@pytest.fixture
def twins(tmp_path: Path, workspace: Callable[..., Any], talks: Callable[..., Any]) -> Callable[..., list[Path]]:
    """The same workspace twice, for one engine each."""
    import shutil

    def make(count: int = 300, shard_rows: int = 40) -> list[Path]:
        ws = workspace(*talks(count), shard_rows=shard_rows)
        return [shutil.copytree(ws.path, tmp_path / name) for name in ("local", "ray")]

    return make


os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
