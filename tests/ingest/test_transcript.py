"""HH-RLHF's texts fall into their turns; other texts are no transcripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.ingest.conversation import Message
from curate.ingest.transcript import is_transcript, messages_of

WORDS = st.text(st.characters(categories=["L", "N", "P"]), min_size=1).filter(
    lambda text: not text.startswith(("Human:", "Assistant:"))
)


@given(st.lists(st.tuples(st.sampled_from(["Human", "Assistant"]), WORDS), min_size=1))
def test_what_was_written_is_read_back(turns: list[tuple[str, str]]) -> None:
    text = "".join(f"\n\n{speaker}: {words}" for speaker, words in [("Human", "Hi"), *turns])
    assert is_transcript(text)
    roles = {"Human": "user", "Assistant": "assistant"}
    assert messages_of(text) == [Message("user", "Hi"), *(Message(roles[speaker], words) for speaker, words in turns)]


def test_an_open_turn_of_the_assistant_is_no_message() -> None:
    assert messages_of("\n\nHuman: Hi\n\nAssistant:") == [Message("user", "Hi")]


def test_line_breaks_inside_a_turn_stay() -> None:
    assert messages_of("\n\nHuman: One.\n\nTwo.\n\nAssistant: Hi") == [
        Message("user", "One.\n\nTwo."),
        Message("assistant", "Hi"),
    ]


@pytest.mark.parametrize("text", ["", "Hi", "Human: what is that?", "Hi\n\nHuman: Hi\n\nAssistant: Hi", "Human beings"])
def test_other_texts_are_no_transcripts(text: str) -> None:
    assert not is_transcript(text)
