"""Healthy exports pass; every way to break one is found, named and counted."""

from __future__ import annotations

import json
import random
import shutil
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from curate.errors import CurateError
from curate.export import export
from curate.main import main
from curate.verify import Report, sampler, verify
from curate.verify.findings import CODES
from curate.verify.render import render
from curate.verify.weights import bfloat16
from tests.export.vocabularies import mistral
from tests.export.workspaces import conversation, make, talk

ROWS = [
    conversation(talk(f"Question {n}", f"Answer {n} " * (n % 5 + 1)), **{"class": ("gpt-4", "gpt-3.5")[n % 2]})
    for n in range(40)
]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mistral(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory, vocabulary: Path) -> Path:
    folder = tmp_path_factory.mktemp("exports")
    ws = make(folder / "ws", ROWS).path
    export(ws, folder / "text", quiet=True)
    export(ws, folder / "tokens", tokenizer=str(vocabulary), quiet=True)
    export(ws, folder / "openchat", format="openchat", tokenizer=str(vocabulary), epochs=2, quiet=True)
    return folder


@pytest.fixture
def copy(exports: Path, tmp_path: Path) -> Any:
    def make_copy(name: str) -> Path:
        return Path(shutil.copytree(exports / name, tmp_path / name))

    return make_copy


def codes(report: Report, *, notes: bool = False) -> set[str]:
    return {finding.code for finding in report.findings if notes or finding.severity != "note"}


def look(path: Path, **options: Any) -> Report:
    return verify(path, quiet=True, **options)


def rewrite(path: Path, change: Any) -> None:
    """A file with its rows changed; the manifest beside it goes, so that checksums are out of the picture."""
    table = pq.read_table(path)
    rows = table.to_pylist()
    changed = change(rows)
    rows = rows if changed is None else changed
    pq.write_table(pa.Table.from_pylist(rows, schema=nullable(table.schema)), path)
    for folder in path.parents[:2]:
        (folder / "manifest.json").unlink(missing_ok=True)


def nullable(schema: pa.Schema) -> pa.Schema:
    loose = {"messages": pa.list_(pa.struct({"role": pa.string(), "content": pa.string(), "weight": pa.float32()}))}
    return pa.schema([pa.field(f.name, loose.get(f.name, f.type)) for f in schema], schema.metadata)


@pytest.mark.parametrize("name", ["text", "tokens", "openchat"])
def test_a_healthy_export_passes_with_its_counts(exports: Path, name: str, vocabulary: Path) -> None:
    report = look(exports / name, tokenizer=str(vocabulary))
    assert report.passed
    assert codes(report) == set()
    assert report.checksums
    assert {one.layout for one in report.sets} == {name}
    assert [one.rows for one in report.sets] == [len(ROWS)] * (2 if name == "openchat" else 1)
    assert all(one.trained_rows == one.rows for one in report.sets)
    counts = json.loads((exports / name / "manifest.json").read_text())["counts"]
    assert all(one.supervised_tokens in (None, counts["supervised_tokens"]) for one in report.sets)


def test_the_sum_of_weights_is_that_of_the_shards(exports: Path) -> None:
    table = pq.read_table(exports / "openchat" / "train.0.parquet")
    assert look(exports / "openchat").sets[0].weight_sum == pytest.approx(sum(table["num_seqs"].to_pylist()))


def set_(name: str, value: Any) -> Any:
    return lambda rows: rows[3].__setitem__(name, value)


def message(number: int, name: str, value: Any) -> Any:
    return lambda rows: rows[3]["messages"][number].__setitem__(name, value)


TEXT = {
    "weight_nan": message(1, "weight", float("nan")),
    "weight_negative": message(1, "weight", -0.5),
    "weight_vanishes": message(1, "weight", 1e-42),
    "label_outside": message(0, "weight", 1.0),
    "never_trained": message(1, "weight", 0.0),
    "role": message(0, "role", "gpt"),
    "null": message(0, "content", None),
    "empty_response": message(1, "content", ""),
    "no_messages": set_("messages", []),
    "duplicate_id": lambda rows: rows[3].__setitem__("id", rows[4]["id"]),
    "unconditioned": lambda rows: [row | {"condition": "", "chat_template_kwargs": {"condition": ""}} for row in rows],
    "all_zero": lambda rows: [row | {"messages": [m | {"weight": 0.0} for m in row["messages"]]} for row in rows],
    "empty_shard": lambda rows: [],
}


