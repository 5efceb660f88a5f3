"""What ingest took out of texts is told word by word, as long as the record can be read again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import curate

BUTTON = "Here it is:\n\nbashCopy code\nls -l\n\nThat lists them."
ADVERT = "This conversation was shared from [TypingMind.com](https://typingmind.com)"


def test_buttons_invisible_characters_and_adverts(
    tmp_path: Path, chat: Callable[..., Any], dump: Callable[..., Path]
) -> None:
    record = chat("How do I list\u200b files?", BUTTON, model="gpt-4")
    record["conversations"].insert(0, {"from": "system", "value": ADVERT})
    plain = chat("And folders?", "They are listed, too.")
    curate.ingest([dump(tmp_path / "d.json", [record, plain])], tmp_path / "ws", quiet=True)
    story = curate.show(tmp_path / "ws", 0)
    assert set(story.edits) == {"advert", "copy_code", "zero_width"}
    told = {
        (one.turn, one.role): "".join(change.text for change in one.changes if change.where == "taken out")
        for one in story.edited or ()
    }
    assert told[None, "system"] == ADVERT
    assert "\u200b" in told[0, "user"]
    assert "Copy code" in told[1, "assistant"]
    for one in story.edited or ():
        if one.turn is not None:
            kept = "".join(change.text for change in one.changes if change.where != "taken out")
            assert kept == story.messages[one.turn].text
    assert curate.show(tmp_path / "ws", 1).edited == ()


def test_a_record_that_cannot_be_read_again_or_holds_what_was_redacted_tells_nothing(
    tmp_path: Path, chat: Callable[..., Any], dump: Callable[..., Path]
) -> None:
    file = dump(tmp_path / "d.json", [chat("Write to ann@brightmail.org, bashCopy code", BUTTON)])
    curate.ingest([file], tmp_path / "ws", quiet=True)
    assert curate.show(tmp_path / "ws", 0).edited
    curate.clean(tmp_path / "ws", redact=True, quiet=True)
    assert curate.show(tmp_path / "ws", 0).edited is None
    curate.clean(tmp_path / "ws", redact=False, quiet=True)
    file.unlink()
    assert curate.show(tmp_path / "ws", 0).edited is None


def test_of_records_that_were_joined_none_alone_tells_it(
    tmp_path: Path, chat: Callable[..., Any], dump: Callable[..., Path]
) -> None:
    records = [chat("A?", "One.", id="Ab3_x9Q_0"), chat("B?", "Two.", id="Ab3_x9Q_2")]
    curate.ingest([dump(tmp_path / "d.json", records)], tmp_path / "ws", quiet=True)
    story = curate.show(tmp_path / "ws", 0)
    assert (story.origin.joined_rows, story.edited) == ((1,), None)
