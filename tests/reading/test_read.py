"""Photos drawn by program are read."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.reading import Score, common, score
from minicaffe.data import datasets
from minicaffe.reading.read import read
from minicaffe.reading.recognizer import Recognizer
from tools import photos
from tools.photos import scene

HAS_MNIST = datasets.find(datasets.MNIST, datasets.MNIST.splits["test"]) is not None
needs_mnist = pytest.mark.skipif(
    not HAS_MNIST, reason="MNIST is not here: set MINICAFFE_DATA, or minicaffe data get mnist"
)


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer()


@pytest.fixture
def small(monkeypatch):
    """Photos of half a megapixel, which are soon drawn and read."""
    monkeypatch.setattr(scene, "_shape", lambda rng, megapixels: (600, 800))
    monkeypatch.setattr(scene, "HEIGHTS_PX", (30, 80))


def scored(kind: str, seeds, recognizer) -> Score:
    total = Score(0, 0, 0)
    for seed in seeds:
        drawn = photos.draw(seed, kind)
        page = read(drawn.image, recognizer=recognizer)
        one = score(drawn.lines, [line.text.replace(" ", "") for line in page.lines])
        total = Score(*(a + b for a, b in zip(total, one)))
    return total


def test_what_counts_as_right():
    assert common("12345", "1345") == 4 and common("", "1") == 0
    assert score(["123", "45"], ["123", "9", "45"]) == Score(5, 5, 1)
    assert score(["123", "45"], ["12", "75"]) == Score(3, 5, 1)


@needs_mnist
@pytest.mark.parametrize(("kind", "least"), [("photos", 0.95), ("hard", 0.9)])
def test_a_few_photos(kind, least, recognizer, small, one_thread):
    found = scored(kind, range(200, 206), recognizer)
    assert found.right >= least * found.written


@pytest.mark.parametrize("kind", ["empty", "texture"])
def test_nothing_is_read_where_nothing_is_written(kind, recognizer, small, one_thread):
    for seed in range(4):
        assert read(photos.draw(seed, kind).image, recognizer=recognizer).lines == ()


def test_plain_pictures(recognizer):
    assert read(np.full((64, 64), 200, np.uint8), recognizer=recognizer).lines == ()
    assert read(np.zeros((64, 64), np.uint8), recognizer=recognizer).lines == ()


@needs_mnist
def test_where_characters_are(recognizer, one_thread):
    """Outlines lie over the characters, in a photo that was turned to be read."""
    drawn = photos.draw(9, "photos")
    page = read(drawn.image, recognizer=recognizer)
    assert abs(page.degrees) > 1
    for line, boxes in zip(page.lines, drawn.boxes):
        for character, (left, top, right, bottom) in zip(line.characters, boxes):
            x, y = np.mean(character.outline, axis=0)
            assert abs(x - (left + right) / 2) < 15 and abs(y - (top + bottom) / 2) < 15


@pytest.mark.slow
@needs_mnist
@pytest.mark.parametrize(("kind", "least"), [("photos", 0.98), ("hard", 0.95)])
def test_two_hundred_photos(kind, least, recognizer):
    found = scored(kind, range(200), recognizer)
    assert found.right >= least * found.written and found.put_in < 0.05 * found.written


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["empty", "texture"])
def test_nothing_on_a_hundred(kind, recognizer):
    for seed in range(100):
        assert read(photos.draw(seed, kind).image, recognizer=recognizer).lines == (), seed
