"""The semantic search compares all that a user asked for, and only that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.dedup.prompts import prompts

if TYPE_CHECKING:
    from collections.abc import Callable

    from curate.workspace import Workspace


def test_the_prompts_of_a_conversation_are_one_text(workspace: Callable[..., Workspace]):
    ws = workspace(
        [
            [
                ("system", "Be brief."),
                ("user", "What is rust?"),
                ("assistant", "Iron oxide."),
                ("user", "The language!"),
            ],
            [("assistant", "Hello, how can I help?")],
        ]
    )
    assert prompts(ws, 0) == ["What is rust?\nThe language!", ""]
