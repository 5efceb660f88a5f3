"""Questions with computed or hand-written answers: a careful one, a hasty one, and often a wrong one."""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from math import gcd
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

HERE = Path(__file__).parent


class Exchange(NamedTuple):
    """A question and what models of two classes say to it; `wrong` is a plausible mistake, empty = none."""

    ask: str
    full: str
    short: str
    wrong: str = ""


def bank(name: str) -> list[dict[str, Any]]:
    """The blocks of one of the hand-written files."""
    (blocks,) = tomllib.loads((HERE / f"{name}.toml").read_text("utf-8")).values()
    return list(blocks)


TOPICS, FOREIGN, FUNCTIONS = bank("explanations"), bank("foreign"), bank("functions")

COUNTRIES = {
    "Australia": ("Canberra", "Australian dollar", "Sydney"), "Austria": ("Vienna", "euro", "Salzburg"),
    "Brazil": ("Brasília", "real", "Rio de Janeiro"), "Canada": ("Ottawa", "Canadian dollar", "Toronto"),
    "Chile": ("Santiago", "Chilean peso", "Valparaíso"), "Denmark": ("Copenhagen", "Danish krone", "Aarhus"),
    "Egypt": ("Cairo", "Egyptian pound", "Alexandria"), "Ethiopia": ("Addis Ababa", "birr", "Gondar"),
    "Finland": ("Helsinki", "euro", "Turku"), "France": ("Paris", "euro", "Lyon"),
    "Greece": ("Athens", "euro", "Thessaloniki"), "Hungary": ("Budapest", "forint", "Debrecen"),
    "Iceland": ("Reykjavík", "Icelandic króna", "Akureyri"), "India": ("New Delhi", "rupee", "Mumbai"),
    "Ireland": ("Dublin", "euro", "Cork"), "Japan": ("Tokyo", "yen", "Kyoto"),
    "Kenya": ("Nairobi", "Kenyan shilling", "Mombasa"), "Mexico": ("Mexico City", "Mexican peso", "Guadalajara"),
    "Morocco": ("Rabat", "dirham", "Casablanca"), "New Zealand": ("Wellington", "New Zealand dollar", "Auckland"),
    "Nigeria": ("Abuja", "naira", "Lagos"), "Norway": ("Oslo", "Norwegian krone", "Bergen"),
    "Peru": ("Lima", "sol", "Cusco"), "Poland": ("Warsaw", "złoty", "Kraków"),
    "Portugal": ("Lisbon", "euro", "Porto"), "Sweden": ("Stockholm", "Swedish krona", "Gothenburg"),
    "Switzerland": ("Bern", "Swiss franc", "Zurich"), "Thailand": ("Bangkok", "baht", "Chiang Mai"),
    "Turkey": ("Ankara", "Turkish lira", "Istanbul"), "Vietnam": ("Hanoi", "đồng", "Ho Chi Minh City"),
}  # fmt: skip

ELEMENTS = {
    "hydrogen": ("H", 1), "helium": ("He", 2), "lithium": ("Li", 3), "carbon": ("C", 6), "nitrogen": ("N", 7),
    "oxygen": ("O", 8), "neon": ("Ne", 10), "sodium": ("Na", 11), "magnesium": ("Mg", 12), "aluminium": ("Al", 13),
    "silicon": ("Si", 14), "sulfur": ("S", 16), "chlorine": ("Cl", 17), "potassium": ("K", 19), "calcium": ("Ca", 20),
    "iron": ("Fe", 26), "copper": ("Cu", 29), "zinc": ("Zn", 30), "silver": ("Ag", 47), "tin": ("Sn", 50),
    "gold": ("Au", 79), "mercury": ("Hg", 80), "lead": ("Pb", 82), "uranium": ("U", 92),
}  # fmt: skip

PHRASES = {
    "Good morning": {"French": "Bonjour", "German": "Guten Morgen", "Spanish": "Buenos días", "Italian": "Buongiorno"},
    "Thank you very much": {
        "French": "Merci beaucoup", "German": "Vielen Dank", "Spanish": "Muchas gracias", "Italian": "Grazie mille",
    },
    "Where is the station?": {
        "French": "Où est la gare ?", "German": "Wo ist der Bahnhof?", "Spanish": "¿Dónde está la estación?",
        "Italian": "Dov'è la stazione?",
    },
    "How much does it cost?": {
        "French": "Combien ça coûte ?", "German": "Wie viel kostet das?", "Spanish": "¿Cuánto cuesta?",
        "Italian": "Quanto costa?",
    },
    "I would like a coffee, please": {
        "French": "Je voudrais un café, s'il vous plaît", "German": "Ich hätte gern einen Kaffee, bitte",
        "Spanish": "Quisiera un café, por favor", "Italian": "Vorrei un caffè, per favore",
    },
    "The window is open": {
        "French": "La fenêtre est ouverte", "German": "Das Fenster ist offen", "Spanish": "La ventana está abierta",
        "Italian": "La finestra è aperta",
    },
}  # fmt: skip

