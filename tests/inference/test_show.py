"""Pictures of filters, weights and activations: every pixel is the value that the caption promises."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from minicaffe.errors import ConfigError, UnknownTypeError
from minicaffe.inference import pictures
from minicaffe.inference.show import Activations, Inside
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from .conftest import DEPLOY, TRAINING

GREY = (
    'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: %d dim: 4 dim: 6 } } }'
)


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


def tiles(png: bytes, count: int, shape: tuple[int, int]) -> np.ndarray:
    """The small images of a grid, by the colour of its lines: (count, h, w, 3), row by row."""
    page = pixels(png)
    line = np.array([int(pictures.GRID[i : i + 2], 16) for i in (1, 3, 5)])
    is_line = (page == line).all(axis=2)
    rows = np.flatnonzero(is_line.sum(1) >= 0.9 * is_line.sum(1).max())
    columns = np.flatnonzero(is_line.sum(0) >= 0.9 * is_line.sum(0).max())

    def starts(lines: np.ndarray) -> list[tuple[int, int]]:
        return [(a + 1, b) for a, b in pairwise(lines) if b > a + 1]

    found = []
    for top, bottom in starts(rows):
        for left, right in starts(columns):
            zoom = (bottom - top) // shape[0]
            assert (bottom - top, right - left) == (zoom * shape[0], zoom * shape[1])
            found.append(page[top:bottom:zoom, left:right:zoom])
    return np.stack(found[:count])


def net(tmp_path, layers: str, channels: int = 1) -> str:
    path = tmp_path / "net.prototxt"
    path.write_text(GREY % channels + layers)
    return str(path)


def built(path: str) -> Net:
    return Net(path, seed=1)


CONVOLUTION = (
    'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: %d'
    ' kernel_size: 3 weight_filler { type: "gaussian" std: 1 } } }'
)
DENSE = (
    'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 12'
    ' %s weight_filler { type: "gaussian" std: 1 } } }'
)


def expected(values: np.ndarray) -> np.ndarray:
    """Grey 0, black and white the largest absolute value."""
    return np.rint(255 * (values / np.abs(values).max() + 1) / 2)


def test_filters_in_grey(tmp_path):
    path = net(tmp_path, CONVOLUTION % 12)
    shown = tiles(Inside(path, None).weights_of("conv"), 12, (3, 3))
    weights = built(path).params["conv"][0].data[:, 0]
    np.testing.assert_array_equal(shown, np.repeat(expected(weights)[..., None], 3, axis=3))


def test_filters_in_colour(tmp_path):
    """Blue comes first in nets, red in pictures."""
    path = net(tmp_path, CONVOLUTION % 12, channels=3)
    shown = tiles(Inside(path, None).weights_of("conv"), 12, (3, 3))
    weights = built(path).params["conv"][0].data[:, ::-1].transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(shown, expected(weights))


def test_filters_of_many_channels_are_a_table(weights):
    shown = tiles(Inside(None, weights).weights_of("conv2"), 1000, (5, 5))
    stored = built(str(DEPLOY))
    stored.load(weights)
    values = stored.params["conv2"][0].data.reshape(1000, 5, 5)
    found = shown[..., 0].astype(int)
    assert np.corrcoef(found.ravel(), values.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("transpose", ["", "transpose: true"])
def test_an_inner_product_of_an_image(tmp_path, transpose):
    path = net(tmp_path, DENSE % transpose)
    shown = tiles(Inside(path, None).weights_of("ip"), 12, (4, 6))
    weights = built(path).params["ip"][0].data
    weights = weights.T if transpose else weights
    np.testing.assert_array_equal(shown[..., 1], expected(weights.reshape(12, 4, 6)))


def test_other_weights(weights, tmp_path):
    """A matrix is one image; a vector bars; what has other axes is refused."""
    shown = tiles(Inside(None, weights).weights_of("ip2"), 1, (10, 500))
    assert shown.shape == (1, 10, 500, 3)
    scale = 'layer { name: "scale" type: "Scale" bottom: "data" top: "scale" scale_param { %s } }'
    assert pixels(Inside(net(tmp_path, scale % "bias_term: true"), None).weights_of("scale")).std() > 0
    assert pixels(Inside(net(tmp_path, scale % "bias_term: true"), None).histogram_of("scale")).std() > 0
    path = net(tmp_path, scale % "num_axes: 3", channels=3)
    with pytest.raises(ConfigError, match=r"weights of 3 axes, 3 x 4 x 6; 1, 2 or 4 can be drawn"):
        Inside(path, None).weights_of("scale")


def test_activations_are_those_of_the_layer(weights, images):
    """Of a layer in place as it leaves it, and of the layer before as it came there."""
    made = Activations(TRAINING, weights, str(images[0]))
    before, after = made.of("ip1"), made.of("relu1")
    assert before.shape == (500,) and before.min() < 0
    np.testing.assert_array_equal(after, np.maximum(before, 0))
    shown = tiles(made.picture("conv1"), 20, (8, 8))
    np.testing.assert_array_equal(shown[..., 0], expected(made.of("conv1")))
    assert made.of("prob").sum() == pytest.approx(1)
    for name in ("ip1", "prob", "data"):
        assert pixels(made.picture(name)).std() > 0
        assert pixels(made.histogram(name)).std() > 0
    with pytest.raises(UnknownTypeError, match="no layer 'conv'; hint: did you mean 'conv1' or 'conv2'"):
        made.of("conv")


def test_ranges():
    only = pictures.range_of
    assert only(np.array([0.0, 2.0])) == (0, 2, "min 0, max 2: black 0, white 2")
    assert only(np.array([-1.0, 2.0])) == (-2, 2, "min -1, max 2: black -2, grey 0, white 2")
    far = np.r_[np.linspace(-1, 1, 9999), 100.0]
    assert only(far).white < 1 and "and beyond" in only(far).caption
    assert only(np.array([np.nan, np.inf])).caption == "no finite value"
    zero = only(np.zeros(3))
    np.testing.assert_array_equal(zero.grey(np.array([0, np.nan])), [0, 0])
    np.testing.assert_array_equal(only(np.array([-1.0, 1.0])).grey(np.array([-9, 0, 9.0])), [0, 128, 255])


def test_what_is_not_finite_can_be_drawn():
    values = np.array([[np.nan, 1.0], [np.inf, -1.0]])
    for png in (
        pictures.grid(values[None], None, "t", [], "values"),
        pictures.bars(values.ravel(), list("abcd"), "t", []),
        pictures.histogram([("a", values), ("b", values[:, :1]), ("c", np.zeros(1))], "t", []),
        pictures.histogram([("large", np.full(3, 1e30)), ("near", np.array([1, 1 + 2e-16]))], "t", []),
    ):
        assert pixels(png).std() > 0


def test_large_layers_are_cut_and_it_is_said(tmp_path):
    rng = np.random.default_rng(1)
    page = pixels(pictures.grid(rng.standard_normal((9000, 3, 3)), 100, "t", [], "planes"))
    assert max(page.shape) < 2500
    assert pixels(pictures.grid(rng.standard_normal((1, 3000, 3)), None, "t", [], "values")).shape[0] > 3000


def test_names_that_would_be_obeyed(tmp_path):
    path = net(tmp_path, (CONVOLUTION % 2).replace('name: "conv"', r'name: "\033[2J\nconv"'))
    name = "\x1b[2J\nconv"
    assert pixels(Inside(path, None).weights_of(name)).std() > 0
    assert text.read(path, NetParameter).layer[1].name == name
