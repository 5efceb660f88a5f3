"""A story in which everything has happened, for the golden files; hostile text stands wherever text from data may."""

from __future__ import annotations

from curate.dedup.diff import messages as difference
from curate.dedup.explain import Explanation, Place
from curate.show.story import (
    BenchmarkHit,
    Change,
    Decided,
    Edited,
    Exported,
    ExportedRow,
    Fired,
    Label,
    Message,
    NotYet,
    Opinion,
    Origin,
    Redacted,
    Said,
    Score,
    Story,
    TurnWeight,
)

EVIL = "\x1b[31mred\x1b[0m \x1b]8;;https://example.invalid\x07link\x1b]8;;\x07 [bold]x[/bold] \u202egnp\u202c nul\x00"
CODE = "Like this:\n\n```python\ndef arches(bridge):\n    for arch in bridge:\n        yield arch\n```\n\tand a tab"
WIDE = "河には九つの橋脚があり、二度の夏に北の石工たちが築いた。" * 4 + " 🌉🌉🌉 " + "unbroken" * 12
KEPT = [{"role": "user", "content": "And the mill?"}, {"role": "assistant", "content": "It turns in spring."}]
GONE = [{"role": "user", "content": "And the mill?"}, {"role": "assistant", "content": f"It turns in autumn {EVIL}."}]


def place(key: int, turn: int | None = None) -> Place:
    return Place(key, turn, f"dumps/{EVIL}.jsonl", 12 + key, f"id-{key}", 425)


def compared(key: int, kind: str, similarity: float, turn: int | None = None) -> Explanation:
    return Explanation(
        unit="conversation",
        text=place(key, turn),
        kind=kind,
        similarity=similarity,
        kept=place(17, turn),
        against=None,
        jaccard=None,
        containment=None,
        stands_for=(),
        restored=False,
        similar_to=None,
        cosine=None,
        messages=difference(KEPT, GONE),
    )


OPINION = Opinion(
    judge="harsh",
    answered_by="harsh-2026",
    backend="chat",
    rubric="general@2",
    status="ok",
    reward=0.25,
    score=1.0,
    levels={"correct": 1.0, "follows": 1.0, "complete": 1.5, "clear": 1.0},
    flags=("truncated",),
    rationale=f"It leaves out half {EVIL}",
    answers=(0.25, 0.3),
    reference=True,
    partial=True,
    without_steering=0.2,
    calls=("0" * 32,),
)
SCORE = Score(
    reward=0.4,
    raw=0.5,
    percentile=0.61,
    calibrated=0.4,
    score=2.0,
    spread=0.25,
    aspects={"correct": 2.0, "clear": None},
    flags=("truncated", "steers"),
    status="ok",
    judge="harsh+mild > strong",
    rubric="general@2",
    rationale="Half of it is right.",
    samples=5,
    judged_task="code",
    opinions=(OPINION,),
)


def message(turn: int, role: str, text: str, **more: object) -> Message:
    nothing = dict.fromkeys(("model", "name", "tool_calls", "weight", "label", "score", "repeats"))
    return Message(turn=turn, role=role, text=text, **(nothing | {"corrections": ()} | more))  # type: ignore[arg-type]


STORY = Story(
    key=17,
    turn=None,
    content_hash="97a2d7ea0d432d400b2ce24719fe25d3",
    origin=Origin(
        source="rivers",
        file=f"dumps/{EVIL}.jsonl",
        row=29,
        joined_rows=(30, 31),
        byte=40512,
        bytes=1234,
        why_no_byte=None,
        id=f"river {EVIL}",
        model="gpt-4",
        created_at="2023-03-14T09:30:00Z",
        language="English",
        task="chat",
        marks=("verified", "toxic"),
        rank=1,
    ),
    edits=("copy_code", "html"),
    edited=(
        Edited(1, "user", (Change("same", "So:\n"), Change("taken out", f"Copy code {EVIL}"), Change("put in", "x"))),
        Edited(None, "system", (Change("taken out", "This chat was shared from somewhere."),)),
    ),
    redacted=(Redacted(0, "email", 2), Redacted(1, "phone", 1)),
    rules=(
        Fired("refusal", (1,), "mask", "It does nothing but decline.", f"opening: I'm sorry {EVIL}"),
        Fired("email", (), "keep", "Somebody's e-mail address.", "emails = 2"),
        Fired("gone_since", (), None, None, None),
    ),
    rules_unknown=("mixed_language",),
    task="code",
    task_rule="asks_code",
    duplicate=Explanation(
        "conversation", place(17), None, None, None, None, None, None, ((4, None), (9, None)), True, 40, 0.93, ()
    ),
    copies=(compared(4, "near", 0.836066), compared(9, "exact", 1.0)),
    benchmarks=(BenchmarkHit(0, "mt_bench", "81", "turns", "13-gram", 0.875, f"Compose a blog post {EVIL}"),),
    messages=(
        message(0, "system", f"Be kind. {EVIL}"),
        message(1, "user", CODE),
        message(
            2,
            "assistant",
            WIDE,
            model="gpt-4",
            name="bing",
            weight=0.5,
            label=Label("gpt-4", "gpt4_model_name", f"model = gpt-4 {EVIL}", ("claims: I am Claude",)),
            corrections=(
                Said("gpt-3.5", None, False, "Ann", "2026-11-29T09:00:00Z", None, False),
                Said("human", 0.25, False, f"Bo {EVIL}", "2026-11-29T09:10:00Z", f"seen it {EVIL}", True),
            ),
            score=SCORE,
            repeats=compared(4, "near", 0.91, 2),
        ),
        message(3, "tool", "line\n" * 40, tool_calls='{"name": "look_up"}'),
        message(4, "assistant", "", label=Label(None, None, None, ()), corrections=()),
    ),
    messages_in_all=5,
    exports=(
        Exported(
            "shards",
            "crlft",
            "there",
            None,
            True,
            (
                ExportedRow(
                    "data/train-00001-of-00003.parquet",
                    31,
                    "97a2d7ea0d432d400b2ce24719fe25d3-17.2",
                    "GPT4",
                    0.5623,
                    0.4,
                    (TurnWeight(2, 0.5623),),
                ),
            ),
            (Decided(2, "gpt-4", "GPT4", 0.5623, None), Decided(4, None, "Unknown", 0.0, "unlabelled")),
            None,
        ),
        Exported("other", "openchat-jsonl", "left out", "flagged:refusal", False, (), (), "caps are not worked out"),
        Exported("old", None, "gone", None, None, (), (), "the folder is not there any more"),
    ),
    not_yet=(NotYet("scored", "curate score"),),
)
