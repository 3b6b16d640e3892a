"""Resizing against OpenCV's arithmetic, pixel by pixel; test_golden_data.py has OpenCV's own images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data.resize import Resize

SIDE = st.integers(1, 40)


def resized(image: np.ndarray, h: int, w: int) -> np.ndarray:
    out = np.empty((*image.shape[:-2], h, w), np.uint8 if image.dtype == np.uint8 else image.dtype)
    Resize(h, w)(image, out)
    return out


def noise(*shape: int, dtype=np.uint8) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, shape).astype(dtype)


def by_loops(image: np.ndarray, h: int, w: int) -> np.ndarray:
    """cv::resize of bytes, in whole numbers."""

    def place(i: int, source: int, target: int) -> tuple[int, np.float32]:
        at = np.float32((i + 0.5) * (1 / (target / source)) - 0.5)
        low = int(np.floor(at))
        return low, at - np.float32(low)

    def weights(f: np.float32) -> tuple[int, int]:
        one = np.float32(2048)
        return round(float((np.float32(1) - f) * one)), round(float(f * one))

    rows, columns = image.shape
    across = np.zeros((rows, w), int)
    for j in range(w):
        x, f = place(j, columns, w)
        if x < 0 or x >= columns - 1:
            x, f = min(max(x, 0), columns - 1), np.float32(0)
        a, b = weights(f)
        across[:, j] = image[:, x].astype(int) * a + image[:, min(x + 1, columns - 1)].astype(int) * b
    out = np.zeros((h, w), np.uint8)
    for i in range(h):
        y, f = place(i, rows, h)
        a, b = weights(f)
        upper, lower = across[min(max(y, 0), rows - 1)] >> 4, across[min(max(y + 1, 0), rows - 1)] >> 4
        out[i] = ((a * upper >> 16) + (b * lower >> 16) + 2) >> 2
    return out


@given(h=SIDE, w=SIDE, height=SIDE, width=SIDE)
def test_bytes_are_opencvs(h, w, height, width):
    image = noise(h, w)
    np.testing.assert_array_equal(resized(image, height, width), by_loops(image, height, width))


@given(h=SIDE, w=SIDE, height=SIDE, width=SIDE, dtype=st.sampled_from([np.float32, np.float64]))
def test_floats_are_interpolated(h, w, height, width, dtype):
    image = noise(h, w, dtype=dtype)
    x, y = ((np.arange(t) + 0.5) * s / t - 0.5 for s, t in ((w, width), (h, height)))
    across = np.stack([np.interp(x, np.arange(w), row) for row in image])
    wanted = np.stack([np.interp(y, np.arange(h), column) for column in across.T], axis=1)
    np.testing.assert_allclose(resized(image, height, width), wanted, rtol=0, atol=2e-3)


def test_halving_takes_the_mean_of_four_pixels():
    image = noise(8, 6)
    four = image.reshape(4, 2, 3, 2).astype(int).sum((1, 3))
    np.testing.assert_array_equal(resized(image, 4, 3), (four + 2) >> 2)


@given(value=st.integers(0, 255), h=SIDE, w=SIDE)
def test_a_constant_stays(value, h, w):
    assert (resized(np.full((7, 9), value, np.uint8), h, w) == value).all()


def test_batches_are_many_planes():
    images = noise(5, 3, 28, 20)
    out = resized(images, 300, 299)  # a few planes at a time
    for image, wanted in zip(images.reshape(-1, 28, 20), out.reshape(-1, 300, 299)):
        np.testing.assert_array_equal(resized(image, 300, 299), wanted)


def test_parts_of_an_image():
    image = noise(3, 20, 30)
    np.testing.assert_array_equal(
        resized(image[:, 2:9, 5:25], 11, 13), resized(image[:, 2:9, 5:25].copy(), 11, 13)
    )


def test_one_object_serves_many_sizes():
    resize = Resize(12, 10)
    for h, w in ((5, 30), (30, 5), (12, 10), (5, 30)):
        image, out = noise(2, h, w), np.empty((2, 12, 10), np.uint8)
        resize(image, out)
        np.testing.assert_array_equal(out, np.stack([by_loops(plane, 12, 10) for plane in image]))


@pytest.mark.parametrize("size", [(28, 28), (56, 40)])
def test_nothing_is_allocated_twice(size):
    import tracemalloc

    images, out, resize = noise(16, 1, *size), np.empty((16, 1, 64, 64), np.uint8), Resize(64, 64)
    resize(images, out)
    tracemalloc.start()
    resize(images, out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000  # NumPy's casting buffers; the work is 16 * 64 * 64 * 4 bytes, several times
