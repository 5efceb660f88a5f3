"""How a copy differs from its origin: one function per kind of change."""

from __future__ import annotations

import re

import numpy as np
from language import FORMS, Chat, Language, rendered

Messages = list[tuple[str, str]]

KINDS = ("words", "characters", "formatting", "truncation", "turn", "boilerplate", "exact")
SHARES = (0.4, 0.12, 0.12, 0.12, 0.1, 0.06, 0.08)
LETTERS = np.array(list("etaoinshrdlucmwfgypb"))


def changed(language: Language, source: np.random.Generator, origin: Chat, kind: str) -> tuple[Chat, Messages]:
    """A copy with a change of that kind: codes, from which further copies are made, and text."""
    if kind == "words":
        rate = np.exp(source.uniform(np.log(0.002), np.log(0.1)))
        origin = [(role, words(language, source, codes, rate)) for role, codes in origin]
    elif kind == "truncation":
        origin = truncation(origin, source.uniform(0.5, 0.97))
    elif kind == "turn":
        lengths = source.integers(5, 40), source.integers(20, 200)
        asked, told = [language.draw(source, (length,)) for length in lengths]
        origin = [*origin, ("human", language.sentences(source, asked)), ("gpt", language.sentences(source, told))]
    elif kind == "boilerplate":
        origin = [(role, boilerplate(language, source, codes) if role == "gpt" else codes) for role, codes in origin]
    text = rendered(language, origin)
    if kind == "characters":
        rate = np.exp(source.uniform(np.log(0.0005), np.log(0.02)))
        text = [(role, characters(source, content, rate)) for role, content in text]
    elif kind == "formatting":
        change = (lower, no_punctuation, one_line, double_spaced)[source.integers(4)]
        text = [(role, change(content)) for role, content in text]
    return origin, text


def words(language: Language, source: np.random.Generator, codes: np.ndarray, rate: float) -> np.ndarray:
    """Some words replaced (3 in 5), left out or followed by another (1 in 5 each)."""
    hit = source.random(len(codes)) < rate
    what = source.random(len(codes))
    others = language.draw(source, (len(codes),)) * FORMS
    replaced = np.where(hit & (what < 0.6), others + codes % FORMS, codes)
    times = np.where(hit & (what >= 0.6), np.where(what < 0.8, 0, 2), 1)
    result = np.repeat(replaced, times)
    ends = np.cumsum(times) - 1
    result[ends[times == 2]] = others[times == 2]
    return result


def truncation(chat: Chat, share: float) -> Chat:
    """The first part of a conversation, by words."""
    left = max(1, int(share * sum(len(codes) for _, codes in chat)))
    kept: Chat = []
    for role, codes in chat:
        if left > 0:
            kept.append((role, codes[:left]))
        left -= len(codes)
    return kept


def boilerplate(language: Language, source: np.random.Generator, codes: np.ndarray) -> np.ndarray:
    """A stock phrase before and after."""
    before, after = (language.sentences(source, language.phrase(source)) for _ in range(2))
    return np.concatenate([before, codes, after])


def characters(source: np.random.Generator, text: str, rate: float) -> str:
    """Some characters replaced by a letter or left out."""
    letters = np.array(list(text))
    hit = source.random(len(letters)) < rate
    letters[hit] = LETTERS[source.integers(0, len(LETTERS), int(hit.sum()))]
    return "".join(letters[~hit | (source.random(len(letters)) < 0.5)].tolist()).strip()


def lower(text: str) -> str:
    """All in lower case."""
    return text.lower()


def no_punctuation(text: str) -> str:
    """Without punctuation."""
    return re.sub(r"[.,:?-]", "", text).strip()


def one_line(text: str) -> str:
    """White space of any length becomes one space."""
    return " ".join(text.split())


def double_spaced(text: str) -> str:
    """Two spaces between words, lines indented."""
    return text.replace(" ", "  ").replace("\n", "\n    ")
