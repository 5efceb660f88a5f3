"""The map of meanings: what is alike lies together, and the figures beside it do not flatter."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate import embedding
from curate.errors import CurateError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest.importorskip("sentence_transformers", reason="needs the extra `semantic`")

DISHES = ("soup", "bread", "a stew", "pancakes", "a salad", "noodles")
STARS = ("Mars", "Venus", "Jupiter", "the Moon", "Saturn", "Mercury")
STEPS = ("first", "then", "later", "last", "slowly")
KITCHEN = [f"Cook {dish} in a hot pan: {step} add butter, onions and salt." for dish, step in product(DISHES, STEPS)]
SKY = [f"Astronomers watch {star} by telescope: {step} they measure its orbit." for star, step in product(STARS, STEPS)]

Made = dict[str, Any]


@pytest.fixture
def made(
    tmp_path: Path, chat: Callable[..., Made], dump: Callable[[Path, list[Any]], Path]
) -> Callable[[Callable[[int, bool], str]], Path]:
    """A workspace of 30 responses about cooking and 30 about planets, each by the model that `model` names."""

    def make(model: Callable[[int, bool], str]) -> Path:
        texts = [(text, True) for text in KITCHEN] + [(text, False) for text in SKY]
        records = [
            chat(f"Tell me <script>x</script> {place}", text, model=model(place, cooks))
            for place, (text, cooks) in enumerate(texts)
        ]
        ws = tmp_path / "ws"
        curate.ingest([dump(tmp_path / "dump.json", records)], ws, quiet=True)
        curate.label(ws, quiet=True)
        return ws

    return make


def by_class(found: Any) -> Any:
    return next(one for one in found.purity if one.by == "class")


def test_classes_that_differ_in_meaning_lie_apart(made: Callable[..., Path]) -> None:
    found = curate.report(made(lambda _, cooks: "gpt-4" if cooks else "gpt-3.5-turbo"), map=True, quiet=True).map
    assert found
    assert (len(found.points), found.conversations) == (60, 60)
    assert [(group.name, group.count) for group in found.groups["class"]] == [("gpt-4", 30), ("gpt-3.5", 30)]
    purity = by_class(found)
    assert purity.chance == pytest.approx(29 / 59)
    assert purity.meaning > 0.95
    assert purity.picture > 0.95
    sides = {name: [p.x for p in found.points if p.groups["class"] == name] for name in ("gpt-4", "gpt-3.5")}
    tops = {name: [p.y for p in found.points if p.groups["class"] == name] for name in sides}
    centres = [(sum(sides[name]) / 30, sum(tops[name]) / 30) for name in sides]
    spread = max(max(abs(x - cx) for x in sides[name]) for name, (cx, _) in zip(sides, centres, strict=True))
    assert sum((a - b) ** 2 for a, b in zip(*centres, strict=True)) ** 0.5 > spread / 2


def test_classes_that_mean_the_same_are_no_purer_than_chance(made: Callable[..., Path]) -> None:
    found = curate.report(made(lambda place, _: "gpt-4" if place % 2 else "gpt-3.5-turbo"), map=True, quiet=True).map
    assert found
    purity = by_class(found)
    assert abs(purity.meaning - purity.chance) < 0.15
    assert abs(purity.picture - purity.chance) < 0.2
    assert next(one for one in found.purity if one.by == "cluster").meaning > 0.5, "clusters are always pure"


def test_a_second_map_embeds_nothing(made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    ws = made(lambda _, cooks: "gpt-4" if cooks else "gpt-3.5-turbo")
    first = curate.report(ws, map=True, quiet=True).map

    def never(*_: object, **__: object) -> None:
        raise AssertionError("embedded again")

    monkeypatch.setattr(embedding.Embedder, "encode", never)
    second = curate.report(ws, map=True, quiet=True).map
    assert first
    assert second
    assert (second.points, second.purity) == (first.points, first.purity)


def test_a_sample_says_of_how_many_and_too_few_are_refused(made: Callable[..., Path]) -> None:
    from curate.report.map import lines

    ws = made(lambda _, cooks: "gpt-4" if cooks else "gpt-3.5-turbo")
    found = curate.report(ws, map=True, map_size=25, quiet=True).map
    assert found
    assert len(found.points) == 25
    assert "a response each of 25 of 60 conversations" in lines(found)[0]
    with pytest.raises(CurateError, match="a map needs 20 responses, there are 10"):
        curate.report(ws, map=True, map_size=10, quiet=True)


def test_the_page_shows_what_was_asked_as_text(made: Callable[..., Path], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    curate.report(made(lambda _, cooks: "gpt-4" if cooks else "gpt-3.5-turbo"), html=page, map=True, quiet=True)
    text = page.read_text("utf-8")
    assert len(re.findall("<circle", text)) == 60
    assert len(re.findall("<script", text)) == 1
    assert "Tell me &lt;script&gt;x&lt;/script&gt;" in text
    assert re.search(r"class: of 10 neighbours|by meaning", text)
