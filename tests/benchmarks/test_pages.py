"""The benchmark of pages counts what is lost, and ours loses nothing."""

import pages

import curate


def test_our_ingest_brings_back_what_pages_were_made_from(tmp_path):
    answers = pages.write(tmp_path / "pages.json", 15, seed=3)
    curate.ingest([tmp_path / "pages.json"], tmp_path / "many", quiet=True)
    assert pages.quality(answers, pages.ours(tmp_path)) == {"code": 1, "sentences": 1, "buttons": 0}


def test_what_is_escaped_lost_or_left_is_counted():
    made = pages.Answer(code=["```python\nx\n```"], sentences=["A snake_case word."])
    right = {(0, 0): "A snake_case word.\n\n```python\nx\n```"}
    wrong = {(0, 0): "A snake\\_case word.\n\n```\npythonCopy code\nx\n```"}
    assert pages.quality([made], right) == {"code": 1, "sentences": 1, "buttons": 0}
    assert pages.quality([made], wrong) == {"code": 0, "sentences": 0, "buttons": 1}
    assert pages.quality([made], {}) == {"code": 0, "sentences": 0, "buttons": 0}
