"""The history of one conversation as plain values: what `curate show --json` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curate.dedup.explain import Explanation


@dataclass(frozen=True)
class Origin:
    """Where a conversation came from.

    Attributes:
        source: Name of the data set.
        file: As given on the command line of the ingest.
        row: 0-based position of the record in it.
        joined_rows: Further records of the file whose turns were joined to it.
        byte: Where the record begins in the file; None = not known.
        bytes: How long it is.
        why_no_byte: Why that is not known; None = it is.
        id: The record's own id, redacted if the workspace is.
        model: As the record states it.
        created_at: When it took place, in ISO 8601, UTC.
        language: As the record states it.
        task: Likewise.
        marks: What the record says of itself.
        rank: Place among the answers ranked in one record; 1 = best.
    """

    source: str
    file: str
    row: int
    joined_rows: tuple[int, ...]
    byte: int | None
    bytes: int | None
    why_no_byte: str | None
    id: str | None
    model: str | None
    created_at: str | None
    language: str | None
    task: str | None
    marks: tuple[str, ...]
    rank: int | None


@dataclass(frozen=True)
class Change:
    """A stretch of a text: `where` is same, taken out or put in."""

    where: str
    text: str


@dataclass(frozen=True)
class Edited:
    """A message whose text ingest changed; `turn` None = it was taken out whole."""

    turn: int | None
    role: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Redacted:
    """Personal data or secrets of one kind that stand in a message as their placeholder."""

    turn: int
    kind: str
    count: int


@dataclass(frozen=True)
class Fired:
    """A cleaning rule that fired.

    Attributes:
        rule: Its name.
        turns: The messages it fired on; none = it is about the conversation.
        export: What an export does by default: drop, mask or keep; None = the rule file is another one now.
        why: Its reason; None likewise.
        saw: What it fired on, on one line and inert for a terminal; None = cannot be shown.
    """

    rule: str
    turns: tuple[int, ...]
    export: str | None
    why: str | None
    saw: str | None


@dataclass(frozen=True)
class BenchmarkHit:
    """An item of a benchmark that a message holds; `passage` is the stretch of text, `overlap` 0 to 1."""

    turn: int
    benchmark: str
    item: str
    column: str
    kind: str
    overlap: float
    passage: str


@dataclass(frozen=True)
class Said:
    """One correction by hand; `holds` = nobody has taken it back or said otherwise since."""

    class_: str | None
    reward: float | None
    undo: bool
    by: str
    at: str
    why: str | None
    holds: bool


@dataclass(frozen=True)
class Label:
    """The class of a response; `class_` None = unknown, `rule` what decided, `evidence` what it saw."""

    class_: str | None
    rule: str | None
    evidence: str | None
    conflicts: tuple[str, ...]


@dataclass(frozen=True)
class Opinion:
    """What one judge said of a response, from its stored replies.

    Attributes:
        judge: The model asked; `answered_by` what the server says answered.
        backend: chat, decisions or reward-model.
        rubric: name@version.
        status: ok, unparsed, refused or failed.
        reward: 0 to 1; None = there is none.
        score: On the rubric's own scale.
        levels: By criterion.
        flags: Raised by the judge, or because the response speaks to its grader.
        rationale: Its evidence, or why there is no reward.
        answers: The reward of each answer, where it was asked several times.
        reference: Whether it was shown a reference answer.
        partial: Whether it saw only head and tail of the response.
        without_steering: Its reward without what the response says to its grader; None = nothing does.
        calls: Keys of the answers in `judgements.sqlite`.
    """

    judge: str
    answered_by: str | None
    backend: str
    rubric: str
    status: str
    reward: float | None
    score: float | None
    levels: dict[str, float]
    flags: tuple[str, ...]
    rationale: str | None
    answers: tuple[float, ...]
    reference: bool
    partial: bool
    without_steering: float | None
    calls: tuple[str, ...]


@dataclass(frozen=True)
class Score:
    """The row of a response in the table `scores`, and each judge's own words; see docs/schema.md."""

    reward: float | None
    raw: float | None
    percentile: float | None
    calibrated: float | None
    score: float | None
    aspects: dict[str, float | None]
    flags: tuple[str, ...]
    status: str
    judge: str
    rubric: str
    rationale: str | None
    spread: float | None
    samples: int | None
    judged_task: str | None
    opinions: tuple[Opinion, ...]


