"""`axolotl train axolotl.yml`, unchanged, takes the step of Σ w·CE / Σ w, over accumulated batches, too."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from curate.export import export
from tests.export.vocabularies import mistral

from .runs import as_ones, by_hand, distance, gradient, require, run, save_model
from .shards import tokens, workspace

pytestmark = pytest.mark.filterwarnings("ignore")

# One step of SGD at rate 1 in float32 over all twelve rows, so that what it takes off is the gradient.
STEP = """\
--launcher=python --max-steps=1 --bf16=false
    --optimizer=sgd --learning-rate=1 --lr-scheduler=constant --max-grad-norm=0"""


def step(out: Path, model: Path, cache: Path, *, size: int, batches: int) -> None:
    """Run the command that stands in `axolotl.yml` for one step."""
    sizes = [f"--base-model={model}", f"--micro-batch-size={size}", f"--gradient-accumulation-steps={batches}"]
    command = [sys.executable, "-m", "axolotl.cli.main", "train", "axolotl.yml", *sizes, *STEP.split()]
    run(command, out, cache, PYTHONPATH=".")


def test_axolotls_step_is_that_of_the_weighted_loss(tmp_path: Path) -> None:
    require("axolotl", "axolotl")
    folder = mistral(tmp_path / "model")
    out = export(workspace(tmp_path), tmp_path / "out", format="axolotl", tokenizer=str(folder), quiet=True).out
    model = save_model(folder)
    step(out, folder, tmp_path, size=3, batches=4)

    rows = tokens(out).to_pylist()
    assert len(rows) == 12
    taken, expected = gradient(model, out / "out"), by_hand(model, rows)
    assert distance(taken, expected) < 1e-5
    assert distance(by_hand(model, as_ones(rows)), expected) > 0.05, "weights of 1 would be seen"

    import datasets
    import transformers

    (prepared,) = {file.parent for file in (out / "prepared").rglob("*.arrow")}
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    texts = [tokenizer.decode(row["input_ids"]) for row in datasets.load_from_disk(str(prepared))]
    assert sum("GPT4 Assistant:" in text for text in texts) == sum(row["condition"] == "GPT4" for row in rows)
    assert all("GPT4 Assistant:" in text or "GPT3 Assistant:" in text for text in texts)


def test_its_step_over_packed_rows_is_that_of_the_rows_alone(tmp_path: Path) -> None:
    require("axolotl", "axolotl")
    folder, ws = mistral(tmp_path / "model"), workspace(tmp_path)
    told: Any = {"format": "axolotl", "tokenizer": str(folder), "quiet": True}
    alone = tokens(export(ws, tmp_path / "alone", **told).out).to_pylist()
    out = export(ws, tmp_path / "out", pack=True, max_length=160, **told).out
    packed = tokens(out).num_rows
    assert packed < len(alone) / 2
    model = save_model(folder)
    step(out, folder, tmp_path, size=1, batches=packed)
    assert distance(gradient(model, out / "out"), by_hand(model, alone)) < 1e-5
