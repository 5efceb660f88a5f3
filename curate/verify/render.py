"""A report as lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.console import plain

if TYPE_CHECKING:
    from curate.verify import Report
    from curate.verify.findings import Finding


def render(report: Report) -> list[str]:
    """What was looked at, what the sampler does, every finding with its first place, and the verdict."""
    lines = []
    for one in report.sets:
        tokens = "" if one.tokens is None else f", {one.tokens:,} tokens, {one.supervised_tokens:,} of them learned"
        conditioned = "" if one.conditioned is None else f", {one.conditioned:,} conditioned"
        files = "1 file" if one.files == 1 else f"{one.files:,} files"
        counts = f"{files}, {one.rows:,} rows, {one.trained_rows:,} with anything to learn"
        lines.append(f"{plain(one.path)}: {one.layout}, {counts}{conditioned}{tokens}")
    for replay in report.replays:
        used = f"{replay.batches:,} batches use {replay.rows_used:,} of {replay.rows_used + replay.rows_lost:,} rows"
        setting = f"{replay.world_size} x {replay.batch_max_length:,} tokens"
        share = "" if replay.efficiency is None else f", {replay.efficiency:.1%} full"
        lines.append(f"{plain(replay.file)}: at {setting}, {used} ({1 - replay.lost:.1%} of the tokens{share})")
    if lines and report.findings:
        lines.append("")
    for finding in report.findings:
        lines += _finding(finding)
    if report.findings:
        lines.append("")
    counts = f"{report.errors} errors, {report.warnings} warnings, {report.notes} notes"
    checked = "checksums agree with the manifest" if report.checksums else "no manifest to compare checksums with"
    if report.checksums and any(f.code in ("checksum", "missing_file", "unlisted_file") for f in report.findings):
        checked = "files differ from the manifest"
    lines.append(f"{'passed' if report.passed else 'failed'}: {counts}; {checked}")
    return lines


def _finding(finding: Finding) -> list[str]:
    times = f" ({finding.count:,} times)" if finding.count > 1 else ""
    row = "" if finding.row is None else f", row {finding.row:,}"
    lines = [f"{finding.severity}: {finding.code}{times}: {finding.meaning}"]
    if finding.file:
        lines.append(f"  --> {plain(finding.file)}{row}")
    lines.append(f"      {plain(finding.detail)}")
    return lines
