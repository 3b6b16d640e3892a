"""What the worker says of drawings, images and photos."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from minicaffe.data import datasets
from minicaffe.errors import DataError
from minicaffe.studio import drawn, trying

READER = {"net": "", "folder": "", "weights": "", "stamp": ""}
STROKES = {
    "7": [(80, 60), (200, 60), (130, 220)],
    "4": [(170, 230), (170, 50), (70, 170), (210, 170)],
    "2": [(80, 100), (100, 60), (150, 50), (190, 80), (180, 130), (80, 220), (210, 220)],
    "0": [(140 + 60 * math.cos(a / 5), 140 + 90 * math.sin(a / 5)) for a in range(33)],
}


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def drawing(digit: str, pen: int = 22, scale: float = 1.0) -> bytes:
    """What the pad sends."""
    picture = Image.new("L", (280, 280))
    points = [(140 + (x - 140) * scale, 140 + (y - 140) * scale) for x, y in STROKES[digit]]
    ImageDraw.Draw(picture).line(points, fill=255, width=pen, joint="curve")
    return png(picture)


def photo(digits: str) -> bytes:
    """A page with digits in a row."""
    picture = Image.new("L", (60 + 180 * len(digits), 300), 225)
    for i, digit in enumerate(digits):
        points = [(60 + i * 180 + 0.6 * x, 60 + 0.7 * y) for x, y in STROKES[digit]]
        ImageDraw.Draw(picture).line(points, fill=40, width=12, joint="curve")
    return png(picture)


@pytest.mark.parametrize("scale", [0.5, 1.0])
@pytest.mark.parametrize("digit", STROKES)
def test_drawn_digits_are_known(digit, scale):
    found = trying.attempt(READER, drawing(digit, scale=scale), pen_px=22)
    assert found["top"][0]["label"] == digit and found["top"][0]["value"] > 0.9
    assert found["kind"] == "classes" and found["input"] == [1, 28, 28] and len(found["top"]) == 5
    with Image.open(io.BytesIO(found["seen"])) as seen:
        zoom = seen.width // 28
        assert 28 * zoom <= seen.width < 28 * zoom + 10


def test_an_empty_pad_says_so():
    with pytest.raises(DataError, match="nothing is drawn"):
        trying.attempt(READER, png(Image.new("L", (280, 280))), pen_px=22)
    with pytest.raises(DataError):
        trying.attempt(READER, b"no image")


class Samples:
    """Images of a data set."""

    def __init__(self, source: str) -> None:
        self.images, self.labels = datasets.load(source)

    def __len__(self) -> int:
        return len(self.images)

    def read(self, number: int):
        return self.images[number], int(self.labels[number])


class Viewed:
    def __init__(self, samples) -> None:
        self.samples = samples


def test_drawings_are_placed_as_the_data_has_them():
    manner = drawn.manner_of(Viewed(Samples("digits/test")))
    assert manner.share == 1 and 0.15 < manner.stroke < 0.3  # the digits fill their eight rows
    assert drawn.manner_of(Viewed([])) == drawn.Manner()
    ink = np.zeros((280, 280))
    ink[100:180, 130:150] = 1
    picture = drawn.placed(ink, (28, 36), drawn.Manner(), 20)
    rows, columns = np.flatnonzero(picture[0].any(axis=1)), np.flatnonzero(picture[0].any(axis=0))
    assert picture.shape == (1, 28, 36) and len(rows) == 20 and abs(rows.mean() - 13.5) <= 1
    assert abs(columns.mean() - 17.5) <= 1


@pytest.mark.skipif(
    datasets.find(datasets.MNIST, datasets.MNIST.splits["test"]) is None, reason="MNIST is not here"
)
def test_the_share_of_mnist_is_measured():
    assert drawn.manner_of(Viewed(Samples("mnist/test"))).share == pytest.approx(20 / 28)


def test_a_photo_is_read_with_its_steps():
    found = trying.reading(photo("742"))
    assert found["text"] == "742" and len(found["page"]["lines"]) == 1
    names = [step["name"] for step in found["steps"]]
    assert names[0] == "1_ink" and names[-1] == "read" and any(name.endswith("_glyphs") for name in names)
    for step in found["steps"]:
        with Image.open(io.BytesIO(step["png"])) as picture:
            assert max(picture.size) <= trying.SHOWN_PX


def test_many_images_and_a_damaged_one():
    found = trying.classify(READER, [drawing("7"), b"damaged"], 2)
    assert len(found[0]["predictions"]) == 2 and not found[0]["error"]
    assert found[1]["predictions"] == [] and "damaged" not in found[0] and found[1]["error"]
