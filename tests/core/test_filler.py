"""Fillers: the distributions Caffe draws from."""

import math

import numpy as np
import pytest

from minicaffe.core.filler import Twister, fill
from minicaffe.errors import ConfigError, UnknownTypeError
from minicaffe.proto import text
from minicaffe.proto.schema import FillerParameter


def filled(shape, filler: str, seed: int = 1) -> np.ndarray:
    array = np.full(shape, np.nan)
    fill(array, text.parse(filler, FillerParameter), Twister(seed))
    return array


def test_the_stream_is_the_standard_mersenne_twister():
    """The 10,000th word of the default seed is stated in the C++ standard."""
    stream = Twister(5489)
    assert stream.words(10000)[-1] == 4123659995
    assert Twister(5489 + (1 << 32)).words(1) == Twister(5489).words(1)


def test_uniform_numbers_are_made_of_words_in_order():
    words = Twister(7).words(6).astype(np.float32)
    top = np.nextafter(np.float32(3), np.float32(9))
    wanted = words / np.float32(2**32) * (top - np.float32(-1)) + np.float32(-1)
    np.testing.assert_array_equal(Twister(7).uniform(-1, 3, (2, 3), np.float32).ravel(), wanted)


def test_a_number_that_rounds_to_the_top_is_drawn_again(monkeypatch):
    words = iter([[0, 0xFFFFFFFF], [1 << 31]])
    monkeypatch.setattr(Twister, "words", lambda self, count: np.array(next(words), np.uint32))
    np.testing.assert_allclose(Twister(1).uniform(0, 1, (2,), np.float32), [0, 0.5], rtol=1e-6)


def test_default_is_zero():
    assert (filled((3, 4), "") == 0).all()
    assert (filled((3, 4), "value: 2.5") == 2.5).all()


def test_uniform():
    array = filled((1000, 20), 'type: "uniform" min: -2 max: 4')
    assert array.min() >= -2 and array.max() <= 4
    assert abs(array.mean() - 1) < 0.05 and abs(array.std() - 6 / math.sqrt(12)) < 0.05


def test_gaussian():
    array = filled((1000, 20), 'type: "gaussian" mean: 3 std: 0.5')
    assert abs(array.mean() - 3) < 0.02 and abs(array.std() - 0.5) < 0.02


def test_sparse_gaussian_keeps_so_many_per_row():
    """Each element is kept with probability sparse / shape[0]."""
    array = filled((50, 400), 'type: "gaussian" std: 1 sparse: 10')
    assert abs((array != 0).mean() - 10 / 50) < 0.02


def test_positive_unitball():
    array = filled((5, 3, 4), 'type: "positive_unitball"')
    assert (array >= 0).all()
    np.testing.assert_allclose(array.reshape(5, -1).sum(1), 1)


@pytest.mark.parametrize("norm, n", [("FAN_IN", 40), ("FAN_OUT", 20000), ("AVERAGE", (40 + 20000) / 2)])
@pytest.mark.parametrize("kind", ["xavier", "msra"])
def test_fan(kind, norm, n):
    array = filled((1000, 2, 4, 5), f'type: "{kind}" variance_norm: {norm}')
    deviation = math.sqrt((2 if kind == "msra" else 1) / n)
    assert abs(array.mean()) < 0.05 * deviation
    assert abs(array.std() - deviation) < 0.02 * deviation
    if kind == "xavier":
        assert np.abs(array).max() <= math.sqrt(3 / n)


def test_fan_out_of_a_vector_is_its_count():
    assert np.abs(filled((300,), 'type: "xavier" variance_norm: FAN_OUT')).max() <= 0.1


@pytest.mark.parametrize(
    "filler, least, most",
    [
        ("", 0, 0),
        ('type: "uniform" min: 2 max: 3', 2, 3),
        ('type: "gaussian" mean: 5', 1, 9),
        ('type: "positive_unitball"', 1, 1),
        ('type: "xavier" variance_norm: AVERAGE', -math.sqrt(3), math.sqrt(3)),
        ('type: "msra"', -6, 6),
    ],
)
def test_a_parameter_without_axes_is_one_row(filler, least, most):
    """Scale with num_axes 0, PReLU with channel_shared."""
    assert least <= filled((), filler) <= most


@pytest.mark.parametrize("k, row", [(4, [0.0625, 0.1875, 0.1875, 0.0625]), (3, [0.25, 0.5, 0.25])])
def test_bilinear(k, row):
    array = filled((2, 3, k, k), 'type: "bilinear"')
    line = np.array(row) / math.sqrt(row[0]) if k == 4 else np.array([0.5, 1, 0.5])
    np.testing.assert_allclose(array, np.broadcast_to(np.outer(line, line), array.shape))


@pytest.mark.parametrize(
    "shape, filler, error, message",
    [
        ((3,), 'type: "foo"', UnknownTypeError, "no filler type 'foo'"),
        ((3,), 'type: "xavir"', UnknownTypeError, "did you mean 'xavier'"),
        ((3,), 'type: "gaussian" std: 0', ConfigError, "std must be above 0"),
        ((3,), 'type: "gaussian" sparse: -2', ConfigError, "sparse must be at least 0"),
        ((3,), 'type: "xavier" sparse: 1', ConfigError, "sparse is for type gaussian only"),
        ((3,), 'type: "uniform" min: 2 max: 1', ConfigError, "min 2.0 is above max 1.0"),
        ((3, 3), 'type: "bilinear"', ConfigError, "must have 4 axes and a square kernel"),
        ((0, 3), 'type: "msra"', ConfigError, "is empty"),
        ((0, 3), 'type: "positive_unitball"', ConfigError, "is empty"),
        ((0, 3), 'type: "gaussian" sparse: 1', ConfigError, "is empty"),
        ((), 'type: "gaussian" sparse: 1', ConfigError, "sparse needs a parameter with axes"),
        ((), 'type: "bilinear"', ConfigError, "must have 4 axes"),
    ],
)
def test_errors(shape, filler, error, message):
    with pytest.raises(error, match=message):
        filled(shape, filler)