WORDS = (
    "lantern", "orchard", "bicycle", "meadow", "pumpkin", "harbour", "thunder", "blanket", "compass", "teacher",
    "whistle", "granite", "velvet", "kitchen", "journey", "mirror", "canyon", "feather", "marble", "saddle", "turnip",
    "walnut", "cradle", "ribbon",
)  # fmt: skip
THINGS = ("jacket", "lamp", "bicycle", "tent", "desk", "camera", "carpet", "guitar", "kettle", "suitcase")
OPENERS = ("", "Sure. ", "Certainly: ", "Let us take it step by step. ", "Good question. ", "Here is the way. ")


def product(rng: Random) -> Exchange:
    """A multiplication, split into tens and ones."""
    a, b = rng.randint(12, 98), rng.randint(13, 97)
    tens, ones = b // 10 * 10, b % 10
    ask = rng.choice([f"What is {a} × {b}?", f"Multiply {a} by {b}.", f"{a} times {b}?", f"Can you compute {a}*{b}?"])
    steps = f"{a} × {b} = {a} × {tens} + {a} × {ones} = {a * tens} + {a * ones} = {a * b}"
    check = f"A rough check: {round(a, -1)} × {round(b, -1)} = {round(a, -1) * round(b, -1)}, so the size is right."
    return Exchange(ask, f"{rng.choice(OPENERS)}{steps}.\n\n{check}", f"{a * b}", f"{a} × {b} = {a * b + 10}.")


def discount(rng: Random) -> Exchange:
    """A price after a discount."""
    thing, price, percent = rng.choice(THINGS), rng.randrange(20, 400, 20), rng.choice((5, 10, 15, 20, 25, 30, 40))
    off = price * percent / 100
    ask = rng.choice([
        f"A {thing} costs ${price} and is reduced by {percent} %. What do I pay?",
        f"How much is a ${price} {thing} with {percent} percent off?",
    ])  # fmt: skip
    full = (
        f"{rng.choice(OPENERS)}The discount is {percent} % of ${price}, that is {price} × {percent} / 100 = ${off:g}. "
        f"You pay {price} − {off:g} = **${price - off:g}** for the {thing}."
    )
    return Exchange(ask, full, f"You pay ${price - off:g}.", f"The {thing} now costs ${price - percent:g}.")


def conversion(rng: Random) -> Exchange:
    """A length, weight or temperature in another unit."""
    kind = rng.choice(("km", "kg", "°C", "in"))
    n = rng.randint(3, 95)
    if kind == "°C":
        ask, value = f"What is {n} degrees Celsius in Fahrenheit?", n * 9 / 5 + 32
        rule = f"Multiply by 9/5 and add 32: {n} × 1.8 = {n * 1.8:g}, and {n * 1.8:g} + 32 = {value:g}"
        return Exchange(ask, f"{rule}. So {n} °C is {value:g} °F.", f"{value:g} °F", f"{n} °C is {n * 1.8:g} °F.")
    name, other, factor = {
        "km": ("kilometres", "miles", 0.621371),
        "kg": ("kilograms", "pounds", 2.204623),
        "in": ("inches", "centimetres", 2.54),
    }[kind]
    ask = rng.choice([f"Convert {n} {name} to {other}.", f"How many {other} are {n} {name}?"])
    one = {"kilometres": "kilometre", "kilograms": "kilogram", "inches": "inch"}[name]
    product = f"{n} × {factor:g} ≈ {n * factor:.2f}"
    full = f"One {one} is {factor:g} {other}, so {product}. {n} {name} are about {n * factor:.1f} {other}."
    return Exchange(ask, full, f"About {n * factor:.1f} {other}.", f"{n / factor:.1f} {other}.")


def country(rng: Random) -> Exchange:
    """A capital and a currency; the wrong answer is the better-known city."""
    name = rng.choice(list(COUNTRIES))
    capital, money, other = COUNTRIES[name]
    ask = rng.choice([
        f"What is the capital of {name}, and how do people pay there?",
        f"Capital and currency of {name}?",
        f"I am travelling to {name}. Which city is its capital and which currency do I need?",
    ])  # fmt: skip
    full = (
        f"The capital of {name} is {capital}, and the currency is the {money}. {other} is another city worth "
        f"knowing, but the government sits in {capital}."
    )
    return Exchange(ask, full, f"{capital}, {money}.", f"The capital of {name} is {other}.")


