"""The weights that are shipped for `minicaffe read`."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.data import datasets
from minicaffe.net import Net
from minicaffe.reading.glyphs import normalised
from tools.pack_reader import DEPLOY, LAST, SHIPPED, loss, scores, temperature
from tools.photos import samples, strokes

HAS_MNIST = datasets.find(datasets.MNIST, datasets.MNIST.splits["test"]) is not None
needs_mnist = pytest.mark.skipif(
    not HAS_MNIST, reason="MNIST is not here: set MINICAFFE_DATA, or minicaffe data get mnist"
)
LABELS = (SHIPPED / "labels.txt").read_text().split()


@pytest.fixture(scope="module")
def net():
    net = Net(str(SHIPPED / "reader.prototxt"), phase="TEST", forward_only=True)
    net.load(str(SHIPPED / "reader.caffemodel"))
    return net


def said(net, glyphs) -> np.ndarray:
    images = np.stack([normalised(*glyph) for glyph in glyphs])
    return scores(net, (images * 255 + 0.5).astype(np.uint8)).argmax(1)


def test_the_net_is_that_of_prototxt():
    assert (SHIPPED / "reader.prototxt").read_bytes() == DEPLOY.read_bytes()
    assert (SHIPPED / "reader.caffemodel").stat().st_size < 400_000
    assert LABELS == [*"0123456789", *strokes.SYMBOLS, "none"]


@needs_mnist
def test_digits_held_out(net):
    """Every eighth of MNIST's test digits."""
    found = datasets.load("mnist/test")
    images, labels = np.asarray(found.images).reshape(-1, 28, 28)[::8], np.asarray(found.labels)[::8]
    right = said(net, [samples.plain(image) for image in images]) == labels
    assert right.mean() >= 0.99


@pytest.mark.parametrize("name", strokes.SYMBOLS)
def test_symbols(net, name):
    rng = np.random.default_rng(77)
    found = said(net, [samples.symbol(rng, name) for _ in range(60)])
    assert (found == LABELS.index(name)).mean() >= 0.95


def test_no_characters(net):
    """Digits of the package, two at once."""
    images = np.asarray(datasets.load("digits/test").images).reshape(-1, 8, 8)
    large = np.kron(np.pad(images, ((0, 0), (1, 1), (1, 1))) * np.uint8(15), np.ones((1, 3, 3), np.uint8))
    rng = np.random.default_rng(5)
    pairs = [np.concatenate(large[rng.integers(0, len(large), 2)], axis=1) for _ in range(60)]
    found = said(net, [samples.plain(pair) for pair in pairs])
    assert (found == LABELS.index("none")).mean() >= 0.9


def test_the_temperature_is_found():
    """Of scores whose softmax is what labels were drawn by, three times too large."""
    rng = np.random.default_rng(2)
    true = rng.normal(0, 2, (4000, 5))
    p = np.exp(true) / np.exp(true).sum(1, keepdims=True)
    labels = np.array([rng.choice(5, p=row) for row in p])
    assert temperature(true * 3, labels) == pytest.approx(3, rel=0.06)
    assert loss(true, labels) < loss(true * 3, labels)
    assert LAST == "ip2"
