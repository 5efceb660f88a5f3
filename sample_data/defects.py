"""Broken responses: one exchange for each defect that the local judge knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

import questions
from questions import Exchange

# Makes a prompt and a broken response.
Defect = Callable[[Random], tuple[str, str]]

CITIES = ("Lisbon", "Oslo", "Nairobi", "Lima", "Kyoto", "Dublin", "Athens", "Quito", "Tallinn", "Hanoi")
STOCKS = ("a cup of coffee in Rome", "gold", "a litre of milk in Berlin", "a flight to Madrid", "copper", "crude oil")
ERRORS = (
    "Too many requests in 1 hour. Try again later.",
    "An error occurred. If this issue persists please contact us through our help center at help.example.com.",
    "Something went wrong. If this issue persists please contact us through our help center at help.example.com.",
    "Network error",
)
RESIDUE = ("2 / 2", "EmptyMarkdownContent", "Regenerate response", "Copy code")


def refusal(rng: Random) -> tuple[str, str]:
    """It declines and stays short."""
    city, thing = rng.choice(CITIES), rng.choice(STOCKS)
    return rng.choice([
        (f"What is the weather in {city} right now?", f"I'm sorry, but I cannot tell you the weather in {city}."),
        (f"What does {thing} cost today?", f"As an AI language model, I don't have access to the price of {thing}."),
        (f"Book me a table for two in {city}.", f"I apologize, but I am unable to book a table in {city} for you."),
        (f"Call my sister in {city}, please.", f"Unfortunately, I cannot make phone calls to {city}."),
    ])  # fmt: skip


def boilerplate(rng: Random) -> tuple[str, str]:
    """It talks about itself first; the answer follows."""
    found = rng.choice((questions.topic, questions.country, questions.element, questions.days))(rng)
    return found.ask, f"As an AI language model, here is what is known to me: {found.short}"


def cut_off(rng: Random) -> tuple[str, str]:
    """It stops after a word that must be followed by another."""
    while True:
        found = questions.topic(rng)
        ends = [m.end() for m in re.finditer(r"[a-z,] (a|an|the|of|and|or|to|in|with|for|is|are)\b", found.full)]
        for end in ends:
            if 205 <= end <= 0.6 * len(found.full):
                return found.ask, found.full[:end]


def open_fence(rng: Random) -> tuple[str, str]:
    """The code block is never closed."""
    found = questions.function(rng)
    return found.ask, found.short.removesuffix("\n```")


def loop(rng: Random) -> tuple[str, str]:
    """It repeats a sentence until it stops."""
    thing, city = rng.choice(questions.THINGS), rng.choice(CITIES)
    ask = rng.choice(["Write a short text about a {} from {}.", "Tell me about the {} that I left in {}."])
    return ask.format(thing, city), f"The {thing} from {city} is very good. " * rng.randint(40, 60)


def garbled(rng: Random) -> tuple[str, str]:
    """UTF-8 read as Windows-1252."""
    name = rng.choice(["Brazil", "Iceland", "Poland", "Chile"])
    capital, money, other = questions.COUNTRIES[name]
    text = f"{name}’s capital is {capital}, and people pay with the {money} – in {other}, too."
    return f"Tell me the capital of {name} and its money.", text.encode().decode("cp1252", "replace")


def echo(rng: Random) -> tuple[str, str]:
    """The prompt comes back."""
    found = rng.choice((questions.discount, questions.days))(rng)
    ask = f"Please answer in one sentence. {found.ask}"
    return ask, ask


def wrong_language(rng: Random) -> tuple[str, str]:
    """English, although the prompt is not."""
    item = rng.choice(questions.FOREIGN)
    return item["ask"], item["english"]


def error(rng: Random) -> tuple[str, str]:
    """The page's error message in place of an answer."""
    return questions.exchange(rng).ask, rng.choice(ERRORS)


def residue(rng: Random) -> tuple[str, str]:
    """Only a piece of the page."""
    return questions.exchange(rng).ask, rng.choice(RESIDUE)


def empty(rng: Random) -> tuple[str, str]:
    """Only a zero-width space."""
    return questions.exchange(rng).ask, "\u200b"


# How often each of them turns up; a cut-off response must be the last of its conversation.
DEFECTS: dict[Defect, int] = {
    refusal: 8, boilerplate: 7, cut_off: 12, open_fence: 3, loop: 2, garbled: 2, wrong_language: 3, error: 1,
    residue: 1, echo: 1, empty: 1,
}  # fmt: skip
# The few that a careful model shows.
RARE: dict[Defect, int] = {refusal: 2, cut_off: 2, boilerplate: 1}


def broken(rng: Random, kinds: dict[Defect, int], *, last: bool) -> tuple[str, str]:
    """A prompt and a broken response to it."""
    while True:
        (kind,) = rng.choices(list(kinds), list(kinds.values()))
        if last or kind is not cut_off:
            return kind(rng)


def careful(found: Exchange, rng: Random) -> str:
    """What a careful model says."""
    closing = ("", "", "", "\n\nLet me know if you would like to see another example.")
    return found.full + rng.choice(closing)


def hasty(found: Exchange, rng: Random) -> str:
    """What a hasty model says: short, and sometimes wrong."""
    if found.wrong and rng.random() < 0.3:
        return found.wrong
    return rng.choice((found.short, found.short, f"Sure! {found.short}", f"{found.short}\n\nHope this helps!"))
