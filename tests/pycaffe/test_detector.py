"""caffe.Detector: windows, with and without what is around them."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from minicaffe import pycaffe as caffe
from minicaffe.errors import ConfigError, DataError, ShapeError
from minicaffe.pycaffe import io

from .scoring import files, scores

PIXELS = np.random.default_rng(5).integers(0, 256, (20, 30, 3), np.uint8)
WINDOWS = [(0, 0, 20, 30), (2, 3, 9, 11), (19, 29, 20, 30)]


@pytest.fixture
def picture(tmp_path) -> str:
    Image.fromarray(PIXELS).save(tmp_path / "picture.png")
    return str(tmp_path / "picture.png")


def test_windows_are_warped_and_scored(tmp_path, picture):
    detector = caffe.Detector(*files(tmp_path), raw_scale=4, mean=np.array([3, 2, 1]), channel_swap=(2, 1, 0))
    found = detector.detect_windows(iter([(picture, iter(WINDOWS[:1])), (picture, np.array(WINDOWS[1:]))]))
    assert [d["filename"] for d in found] == [picture] * 3
    assert [tuple(d["window"]) for d in found] == WINDOWS
    image = io.load_image(picture)
    parts = [io.resize_image(image[w[0] : w[2], w[1] : w[3]], (6, 8)) for w in WINDOWS]
    inputs = np.stack([(part[:, :, ::-1] * 4 - [3, 2, 1]).transpose(2, 0, 1) for part in parts])
    np.testing.assert_allclose([d["prediction"] for d in found], scores(detector, inputs), rtol=1e-3)
    assert detector.detect_windows([]) == [] and isinstance(detector, caffe.Net)


def with_context(im, window, pad, size, mean):
    """As R-CNN and pycaffe say it, for inputs that are squares."""
    scale = size / (size - 2.0 * pad)
    half_h, half_w = (window[2] - window[0] + 1) / 2, (window[3] - window[1] + 1) / 2
    centre = np.tile((window[0] + half_h, window[1] + half_w), 2)
    box = np.round(centre + scale * np.array([-half_h, -half_w, half_h, half_w]))
    scale_h, scale_w = size / (box[2] - box[0] + 1), size / (box[3] - box[1] + 1)
    top, left = round(max(0, -box[0]) * scale_h), round(max(0, -box[1]) * scale_w)
    box = np.clip(box, 0, [*im.shape[:2], *im.shape[:2]]).astype(int)
    height = min(round((box[2] - box[0] + 1) * scale_h), size - top)
    width = min(round((box[3] - box[1] + 1) * scale_w), size - left)
    crop = np.ones((size, size, 3), np.float32) * mean
    part = io.resize_image(im[box[0] : box[2], box[1] : box[3]], (height, width))
    crop[top : top + height, left : left + width] = part
    return crop


@pytest.fixture(scope="module")
def square(tmp_path_factory) -> caffe.Detector:
    folder = tmp_path_factory.mktemp("square")
    model, _ = files(folder)
    text = open(model).read().replace("dim: 6 dim: 8", "dim: 8 dim: 8")
    (folder / "square.prototxt").write_text(text)
    weights = str(folder / "square.caffemodel")
    caffe.Net(str(folder / "square.prototxt"), caffe.TEST).save(weights)
    options = {"mean": np.array([51.0, 102, 204]), "raw_scale": 255, "channel_swap": [2, 0, 1]}
    return caffe.Detector(str(folder / "square.prototxt"), weights, **options, context_pad=2)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_context_of_a_window(square, data):
    low = [data.draw(st.integers(0, n - 1)) for n in PIXELS.shape[:2]]
    high = [data.draw(st.integers(start + 1, n)) for start, n in zip(low, PIXELS.shape[:2])]
    image = PIXELS.astype(np.float32) / 255
    crop = square.crop(image, [*low, *high])
    mean = [0.4, 0.8, 0.2]  # channel_swap takes 2 first, then 0, then 1
    np.testing.assert_allclose(crop, with_context(image, [*low, *high], 2, 8, mean), atol=1e-6)
    assert crop.shape == (8, 8, 3)


def test_what_is_outside_becomes_the_mean(square):
    crop = square.crop(np.ones((20, 30, 3), np.float32), (0, 0, 20, 30))
    np.testing.assert_allclose(square.prepared(crop)[:, 0, 0], 0, atol=1e-4)
    assert square.prepared(crop)[:, 4, 4] == pytest.approx([204, 153, 51], abs=1e-3)


def test_inputs_that_are_no_squares(tmp_path, picture):
    detector = caffe.Detector(*files(tmp_path), context_pad=1)
    assert detector.crop(PIXELS / np.float32(255), WINDOWS[1]).shape == (6, 8, 3)
    assert len(detector.detect_windows([(picture, WINDOWS)])) == 3


@pytest.mark.parametrize("window", [(0, 0, 21, 3), (-1, 0, 3, 3), (2, 2, 2, 5), (0, 0, 1.5, 3), (1, 2, 3)])
def test_windows_that_are_none(tmp_path, picture, window):
    detector = caffe.Detector(*files(tmp_path))
    with pytest.raises(
        DataError, match=r"picture\.png: a window must be whole numbers .* image of 20 x 30; got \("
    ):
        detector.detect_windows([(picture, [window])])


def test_mistakes(tmp_path):
    model, weights = files(tmp_path)
    with pytest.raises(ShapeError, match="context_pad must be less than half of the input, 6 x 8; got 3"):
        caffe.Detector(model, weights, context_pad=3)
    with pytest.raises(OSError, match=r"cannot read .*gone\.png"):
        caffe.Detector(model, weights).detect_windows([("gone.png", WINDOWS)])


def test_selective_search(tmp_path, picture, monkeypatch):
    detector = caffe.Detector(*files(tmp_path))
    monkeypatch.setitem(sys.modules, "selective_search_ijcv_with_python", None)
    with pytest.raises(
        ConfigError, match="needs the package selective_search_ijcv_with_python, and Matlab; hint"
    ):
        detector.detect_selective_search([picture])
    found = SimpleNamespace(get_windows=lambda paths: [WINDOWS for _ in paths])
    monkeypatch.setitem(sys.modules, "selective_search_ijcv_with_python", found)
    monkeypatch.chdir(tmp_path)
    windows = detector.detect_selective_search(["picture.png"])
    assert [d["filename"] for d in windows] == [picture] * 3