@pytest.mark.parametrize("code", TEXT)
def test_what_is_wrong_with_a_text_row_is_found_at_its_row(copy: Any, code: str) -> None:
    file = copy("text") / "data" / "train-00000-of-00001.parquet"
    rewrite(file, TEXT[code])
    report = look(file)
    assert code in codes(report)
    assert not report.passed
    finding = next(finding for finding in report.findings if finding.code == code)
    if code not in ("duplicate_id", "unconditioned", "all_zero", "empty_shard"):
        assert (finding.file, finding.row, finding.count) == (file.name, 3, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("condition", None), ("condition", "GPT3 "), ("condition", "<|im_end|>"), ("chat_template_kwargs", None)],
)
def test_a_condition_that_the_template_would_not_get_is_found(copy: Any, name: str, value: Any) -> None:
    file = copy("text") / "data" / "train-00000-of-00001.parquet"
    rewrite(file, set_(name, value))
    assert "condition" in codes(look(file))


def nth(name: str, place: int, value: Any) -> Any:
    return lambda rows: rows[3][name].__setitem__(place, value)


TOKENS = {
    "weight_nan": nth("loss_weights", -1, float("inf")),
    "weight_negative": nth("loss_weights", -1, -1.0),
    "label_outside": nth("loss_weights", 0, 1.0),
    "weightless_label": nth("loss_weights", -1, 0.0),
    "labels": nth("labels", -1, 5),
    "bos": nth("input_ids", 0, 7),
    "inner_bos": nth("input_ids", 3, 1),
    "eot": lambda rows: [rows[3][name].__setitem__(-1, 7) for name in ("input_ids", "labels")],
    "token_range": nth("input_ids", 2, -4),
    "length": lambda rows: rows[3]["labels"].pop(),
    "null": set_("input_ids", None),
    "never_trained": lambda rows: rows[3].update(
        labels=[-100] * rows[3]["length"], loss_weights=[0.0] * rows[3]["length"]
    ),
}


@pytest.mark.parametrize("code", TOKENS)
def test_what_is_wrong_with_a_tokenised_row_is_found_at_its_row(copy: Any, code: str, vocabulary: Path) -> None:
    file = copy("tokens") / "data" / "train-00000-of-00001.parquet"

    def change(rows: Any) -> None:
        TOKENS[code](rows)

    rewrite(file, change)
    report = look(file, tokenizer=str(vocabulary) if code == "inner_bos" else None)
    finding = next(finding for finding in report.findings if finding.code == code)
    assert (finding.file, finding.row) == (file.name, 3)
    assert not report.passed


OPENCHAT = {
    "weight_nan": nth("nz_shifted_loss_weights", -2, float("nan")),
    "weight_negative": nth("nz_shifted_loss_weights", -2, -1.0),
    "weight_vanishes": nth("nz_shifted_loss_weights", -2, 1e-42),
    "label_outside": nth("nz_shifted_loss_weights", -1, 1.0),
    "num_seqs": set_("num_seqs", 3.5),
    "labels": nth("nz_shifted_label_ids", -2, 5),
    "positions": nth("nz_position_ids", 2, 9),
    "length": set_("total_length", 3),
    "null": set_("num_seqs", None),
    "never_trained": lambda rows: rows[3].update(num_seqs=0.0, nz_shifted_loss_weights=[0.0] * rows[3]["total_length"]),
}


@pytest.mark.parametrize("code", OPENCHAT)
def test_what_is_wrong_with_a_row_of_openchat_is_found_at_its_row(copy: Any, code: str) -> None:
    file = copy("openchat") / "train.0.parquet"

    def change(rows: Any) -> None:
        OPENCHAT[code](rows)

    rewrite(file, change)
    report = look(file)
    finding = next(finding for finding in report.findings if finding.code == code)
    assert (finding.file, finding.row) == (file.name, 3)
    assert not report.passed


