"""Two classes with different weights as token ids, and a tiny model for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.export.workspaces import conversation, make, talk

ROWS = [
    conversation(
        talk(f"Question {n}", f"Answer {n} " * (n % 5 + 1), "And?", f"So {n}."),
        **{"class": ("gpt-4", "gpt-3.5", ["gpt-4", "gpt-3.5"])[n % 3]},
    )
    for n in range(9)
]
VOCABULARY = 32002


def workspace(folder: Path) -> Path:
    return make(folder / "ws", ROWS).path


def tokens(folder: Path) -> pa.Table:
    """The rows of a tokenised export."""
    files = sorted((folder / "data").glob("*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files])


def config() -> dict[str, Any]:
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": False,
    }


def weighted_loss(model: Any, rows: list[dict[str, Any]], *, rounded: bool = False) -> Any:
    """Σ w·CE / Σ w over all rows, one after the other and by hand.

    Args:
        model: Anything of transformers with logits.
        rows: With `input_ids` and `loss_weights`.
        rounded: Whether the weights of the sum above are bfloat16, as OpenChat's loader casts them.
    """
    import torch

    numerator, denominator = torch.zeros((), dtype=torch.float64), 0.0
    for row in rows:
        ids = torch.tensor([row["input_ids"]])
        weights = torch.tensor(row["loss_weights"][1:])
        denominator += float(weights.double().sum())
        weights = weights.bfloat16() if rounded else weights
        chance = model(ids).logits[0, :-1].float().log_softmax(-1)
        losses = -chance[torch.arange(len(weights)), ids[0, 1:]]
        numerator = numerator + (losses.double() * weights.double()).sum()
    return numerator / denominator
