"""ROIWarping."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct
from ..support.regions import F, nearest, regions


def case(shape: tuple, count: int, h: int, w: int, scale: float = 1, tail: tuple = ()) -> Case:
    layer = f'type: "ROIWarping" roi_warping_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: {scale} }}'
    makers = (distinct, regions(shape[0], max(shape[2:]) / scale))
    return Case(layer, (shape, (count, 5, *tail)), makers)


def samples(low, high, scale, cell, cells, extent):
    """Where the samples of a cell stand along one axis, in float32 after every step."""
    start = F(nearest(F(low) * F(scale)))
    size = max(F(nearest(F(high) * F(scale))) - start, F(0))
    each, count = size / F(cells), math.ceil(size / F(cells))
    step, at = F(1) / F(count) if count else F(2), F(cell)
    while at <= cell + 1:
        position = start + at * each
        if -0.5 <= position <= extent - 0.5:
            yield float(min(max(position, 0), extent - 1))
        at = at + step


def warp(x, rois, h, w, scale):
    rois = rois.reshape(-1, 5)
    y = np.zeros((len(rois), x.shape[1], h, w))
    for r, (image, x1, y1, x2, y2) in enumerate(rois):
        for i, j in np.ndindex(h, w):
            found = []
            for down in samples(y1, y2, scale, i, h, x.shape[2]):
                for across in samples(x1, x2, scale, j, w, x.shape[3]):
                    a, b = int(down), int(across)
                    c, d = min(a + 1, x.shape[2] - 1), min(b + 1, x.shape[3] - 1)
                    low, far, map = down - a, across - b, x[int(image)]
                    top = (1 - far) * map[:, a, b] + far * map[:, a, d]
                    found.append((1 - low) * top + low * ((1 - far) * map[:, c, b] + far * map[:, c, d]))
            y[r, :, i, j] = np.max(found, axis=0) if found else 0
    return y


CASES = [
    case((2, 3, 6, 5), 4, 2, 3, 0.0625),
    case((1, 2, 7, 9), 3, 7, 7),
    case((3, 1, 4, 4), 5, 1, 1, 0.25, tail=(1, 1)),
]


@each_device
@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4),
    st.sampled_from([1, 0.0625, 0.25]),
)  # fmt: skip
def test_formula(device, height, width, h, w, scale):
    one = case((2, 2, height, width), 3, h, w, scale)
    check_forward(one, device, lambda x, rois: warp(x, rois, h, w, scale))


@each_device
def test_gradient(device):
    """Where no two samples of a cell are as great, which a step could turn round."""
    check_gradient(case((2, 2, 5, 6), 3, 2, 2, 0.25), device)


@each_device
def test_says_which_region_has_no_image(device):
    x, rois = CASES[0].arrays()
    rois[2, 0] = 2
    rig = Rig(CASES[0], device)
    with pytest.raises(DataError, match=r"region with image 2 at \[2, 0\] of bottom 1"):
        rig.forward([x, rois])


def test_refuses(cpu):
    with pytest.raises(ConfigError, match="pooled_w must be set and greater than 0; got 0"):
        Rig(case((1, 1, 4, 4), 1, 2, 0), cpu)
