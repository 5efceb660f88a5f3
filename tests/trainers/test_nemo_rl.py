"""NeMo RL's loader, collator, mask and loss over our shards and configuration give the gradient of Σ w·CE / Σ w."""

from __future__ import annotations

import sys
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from curate.export import export
from tests.export.vocabularies import mistral

from .runs import as_ones, backward, by_hand, distance, rendered, require, save_model, tokenizer
from .shards import tokens, workspace

# What its logger imports beside the loss: none of them is asked anything here, and in full they are many.
LOGGERS = ["mlflow", "swanlab", "wandb", "matplotlib", "matplotlib.pyplot", "prometheus_client"]
LOGGERS += ["prometheus_client.parser", "prometheus_client.samples", "torch.utils.tensorboard"]

pytestmark = pytest.mark.filterwarnings("ignore")


class Aside(ModuleType):
    """Any name may be imported from it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__, self.__path__ = ModuleSpec(name, None), []

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return sys.modules.get(f"{self.__name__}.{name}") or type(name, (), {})


def test_nemos_loss_is_the_weighted_mean_of_our_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("nemo_rl", "nemo-rl")
    for name in LOGGERS:
        monkeypatch.setitem(sys.modules, name, Aside(name))
    import nemo_rl
    from nemo_rl.algorithms.loss.loss_functions import NLLLossFn
    from nemo_rl.data.collate_fn import rl_collate_fn
    from nemo_rl.data.datasets import AllTaskProcessedDataset, load_response_dataset
    from nemo_rl.data.llm_message_utils import add_loss_mask_to_message_log, batched_message_log_to_flat_message
    from nemo_rl.utils.config import load_config, register_omegaconf_resolvers

    vocabulary = tokenizer(mistral(tmp_path / "model"))
    out = export(workspace(tmp_path), tmp_path / "out", format="nemo-rl", quiet=True).out
    monkeypatch.setenv("NEMO_RL", str(Path(nemo_rl.__file__).parents[1]))
    monkeypatch.syspath_prepend(str(out))
    register_omegaconf_resolvers()
    told: Any = load_config(out / "nemo_rl.yaml")

    # examples/run_sft.py, setup_data, and algorithms/sft.py, sft_train.
    data = load_response_dataset(told.data.train)
    names = ("add_bos", "add_eos", "add_generation_prompt")
    processor = partial(data.processor, **{name: told.data[name] for name in names})
    spec = {data.task_name: (data.task_spec, processor)}
    length = told.policy.max_total_sequence_length
    dataset = AllTaskProcessedDataset(data.dataset, vocabulary, None, spec, max_seq_length=length)
    batch = rl_collate_fn([dataset[number] for number in range(len(dataset))])
    add_loss_mask_to_message_log(batch["message_log"], roles_to_train_on=["assistant"])
    flat, lengths = batched_message_log_to_flat_message(batch["message_log"], pad_value_dict={"token_ids": 0})
    ids = flat["token_ids"]
    given = {"input_ids": ids, "token_mask": flat["token_loss_mask"], "sample_mask": batch["loss_multiplier"]}

    exported = tokens(out).to_pylist()
    rows = [rendered(vocabulary, row["messages"], bos=True, apart=True) for row in exported]
    for row, own, long, one in zip(rows, ids.tolist(), lengths.tolist(), exported, strict=True):
        assert row["input_ids"] == own[:long]
        row["loss_weights"] = [weight * one["weight"] for weight in row["loss_weights"]]
    model = save_model(tmp_path / "model")
    chance = model(ids).logits[:, :-1].float().log_softmax(-1)
    chosen = chance.gather(-1, ids[:, 1:, None])[..., 0]
    # As its workers: the sum over all ranks of token mask times sample mask.
    total = (given["token_mask"][:, 1:] * given["sample_mask"][:, None]).sum()
    loss, _ = NLLLossFn()(chosen, given, batch["loss_multiplier"].sum(), total)
    taken = backward(model, loss)
    expected = by_hand(model, rows)
    assert distance(taken, expected) < 1e-5
    assert distance(by_hand(model, as_ones(rows)), expected) > 0.05, "weights of 1 would be seen"
    for row, own in zip(exported, rows, strict=True):
        assert f"system\n{row['condition']}<|end_of_turn|>" in vocabulary.decode(own["input_ids"])
    assert {round(weight, 4) for weight in batch["loss_multiplier"].tolist()} == {0.1, 1.0}
    assert any(not m["weight"] for row in exported for m in row["messages"] if m["role"] == "assistant"), "some masked"
