"""SPP."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, positive

SPP = 'type: "SPP" spp_param {{ {} }}'


def spp(shape, height, pool="MAX", phase="TRAIN") -> Case:
    maker = (positive,) if pool == "STOCHASTIC" else ()
    return Case(SPP.format(f"pyramid_height: {height} pool: {pool}"), (shape,), maker, phase=phase)


CASES = [
    spp((2, 3, 8, 8), 1),
    spp((2, 3, 8, 11), 3),
    spp((2, 2, 9, 7), 2, "AVE"),
    spp((1, 2, 11, 9), 3, "AVE"),
    spp((1, 2, 9, 7), 2, "AVE_EXC_PAD"),
    spp((2, 2, 5, 6), 2, "STOCHASTIC"),
    spp((2, 2, 5, 6), 1, "STOCHASTIC", "TEST"),
    spp((2, 2, 5, 7), 2, "STOCHASTIC", "TEST"),
]


def bins_of(extent: int, level: int) -> tuple[int, int]:
    """Window and padding along one axis."""
    window = -(-extent // 2**level)
    return window, (window * 2**level - extent + 1) // 2


def reference(x, height, pool):
    """Bin by bin."""
    n, c, h, w = x.shape
    levels = []
    for level in range(height):
        (kh, ph), (kw, pw), bins = bins_of(h, level), bins_of(w, level), 2**level
        y = np.zeros((n, c, bins, bins))
        for i in range(bins):
            for j in range(bins):
                top, left = i * kh - ph, j * kw - pw
                cut = x[:, :, max(top, 0) : top + kh, max(left, 0) : left + kw]
                if pool == "MAX":
                    y[:, :, i, j] = cut.max((2, 3))
                elif pool != "AVE":
                    y[:, :, i, j] = cut.mean((2, 3))
                else:
                    area = (min(top + kh, h + ph) - top) * (min(left + kw, w + pw) - left)
                    y[:, :, i, j] = cut.sum((2, 3)) / area
        levels.append(y.reshape(n, -1))
    return np.concatenate(levels, 1) if height > 1 else levels[0].reshape(n, c, 1, 1)


@each_device
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)),
    height=st.integers(1, 3),
    pool=st.sampled_from(["MAX", "AVE", "AVE_TF"]),
)
def test_formula(device, shape, height, pool):
    case = spp(shape, height, pool)
    fits = all(
        pad < window for extent in shape[2:] for window, pad in (bins_of(extent, k) for k in range(height))
    )
    if not fits:
        with pytest.raises(ShapeError, match="some would hold nothing else"):
            Rig(case, device)
        return
    check_forward(case, device, lambda x: reference(x, height, pool))
    check_gradient(case, device)


@pytest.mark.parametrize(("height", "shape"), [(1, (2, 3, 1, 1)), (2, (2, 15)), (3, (2, 63)), (4, (2, 255))])
def test_the_top_does_not_depend_on_the_image(cpu, height, shape):
    rig = Rig(spp((2, 3, 32, 24), height), cpu)
    assert rig.top[0].shape == shape
    rig.bottom[0].reshape(2, 3, 40, 61)
    rig.net.reshape()
    assert rig.top[0].shape == shape


@each_device
def test_gradients_of_the_levels_add_up(device):
    rig = Rig(spp((1, 1, 2, 2), 2), device)
    rig.forward([np.array([[1.0, 2], [4, 3]]).reshape(1, 1, 2, 2)])
    device.put(np.array([[10.0, 1, 2, 3, 4]]), rig.top[0].diff)
    (dx,), _ = rig.backward()
    np.testing.assert_array_equal(dx[0, 0], [[1, 2], [13, 4]])


@pytest.mark.parametrize(
    ("shape", "height", "message"),
    [
        ((1, 1, 5, 8), 3, r"level 2 of the pyramid has 4 x 4 bins; an image of 5 x 8 would need windows of"),
        ((1, 1, 1, 1), 2, "level 1 of the pyramid has 2 x 2 bins"),
        ((1, 5, 8), 2, r"bottom 0 must have 4 axes \(n, c, h, w\); got \(1, 5, 8\)"),
    ],
)
def test_refuses_shapes(cpu, shape, height, message):
    with pytest.raises(ShapeError, match=message):
        Rig(spp(shape, height), cpu)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", "pyramid_height must be at least 1"),
        ("pyramid_height: 17", "pyramid_height must be at most 16; got 17"),
    ],
)
def test_refuses_fields(cpu, fields, message):
    with pytest.raises(ConfigError, match=message):
        Rig(Case(SPP.format(fields), ((1, 1, 8, 8),)), cpu)


def test_one_top_alone(cpu):
    with pytest.raises(ShapeError, match="takes 1 top; got 2"):
        Rig(Case(SPP.format("pyramid_height: 2"), ((1, 1, 8, 8),), tops=2), cpu)
