"""`curate rules explain` and `try`: what rules say, what they fire on, and what another file would change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from heapq import nsmallest
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from curate import rules
from curate.console import Talk, plain
from curate.errors import RuleError, did_you_mean
from curate.explain import differences, frames
from curate.explain.excerpts import asked, beside, seen, short, shows_text
from curate.export.hashing import shuffle_hash
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from curate.explain.differences import Change
    from curate.rules import Rule, RuleSet

@dataclass(frozen=True)
class Example:
    """A row that a rule fires on.

    Attributes:
        key: The conversation.
        turn: Index of the message; None where the rule is about the conversation.
        source: Name of the data set.
        text: What the rule saw, on one line and inert for a terminal; `…` where text was left out.
    """

    key: int
    turn: int | None
    source: str
    text: str


@dataclass(frozen=True)
class Explained:
    """One rule.

    Attributes:
        name: Its name.
        verdict: What it says when it fires.
        why: Its reason.
        when: Its condition.
        unit: What it looks at: conversation, response or prompt.
        cases: Its own cases, with the expected answer under `fires`.
        hits: Rows that it fires on; None without a workspace.
        decides: Those where no rule before it fires; None where every rule counts.
        unknown: Rows where it cannot tell.
        examples: Some of the hits, chosen by the seed alone.
    """

    name: str
    verdict: Any
    why: str
    when: str
    unit: str
    cases: tuple[dict[str, Any], ...]
    hits: int | None = None
    decides: int | None = None
    unknown: int | None = None
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True)
class Explanation:
    """Rules of one file.

    Attributes:
        path: The file.
        kind: Its kind.
        workspace: Where the rules were tried; None = nowhere.
        rows: Rows there.
        of: What a row is.
        rules: In the order of the file.
        changes: What would change in the table that is there; None = there is none, or nobody asked.
    """

    path: str
    kind: str
    workspace: str | None
    rows: int | None
    of: str | None
    rules: list[Explained]
    changes: list[Change] | None = None


def explain(
    what: str, workspace: str | Path | None = None, *, examples: int = 3, seed: int = 0, quiet: bool = False
) -> list[Explanation]:
    """What rules say and, with a workspace, what they fire on there; nothing is written.

    Args:
        what: A rule file by path or name, or the name of a rule of the files that come with curate.
        workspace: Folder of a workspace.
        examples: Examples per rule.
        seed: Seed of the examples.
        quiet: Say nothing but warnings.

    Returns:
        One for a file; for the name of a rule, one per file that has it.

    Raises:
        RuleError: No such file or rule, or a file with mistakes.
        WorkspaceError: Not a workspace.
    """
    ws = None if workspace is None else Workspace(workspace)
    found = []
    for rule_set, names in _find(what):
        tried = ws if rule_set.kind in frames.UNITS else None
        whole = _evaluate(rule_set, tried, examples, seed, Talk(quiet=quiet), changes=False)
        found.append(replace(whole, rules=[rule for rule in whole.rules if rule.name in names]))
    return found


def try_rules(
    file: str, workspace: str | Path, *, examples: int = 3, seed: int = 0, quiet: bool = False
) -> Explanation:
    """What a rule file would do to a workspace and how that differs from the table there; nothing is written.

    Args:
        file: Rule file by path or name.
        workspace: Folder of the workspace.
        examples: Examples per rule.
        seed: Seed of the examples.
        quiet: Say nothing but warnings.

    Raises:
        RuleError: The file has mistakes, or its rules cannot be tried alone.
        WorkspaceError: Not a workspace.
    """
    rule_set = rules.load_any(file)
    frames.require(rule_set)
    return _evaluate(rule_set, Workspace(workspace), examples, seed, Talk(quiet=quiet), changes=True)


def _find(what: str) -> list[tuple[RuleSet, set[str]]]:
    """The file of that name with all its rules, or the files that have a rule of that name."""
    try:
        path = rules.locate(what)
    except RuleError:
        files = [rules.load_any(str(path)) for path in rules.shipped() if rules.kind_of(path) in rules.VERDICTS]
        found = [(rule_set, {what}) for rule_set in files if any(rule.name == what for rule in rule_set.rules)]
        if not found:
            known = {rule.name for rule_set in files for rule in rule_set.rules} | {f.path.stem for f in files}
            near = did_you_mean(what, known) or ""
            hint = near if near.startswith("did") else "`curate rules list FILE` names the rules of a file"
            raise RuleError(f"no rule and no rule file `{what}`", hint=hint) from None
        return found
    rule_set = rules.load_any(str(path))
    return [(rule_set, {rule.name for rule in rule_set.rules})]


@dataclass
class _Tally:
    """What is known of one rule so far."""

    hits: int = 0
    decides: int = 0
    unknown: int = 0
    chosen: list[tuple[int, int, dict[str, Any]]] = field(default_factory=list)  # rank, place, row


def _evaluate(
    rule_set: RuleSet, ws: Workspace | None, examples: int, seed: int, talk: Talk, *, changes: bool
) -> Explanation:
    tallies = {rule.name: _Tally() for rule in rule_set.rules}
    first = rule_set.kind in frames.FIRST_WINS
    rows, moved = 0, differences.Changes()
    compared = bool(ws) and changes and differences.comparable(rule_set.kind, ws)
    if ws:
        shards = ws.shards("conversations")
        with talk.progress("rules", len(shards), "shards") as advance, rules.evaluating(rule_set):
            for index in shards:
                fired = []
                for frame, asking in frames.batches(ws, index, rule_set):
                    answers = frame.select("key", "turn", *(rule.expression.alias(rule.name) for rule in asking))
                    _count(tallies, frame, answers, asking, examples, seed, first)
                    fired.append(answers)
                rows += fired[0].height if fired else 0
                if compared:
                    moved.add(ws, index, rule_set, fired)
                advance(1)
    return Explanation(
        path=str(rule_set.path),
        kind=rule_set.kind,
        workspace=str(ws.path) if ws else None,
        rows=rows if ws else None,
        of=frames.UNITS[rule_set.kind] if ws else None,
        rules=_explained(rule_set.rules, tallies, ws, first),
        changes=moved.listed() if compared else None,
    )


def _count(
    tallies: dict[str, _Tally],
    frame: pl.DataFrame,
    answers: pl.DataFrame,
    asking: Sequence[Rule],
    examples: int,
    seed: int,
    first: bool,
) -> None:
    ranks = _ranks(answers, seed)
    taken = pl.repeat(False, answers.height, eager=True)
    for rule in asking:
        tally = tallies[rule.name]
        hit = answers[rule.name].fill_null(False)
        tally.hits += int(hit.sum())
        tally.unknown += answers[rule.name].null_count()
        tally.decides += int((hit & ~taken).sum())
        if first:
            hit, taken = hit & ~taken, taken | hit
        places = hit.arg_true().to_numpy()
        best = places[np.argsort(ranks[places], kind="stable")[:examples]]
        found = frame.select("key", "turn", "source_name", *asked(rule))[best.tolist()].to_dicts() if best.size else []
        rows = [(int(ranks[place]), int(place), row) for place, row in zip(best, found, strict=True)]
        tally.chosen = nsmallest(examples, tally.chosen + rows, key=lambda item: item[:2])


def _ranks(answers: pl.DataFrame, seed: int) -> Any:
    """A number per row that depends on key, turn and seed alone."""
    turns = answers["turn"].fill_null(-1).cast(pl.Int64).to_numpy().astype(np.uint64)
    return shuffle_hash(shuffle_hash(answers["key"].to_numpy(), seed) + turns, seed)


def _explained(
    asking: Sequence[Rule], tallies: dict[str, _Tally], ws: Workspace | None, first: bool
) -> list[Explained]:
    said = [Explained(rule.name, rule.verdict, rule.why, rule.when.strip(), rule.unit, rule.cases) for rule in asking]
    if ws is None:
        return said
    chosen = {rule.name: [row for *_, row in tallies[rule.name].chosen] for rule in asking}
    silent = {row["key"] for rule in asking for row in chosen[rule.name] if not shows_text(rule, row)}
    conversations = _conversations(ws, silent)

    def example(rule: Rule, row: dict[str, Any]) -> Example:
        text = seen(rule, row)
        if not shows_text(rule, row):
            text = "; ".join(filter(None, [text, beside(rule, conversations[row["key"]], row["turn"])]))
        return Example(row["key"], row["turn"], plain(row["source_name"]), text)

    return [
        replace(
            one,
            hits=tallies[rule.name].hits,
            decides=tallies[rule.name].decides if first else None,
            unknown=tallies[rule.name].unknown,
            examples=[example(rule, row) for row in chosen[rule.name]],
        )
        for rule, one in zip(asking, said, strict=True)
    ]


def _conversations(ws: Workspace, keys: set[int]) -> dict[int, pl.DataFrame]:
    """Some conversations by their keys, each a frame of one row with `key` and `messages`."""
    if not keys:
        return {}
    found = ws.scan("conversations").select("key", "messages").filter(pl.col("key").is_in(keys)).collect()
    return {row["key"].item(): row for row in found.iter_slices(1)}


def render(explanation: Explanation) -> Iterator[str]:
    """The lines of an explanation; nothing in them can reach the terminal but as text."""
    where = ""
    if explanation.workspace is not None:
        where = f", on {explanation.rows:,} {explanation.of} of {plain(explanation.workspace)}"
    yield f"{plain(explanation.path)}: {len(explanation.rules)} rules of kind {explanation.kind}{where}"
    for rule in explanation.rules:
        yield ""
        yield f"{plain(rule.name)} → {plain(str(rule.verdict))}"
        yield f"    {plain(' '.join(rule.why.split()))}"
        yield from (f"    when  {plain(line.strip())}" for line in rule.when.split("\n"))
        for case in rule.cases:
            told = ", ".join(f"{name} = {short(str(value))}" for name, value in case.items() if name != "fires")
            yield f"    {'fires' if case['fires'] else 'not  '} {plain(told)}"
        if rule.hits is not None:
            yield f"    {_figures(rule)}"
        for example in rule.examples:
            place = str(example.key) if example.turn is None else f"{example.key}:{example.turn}"
            yield f"        {place:<12} {plain(example.source, 40)}  {example.text}"
    if explanation.changes is not None:
        yield ""
        yield "what would change in the table that is there" if explanation.changes else "nothing would change"
        for change in explanation.changes:
            yield f"{change.count:>11,}  {plain(change.before)} → {plain(change.after)}"


def _figures(rule: Explained) -> str:
    figures = [f"{rule.hits:,} hits"]
    figures += [f"decides {rule.decides:,}"] if rule.decides is not None else []
    figures += [f"cannot tell {rule.unknown:,}"] if rule.unknown else []
    return ", ".join(figures)