def element(rng: Random) -> Exchange:
    """Symbol and atomic number of a chemical element."""
    name = rng.choice(list(ELEMENTS))
    symbol, number = ELEMENTS[name]
    ask = rng.choice([f"Which symbol and atomic number has {name}?", f"Tell me the chemical symbol of {name}."])
    full = (
        f"The symbol of {name} is {symbol}, and its atomic number is {number}: every atom of it has {number} protons "
        f"in its nucleus and, when it is neutral, {number} electrons."
    )
    wrong = f"{name.title()} is {name[:2].title()} with the number {number + 1}."
    return Exchange(ask, full, f"{symbol} ({number})", wrong)


def word(rng: Random) -> Exchange:
    """A small task on the letters of a word."""
    text = rng.choice(WORDS)
    vowels = [letter for letter in text if letter in "aeiou"]
    if rng.random() < 0.5:
        letters = ", ".join(reversed(text))
        full = f"The letters of '{text}' from the last to the first are {letters}: the word becomes **{text[::-1]}**."
        return Exchange(f"Write the word '{text}' backwards.", full, text[::-1], text[::-1][1:] + text[-1])
    full = (
        f"The vowels in '{text}' are {', '.join(vowels)}: {len(vowels)} in all. The other "
        f"{len(text) - len(vowels)} letters are not among a, e, i, o and u."
    )
    ask = f"How many vowels has the word '{text}'?"
    return Exchange(ask, full, f"{len(vowels)}", f"It has {len(vowels) + 1} vowels.")


def days(rng: Random) -> Exchange:
    """The weekday of a date, or the days between two."""
    first = date(2021, 1, 1) + timedelta(rng.randrange(1000))
    later = first + timedelta(rng.randint(20, 300))
    begin, end, span = f"{first.day} {first:%B %Y}", f"{later.day} {later:%B %Y}", (later - first).days
    if rng.random() < 0.5:
        week = first + timedelta(7)
        full = f"{begin} was a {first:%A}. A week later, {week.day} {week:%B}, was one as well, of course."
        return Exchange(f"Which weekday was {begin}?", full, f"A {first:%A}.", f"A {first + timedelta(1):%A}.")
    full = (
        f"From {begin} to {end} it is {span} days, which is {span // 7} weeks and {span % 7} days. "
        "The first day is not counted, the last one is."
    )
    return Exchange(f"How many days are there from {begin} to {end}?", full, f"{span} days", f"{span + 30} days.")


def divisor(rng: Random) -> Exchange:
    """A fraction in lowest terms."""
    factor, a, b = rng.randint(3, 12), rng.randint(2, 9), rng.randint(10, 19)
    top, bottom = factor * a, factor * b
    common = gcd(top, bottom)
    full = (
        f"The greatest common divisor of {top} and {bottom} is {common}. Dividing both by it gives "
        f"{top // common}/{bottom // common}, which cannot be reduced further."
    )
    short = f"It is {top // common}/{bottom // common}."
    return Exchange(f"Reduce the fraction {top}/{bottom}.", full, short, f"It is {a}/{b + 1}.")


def phrase(rng: Random) -> Exchange:
    """A phrase in another language."""
    text, language = rng.choice(list(PHRASES)), rng.choice(("French", "German", "Spanish", "Italian"))
    answer = PHRASES[text][language]
    ask = rng.choice([f"Translate into {language}: {text}", f"How do I say '{text}' in {language}?"])
    full = f"In {language} you say: **{answer}**. It is polite enough for strangers, in a shop or at a hotel."
    return Exchange(ask, full, answer)


def function(rng: Random) -> Exchange:
    """A short Python function."""
    item = rng.choice(FUNCTIONS)
    ask = rng.choice(["Write a Python function that {}.", "I need a function in Python that {}, with an example."])
    code = item["code"].strip()
    full = f"```python\n{code}\n```\n\nFor example, `{item['call']}` gives `{item['result']}`. {item['note']}"
    wrong = f"```python\n{item['broken'].strip()}\n```"
    return Exchange(ask.format(item["task"]), full, f"```python\n{code}\n```", wrong)


def topic(rng: Random) -> Exchange:
    """A question from the hand-written bank."""
    item = rng.choice(TOPICS)
    return Exchange(item["ask"], item["full"], item["short"])


def foreign(rng: Random) -> Exchange:
    """A question in another language, answered in it."""
    item = rng.choice(FOREIGN)
    return Exchange(item["ask"], item["answer"], item["answer"])


KINDS = (product, discount, conversion, country, element, word, days, divisor, phrase, function, function, topic, topic)


def exchange(rng: Random) -> Exchange:
    """A question of any kind."""
    return foreign(rng) if rng.random() < 0.02 else rng.choice(KINDS)(rng)