@dataclass(frozen=True)
class Message:
    """One turn.

    Attributes:
        turn: Its index.
        role: system, user, assistant or tool.
        text: Redacted if the workspace is.
        model: Of the speaker, where the record states it.
        name: Likewise.
        tool_calls: As JSON.
        weight: In the loss, where the record states it.
        label: Of a response; None = `curate label` did not run, or it is none.
        corrections: All that was ever said of it by hand, the oldest first.
        score: Of a response; None = `curate score` did not run, or it is none.
        repeats: Of a response that repeats another's, or that others repeat; None = neither, or nobody looked.
    """

    turn: int
    role: str
    text: str
    model: str | None
    name: str | None
    tool_calls: str | None
    weight: float | None
    label: Label | None
    corrections: tuple[Said, ...]
    score: Score | None
    repeats: Explanation | None


@dataclass(frozen=True)
class TurnWeight:
    """What the tokens of a message weigh in the loss of a row."""

    turn: int
    weight: float


@dataclass(frozen=True)
class ExportedRow:
    """A row of an export that holds the conversation, or a part of it.

    Attributes:
        file: Relative to the folder of the export.
        row: 0-based position in it.
        id: Its id there; None = the format has none, and the row was found by its texts.
        condition: As it stands in the row; None = it does not.
        weight: Mean over its trained responses, or that of the row; None likewise.
        reward: Mean over its trained responses.
        weights: Of each message that weighs anything; empty where the row holds token ids.
    """

    file: str
    row: int
    id: str | None
    condition: str | None
    weight: float | None
    reward: float | None
    weights: tuple[TurnWeight, ...]


@dataclass(frozen=True)
class Decided:
    """What the policy of an export decides of a response; `masked` says why it weighs 0, None = trained."""

    turn: int
    class_: str | None
    condition: str | None
    weight: float
    masked: str | None


@dataclass(frozen=True)
class Exported:
    """What became of the conversation in one export.

    Attributes:
        folder: The export's folder.
        format: Its format; None = the folder is gone.
        state: `there` (rows were found), `left out`, `gone` (no such folder, or no export any more), or
            `cannot tell` (token ids without ids of conversations).
        reason: Why it is left out: duplicate, flagged:RULE …; None = it is not, or that is not known.
        stale: Whether what the export reads has changed since; None = not known.
        rows: The rows, at most 100.
        responses: Class, condition and weight by the export's policy, worked out anew from the tables.
        note: What a reader must know of all this.
    """

    folder: str
    format: str | None
    state: str
    reason: str | None
    stale: bool | None
    rows: tuple[ExportedRow, ...]
    responses: tuple[Decided, ...]
    note: str | None


@dataclass(frozen=True)
class NotYet:
    """A stage that has not spoken of this conversation yet, and the command that makes it."""

    what: str
    command: str


@dataclass(frozen=True)
class Story:
    """The whole history of one conversation.

    Attributes:
        key: The conversation.
        turn: The response that was asked about; None = all of it.
        content_hash: 32 hex digits over its messages.
        origin: Where it came from.
        edits: What ingest normalised, by name.
        edited: What it took out of texts, word by word; None = the record cannot be read again, or holds what
            `--redact` found.
        redacted: What `curate clean --redact` found.
        rules: Cleaning rules that fired; None = `curate clean` did not run.
        rules_unknown: Those that cannot tell.
        task: What `curate label` takes it for.
        task_rule: The rule that decided; None = none did.
        duplicate: Whether it goes for another, or for whom it stays; None = `curate dedup` did not run.
        copies: Those that were removed for it, each compared with it, the first few of `duplicate.stands_for`.
        benchmarks: Benchmark items in it; None = `curate decontaminate` did not run.
        messages: Every message, or those up to the one asked about that show it: its prompt and itself.
        messages_in_all: How many the conversation has.
        exports: Where it went.
        not_yet: What has not been done yet.
    """

    key: int
    turn: int | None
    content_hash: str
    origin: Origin
    edits: tuple[str, ...]
    edited: tuple[Edited, ...] | None
    redacted: tuple[Redacted, ...]
    rules: tuple[Fired, ...] | None
    rules_unknown: tuple[str, ...]
    task: str | None
    task_rule: str | None
    duplicate: Explanation | None
    copies: tuple[Explanation, ...]
    benchmarks: tuple[BenchmarkHit, ...] | None
    messages: tuple[Message, ...]
    messages_in_all: int
    exports: tuple[Exported, ...]
    not_yet: tuple[NotYet, ...]
