"""LLaMA-Factory's v1 trainer with our `train.yaml` takes the step of Σ w·CE / Σ w of a micro-batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate.export import export
from tests.export.vocabularies import mistral

from .runs import as_ones, by_hand, distance, gradient, require, save_model, tokenizer
from .shards import tokens, workspace

pytestmark = pytest.mark.filterwarnings("ignore")


def chatml(vocabulary: Any, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Ids and weights of its template `chatml`: a message weighs with its role and its end."""
    ids: list[int] = []
    weights: list[float] = []
    for message in messages:
        text = f"<|im_start|>{message['role']}\n{message['content'][0]['value']}<|im_end|>\n"
        own = vocabulary.encode(text, add_special_tokens=False)
        ids, weights = ids + own, weights + [message["loss_weight"]] * len(own)
    return {"input_ids": ids, "loss_weights": weights}


def test_its_step_is_that_of_the_weighted_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("llamafactory", "llama-factory")
    import torch
    from llamafactory.v1.trainers.sft_trainer import run_sft
    from omegaconf import OmegaConf

    folder = mistral(tmp_path / "model")
    vocabulary = tokenizer(folder)
    out = export(workspace(tmp_path), tmp_path / "out", format="llama-factory-v1", quiet=True).out
    model = save_model(folder)
    monkeypatch.setenv("USE_V1", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(out)
    # It has AdamW and no other, whose step is no gradient.
    monkeypatch.setattr(torch.optim, "AdamW", lambda parameters, lr: torch.optim.SGD(parameters, lr=lr))
    told: Any = OmegaConf.to_container(OmegaConf.load("train.yaml"))
    one = {"micro_batch_size": 12, "learning_rate": 1.0, "max_grad_norm": 1e9, "bf16": False, "batching_workers": 0}
    run_sft({**told, "model": str(folder), "template": "chatml", **one})

    exported = tokens(out).to_pylist()
    assert len(exported) == 12
    rows = [chatml(vocabulary, row["messages"]) for row in exported]
    expected = by_hand(model, rows)
    assert distance(gradient(model, out / "out"), expected) < 1e-5
    assert distance(by_hand(model, as_ones(rows)), expected) > 0.05, "weights of 1 would be seen"
    assert all("system\nGPT" in vocabulary.decode(row["input_ids"]) for row in rows)
