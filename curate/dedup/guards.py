"""What a sentence embedding does not see, told by the words: other numbers, a negation, other names, a turned order.

all-MiniLM-L6-v2 gives "Convert Celsius to Fahrenheit" and "Convert Fahrenheit to Celsius" a cosine of 0.99,
the death penalty for and against 0.99, and two Chinese questions of unlike content 1.00.
`benchmarks/semantic.py` measures what each guard is worth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

FEWEST_WORDS = 4  # "continue", "thanks a lot": said everywhere, about anything

_WORD = re.compile(r"[^\W_]+[+#]*")
_LETTER = re.compile(r"[^\W\d_]")
_LATIN = re.compile(r"[a-zA-Z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
# A capital within a sentence; the first word has one anyway, and so has "I".
_NAME = re.compile(r"(?<![.!?:\n\"“(] )(?<!^)(?<![\"“(*\n])\b(?!I\b)[A-Z][^\W_]*[+#]*")

_QUOTE = re.compile(r"[\"“]([^\"“”\n]+)[\"”]")

_CARDINALS = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth"
_NUMBERS = {word: str(value) for value, word in enumerate(_CARDINALS.split(), start=2)} | {
    word: str(value) for value, word in enumerate(_ORDINALS.split(), start=1)
}
# One side of each pair of opposites is enough: a text without it is on the other side.
_SIDES = {
    word: side
    for side, words in {
        "not": "not no never cannot without neither nor except avoid",
        "against": "against con cons disadvantage disadvantages drawback drawbacks downside downsides",
        "less": "decrease decreases decreased decreasing reduce fewer less lower shorter smaller",
        "least": "smallest minimum least lowest shortest worst",
        "off": "disable deactivate uninstall remove delete",
        "negative": "negative",
        "lose": "lose loses losing loss",
    }.items()
    for word in words.split()
}
_ALIKE = 0.7  # share of common words from which on their order tells who does what to whom
_SWAPPED = 2  # so many words exchanged in the same sentence make it another: a formal email, a funny email
_SPELLING = 0.75  # likeness of two spellings of a word, or two forms of it


@dataclass(frozen=True)
class Text:
    """A text and what the guards look at."""

    text: str

    @cached_property
    def words(self) -> list[str]:
        """In lower case; `c++` and `c#` are words."""
        return _WORD.findall(self.text.lower())

    @property
    def key(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Its numbers and the sides it takes: texts with unlike keys ask for unlike things."""
        spelt = [_NUMBERS[word] for word in self.words if word in _NUMBERS]
        sides = {_SIDES[word] for word in self.words if word in _SIDES}
        if re.search(r"n['’]t\b", self.text):
            sides.add("not")
        return tuple(sorted(_NUMBER.findall(self.text) + spelt)), tuple(sorted(sides))

    @cached_property
    def names(self) -> set[str]:
        """Words with a capital within a sentence and words in quotes, in lower case: Paris, Python, JSON."""
        named = [
            *_NAME.findall(self.text),
            *(word for part in _QUOTE.findall(self.text) for word in _WORD.findall(part)),
        ]
        return {name.lower() for name in named}

    @property
    def short(self) -> bool:
        """Too few words to mean one thing."""
        return len(self.words) < FEWEST_WORDS

    @property
    def latin(self) -> bool:
        """Whether nearly all letters are Latin: the default model knows no other script."""
        letters = len(_LETTER.findall(self.text))
        return len(_LATIN.findall(self.text)) >= 0.95 * letters


def agree(left: Text, right: Text) -> bool:
    """Whether each knows the other's names, no word was exchanged for another, and the order is the same.

    Exchange counts where all else is equal, order where little else differs.
    """
    ours, theirs = set(left.words), set(right.words)
    if not (left.names <= theirs and right.names <= ours):
        return False
    if len(left.words) == len(right.words):
        swapped = [pair for pair in zip(left.words, right.words, strict=True) if pair[0] != pair[1]]
        if len(swapped) <= _SWAPPED and any(SequenceMatcher(None, *pair).ratio() < _SPELLING for pair in swapped):
            return False
    common = ours & theirs
    if len(common) < _ALIKE * len(ours | theirs):
        return True
    once = {word for word in common if left.words.count(word) == right.words.count(word) == 1}
    return [word for word in left.words if word in once] == [word for word in right.words if word in once]
