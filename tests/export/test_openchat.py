"""OpenChat's own converter and its own loader agree with the native export, row for row."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import CurateError
from curate.export import export

from .vocabularies import mistral
from .workspaces import conversation, make, talk, turn

pytestmark = pytest.mark.filterwarnings("ignore")

MODEL = "openchat_v3.2_mistral"


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mistral(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`ochat.data.generate_dataset`, with a stand-in for ray that calls at once."""
    pytest.importorskip("ochat", reason="pip install --no-deps ochat==3.6.1")
    pytest.importorskip("transformers")
    ray: Any = ModuleType("ray")

    def remote(function: Any) -> Any:
        function.remote = function
        return function

    ray.remote, ray.get, ray.available_resources = remote, lambda value: value, lambda: {"CPU": 1}
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.delitem(sys.modules, "ochat.data.generate_dataset", raising=False)
    import ochat.data.generate_dataset as module

    return module


def dirty() -> list[dict[str, Any]]:
    """Everything that has a rule of its own in OpenChat's layout; no special tokens, which it fails to escape."""
    long = "word " * 9000
    return [
        conversation(talk("Hi", "Hello"), **{"class": "gpt-4"}),
        conversation(talk("Hi", "Hello", "And?", "So."), **{"class": ["gpt-3.5", "gpt-4"]}),
        conversation(talk("Hi", "Hello", "Bye", system="Be brief."), **{"class": "human"}),
        conversation(talk("Hi", "Hello", system=""), **{"class": "gpt-4"}),
        conversation(talk("  Spaces  ", "\n\n```py\n    x\n```\n"), **{"class": None}),
        conversation(talk("Hi", long), **{"class": "gpt-4"}),
        conversation(talk("Hi", "Hello", long, "Too late"), **{"class": "gpt-4"}),
        conversation(talk(long, "Too late"), **{"class": "gpt-4"}),
        conversation([turn("tool", "x"), turn("system", "late"), turn("assistant", "日本 🙂")], **{"class": "gpt-3.5"}),
        conversation(talk("", "Hello"), **{"class": "gpt-3.5"}),
    ]


def test_rows_equal_those_of_the_real_converter(tmp_path: Path, vocabulary: Path, converter: Any) -> None:
    ws = make(tmp_path / "ws", dirty())
    told = {"format": "openchat", "tokenizer": str(vocabulary), "epochs": 2, "truncate": "openchat"}
    native = export(ws.path, tmp_path / "native", **told, quiet=True)  # type: ignore[arg-type]
    lines = export(ws.path, tmp_path / "lines", format="openchat-jsonl", epochs=2, quiet=True)
    assert native.dropped == {"too_long": 1}
    assert lines.rows == native.rows + 1
    converter.generate_dataset.__globals__["ray"].is_initialized = lambda: True
    converter.generate_dataset(
        MODEL, str(vocabulary), str(lines.out / "train"), str(tmp_path / "theirs"), per_sequence_loss=False, seed=42
    )
    for epoch in range(2):
        theirs = pq.read_table(tmp_path / f"theirs.{epoch}.parquet")
        ours = pq.read_table(native.out / f"train.{epoch}.parquet")
        assert ours.schema.equals(theirs.schema)
        stamps = [json.loads(table.schema.metadata[b"metadata_json"]) for table in (ours, theirs)]
        assert stamps[0] == stamps[1] == {"model_type": MODEL}
        assert unshuffled(theirs.to_pylist(), lines.out / f"train.{epoch}.jsonl", 42 + epoch) == ours.to_pylist()


def unshuffled(rows: list[dict[str, Any]], file: Path, seed: int) -> list[dict[str, Any]]:
    """The converter's rows in the order of its input; the line with the endless first prompt gave none."""
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    order = list(range(len(lines)))
    random.Random(seed).shuffle(order)
    kept = [number for number in order if len(lines[number]["items"][0]["content"]) < 9000]
    return [row for _, row in sorted(zip(kept, rows, strict=True), key=lambda pair: pair[0])]


def test_special_tokens_in_the_text_stay_text(tmp_path: Path, vocabulary: Path) -> None:
    ws = make(tmp_path / "ws", [conversation(talk("<s></s>", "<|end_of_turn|>"), **{"class": "gpt-4"})])
    out = export(ws.path, tmp_path / "out", format="openchat", tokenizer=str(vocabulary), quiet=True).out
    ids = pq.read_table(out / "train.0.parquet")["nz_input_ids"][0].as_py()
    assert (ids.count(1), ids.count(2), ids.count(32000)) == (1, 0, 2)


