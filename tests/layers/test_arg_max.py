"""ArgMax."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, distinct
from ..support.strategies import shapes


def ties(shape, rng) -> np.ndarray:
    """Few values, so that many are equal, and now and then NaN or infinity."""
    return rng.choice([0, 1, 2, 2, -np.inf, np.inf, np.nan], shape)


def case(conf: str, shape: tuple, maker=ties) -> Case:
    return Case(f'type: "ArgMax" argmax_param {{ {conf} }}', (shape,), (maker,), gradient=False)


CASES = [
    case("", (4, 6), distinct),
    case("top_k: 3 out_max_val: true", (3, 2, 2, 3), distinct),
    case("axis: 1 top_k: 2", (3, 4, 3), distinct),
    case("axis: -1 out_max_val: true", (3, 4, 5), distinct),
    case("top_k: 300", (2, 300), distinct),
]


def highest(x, axis: int, top_k: int):
    """Indices and values, NaN first, then by value, then by index, falling."""
    index = np.indices(x.shape)[axis]
    order = np.lexsort((index, np.nan_to_num(x, nan=0), np.isnan(x)), axis)
    order = np.take(np.flip(order, axis), range(top_k), axis)
    return order, np.take_along_axis(x, order, axis)


def flat(x, top_k: int, values: bool):
    found = highest(x.reshape(len(x), -1), 1, top_k)[: 2 if values else 1]
    return np.stack(found, 1).reshape(len(x), len(found), top_k, *[1] * (x.ndim - 3))


@each_device
@given(shape=shapes(), values=st.booleans(), maker=st.sampled_from([ties, distinct]), data=st.data())
def test_along_an_axis(device, shape, values, maker, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    top_k = data.draw(st.integers(1, shape[axis]))
    some = case(f"axis: {axis} top_k: {top_k} out_max_val: {str(values).lower()}", shape, maker)
    check_forward(some, device, lambda x: highest(x, axis % len(shape), top_k)[values])


@each_device
@given(shape=shapes(), values=st.booleans(), maker=st.sampled_from([ties, distinct]), data=st.data())
def test_over_all_axes_of_an_item(device, shape, values, maker, data):
    top_k = data.draw(st.integers(1, int(np.prod(shape[1:]))))
    some = case(f"top_k: {top_k} out_max_val: {str(values).lower()}", shape, maker)
    check_forward(some, device, lambda x: flat(x, top_k, values))


@each_device
@pytest.mark.parametrize("maker", [ties, distinct])
@pytest.mark.parametrize("classes", [255, 256, 1000])
def test_many_classes(device, classes, maker):
    """Few enough for one thread, and as many as share a block."""
    check_forward(case("top_k: 4", (2, classes), maker), device, lambda x: flat(x, 4, False))
    check_forward(case("top_k: 4 axis: 1", (1, classes, 2), maker), device, lambda x: highest(x, 1, 4)[0])


@each_device
def test_of_equals_the_last_is_first_and_nan_before_all(device):
    rig = Rig(case("top_k: 4 out_max_val: true", (1, 5)), device)
    (y,) = rig.forward([np.array([[7.0, np.nan, 7, np.inf, -np.inf]])])
    np.testing.assert_array_equal(y, [[[1, 3, 2, 0], [np.nan, np.inf, 7, 7]]])
    (y,) = rig.forward([np.zeros((1, 5))])
    np.testing.assert_array_equal(y[0, 0], [4, 3, 2, 1])


@each_device
def test_force_backward_passes_nothing_down(device):
    rig = Rig(CASES[0], device)
    rig.net.forward()
    rig.net.backward()


def test_indices_that_float32_cannot_hold():
    cpu = make_device("cpu", np.float32)
    assert Rig(case("", (1, 2**24 + 1), distinct), cpu).top[0].shape == (1, 1, 1)
    with pytest.raises(ShapeError, match="indices up to 16777217 are not exact in float32"):
        Rig(case("", (1, 2**24 + 2), distinct), cpu)


@pytest.mark.parametrize(
    ("conf", "shape", "error", "message"),
    [
        ("top_k: 0", (2, 3), ConfigError, "top_k must be at least 1"),
        ("top_k: 4", (2, 3), ShapeError, "top_k is 4; there are 3 scores in bottom 0"),
        ("axis: 0 top_k: 3", (2, 3), ShapeError, "top_k is 3; there are 2 scores in bottom 0"),
        ("axis: 2", (2, 3), ShapeError, "axis 2 does not exist"),
        ("", (), ShapeError, "axis 0 does not exist"),
    ],
)
def test_refuses(cpu, conf, shape, error, message):
    with pytest.raises(error, match=message):
        Rig(case(conf, shape), cpu)
