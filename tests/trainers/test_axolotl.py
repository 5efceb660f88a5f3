"""`axolotl train axolotl.yml`, unchanged, takes the step of Σ w·CE / Σ w, over accumulated batches, too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from curate.export import export
from tests.export.vocabularies import mistral

from .runs import as_ones, by_hand, distance, gradient, require, run, save_model
from .shards import tokens, workspace

pytestmark = pytest.mark.filterwarnings("ignore")

# One step of SGD at rate 1 in float32 over all twelve rows, so that what it takes off is the gradient.
STEP = """\
--launcher=python --max-steps=1 --micro-batch-size=3 --gradient-accumulation-steps=4 --bf16=false
    --optimizer=sgd --learning-rate=1 --lr-scheduler=constant --max-grad-norm=0"""


def test_axolotls_step_is_that_of_the_weighted_loss(tmp_path: Path) -> None:
    require("axolotl", "axolotl")
    folder = mistral(tmp_path / "model")
    out = export(workspace(tmp_path), tmp_path / "out", format="axolotl", tokenizer=str(folder), quiet=True).out
    model = save_model(folder)
    command = [sys.executable, "-m", "axolotl.cli.main", "train", "axolotl.yml", f"--base-model={folder}"]
    run([*command, *STEP.split()], out, tmp_path, PYTHONPATH=".")

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