@pytest.mark.parametrize("name", ["tokens", "openchat"])
@pytest.mark.parametrize("said_by", ["shards", "tokenizer", "nobody"])
def test_an_id_that_the_tokenizer_does_not_have_is_found(copy: Any, name: str, said_by: str, vocabulary: Path) -> None:
    file = next(copy(name).rglob("*.parquet"))
    column = "nz_input_ids" if name == "openchat" else "input_ids"
    last = encoder_size(vocabulary)

    def change(rows: Any) -> None:
        rows[3][column][2], rows[5][column][2] = last - 1, last

    rewrite(file, change)
    if said_by != "shards":
        table = pq.read_table(file)
        kept = {key: value for key, value in table.schema.metadata.items() if key != b"curate"}
        pq.write_table(table.replace_schema_metadata(kept), file)
    report = look(file, tokenizer=str(vocabulary) if said_by == "tokenizer" else None)
    found = [(one.row, one.count, one.detail) for one in report.findings if one.code == "token_range"]
    assert found == ([] if said_by == "nobody" else [(5, 1, f"id {last}, where the tokenizer has {last:,}")])


def encoder_size(vocabulary: Path) -> int:
    return 1 + max(Tokenizer.from_file(str(vocabulary / "tokenizer.json")).get_vocab().values())


def test_labels_that_are_shifted_or_not_are_told_apart(copy: Any) -> None:
    tokens = copy("tokens") / "data" / "train-00000-of-00001.parquet"
    rewrite(tokens, lambda rows: [row | {"labels": [*row["labels"][1:], -100]} for row in rows])
    assert any("shifts them again" in finding.detail for finding in look(tokens).findings if finding.code == "labels")
    openchat = copy("openchat") / "train.0.parquet"

    def unshift(rows: Any) -> None:
        for row in rows:
            learned = [weight != 0 for weight in row["nz_shifted_loss_weights"]]
            pairs = zip(row["nz_input_ids"], learned, strict=True)
            row["nz_shifted_label_ids"] = [id_ if on else 0 for id_, on in pairs]

    rewrite(openchat, unshift)
    assert any("not shifted" in finding.detail for finding in look(openchat).findings if finding.code == "labels")


