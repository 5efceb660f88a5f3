"""An invented language with the statistics of English chats that matter to shingles.

Word frequencies follow Zipf's law, frequent words are short, half of the words follow their predecessor by habit
(a Markov chain), a fifth belong to the conversation's topic, stock phrases are shared by many conversations, and a
conversation repeats itself. Measured on the base conversations of 6,000 rows against 6,000 of the public ShareGPT
dump (in brackets): 6.3 bytes a word (6.4), of the distinct word 5-grams of a conversation 17 % are in another one too
(21 %), and 11 % of all its 5-grams are repetitions (15 %).
"""

from __future__ import annotations

import numpy as np

VOCABULARY, TOPICS, TOPIC_WORDS, FOLLOWERS, PHRASES = 50_000, 200, 400, 4, 4000
# What a word is followed by, and how often; those from MARKS_END on end a sentence.
MARKS = (" ", ", ", ". ", "? ", ".\n\n", ":\n- ")
MARK_SHARES = (0.872, 0.05, 0.055, 0.006, 0.01, 0.007)
SENTENCE_END = 2
FORMS = 2 * len(MARKS)
FOLLOWS, TOPICAL = 0.5, 0.2

# Messages of a conversation: role and codes, where a code is word x FORMS + mark + 6 where capitalised.
Chat = list[tuple[str, np.ndarray]]


class Language:
    """Words, what follows what, topics and stock phrases; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        source = np.random.default_rng([seed])
        words = vocabulary(source)
        self.forms = [form + mark for word in words for form in (word, word[0].upper() + word[1:]) for mark in MARKS]
        self.cumulative = zipf(VOCABULARY, 2.7)
        self.followers = self.draw(source, (VOCABULARY, FOLLOWERS))
        self.topics = source.integers(100, VOCABULARY, (TOPICS, TOPIC_WORDS))
        lengths = source.integers(7, 18, PHRASES)
        self.phrases = [self.draw(source, (length,)) for length in lengths]
        self.phrase_chances = zipf(PHRASES, 5)

    def draw(self, source: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Words by frequency alone."""
        return np.searchsorted(self.cumulative, source.random(shape))

    def phrase(self, source: np.random.Generator) -> np.ndarray:
        """The words of a stock phrase."""
        return self.phrases[np.searchsorted(self.phrase_chances, source.random())]

    def chats(self, source: np.random.Generator, lengths: np.ndarray) -> list[Chat]:
        """Conversations of so many words each."""
        longest, chats = int(lengths.max()), len(lengths)
        words = self.draw(source, (longest, chats))
        topical = source.random((longest, chats)) < TOPICAL
        own = np.searchsorted(zipf(TOPIC_WORDS, 5), source.random((longest, chats)))
        words = np.where(topical, self.topics[source.integers(0, TOPICS, chats), own], words)
        follows = source.random((longest, chats)) < FOLLOWS
        # The first follower is the usual one.
        which = np.minimum((source.random((longest, chats)) ** 3 * FOLLOWERS).astype(int), FOLLOWERS - 1)
        for step in range(1, longest):
            words[step] = np.where(follows[step], self.followers[words[step - 1], which[step]], words[step])
        return [self.chat(source, words[:length, column]) for column, length in enumerate(lengths.tolist())]

    def chat(self, source: np.random.Generator, words: np.ndarray) -> Chat:
        """Stock phrases and repetitions put in, cut into turns."""
        words = words.copy()
        for _ in range(source.poisson(len(words) / 45)):
            phrase = self.phrase(source)
            start = source.integers(len(words))
            words[start : start + len(phrase)] = phrase[: len(words) - start]
        for _ in range(source.poisson(len(words) / 170)):
            length = int(source.integers(8, 50))
            begin, start = np.sort(source.integers(0, len(words), 2))
            passage = words[begin : min(begin + length, start)]
            words[start : start + len(passage)] = passage[: len(words) - start]
        pairs = int(source.integers(1, 4))
        shares = np.cumsum([share for _ in range(pairs) for share in (source.uniform(0.05, 0.2), 1.0)])
        cuts = (shares[:-1] / shares[-1] * len(words)).astype(int)
        return [
            (("human", "gpt")[turn % 2], self.sentences(source, part))
            for turn, part in enumerate(np.split(words, cuts))
            if len(part)
        ]

    def sentences(self, source: np.random.Generator, words: np.ndarray) -> np.ndarray:
        """Words to codes: marks between them, a capital at the beginning of each sentence."""
        marks = np.searchsorted(np.cumsum(MARK_SHARES[:-1]), source.random(len(words)))
        begins = np.r_[True, marks[:-1] >= SENTENCE_END]
        return words * FORMS + marks + begins * len(MARKS)


def rendered(language: Language, chat: Chat) -> list[tuple[str, str]]:
    """The messages as text."""
    return [(role, "".join([language.forms[code] for code in codes.tolist()]).strip()) for role, codes in chat]


def zipf(size: int, shift: float) -> np.ndarray:
    """Cumulative chances of ranks by the Zipf-Mandelbrot law."""
    chances = 1 / (np.arange(size) + shift)
    cumulative = np.cumsum(chances / chances.sum())
    cumulative[-1] = 1.0
    return cumulative


def vocabulary(source: np.random.Generator) -> list[str]:
    """Distinct words, the most frequent first; some with accents, some numbers, names of variables and contractions."""
    onsets = ["", *"bcdfghjklmnprstvw", "br", "ch", "cl", "gr", "pl", "pr", "sh", "st", "th", "tr"]
    vowels = [*"aeiou", "ai", "ea", "ou", "é", "ü"]
    codas = ["", "", "", *"dlmnrst", "nd", "ng", "st"]
    likely = np.cumsum([20, 20, 16, 16, 12, 5, 5, 5, 0.5, 0.5]) / 100
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        rank = len(words)
        syllables = 1 + int(np.searchsorted([400, 12_000], rank, side="right"))
        kind = source.random() if rank > 200 else 1.0
        if kind < 0.03:
            word = str(source.integers(1, 10 ** source.integers(1, 5)))
        else:
            word = (
                "".join(
                    onsets[source.integers(len(onsets))] + vowels[np.searchsorted(likely, source.random())]
                    for _ in range(syllables)
                )
                + codas[source.integers(len(codas))]
            )
            word += "_" + word[:3] if kind < 0.045 else "'s" if kind < 0.055 else ""
        words[word] = None
    return list(words)
