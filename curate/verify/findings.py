"""What `curate verify` can find: one table of codes, and a notebook that holds a bounded number of them."""

from __future__ import annotations

from dataclasses import dataclass

# `error`: a loader stops, or trains on something else than the file says. `warning`: rows or meaning are lost in
# this setting. `note`: worth knowing, and no reason to fail.
SEVERITIES = ("error", "warning", "note")

# Code → severity and what it means; docs/verify.md is this table.
CODES = {
    # Files.
    "unreadable": ("error", "the file is damaged, truncated or no Parquet"),
    "checksum": ("error", "the bytes are not those that the manifest has the SHA-256 of"),
    "manifest": ("error", "`manifest.json` is damaged: it does not say what was written"),
    "missing_file": ("error", "the manifest names a file that is not there"),
    "unlisted_file": ("error", "a loader would read this file, which the manifest does not name"),
    "missing_shard": ("error", "a shard of the set `-of-NNNNN` is not there"),
    "foreign_file": ("error", "not Parquet, in a folder that loaders read as a whole"),
    "empty_shard": ("error", "no rows: `datasets` stops at such a shard"),
    "no_rows": ("error", "nothing to train on"),
    "unknown_layout": ("error", "none of the layouts: no `messages`, `items`, `input_ids` or `nz_input_ids`"),
    # Schemas.
    "missing_column": ("error", "a column that the loader reads is not there"),
    "wrong_type": ("error", "the column or value has a type that the loader cannot use"),
    "null_column": ("error", "the column has the Arrow type null, which `datasets` cannot join with another shard"),
    "schema_drift": ("error", "shards that are loaded together have different columns or fields"),
    "type_drift": ("warning", "shards that are loaded together have different types; the first one's wins"),
    "mixed_exports": ("warning", "shards of different exports lie together"),
    "reserved_column": ("warning", "a loader takes a column of this name for something else"),
    "metadata": ("error", "the schema metadata that OpenChat's trainer reads are missing or wrong"),
    # Lines of JSON.
    "not_json": ("error", "a line is no JSON object, so its loader stops there"),
    "line_too_long": ("warning", "a line above 16 MB was not looked at"),
    "missing_key": ("error", "a key that the target needs is not there"),
    "role_order": ("error", "roles stand in an order that the target refuses"),
    "weight_value": ("error", "a message weighs neither 0 nor 1, which hosted services refuse"),
    "weight_unread": ("warning", "a weight where the target reads none: it trains as 1"),
    "mixed_weights": ("error", "some lines have a weight and others none; services ask for all or none"),
    # Rows.
    "null": ("error", "null, where the loader needs a value"),
    "length": ("error", "lists of one row differ in length, or from the stated length"),
    "duplicate_id": ("warning", "the same id twice"),
    "role": ("error", "a role that is none of system, user, assistant and tool"),
    "no_messages": ("error", "a row without messages"),
    "empty_response": ("warning", "a trained response without text"),
    "never_trained": ("error", "no token of the row has a label and a weight: it is never used"),
    "labels": ("error", "labels are not the ids of their places"),
    "label_outside": ("error", "a weight or label where nothing shall be learned"),
    "weightless_label": ("warning", "labels of weight 0: a trainer that reads no weights learns them in full"),
    "positions": ("error", "position ids do not count from 0 in each sequence"),
    "num_seqs": ("error", "`num_seqs` is not the sum of the weights, so the loss is scaled wrongly"),
    # Weights.
    "weight_nan": ("error", "a weight is NaN or infinite: so is the loss"),
    "weight_negative": ("error", "a weight is below 0: the loss may be divided by 0 or by less"),
    "weight_vanishes": ("error", "a weight is above 0, but 0 in bfloat16, which OpenChat's trainer casts to"),
    "weight_bf16": ("note", "weights that bfloat16 rounds, by 0.4 % at most"),
    "all_zero": ("error", "all weights are 0"),
    "unweighted": ("warning", "no weights: every response counts the same"),
    # Conditions.
    "unconditioned": ("warning", "no row has a condition, which is the main lever of C-RLFT"),
    "condition": ("error", "a condition is null, holds a special token, or differs from the template's argument"),
    "live_tokens": ("note", "texts that hold special tokens, live in a tokenizer that is not told otherwise"),
    # Tokens.
    "bos": ("error", "the row does not begin with one BOS as the others do"),
    "eot": ("error", "a trained response does not end with the end-of-turn token as the others do"),
    "inner_bos": ("error", "a BOS inside of a sequence"),
    "token_range": ("error", "an id below 0, or above the tokenizer's last"),
    "too_long": ("error", "more tokens than a row may have"),
    # What the sampler does.
    "sampler_stops": ("error", "a row above the batch length stops the sampler; what follows is never used"),
    "no_batch": ("error", "not one global batch can be filled"),
    "tail_lost": ("warning", "the rows after the last full global batch are never used"),
    "tail": ("note", "the rows after the last full global batch are not used"),
    "shards_per_rank": ("note", "the number of shards is no multiple of the ranks: every rank reads all of them"),
    "epoch_gap": ("error", "a file of an epoch is missing between others"),
    "equal_epochs": ("warning", "two epochs hold the same rows in the same order, so they give the same batches"),
}


@dataclass(frozen=True)
class Finding:
    """One kind of mistake in one file.

    Attributes:
        code: A key of `CODES`.
        severity: error, warning or note.
        file: Where, relative to the path that was given; None = everywhere.
        row: The first row it was seen at, from 0; None = not about rows.
        count: How often it was seen.
        detail: What exactly, of the first one; holds text from the file.
    """

    code: str
    severity: str
    file: str | None
    row: int | None
    count: int
    detail: str

    @property
    def meaning(self) -> str:
        """What the code says."""
        return CODES[self.code][1]


class Findings:
    """Counts by code and file, with the first place of each."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str | None], Finding] = {}

    def add(self, code: str, file: str | None = None, *, row: int | None = None, count: int = 1, detail: str) -> None:
        """Note that something was found `count` times, first at `row`."""
        earlier = self._found.get((code, file))
        if earlier is None:
            self._found[code, file] = Finding(code, CODES[code][0], file, row, count, detail[:300])
        else:
            first = earlier.row if row is None or earlier.row is None else min(row, earlier.row)
            detail = earlier.detail if first == earlier.row else detail[:300]
            self._found[code, file] = Finding(code, earlier.severity, file, first, earlier.count + count, detail)

    def sorted(self) -> list[Finding]:
        """Errors first, then as they were found."""
        return sorted(self._found.values(), key=lambda finding: SEVERITIES.index(finding.severity))