def test_damage_is_named_and_the_other_files_are_still_looked_at(copy: Any) -> None:
    folder = copy("openchat")
    whole = (folder / "train.0.parquet").read_bytes()
    (folder / "train.0.parquet").write_bytes(whole[: len(whole) // 2])
    report = look(folder)
    assert {(f.code, f.file) for f in report.findings if f.severity == "error"} == {
        ("checksum", "train.0.parquet"),
        ("unreadable", "train.0.parquet"),
    }
    assert [one.path for one in report.sets] == ["train.1.parquet"]
    (folder / "train.1.parquet").unlink()
    assert ("missing_file", "train.1.parquet") in {(f.code, f.file) for f in look(folder).findings}


def test_one_flipped_byte_of_the_data_is_a_wrong_checksum(copy: Any) -> None:
    file = copy("text") / "data" / "train-00000-of-00001.parquet"
    data = bytearray(file.read_bytes())
    data[40] ^= 1
    file.write_bytes(data)
    assert "checksum" in codes(look(file))


def test_a_manifest_leads_to_no_file_outside_of_its_folder(copy: Any, tmp_path: Path) -> None:
    folder = copy("text")
    (tmp_path / "secret").write_text("mine")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../secret"] = {"bytes": 1, "sha256": "0"}
    del manifest["digest"]  # as an older curate wrote it
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert look(folder).passed


def test_shards_that_differ_cannot_be_loaded_together(copy: Any) -> None:
    data = copy("text") / "data"
    first = data / "train-00000-of-00001.parquet"
    table = pq.read_table(first)
    first.rename(data / "train-00000-of-00003.parquet")
    (data.parent / "manifest.json").unlink()
    pq.write_table(table.append_column("extra", pa.nulls(len(table))), data / "train-00001-of-00003.parquet")
    (data / "_SUCCESS").touch()
    (data / "notes.txt").touch()
    report = look(data.parent)
    assert {"schema_drift", "null_column", "missing_shard", "foreign_file", "duplicate_id"} <= codes(report)
    drift = next(finding for finding in report.findings if finding.code == "schema_drift")
    assert drift.file == "data/train-00001-of-00003.parquet"
    assert "`extra`" in drift.detail
    assert [f.detail for f in report.findings if f.code == "missing_shard"] == ["`train-00002-of-00003.parquet`"]


def test_types_that_differ_are_a_warning(copy: Any) -> None:
    data = copy("text") / "data"
    first = data / "train-00000-of-00001.parquet"
    table = pq.read_table(first)
    wide = table.set_column(table.schema.get_field_index("id"), "id", table["id"].cast(pa.large_string()))
    (data.parent / "manifest.json").unlink()
    pq.write_table(wide, data / "other.parquet")
    assert "type_drift" in codes(look(data))


@pytest.mark.parametrize(
    ("metadata", "detail"),
    [
        ({}, "no key"),
        ({"metadata_json": "[]"}, "not a JSON object"),
        ({"metadata_json": '{"model_type": "gpt"}'}, "none"),
    ],
)
def test_metadata_that_stop_the_trainer_are_found(copy: Any, metadata: dict[str, str], detail: str) -> None:
    file = copy("openchat") / "train.0.parquet"
    table = pq.read_table(file).replace_schema_metadata(metadata)
    pq.write_table(table, file)
    report = look(file)
    assert detail in next(finding.detail for finding in report.findings if finding.code == "metadata")


def test_epochs_that_lack_or_repeat_are_found(copy: Any) -> None:
    folder = copy("openchat")
    (folder / "manifest.json").unlink()
    shutil.copy(folder / "train.1.parquet", folder / "train.3.parquet")
    report = look(folder)
    assert {"epoch_gap", "equal_epochs"} == codes(report)


def test_a_folder_may_stand_for_an_epoch(copy: Any) -> None:
    folder = copy("openchat")
    (folder / "manifest.json").unlink()
    table = pq.read_table(folder / "train.0.parquet")
    (folder / "train.0.parquet").unlink()
    (folder / "train.0.parquet").mkdir()
    for number in range(2):
        pq.write_table(table.slice(number * 20, 20), folder / "train.0.parquet" / f"{number}.parquet")
    report = look(folder)
    assert report.passed
    assert {(one.path, one.files, one.rows) for one in report.sets} == {
        ("train.0.parquet", 2, 40),
        ("train.1.parquet", 1, 40),
    }
    (folder / "train.0.parquet" / "README.md").touch()
    assert "foreign_file" in codes(look(folder))


# The sampler.


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
@pytest.mark.parametrize("oversize", [False, True])
def test_the_replay_uses_the_rows_that_openchats_own_sampler_uses(ranks: int, oversize: bool) -> None:
    real = pytest.importorskip(
        "ochat.training_deepspeed.multipack_sampler", reason="pip install --no-deps ochat==3.6.1"
    )
    for seed in range(6):
        lengths = np.random.default_rng(seed).integers(1, 2048, size=(3, 60, 700)[seed % 3]).astype(np.int32)
        if oversize:
            lengths[len(lengths) // 2] = 5000
        used: list[int] = []
        for rank in range(ranks):
            theirs = real.MultipackDistributedSampler(lengths, np.ones(len(lengths)), 4096, ranks, rank, 0)
            batches, _, _ = theirs.generate_batches(0)
            used += [int(row) for batch in batches for row in batch]
        ours = sampler.replay("x", lengths.astype(np.int64), 4096, ranks)
        assert len(set(used)) == len(used) == ours.rows_used
        assert ours.batches == len(batches)
        assert ours.tokens_used == lengths[used].sum()
        assert ours.rows_used + ours.rows_lost == len(lengths)
        if oversize and ranks > 1 and ours.stopped_by is not None:
            assert lengths[ours.stopped_by] == 5000


def test_a_row_above_the_batch_length_stops_the_sampler(copy: Any) -> None:
    folder = copy("openchat")
    report = look(folder, batch_max_length=64, world_size=2)
    assert codes(report) <= {"tail_lost"}

    def lengthen(rows: Any) -> None:
        row = rows[0]
        for name in [name for name in row if name.startswith("nz_")]:
            row[name] = (row[name] * 20)[:100]
        row.update(total_length=100, seqlens=[100])

    rewrite(folder / "train.0.parquet", lengthen)
    stopped = look(folder / "train.0.parquet", batch_max_length=64, world_size=2)
    assert "sampler_stops" in codes(stopped)
    assert stopped.replays[0].stopped_by == 0


def test_a_set_below_one_global_batch_is_never_used(exports: Path) -> None:
    report = look(exports / "openchat", world_size=8)
    assert codes(report) == {"no_batch"}
    assert [replay.rows_used for replay in report.replays] == [0, 0]
    assert look(exports / "openchat", world_size=1).replays[0].rows_lost == 0


def test_the_tail_is_a_note_until_it_is_too_much(exports: Path) -> None:
    loose = look(exports / "openchat", batch_max_length=192, world_size=4, max_lost=1)
    assert loose.passed
    assert loose.replays[0].rows_lost
    assert codes(look(exports / "openchat", batch_max_length=192, world_size=4, max_lost=0)) == {"tail_lost"}


# Options and small print.


def test_bfloat16_is_torchs() -> None:
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(0).random(1000).astype(np.float32)
    assert (bfloat16(values) == torch.from_numpy(values).bfloat16().float().numpy()).all()


def test_rounded_weights_are_a_note(exports: Path) -> None:
    found = [finding for finding in look(exports / "openchat").findings if finding.code == "weight_bf16"]
    assert "holds 0.1, 0.100098 in bfloat16" in found[0].detail
    assert look(exports / "openchat", ignore=["weight_bf16"]).notes == 0


def test_foreign_files_are_told_what_they_lack(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    assert codes(look(tmp_path / "a.parquet")) == {"unknown_layout"}
    chat = [[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]]
    pq.write_table(pa.table({"messages": chat}), tmp_path / "a.parquet")
    assert codes(look(tmp_path / "a.parquet")) == {"unweighted", "unconditioned"}
    pq.write_table(pa.table({"messages": ["Hi"]}), tmp_path / "a.parquet")
    assert "wrong_type" in codes(look(tmp_path / "a.parquet"))
    pq.write_table(pa.table({"messages": [[{"role": 1, "content": 2}]]}), tmp_path / "a.parquet")
    assert "wrong_type" in codes(look(tmp_path / "a.parquet"))
    pq.write_table(pa.table({"nz_input_ids": [[1]]}), tmp_path / "a.parquet")
    assert "missing_column" in codes(look(tmp_path / "a.parquet"))
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no")
    assert codes(look(tmp_path / "*.parquet")) == {"unreadable"}
    (tmp_path / "empty").mkdir()
    assert codes(look(tmp_path / "empty")) == {"no_rows"}


@pytest.mark.parametrize("name", ["text", "tokens", "openchat"])
def test_damage_of_any_kind_is_a_finding_and_no_crash(exports: Path, tmp_path: Path, name: str) -> None:
    data = next((exports / name).rglob("*.parquet")).read_bytes()
    dice = random.Random(name)
    for _ in range(15):
        spoilt = bytearray(data)
        for _ in range(dice.choice([1, 5, 50])):
            spoilt[dice.randrange(len(data))] = dice.randrange(256)
        (tmp_path / "x.parquet").write_bytes(spoilt[: dice.choice([len(data), dice.randrange(len(data))])])
        assert isinstance(look(tmp_path / "x.parquet"), Report)
    for cut in range(0, len(data) - 1, len(data) // 10):
        (tmp_path / "x.parquet").write_bytes(data[:cut])
        assert codes(look(tmp_path / "x.parquet")) == {"unreadable"}


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"batch_max_length": 100}, "multiples of 64"),
        ({"world_size": 0}, "above 0"),
        ({"fail_on": "errors"}, "unknown severity"),
        ({"ignore": ["bso"]}, "unknown finding"),
        ({"max_lost": 2}, "0 to 1"),
    ],
)
def test_wrong_options_are_refused(exports: Path, options: dict[str, Any], what: str) -> None:
    with pytest.raises(CurateError, match=what):
        look(exports / "text", **options)


@pytest.mark.parametrize(("words", "code"), [((), 1), (("--fail-on", "never"), 0), (("--ignore", "no_batch"), 0)])
def test_the_exit_code_is_that_of_a_gate(
    exports: Path,
    words: tuple[str, ...],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["curate", "verify", str(exports / "openchat"), "--world-size", "8", "--json", "-q", *words]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code or 0) == code
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] == (code == 0)
    assert set(report) == {field.name for field in fields(Report)}


def test_names_from_a_file_are_inert_on_a_terminal(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x\x1b[31m": [1]}), tmp_path / "a.parquet")
    assert "\x1b" not in "".join(render(look(tmp_path / "a.parquet")))


def test_every_finding_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "verify.md").read_text("utf-8")
    for code, (severity, meaning) in CODES.items():
        assert f"| `{code}` | {severity} | {meaning} |" in page
