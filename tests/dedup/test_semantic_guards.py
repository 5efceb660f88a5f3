"""Texts that look alike to an embedding and ask for unlike things are told apart by their words."""

from __future__ import annotations

import pytest

from curate.dedup.guards import Text, agree


def replaceable(left: str, right: str) -> bool:
    a, b = Text(left), Text(right)
    assert agree(a, b) == agree(b, a)
    return a.key == b.key and agree(a, b)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("List 5 tips for better sleep.", "List 50 tips for better sleep."),
        ("Write a three sentence summary.", "Write a ten sentence summary."),
        ("Explain Newton's first law.", "Explain Newton's second law."),
        ("List animals that can fly.", "List animals that can't fly."),
        ("List animals that can fly.", "List animals that can’t fly."),
        ("Give me a recipe with gluten.", "Give me a recipe without gluten."),
        ("Arguments for the death penalty", "Arguments against the death penalty"),
        ("How do I enable this feature?", "How do I disable this feature?"),
        ("How do I reverse a string in Python?", "How do I reverse a string in Java?"),
        ("Write a bubble sort in C.", "Write a bubble sort in C++."),
        ('How do you say "good day" in Spanish?', 'How do you say "good night" in Spanish?'),
        ("Convert Celsius to Fahrenheit.", "Convert Fahrenheit to Celsius."),
        ("How does smoking affect sleep?", "How does sleep affect smoking?"),
        ("how to convert pdf to word", "how to convert word to pdf"),
        ("Write a formal email to a client.", "Write a funny email to a client."),
        ("how do i sort a list in python", "how do i sort a list in java"),
    ],
)
def test_these_ask_for_unlike_things(left: str, right: str):
    assert not replaceable(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Give me ten ideas for a party.", "What are 10 ideas for a party?"),
        ("What are the cons of nuclear power?", "List disadvantages of nuclear power."),
        ("How do I install Docker on Ubuntu?", "steps to install docker on an ubuntu machine"),
        ("What Is Machine Learning Good For?", "what is machine learning good for"),
        ("Write a python function for prime numbers", "write a pyhton function for prime number"),
        ("Could you, and I ask nicely, tell a joke?", "tell a joke, could you"),
    ],
)
def test_these_may_stand_for_each_other(left: str, right: str):
    assert replaceable(left, right)


@pytest.mark.parametrize("text", ["", "continue", "Thanks a lot!", "go on"])
def test_boilerplate_is_short(text: str):
    assert Text(text).short


def test_a_text_is_latin_when_nearly_all_its_letters_are():
    assert Text("Écris un poème sur l'été, 100 %").latin
    assert Text("What does the angle α stand for in this long formula?").latin
    assert Text("1 + 1 = 2").latin
    assert not Text("如何快速减肥?").latin
    assert not Text("Translate into English: 中国的首都是哪里?").latin
    assert not Text("Как сварить рис?").latin
