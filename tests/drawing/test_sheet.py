"""Images in rows and columns."""

import io

import numpy as np
import pytest
from PIL import Image

from minicaffe.drawing.sheet import picture, sheet
from minicaffe.errors import ShapeError


def drawn(*arguments) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(sheet(*arguments))))


def test_small_images_are_enlarged_pixel_by_pixel():
    image = np.array([[0, 200], [90, 255]], np.uint8)[None]
    page = drawn([("", [image])])
    block = np.kron(image[0], np.ones((42, 42), np.uint8))
    height, width = block.shape
    rows = [page[y : y + height, x : x + width] for y in range(10, 20) for x in range(10, 20)]
    assert any((part == block[:, :, None]).all() for part in rows)


def test_colours_come_in_the_order_of_the_screen():
    blue = np.zeros((3, 4, 4), np.float32)
    blue[0] = 254.6
    assert np.asarray(picture(blue))[0, 0].tolist() == [0, 0, 255]
    assert np.asarray(picture(np.array([[[-5.0, 300.0, 1.5]]]))).tolist() == [[0, 255, 2]]


def test_images_of_many_sizes_fit_on_a_page():
    images = [np.zeros((3, 1000, 20)), np.zeros((1, 28, 28)), np.zeros((1, 1, 1))]
    page = drawn([("label 1", images), ("label 2", images[1:]), ("", [])], ["stored", "a", "b"])
    assert 224 < page.shape[0] < 600 and page.shape[1] < 700


def test_a_page_of_nothing():
    assert drawn([]).shape[2] == 3


@pytest.mark.parametrize("channels", [2, 4])
def test_other_channels_cannot_be_shown(channels):
    with pytest.raises(ShapeError, match=f"an image of {channels} channels cannot be shown; hint: 1 or 3"):
        sheet([("", [np.zeros((channels, 3, 3))])])
