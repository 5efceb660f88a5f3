"""`train.sh` in verl takes the step of Σ w·CE / Σ w, and so do its data set, collator and loss alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.export import export
from tests.export.vocabularies import mistral

from .runs import (
    as_ones,
    backward,
    by_hand,
    distance,
    gradient,
    load,
    rendered,
    require,
    run,
    save_model,
    tokenizer,
)
from .shards import tokens, workspace

pytestmark = pytest.mark.filterwarnings("ignore")

# verl knows GPUs and NPUs. As platform it gets `verl_cpu.py`, and takes the engine that it has for CUDA.
CPU = {"VERL_USE_EXTERNAL_MODULES": "verl_cpu", "VERL_PLATFORM": "cpu", "VERL_ENGINE_DEVICE": "cuda"}
# FSDP 1 sends the model to a GPU before it shards it. One step of SGD at rate 1 in float32 over all rows.
STEP = """
trainer.device=cpu engine.strategy=fsdp2 +engine.mixed_precision.param_dtype=fp32
+model.override_config.attn_implementation=sdpa
optim.optimizer=SGD optim.lr=1 optim.clip_grad=1e9 optim.weight_decay=0 data.train_batch_size=12 data.num_workers=0
trainer.total_training_steps=1 checkpoint.save_contents=[model,hf_model]"""


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


def test_train_sh_takes_the_step_of_the_weighted_loss(tmp_path: Path) -> None:
    require("verl", "verl")
    vocabulary = tokenizer(mistral(tmp_path / "model"))
    out = export(workspace(tmp_path), tmp_path / "out", format="verl", quiet=True).out
    model = save_model(tmp_path / "model")
    command = ["sh", "out/train.sh", str(tmp_path / "model"), *STEP.split()]
    run(command, tmp_path, tmp_path, PYTHONPATH=str(Path(__file__).parent), **CPU)

    rows = [rendered(vocabulary, row["messages"]) for row in tokens(out).to_pylist()]
    expected = by_hand(model, rows)
    taken = gradient(model, out / "out" / "global_step_1" / "huggingface")
    assert distance(taken, expected) < 1e-5
    assert distance(by_hand(model, as_ones(rows)), expected) > 0.05, "weights of 1 would be seen"
