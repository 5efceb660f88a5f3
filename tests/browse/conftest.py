"""A small workspace that every stage has seen, with texts that try to take over the terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from curate.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from curate.workspace import Workspace

HOSTILE = (
    "[red on blue]markup[/] [link=https://example.org]here[/link] [@click=app.quit]quit[/] \x1b[31mred\x1b[0m "
    "\x1b]8;;https://example.org\x07link\x1b]8;;\x07 \x1b[2J\x9b5m \u202eright to left\u2066 \r\n"
    "next\x00\x07\ttab [/] [bold"
)


def message(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content, "model": None, "name": None, "tool_calls": None, "weight": None}


def table(ws: Workspace, name: str, rows: list[dict[str, Any]]) -> None:
    schema = TABLES[name].arrow
    full = [{column: None for column in schema.names} | row for row in rows]
    ws.write(name, 0, pa.Table.from_pylist(full, schema), {"fingerprint": name})


@pytest.fixture
def hostile() -> str:
    """What stands in everything of conversation 4."""
    return HOSTILE


@pytest.fixture
def bare(workspace: Callable[..., Workspace]) -> Workspace:
    """Six conversations that no stage has seen: 0 of two turns, 4 with hostile text, 5 a copy of 1."""
    rows: list[dict[str, Any]] = [
        {
            "messages": [
                message("system", "Be brief."),
                message("user", "Why is the sky blue?"),
                message("assistant", "Air scatters blue light."),
                message("user", "And red at dusk?"),
                message("assistant", "The light has come a longer way."),
            ]
        },
        *(
            {"messages": [message("user", f"What is {n} squared?"), message("assistant", f"{n * n}.")]}
            for n in range(3)
        ),
        {"messages": [message("user", HOSTILE), message("assistant", HOSTILE)], "source": HOSTILE, "model": HOSTILE},
        {"messages": [message("user", "What is 0 squared?"), message("assistant", "0.")], "source": "other"},
    ]
    lists = {"edits": ["joined"], "marks": [], "joined_rows": []}
    return workspace(*({"created_at": datetime(2023, 4, 1, tzinfo=UTC)} | lists | row for row in rows))


@pytest.fixture
def ws(bare: Workspace) -> Workspace:
    """The same, which every stage has seen."""
    places = [(0, 2), (0, 4), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]
    classes = ["gpt-4", "gpt-4", "gpt-3.5", None, "human", "gpt-4", "gpt-3.5"]
    rewards = [0.9, 0.4, 0.1, None, 0.7, 0.5, None]
    table(
        bare,
        "labels",
        [
            {"key": key, "turn": turn, "class": class_, "rule": class_ and "model_name", "conflicts": []}
            | {"evidence": HOSTILE if key == 4 else "model = gpt-4-0314"}
            for (key, turn), class_ in zip(places, classes, strict=True)
        ],
    )
    table(bare, "tasks", [{"key": key, "task": "maths" if key else "other", "rule": None} for key in range(6)])
    table(
        bare,
        "scores",
        [
            {"key": key, "turn": turn, "reward": reward, "raw": reward, "score": reward and 4 * reward}
            | {"aspects": [{"name": "correct", "score": 3.0}, {"name": "complete", "score": 1.0}], "raised": []}
            | {"status": "ok" if reward else "refused", "judge": "judge-1", "rubric": "general@1"}
            | {"rationale": HOSTILE if key == 4 else f"Right, but it says little ({key}:{turn}).", "samples": 1}
            for (key, turn), reward in zip(places, rewards, strict=True)
        ],
    )
    flagged = {0: ["cut_off"], 4: ["email"]}
    table(
        bare,
        "flags",
        [
            {"key": key, "rules": flagged.get(key, []), "unknown": [], "redact": []}
            | {"turns": [{"turn": 4, "rule": "cut_off"}] if key == 0 else []}
            for key in range(6)
        ],
    )
    table(
        bare,
        "duplicates",
        [
            {"key": key, "cluster": key}
            | ({"removed_by": 1, "kind": "exact", "similarity": 1.0} if key == 5 else {})
            for key in range(6)
        ],
    )
    hit = {"key": 2, "turn": 0, "benchmark": "gsm8k", "column": "question", "item": "7", "part": 0, "kind": "verbatim"}
    table(bare, "contamination", [hit | {"overlap": 1.0, "begin": 0, "end": 9}])
    return bare
