"""OpenChat's own model, loader and loss over our shards give Σ w·CE / Σ w, on one rank and on two."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from curate.export import export
from tests.export.vocabularies import mistral

from .shards import config, tokens, weighted_loss, workspace

pytestmark = pytest.mark.filterwarnings("ignore")


def attention(q: Any, k: Any, v: Any, cu_seqlens_q: Any, **_: Any) -> Any:
    """What flash-attn's varlen kernel computes, a sequence at a time, on the CPU."""
    import torch

    out = []
    repeat = q.shape[1] // k.shape[1]
    for begin, end in zip(cu_seqlens_q[:-1].tolist(), cu_seqlens_q[1:].tolist(), strict=True):
        heads = [t[begin:end].transpose(0, 1)[None] for t in (q, *(x.repeat_interleave(repeat, 1) for x in (k, v)))]
        out.append(torch.nn.functional.scaled_dot_product_attention(*heads, is_causal=True)[0].transpose(0, 1))
    return torch.cat(out)


@pytest.mark.parametrize("ranks", [1, 2])
def test_openchats_loss_is_the_weighted_mean_of_our_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranks: int
) -> None:
    torch = pytest.importorskip("torch", reason="pip install torch==2.13.0")
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("ochat", reason="pip install --no-deps ochat==3.6.1")
    from ochat.models import unpadded_mistral
    from ochat.training_deepspeed.openchat_dataset import OpenchatDataset

    monkeypatch.setattr(unpadded_mistral, "flash_attn_varlen_func", attention, raising=False)
    vocabulary, ws = str(mistral(tmp_path / "vocabulary")), workspace(tmp_path)
    native = export(ws, tmp_path / "native", format="openchat", tokenizer=vocabulary, quiet=True).out
    plain = tokens(export(ws, tmp_path / "plain", tokenizer=vocabulary, quiet=True).out).to_pylist()

    torch.manual_seed(0)
    settings = transformers.MistralConfig(**config(), sliding_window=4096, attn_implementation="eager")
    settings.rope_theta = 10000.0
    reference = transformers.MistralForCausalLM(settings).eval()
    theirs = unpadded_mistral.MistralForCausalLM(settings).eval()
    theirs.load_state_dict(reference.state_dict())

    loaders = [OpenchatDataset(str(native / "train.0.parquet"), 256, rank, ranks) for rank in range(ranks)]
    by_ids = {tuple(row["input_ids"]): row for row in plain}
    steps = 0
    for batches in zip(*loaders, strict=True):
        total, rows = 0.0, []
        for (batch, info), everything, _ in batches:
            with torch.no_grad():
                loss, _ = theirs(**batch, **info).loss
            # train.py: loss = (WORLD_SIZE / all_numseq) * loss, and DeepSpeed takes the mean over the ranks.
            total += float(loss) * (ranks / everything) / ranks
            ends = batch["cu_seqlens"].tolist()
            pieces = [tuple(batch["nz_input_ids"][a:b].tolist()) for a, b in pairwise(ends)]
            rows += [by_ids[piece] for piece in pieces if piece in by_ids]
        assert rows
        with torch.no_grad():
            rounded = float(weighted_loss(reference, rows, rounded=True))
            exact = float(weighted_loss(reference, rows))
            unweighted = float(weighted_loss(reference, [{**r, "loss_weights": mask(r)} for r in rows]))
        assert total == pytest.approx(rounded, rel=1e-5)
        assert total == pytest.approx(exact, rel=4e-3), "bfloat16 changes a weight by 0.4 % at most"
        if len({weight for row in rows for weight in row["loss_weights"] if weight}) > 1:
            assert abs(unweighted - exact) > 1e-5 * exact
        steps += 1
    assert steps


def mask(row: dict[str, Any]) -> list[float]:
    return [float(weight > 0) for weight in row["loss_weights"]]
