"""Photos drawn by program: the same from the same seed, and what they say is where they say."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from minicaffe.data import datasets
from tools import make_reader_data, photos
from tools.photos import __main__ as command
from tools.photos import camera, glyphs, layout, scene, strokes, surfaces


@pytest.fixture(scope="module")
def digits():
    """The package's own digits in MNIST's form: tests need no download."""
    samples = datasets.load("digits/test")
    pixels = (np.asarray(samples.images).reshape(-1, 8, 8) * 15.9).astype(np.uint8)
    large = [np.asarray(Image.fromarray(p).resize((20, 20), Image.Resampling.BICUBIC)) for p in pixels]
    return np.pad(np.stack(large), ((0, 0), (4, 4), (4, 4))), np.asarray(samples.labels)


@pytest.fixture
def small(monkeypatch):
    """Photos of a fifth of a megapixel."""
    monkeypatch.setattr(scene, "_shape", lambda rng, megapixels: (420, 560))
    monkeypatch.setattr(scene, "HEIGHTS_PX", (14, 60))


@pytest.mark.parametrize("kind", photos.KINDS)
def test_a_seed_gives_one_photo(kind, digits, small):
    first, again, other = (photos.draw(seed, kind, digits) for seed in (4, 4, 8))
    assert first.image.tobytes() == again.image.tobytes() and first[1:] == again[1:]
    assert first.image.tobytes() != other.image.tobytes()
    assert first.image.dtype == np.uint8 and first.image.shape[:2] == (420, 560)
    assert first.image.std() > 1


@pytest.mark.parametrize("kind", ["photos", "hard", "table", "arithmetic"])
def test_the_boxes_hold_what_the_lines_say(kind, digits, small):
    for seed in range(4):
        photo = photos.draw(seed, kind, digits)
        assert [len(line) for line in photo.lines] == [len(boxes) for boxes in photo.boxes]
        if kind in ("photos", "hard"):
            assert 5 <= sum(map(len, photo.lines)) <= 20 and "".join(photo.lines).isdigit()
            assert photo.cells is None
        else:
            assert photo.cells is not None and ["".join(row) for row in photo.cells] == photo.lines
        for line in photo.boxes:
            middles = [(left + right) / 2 for left, _, right, _ in line]
            assert middles == sorted(middles)


def contrast(photo: photos.Photo, box: scene.Box) -> float:
    """How much darker the ink of a box is than what is around it, in grey levels; negative: lighter."""
    grey = photo.image if photo.image.ndim == 2 else photo.image.mean(2)
    left, top, right, bottom = box
    inside = grey[top:bottom, left:right]
    around = grey[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4]
    paper = np.median(np.concatenate([around[0], around[-1], around[:, 0], around[:, -1]]))
    darkest, lightest = np.percentile(inside, (8, 92))
    return float(paper - darkest if paper - darkest > lightest - paper else paper - lightest)


def test_there_is_ink_in_every_box_and_nowhere_else(digits, small):
    for seed in range(4):
        photo = photos.draw(seed, "photos", digits)
        found = [contrast(photo, box) for line in photo.boxes for box in line]
        assert min(found) > 15, (seed, found)
        grey = (photo.image if photo.image.ndim == 2 else photo.image.mean(2)).astype(np.float32)
        edges = ndimage.gaussian_gradient_magnitude(grey, 1.5)
        boxes = [np.s_[y0 - 4 : y1 + 4, x0 - 4 : x1 + 4] for row in photo.boxes for x0, y0, x1, y1 in row]
        faintest = min(edges[box].max() for box in boxes)
        for box in boxes:
            edges[box] = 0
        assert edges.max() < 0.6 * faintest


def test_chalk_is_lighter_than_its_board(digits, small):
    seeds = [s for s in range(30) if np.random.default_rng([s, 1]).random() < 0.15]  # what `draw` draws first
    for seed in seeds[:2]:
        photo = photos.draw(seed, "hard", digits)
        assert max(contrast(photo, box) for line in photo.boxes for box in line) < -10


@pytest.mark.parametrize("kind", ["empty", "texture"])
def test_nothing_is_written(kind, small):
    for seed in range(4):
        photo = photos.draw(seed, kind)
        assert photo[1:] == ([], [], None)


def test_sums_are_mostly_right():
    rng = np.random.default_rng(1)
    right = 0
    for _ in range(400):
        a, name, b, _, c = layout.sum_of(rng)
        value = {"+": int(a) + int(b), "-": int(a) - int(b), "×": int(a) * int(b), "÷": int(a) / int(b)}[name]
        right += value == int(c)
    assert 270 < right < 330


def test_pens_of_another_width(digits):
    image = digits[0][0]
    areas = [glyphs.strokes_of(image, 60, boldness).sum() for boldness in (0.6, 1.0, 1.4)]
    assert areas == sorted(areas) and areas[2] > 1.3 * areas[0]
    assert abs(glyphs.strokes_of(image, 60).shape[0] - 60) <= 6


@pytest.mark.parametrize("name", strokes.SYMBOLS)
def test_symbols_have_their_form(name):
    """From the centre outwards: where ink is, and where none is."""
    for seed in range(20):
        ink, corner = strokes.ink(strokes.symbol(np.random.default_rng(seed), name, 0.1), 100)
        assert 0 <= ink.min() and ink.max() == 1
        assert (corner < 0).all() and 20 < ink.shape[1] < 110
        x, y = np.round(-corner * 100).astype(int)  # the centre
        upright, level = ink[:, x - 10 : x + 10].max(1), ink[y - 6 : y + 6].max(0)
        strokes_down = int(np.sum(np.diff((upright > 0.5).astype(int)) == 1))
        assert strokes_down == {"+": 1, "-": 1, "×": 1, "÷": 3, "=": 2}[name]
        assert (level > 0.5).sum() >= {"+": 30, "-": 30, "×": 8, "÷": 30, "=": 0}[name]


def test_textures_differ_everywhere():
    for draw in (*surfaces.TEXTURES.values(), surfaces.paper, surfaces.board):
        found = draw(np.random.default_rng(3), (60, 80))
        assert found.shape == (60, 80, 3) and np.isfinite(found).all() and found.std() > 0.001


def test_shadows_and_light_only_darken():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        assert camera.light(rng, (40, 60), 0.6).max() == pytest.approx(1)
        shadow = camera.shadow(rng, (40, 60))
        assert 0.3 < shadow.min() and shadow.max() <= 1


def test_single_digits(digits):
    images = digits[0][:6]
    for make in (photos.photographed, photos.shifted, photos.rotated):
        found = make(images, 5)
        assert found.dtype == np.uint8 and found.shape == images.shape
        assert np.array_equal(found, make(images, 5)) and not np.array_equal(found, make(images, 6))
    assert np.array_equal(photos.shifted(images, 5, most_px=0), images)
    assert np.array_equal(photos.rotated(images, 5, most_degrees=0), images)
    seen = photos.photographed(images, 5).astype(float)
    for image, photo in zip(images, seen):
        assert np.corrcoef(image.ravel(), photo.ravel())[0, 1] > 0.3


def test_the_command(tmp_path, monkeypatch, small):
    monkeypatch.setattr(sys, "argv", ["photos", str(tmp_path), "--kind", "empty", "--count", "1", "--boxes"])
    command.main()
    truth = json.loads((tmp_path / "empty-00000.json").read_text())
    assert truth == {"lines": [], "boxes": [], "cells": None}
    assert Image.open(tmp_path / "empty-00000.png").size == (560, 420)


def test_glyphs_to_train_on(digits):
    """A part of the reader's data: as many as announced, of each class, the same from the same seed."""

    def part(seed: int) -> make_reader_data.Part:
        return make_reader_data.Part(
            digits[0][:20], digits[1][:20], varied=2, symbols=3, rejects=30, seed=seed
        )

    images, labels = make_reader_data.arrays(part(1))
    assert images.shape == (105, 28, 28) and len(part(1)) == 105
    counts = np.bincount(labels, minlength=16)
    assert counts[:10].tolist() == (3 * np.bincount(digits[1][:20], minlength=10)).tolist()
    assert counts[10:].tolist() == [3, 3, 3, 3, 3, 30]
    assert (images.reshape(105, -1).max(1) > 100).all()
    again, other = (make_reader_data.arrays(part(seed))[0] for seed in (1, 2))
    assert np.array_equal(images, again) and not np.array_equal(images, other)
