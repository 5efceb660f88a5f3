"""verl's data set class with our subclass, its collator and its loss give the gradient of Σ w·CE / Σ w."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.export import export
from tests.export.vocabularies import mistral

from .runs import as_ones, backward, by_hand, distance, load, rendered, require, save_model, tokenizer
from .shards import tokens, workspace

pytestmark = pytest.mark.filterwarnings("ignore")


def test_verls_loss_is_the_weighted_mean_of_our_rows(tmp_path: Path) -> None:
    require("verl", "verl")
    import torch
    from omegaconf import OmegaConf
    from verl.utils import tensordict_utils
    from verl.utils.dataset.dataset_utils import DatasetPadMode, SFTTensorCollator
    from verl.workers.utils.losses import sft_loss

    vocabulary = tokenizer(mistral(tmp_path / "model"))
    out = export(workspace(tmp_path), tmp_path / "out", format="verl", quiet=True).out
    config = OmegaConf.create({"pad_mode": "no_padding", "truncation": "right", "max_length": 4096})
    files = [str(file) for file in sorted((out / "data").iterdir())]
    data = load(out / "curate_verl.py").WeightedSFTDataset(files, vocabulary, config)
    batch = SFTTensorCollator(DatasetPadMode.NO_PADDING)([data[number] for number in range(len(data))])

    model = save_model(tmp_path / "model")
    chances = []
    for ids in batch["input_ids"].unbind():
        chance = model(ids[None]).logits[0, :-1].float().log_softmax(-1)
        chances.append(torch.cat([chance[torch.arange(len(ids) - 1), ids[1:]], torch.zeros(1)]))
    # As its FSDP engine: batch_num_tokens = data["loss_mask"].sum(), over all ranks.
    facts = {"dp_size": 1, "batch_num_tokens": batch["loss_mask"].values().sum().item()}
    given = tensordict_utils.get_tensordict({"loss_mask": batch["loss_mask"]}, non_tensor_dict=facts)
    output = {"log_probs": torch.nested.as_nested_tensor(chances, layout=torch.jagged)}
    loss, _ = sft_loss(None, output, given)

    exported = tokens(out).to_pylist()
    rows = [rendered(vocabulary, row["messages"]) for row in exported]
    assert [row["input_ids"] for row in rows] == [ids.tolist() for ids in batch["input_ids"].unbind()]
    taken = backward(model, loss)
    expected = by_hand(model, rows)
    assert distance(taken, expected) < 1e-5
    assert distance(by_hand(model, as_ones(rows)), expected) > 0.05, "weights of 1 would be seen"
    texts = [vocabulary.decode(row["input_ids"]) for row in rows]
    for text, row in zip(texts, exported, strict=True):
        assert f"system\n{row['condition']}<|end_of_turn|>" in text