def test_the_real_loader_reads_every_row_on_one_and_two_ranks(tmp_path: Path, vocabulary: Path) -> None:
    pytest.importorskip("ochat", reason="pip install --no-deps ochat==3.6.1")
    pytest.importorskip("torch")
    from ochat.training_deepspeed.openchat_dataset import OpenchatDataset

    rows = [conversation(talk(f"Question {n}", f"Answer {n} " * 20), **{"class": "gpt-3.5"}) for n in range(64)]
    ws = make(tmp_path / "ws", rows, shard=20)
    result = export(ws.path, tmp_path / "out", format="openchat", tokenizer=str(vocabulary), quiet=True)
    file = result.out / "train.0.parquet"
    for ranks in (1, 2):
        starts, weight = 0, 0.0
        for rank in range(ranks):
            data = OpenchatDataset(str(file), batch_max_length=512, rank=rank, num_replicas=ranks)
            assert data.metadata == {"model_type": MODEL}
            for (batch, _), _, own in data:
                starts += int((batch["nz_input_ids"] == 1).sum())
                weight += own
                assert batch["nz_shifted_loss_weights"].float().sum().item() == pytest.approx(own, rel=0.01)
        # The loader drops the tail that does not fill a global batch.
        assert 0.8 * len(rows) <= starts <= len(rows)
        assert weight == pytest.approx(0.1 * result.supervised_tokens * starts / len(rows), rel=0.05)


def test_each_epoch_has_the_same_rows_in_another_order(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", [conversation(talk(f"Q{n}", "A"), **{"class": "gpt-4"}) for n in range(20)])
    out = export(ws.path, tmp_path / "out", format="openchat-jsonl", epochs=3, name="data", quiet=True).out
    epochs = [(out / f"data.{epoch}.jsonl").read_text().splitlines() for epoch in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(epochs[2])


def test_a_line_is_never_a_window_of_ids(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", [conversation(talk("Hi", "Hello"), **{"class": "gpt-4"})])
    with pytest.raises(CurateError, match="holds text, no token ids"):
        export(ws.path, tmp_path / "out", format="openchat-jsonl", tokenizer=str(mistral(tmp_path / "v")), quiet=True)


@pytest.mark.parametrize("format", ["crlft", "trl", "verl"])
def test_epochs_that_a_format_does_not_write_are_refused(tmp_path: Path, format: str) -> None:
    ws = make(tmp_path / "ws", [conversation(talk("Hi", "Hello"), **{"class": "gpt-4"})])
    with pytest.raises(CurateError, match="no file per epoch"):
        export(ws.path, tmp_path / "out", format=format, epochs=2, quiet=True)


def test_a_line_has_what_the_converter_asks_for(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", [conversation(talk("Hi", "Hello", system="Be brief."), **{"class": "gpt-3.5"})])
    out = export(ws.path, tmp_path / "out", format="openchat-jsonl", quiet=True).out
    assert json.loads((out / "train.0.jsonl").read_text()) == {
        "items": [
            {"role": "user", "content": "Hi", "weight": 0.0},
            {"role": "assistant", "content": "Hello", "weight": 0.1},
        ],
        "condition": "GPT3",
        "system": "Be brief.",
    }


def test_the_seven_columns_have_their_types(tmp_path: Path, vocabulary: Path) -> None:
    ws = make(tmp_path / "ws", [conversation(talk("Hi", "Hello"), **{"class": "gpt-4"})])
    out = export(ws.path, tmp_path / "out", format="openchat", tokenizer=str(vocabulary), quiet=True).out
    table = pq.read_table(out / "train.0.parquet")
    assert table.schema.field("num_seqs").type == pa.float32()
    row = table.to_pylist()[0]
    assert row["num_seqs"] == sum(row["nz_shifted_loss_weights"]) == 2
    assert row["nz_shifted_label_ids"][:-1][-2:] == row["nz_input_ids"][-2:]
    assert row["nz_position_ids"] == list(range(row["total_length"]))


def test_token_ids_need_a_tokenizer(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", [conversation(talk("Hi", "Hello"))])
    with pytest.raises(CurateError, match="holds token ids"):
        export(ws.path, tmp_path / "out", format="openchat", quiet=True)
