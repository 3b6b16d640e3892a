"""PSROIPooling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct
from ..support.regions import cells, regions


def layer(depth: int, group: int, scale: float) -> str:
    fields = f"spatial_scale: {scale} output_dim: {depth} group_size: {group}"
    return f'type: "PSROIPooling" psroi_pooling_param {{ {fields} }}'


def case(images: int, depth: int, group: int, h: int, w: int, count: int, scale: float = 0.25) -> Case:
    shape = (images, depth * group**2, h, w)
    makers = (distinct, regions(images, max(h, w) / scale))
    return Case(layer(depth, group, scale), (shape, (count, 5)), makers)


def pool(x, rois, depth, group, scale):
    y = np.zeros((len(rois), depth, group, group))
    for r, (image, x1, y1, x2, y2) in enumerate(rois):
        for i, rows in enumerate(cells(y1, y2, scale, group, x.shape[2], False)):
            for j, columns in enumerate(cells(x1, x2, scale, group, x.shape[3], False)):
                cell = x[int(image), i * group + j :: group**2, rows, columns]
                y[r, :, i, j] = cell.mean((1, 2)) if cell.size else 0
    return y


CASES = [case(2, 2, 3, 6, 5, 4), case(1, 1, 1, 4, 4, 3, 1), case(1, 3, 2, 3, 7, 2, 0.0625)]


@each_device
@given(
    st.integers(1, 8),
    st.integers(1, 8),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([1, 0.0625, 0.1]),
)
def test_formula_and_gradient(device, h, w, depth, group, scale):
    one = case(2, depth, group, h, w, 3, scale)
    check_forward(one, device, lambda x, rois: pool(x, rois, depth, group, scale))
    check_gradient(one, device)


@each_device
def test_many_regions(device):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((1, 98, 30, 40))
    corners = np.sort(rng.uniform(-50, 700, (40, 2, 2)), 1).reshape(40, 4)
    rois = np.concatenate([np.zeros((40, 1)), corners], axis=1)
    (y,) = Rig(Case(layer(2, 7, 0.0625), (x.shape, rois.shape)), device).forward([x, rois])
    np.testing.assert_allclose(y, pool(x, rois, 2, 7, 0.0625), rtol=1e-12, atol=1e-12)


@each_device
def test_a_region_that_is_none(device):
    rig = Rig(Case(layer(1, 1, 1), ((1, 1, 2, 2), (2, 5))), device)
    with pytest.raises(DataError, match=r"region with image 1 at \[1, 0\] of bottom 1: bottom 0 has the"):
        rig.forward([np.ones((1, 1, 2, 2)), np.array([[0.0, 0, 0, 1, 1], [1, 0, 0, 1, 1]])])
    np.testing.assert_array_equal(device.get(rig.top[0].data).ravel(), [1, np.nan])


def test_refuses(cpu):
    with pytest.raises(ShapeError, match=r"must have output_dim x group_size x group_size = 8 channels; got"):
        Rig(Case(layer(2, 2, 1), ((1, 4, 3, 3), (2, 5))), cpu)
    for fields in ("output_dim: 1 group_size: 1", "spatial_scale: 1 output_dim: 1", "spatial_scale: 1"):
        with pytest.raises(ConfigError, match="must be set and greater than 0; got 0"):
            Rig(Case(f'type: "PSROIPooling" psroi_pooling_param {{ {fields} }}', ((1, 1, 3, 3), (2, 5))), cpu)
