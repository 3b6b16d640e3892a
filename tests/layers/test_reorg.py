"""Reorg."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient


def case(stride: int, reverse: bool, *shape: int) -> Case:
    return Case(f'type: "Reorg" reorg_param {{ stride: {stride} reverse: {str(reverse).lower()} }}', (shape,))


def darknet(x, s, reverse):
    """darknet's loop over the pixels of a (c, h, w) grid, of which `out` has c / s^2 channels."""
    n, c, h, w = x.shape
    y, flat, out = np.zeros(x.size), x.ravel(), c // s**2
    for at, (image, k, i, j) in enumerate(np.ndindex(n, c, h, w)):
        offset = k // out
        there = j * s + offset % s + w * s * (i * s + offset // s + h * s * (k % out + out * image))
        if reverse:
            y[there] = flat[at]
        else:
            y[at] = flat[there]
    return y.reshape((n, out, h * s, w * s) if reverse else (n, c * s**2, h // s, w // s))


CASES = [case(2, False, 2, 8, 4, 2), case(3, True, 1, 18, 1, 2), case(1, False, 1, 2, 3, 3)]


@each_device
@given(st.integers(1, 2), st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_formula_and_gradient(device, n, channels, s, side, reverse):
    one = case(s, reverse, n, channels * s**2, side * s, 2 * s)
    check_forward(one, device, lambda x: darknet(x, s, reverse))
    check_gradient(one, device)


def test_refuses(cpu):
    for shape in ((1, 6, 4, 4), (1, 4, 3, 4), (1, 4, 4, 3)):
        with pytest.raises(ShapeError, match="divisible: channels by 4, rows and columns by 2; got"):
            Rig(case(2, False, *shape), cpu)
    with pytest.raises(ShapeError, match=r"divisible: channels by 4; got \(1, 6, 3, 3\)"):
        Rig(case(2, True, 1, 6, 3, 3), cpu)
    with pytest.raises(ShapeError, match="must have 4 axes"):
        Rig(case(1, False, 2, 3), cpu)
    with pytest.raises(ConfigError, match="stride must be set and greater than 0; got 0"):
        Rig(Case('type: "Reorg"', ((1, 1, 1, 1),)), cpu)
