"""Packed rows are whole rows side by side that do not see each other."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import CurateError
from curate.export import export
from curate.export.pack import plan
from curate.verify import verify
from curate.workspace import Workspace

from .vocabularies import mistral
from .workspaces import conversation, make, talk

ROWS = [
    conversation(talk(f"Question {n}", f"Answer {n} " * (n % 7 + 1)), **{"class": ("gpt-4", "gpt-3.5")[n % 2]})
    for n in range(40)
]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(mistral(tmp_path_factory.mktemp("vocabulary")))


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make(tmp_path_factory.mktemp("ws"), ROWS, shard=20)


@given(st.lists(st.integers(1, 50), max_size=60))
@settings(max_examples=200, deadline=None)
def test_every_row_is_in_one_packed_row_and_none_is_too_long(lengths: list[int]) -> None:
    order, sizes = plan(np.array(lengths, np.int64), 50)
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert sizes.sum() == len(lengths)
    ends = np.cumsum(sizes)
    fill = [int(np.array(lengths)[order[end - size : end]].sum()) for end, size in zip(ends, sizes, strict=True)]
    assert all(0 < total <= 50 for total in fill)
    # First fit decreasing needs at most 11/9 of the best packing, plus one.
    assert len(sizes) <= 11 / 9 * -(-sum(lengths) // 50) + 1 + sum(length > 25 for length in lengths)


def test_packed_shards_hold_the_rows_of_the_unpacked_ones(ws: Workspace, tmp_path: Path, vocabulary: str) -> None:
    told: dict[str, Any] = {"tokenizer": vocabulary, "max_length": 128, "quiet": True}
    plain = pl.read_parquet(export(ws.path, tmp_path / "plain", **told).out / "data" / "*.parquet")
    result = export(ws.path, tmp_path / "out", pack=True, **told)
    packed = pl.read_parquet(result.out / "data" / "*.parquet")
    assert result.packed == {"rows": len(packed), "fill": pytest.approx(packed["length"].sum() / (len(packed) * 128))}
    assert result.packed["fill"] > 0.9
    found = []
    for row in packed.iter_rows(named=True):
        assert row["length"] == sum(row["seq_lengths"]) == len(row["position_ids"]) <= 128
        at = 0
        for id_, size in zip(row["ids"], row["seq_lengths"], strict=True):
            assert row["position_ids"][at : at + size] == list(range(size))
            found.append((id_, *(tuple(row[name][at : at + size]) for name in ("input_ids", "labels", "loss_weights"))))
            at += size
    wanted = [
        (row["id"], tuple(row["input_ids"]), tuple(row["labels"]), tuple(row["loss_weights"]))
        for row in plain.iter_rows(named=True)
    ]
    assert sorted(found) == sorted(wanted)
    again = export(ws.path, tmp_path / "again", pack=True, **told).out
    assert [f.read_bytes() for f in files(result.out)] == [f.read_bytes() for f in files(again)], "twice, two results"


@pytest.mark.parametrize("format", ["crlft", "openchat"])
def test_verify_passes_packed_shards(ws: Workspace, tmp_path: Path, vocabulary: str, format: str) -> None:
    out = export(
        ws.path, tmp_path / "out", format=format, pack=True, tokenizer=vocabulary, max_length=128, quiet=True
    ).out
    found = verify(out, tokenizer=vocabulary)
    assert [finding for finding in found.findings if finding.severity == "error"] == []


def test_verify_takes_a_bos_that_opens_each_message_for_none(ws: Workspace, tmp_path: Path) -> None:
    folder = mistral(tmp_path / "v", ["<|im_start|>", "<|im_end|>"])
    source = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    config = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "chat_template": source}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    told: dict[str, Any] = {"tokenizer": str(folder), "template": "hf"}
    out = export(ws.path, tmp_path / "out", pack=True, max_length=128, quiet=True, **told).out
    assert [finding for finding in verify(out, **told).findings if finding.severity == "error"] == []


def test_verify_sees_positions_that_run_on(ws: Workspace, tmp_path: Path, vocabulary: str) -> None:
    out = export(ws.path, tmp_path / "out", pack=True, tokenizer=vocabulary, max_length=128, quiet=True).out
    (file,) = files(out)
    table = pq.read_table(file)
    wrong = [list(range(len(row))) for row in table["position_ids"].to_pylist()]
    at = table.schema.get_field_index("position_ids")
    field = table.schema.field(at)
    pq.write_table(table.set_column(at, field, pa.array(wrong, field.type)), tmp_path / "wrong.parquet")
    assert "positions" in {finding.code for finding in verify(tmp_path / "wrong.parquet").findings}


def test_openchats_loader_keeps_packed_sequences_apart(ws: Workspace, tmp_path: Path, vocabulary: str) -> None:
    pytest.importorskip("ochat", reason="pip install --no-deps ochat==3.6.1")
    pytest.importorskip("torch")
    from ochat.training_deepspeed.openchat_dataset import OpenchatDataset

    told: dict[str, Any] = {"tokenizer": vocabulary, "format": "openchat", "max_length": 128, "quiet": True}
    result = export(ws.path, tmp_path / "out", pack=True, **told)
    starts = 0
    for (batch, _), _, own in OpenchatDataset(str(result.out / "train.0.parquet"), 256, 0, 1):
        bounds = batch["cu_seqlens"].tolist()
        firsts = batch["nz_input_ids"][[at for at in bounds[:-1] if at < len(batch["nz_input_ids"])]].tolist()
        starts += firsts.count(1)
        assert int((batch["nz_input_ids"] == 1).sum()) == firsts.count(1), "a sequence begins where none is said to"
        assert batch["nz_shifted_loss_weights"].float().sum().item() == pytest.approx(own, rel=0.01)
    assert starts >= 0.8 * len(ROWS)


@pytest.mark.filterwarnings("ignore")
def test_a_packed_step_in_trl_is_that_of_the_rows_alone(
    ws: Workspace, tmp_path: Path, vocabulary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    told: dict[str, Any] = {"tokenizer": vocabulary, "format": "trl", "max_length": 128, "quiet": True}
    plain = export(ws.path, tmp_path / "plain", **told).out
    packed = export(ws.path, tmp_path / "packed", pack=True, **told).out
    sys.modules.pop("weighted", None)
    monkeypatch.syspath_prepend(str(packed))
    weighted = import_module("weighted")

    class Pads:
        pad_token_id = 0

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=32002, **sizes)).eval()

    def loss(folder: Path, *, run_on: bool = False) -> float:
        rows = pl.read_parquet(folder / "data" / "*.parquet").to_dicts()
        batch = weighted.WeightedCollator(Pads())(rows)
        assert ("attention_mask" in batch) != ("position_ids" in batch)
        if run_on:
            batch["position_ids"] = torch.arange(batch["input_ids"].shape[1]).expand_as(batch["input_ids"])
        with torch.no_grad():
            return float(weighted.WeightedLoss().compute_loss(model, batch))

    assert loss(packed) == pytest.approx(loss(plain), rel=1e-6)
    assert loss(packed, run_on=True) != pytest.approx(loss(plain), rel=1e-6), "the test could not fail"


@pytest.mark.parametrize(
    ("format", "instead"),
    [
        ("unsloth", "--format trl"),
        ("together-parquet", "crlft, trl, axolotl and openchat have"),
        ("tinker", "pads nothing"),
        ("ms-swift", "--packing true"),
        ("verl", "data.max_token_len_per_gpu"),
        ("nemo-rl", "policy.sequence_packing.enabled=true"),
        ("llama-factory", "neat_packing: true"),
        ("llama-factory-v1", "batching_strategy"),
        ("openchat-jsonl", "multipack"),
    ],
)
def test_formats_that_cannot_say_where_a_row_ends_refuse_and_say_what_packs_instead(
    ws: Workspace, tmp_path: Path, vocabulary: str, format: str, instead: str
) -> None:
    module = import_module(f"curate.export.formats.{format.replace('-', '_')}")
    told: dict[str, Any] = {} if getattr(module, "TEXT_ONLY", False) else {"tokenizer": vocabulary}
    with pytest.raises(CurateError, match="no place for where one packed row ends") as refused:
        export(ws.path, tmp_path / "out", format=format, pack=True, **told)
    assert instead in str(refused.value.hint)


def test_packing_is_of_token_ids(ws: Workspace, tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="packs token ids"):
        export(ws.path, tmp_path / "out", pack=True)


def files(out: Path) -> list[Path]:
    return sorted(out.rglob("*.parquet"))
