"""Tinker's data from our shards: its cross entropy, summed as it sums, is Σ w·CE / Σ w; the cookbook's own is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate.export import export
from tests.export.vocabularies import mistral

from .runs import as_ones, backward, by_hand, distance, load, require, save_model
from .shards import tokens, workspace

pytestmark = pytest.mark.filterwarnings("ignore")


def served(model: Any, data: list[Any]) -> Any:
    """What the service computes of `cross_entropy`: -Σ weights · log-probabilities of the targets, over all data."""
    import torch

    total = torch.zeros((), dtype=torch.float64)
    for datum in data:
        targets, weights = (datum.loss_fn_inputs[name].to_torch() for name in ("target_tokens", "weights"))
        logits = model(torch.tensor([datum.model_input.to_ints()])).logits[0].float()
        chosen = logits.log_softmax(-1)[torch.arange(len(targets)), targets]
        total = total - (chosen.double() * weights.double()).sum()
    return total


def test_tinkers_loss_is_the_weighted_mean_of_our_rows(tmp_path: Path) -> None:
    require("tinker_cookbook", "tinker")
    import tinker
    import torch
    import transformers
    from tinker_cookbook.supervised.common import datum_from_model_input_weights

    folder = mistral(tmp_path / "model")
    out = export(workspace(tmp_path), tmp_path / "out", format="tinker", tokenizer=str(folder), quiet=True).out
    recipe = load(out / "curate_tinker.py")
    rows, model = tokens(out).to_pylist(), save_model(folder)
    dataset, validation = recipe.Builder(batch_size=4)()
    assert validation is None
    assert len(dataset) == 3
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for number, batch in enumerate(dataset):
        own = rows[4 * number : 4 * number + 4]
        expected = by_hand(model, own)
        assert distance(backward(model, served(model, batch)), expected) < 1e-5
        if len({weight for row in own for weight in row["loss_weights"] if weight}) > 1:
            assert distance(by_hand(model, as_ones(own)), expected) > 0.05, "weights of 1 would be seen"
        texts = [tokenizer.decode(datum.model_input.to_ints()) for datum in batch]
        assert ["GPT4 Assistant:" in text for text in texts] == [row["condition"] == "GPT4" for row in own]

    # The cookbook's own function makes the same data, but for the sum; as its builders call it, weights are gone.
    inputs = [tinker.ModelInput.from_ints(row["input_ids"]) for row in rows]
    weights = [torch.tensor(row["loss_weights"]) for row in rows]
    theirs = [datum_from_model_input_weights(*pair) for pair in zip(inputs, weights, strict=True)]
    total = sum(float(datum.loss_fn_inputs["weights"].to_torch().sum()) for datum in theirs)
    for ours, datum in zip(recipe.batch(rows), theirs, strict=True):
        assert ours.model_input.to_ints() == datum.model_input.to_ints()
        assert ours.loss_fn_inputs["target_tokens"].data == datum.loss_fn_inputs["target_tokens"].data
        scaled = ours.loss_fn_inputs["weights"].to_torch() * total
        torch.testing.assert_close(scaled, datum.loss_fn_inputs["weights"].to_torch(), rtol=1e-5, atol=0)
    mean = [datum_from_model_input_weights(*pair, reduction="mean") for pair in zip(inputs, weights, strict=True)]
    sums = [float(datum.loss_fn_inputs["weights"].to_torch().sum()) for datum in mean]
    assert sums == pytest.approx([1.0] * len(rows)), "every row weighs alike"


def test_an_epoch_is_another_order_of_the_same_rows(tmp_path: Path) -> None:
    require("tinker_cookbook", "tinker")
    told = {"format": "tinker", "tokenizer": str(mistral(tmp_path / "model")), "quiet": True}
    out = export(workspace(tmp_path), tmp_path / "out", **told).out
    dataset = load(out / "curate_tinker.py").Dataset(12)
    orders = []
    for seed in (0, 1, 0):
        dataset.set_epoch(seed)
        orders.append([datum.model_input.to_ints() for datum in dataset.get_batch(0)])
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])
