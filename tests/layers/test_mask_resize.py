"""MaskResize."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient


def case(h: int, w: int, oh: int, ow: int, planes: tuple = (2, 2)) -> Case:
    layer = f'type: "MaskResize" mask_resize_param {{ output_height: {oh} output_width: {ow} }}'
    return Case(layer, ((*planes, h, w),))


CASES = [case(7, 5, 4, 3), case(3, 2, 8, 7), case(4, 4, 4, 4)]


def resize(x, oh, ow):
    h, w = x.shape[2:]
    y = np.empty((*x.shape[:2], oh, ow))
    for i, j in np.ndindex(oh, ow):
        down, across = min(i * h / oh, h - 1), min(j * w / ow, w - 1)
        a, b = int(down), int(across)
        c, d = min(a + 1, h - 1), min(b + 1, w - 1)
        low, far = down - a, across - b
        y[..., i, j] = (1 - low) * ((1 - far) * x[..., a, b] + far * x[..., a, d])
        y[..., i, j] += low * ((1 - far) * x[..., c, b] + far * x[..., c, d])
    return y


@each_device
@given(*[st.integers(1, 6)] * 4)
def test_formula_and_gradient(device, h, w, oh, ow):
    one = case(h, w, oh, ow)
    check_forward(one, device, lambda x: resize(x, oh, ow))
    check_gradient(one, device, directions=1)


def test_refuses(cpu):
    with pytest.raises(ConfigError, match="output_width must be set and greater than 0; got 0"):
        Rig(case(2, 2, 2, 0), cpu)
