"""Exchanges that the rules about whole conversations are for, one or two for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import questions
from questions import COUNTRIES, ELEMENTS, FOREIGN, THINGS, WORDS

if TYPE_CHECKING:
    from random import Random

ADVERT = "*This chat conversation is shared from [**TypingMind.com**](https://typingmind.com)*"
SYSTEM = "You are a patient teacher. Answer in full sentences."
RATE_LIMIT = "Too many requests in 1 hour. Try again later."
PREACHING = "However, it is always best to consult a healthcare professional before you change anything in your life."
REST = "    print(total)\n```\nThat is the rest of the program: it prints the sum of the column."
CLAIM = "I am Claude, an AI assistant made by Anthropic, and I like to help."
# Two scripts in one answer; the prompt does not name a language.
SIGNS = (
    "«Выход в город» is the way out to the street, «Вход» the way in, and «Не прислоняться» on a door says: do not "
    "lean here. A voice says «Осторожно, двери закрываются», then the name of the «следующая станция», the next stop. "
    "At the «касса» you pay, and at «закрыто» you do not."
)
# Declining in the language of the prompt.
SORRY = {
    "Wa": "Es tut mir leid, aber dazu kann ich leider keine Auskunft geben.",
    "Po": "Désolé, mais je ne peux pas répondre à cette question.",
    "¿P": "Lo siento, pero no puedo ayudarte con eso.",
}


def exchanges(rng: Random) -> list[tuple[str | None, tuple[str, str]]]:
    """Model and exchange: what declines in other languages, preaches, mixes languages, says nothing or who it is."""
    gpt4, default = "Model: GPT-4", "Model: Default (GPT-3.5)"
    declined = {start: next(item["ask"] for item in FOREIGN if item["ask"].startswith(start)) for start in SORRY}
    heart = next(item for item in questions.TOPICS if "heart" in item["ask"])
    words = [*WORDS, *THINGS, *ELEMENTS, *COUNTRIES]
    backwards = ", ".join(word.lower()[::-1] for word in rng.sample(words, len(words)))
    german = next(item for item in FOREIGN if item["ask"].startswith("Wie"))
    return [
        *((default, (ask, SORRY[start])) for start, ask in declined.items()),
        (default, (heart["ask"], f"{heart['full']}\n\n{PREACHING}")),
        (default, ("I saw these signs in the underground. What do they mean?", SIGNS)),
        (gpt4, ("Write every word of my list backwards, please.", backwards)),
        (default, ("How do I explain to my little daughter why the moon changes its shape?", german["answer"])),
        (gpt4, ("Are you still thinking about my question?", "\u200b")),
        (default, ("Go on with the second chapter, please.", RATE_LIMIT)),
        (default, ("Show me the table again, please.", "EmptyMarkdownContent")),
        (gpt4, ("Continue.", REST)),
        (None, ("Who are you, and who made you?", CLAIM)),
        (None, ("hi", "Hello!")),
        (None, ("ok", "Great.")),
    ]
