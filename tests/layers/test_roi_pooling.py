"""ROIPooling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, ShapeError

from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct
from ..support.regions import cells, regions


def layer(h: int, w: int, scale: float = 1) -> str:
    return f'type: "ROIPooling" roi_pooling_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: {scale} }}'


def case(shape: tuple, count: int, h: int, w: int, scale: float = 1, tail: tuple = ()) -> Case:
    size = max(shape[2:]) / scale
    makers = (distinct, regions(shape[0], size))
    return Case(layer(h, w, scale), (shape, (count, 5, *tail)), makers)


def pool(x, rois, h, w, scale):
    rois = rois.reshape(-1, 5)
    y = np.zeros((len(rois), x.shape[1], h, w))
    for r, (image, x1, y1, x2, y2) in enumerate(rois):
        for i, rows in enumerate(cells(y1, y2, scale, h, x.shape[2], True)):
            for j, columns in enumerate(cells(x1, x2, scale, w, x.shape[3], True)):
                cell = x[int(image), :, rows, columns]
                y[r, :, i, j] = cell.max((1, 2)) if cell.size else 0
    return y


CASES = [
    case((2, 3, 6, 5), 4, 2, 3, 0.0625),
    case((1, 2, 7, 9), 3, 7, 7),
    case((3, 1, 4, 4), 5, 1, 1, 0.25, tail=(1, 1)),
]


@each_device
@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4),
    st.sampled_from([1, 0.0625, 0.25, 0.1]),
)  # fmt: skip
def test_formula_and_gradient(device, height, width, h, w, scale):
    one = case((2, 2, height, width), 3, h, w, scale)
    check_forward(one, device, lambda x, rois: pool(x, rois, h, w, scale), rtol=0)
    if scale != 0.1:  # elsewhere a region that is moved a little may round to other pixels
        check_gradient(one, device)


@each_device
def test_a_region_pooled_to_seven_rows_of_a_map(device):
    """Where 1/7 of an extent, seven times, is more than it in float32, a cell begins a pixel later than it
    would in float64, or earlier."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((1, 2, 40, 60))
    corners = rng.integers(0, 600, (30, 4))
    rois = np.concatenate([np.zeros((30, 1)), np.sort(corners.reshape(30, 2, 2), 1).reshape(30, 4)], axis=1)
    (y,) = Rig(Case(layer(7, 7, 0.0625), (x.shape, rois.shape)), device).forward([x, rois])
    np.testing.assert_array_equal(y, pool(x, rois, 7, 7, 0.0625))


@each_device
def test_ties_empty_cells_and_nan(device):
    """Of equal maxima the first has the gradient; a region outside the image gives 0 and has none; NaN never
    wins."""
    x = np.array([[[[1.0, 1], [np.nan, 1]]], [[[np.nan] * 2] * 2]])
    rois = np.array([[0, 0, 0, 1, 1], [0, 5, 5, 9, 9], [1, 0, 0, 1, 1], [0, 1, 0, 1, 1.0]])
    rig = Rig(Case(layer(1, 1), (x.shape, rois.shape)), device)
    (y,) = rig.forward([x, rois])
    np.testing.assert_array_equal(y.ravel(), [1, 0, np.nan, 1])
    device.put(np.array([1.0, 2, 4, 8]).reshape(4, 1, 1, 1), rig.top[0].diff)
    for blob in rig.bottom:
        device.fill(blob.diff, np.nan)
    (dx, drois), _ = rig.backward()
    np.testing.assert_array_equal(dx, [[[[1, 8], [0, 0]]], [[[0, 0]] * 2]])
    assert not drois.any()


@each_device
@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, 2, r"region with image 2 at \[1, 0\] of bottom 1: bottom 0 has the images 0 to 1"),
        (0, -1, r"region with image -1 at \[1, 0\]"),
        (0, np.nan, r"region with image nan at \[1, 0\]"),
        (3, np.nan, r"nan at \[1, 3\] of bottom 1 is no corner of a region"),
        (4, 1e30, r"1\S+ at \[1, 4\] of bottom 1 is no corner of a region"),
    ],
)
def test_a_region_that_is_none(device, place, value, message):
    rig = Rig(Case(layer(1, 1), ((2, 1, 3, 3), (3, 5))), device)
    rois = np.array([[0.0, 0, 0, 2, 2]] * 3)
    rois[1:, place] = value
    rois[2, 1] = np.nan
    with pytest.raises(DataError, match=message):
        rig.forward([np.ones((2, 1, 3, 3)), rois])
    np.testing.assert_array_equal(device.get(rig.top[0].data).ravel(), [1, np.nan, np.nan])
    device.fill(rig.top[0].diff, 1.0)
    assert rig.backward()[0][0].sum() == 1
    rig.forward([np.ones((2, 1, 3, 3)), 0 * rois[:1].repeat(3, 0)])


def test_refuses(cpu):
    rois = ((1, 2, 3, 3), (2, 5))
    with pytest.raises(ShapeError, match=r"bottom 0 must have 4 axes \(n, c, h, w\); got \(2, 3\)"):
        Rig(Case(layer(1, 1), ((2, 3), (2, 5))), cpu)
    for shape in ((2, 4), (5,), ()):
        with pytest.raises(ShapeError, match="bottom 1 must hold regions of 5 numbers; got"):
            Rig(Case(layer(1, 1), (rois[0], shape)), cpu)
    with pytest.raises(ConfigError, match="pooled_h must be set and greater than 0; got 0"):
        Rig(Case('type: "ROIPooling" roi_pooling_param { pooled_w: 2 }', rois), cpu)
    with pytest.raises(ConfigError, match="pooled_size is not supported"):
        Rig(Case('type: "ROIPooling" roi_pooling_param { pooled_size: 2 }', rois), cpu)


def test_no_regions(cpu):
    """As a Filter in front may leave them."""
    rig = Rig(Case(layer(2, 2), ((1, 2, 3, 3), (0, 5))), cpu)
    (y,) = rig.forward([np.ones((1, 2, 3, 3)), np.zeros((0, 5))])
    assert y.shape == (0, 2, 2, 2)
    device = make_device("cpu")
    device.fill(rig.bottom[0].diff, np.nan)
    assert not rig.backward()[0][0].any()
