"""ResizeBilinear, and what it has in common with ResizeNearestNeighbor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient

FIELDS = {"ResizeBilinear": "resize_bilinear_param", "ResizeNearestNeighbor": "resize_nearest_neighbor_param"}


def case(text: str, *shape: int, kind="ResizeBilinear") -> Case:
    return Case(f'type: "{kind}" {FIELDS[kind]} {{ {text} }}', (shape,))


CASES = [
    case("output_height: 5 output_width: 3", 2, 3, 4, 2),
    case('output_height: 4 output_width: 7 data_format: "NCHW" align_corners: true', 1, 2, 3, 4),
    case("scale_height: 2 scale_width: 0.5 half_pixel_centers: true", 2, 3, 4, 1),
    case("output_height: 1 output_width: 5 pytorch_half_pixel: true", 1, 3, 4, 2),
]


def shares(extent: int, out: int, mode: str) -> np.ndarray:
    """What every input counts in every output, (out, extent): step by step in float32, as the fork does."""
    f = np.float32
    corners = mode == "align_corners" and out > 1
    step = f(extent - 1) / f(out - 1) if corners else f(extent) / f(out)
    found = np.zeros((out, extent))
    for i in range(out):
        at = f(i) * step
        if "half" in mode:
            at = f(-0.5) if mode[0] == "p" and out == 1 else (f(i) + f(0.5)) * step - f(0.5)
        below = np.floor(at)
        lower, upper = max(int(below), 0), min(int(np.ceil(at)), extent - 1)
        found[i, lower] += 1 - np.float64(at - below)
        found[i, upper] += np.float64(at - below)
    return found


sizes = st.tuples(*[st.integers(1, 6)] * 4)


@each_device
@given(
    sizes, st.sampled_from(["", "align_corners", "half_pixel_centers", "pytorch_half_pixel"]), st.booleans()
)
def test_formula_and_gradient(device, size, mode, last):
    h, w, oh, ow = size
    text = f"output_height: {oh} output_width: {ow}" + (f" {mode}: true" if mode else "")
    down, across = shares(h, oh, mode), shares(w, ow, mode)
    one = case(text, 2, h, w, 3) if last else case(f'{text} data_format: "NCHW"', 2, 3, h, w)
    axes = "ir,js,nrsc->nijc" if last else "ir,js,ncrs->ncij"
    check_forward(one, device, lambda x: np.einsum(axes, down, across, x), rtol=1e-6)
    check_gradient(one, device)


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", (5, 3)),
        ("scale_height: 1.5 scale_width: 0.5", (7, 1)),
        ("output_height: 2 scale_height: 9", (2, 3)),
        ("output_width: 8 scale_height: 2", (10, 8)),
    ],
)
def test_sizes(cpu, kind, text, size):
    assert Rig(case(text, 1, 5, 3, 2, kind=kind), cpu).top[0].shape == (1, *size, 2)
    other = case(f'{text} data_format: "NCHW"', 1, 2, 5, 3, kind=kind)
    assert Rig(other, cpu).top[0].shape == (1, 2, *size)


@each_device
def test_tables_follow_the_size(device):
    rig = Rig(case("scale_height: 2 scale_width: 2", 1, 2, 2, 1), device)
    rig.bottom[0].reshape(1, 3, 4, 1)
    rig.net.reshape()
    x = np.random.default_rng(0).standard_normal((1, 3, 4, 1))
    (y,) = rig.forward([x])
    np.testing.assert_allclose(y[0, :, :, 0], shares(3, 6, "") @ x[0, :, :, 0] @ shares(4, 8, "").T)


@each_device
def test_what_has_no_share_may_be_anything(device):
    """A pixel that is copied, beside one that is infinite."""
    rig = Rig(case("output_height: 1 output_width: 2", 1, 1, 2, 1), device)
    np.testing.assert_array_equal(
        rig.forward([np.array([1.0, np.inf]).reshape(1, 1, 2, 1)])[0].ravel(), [1, np.inf]
    )


@pytest.mark.parametrize("kind", FIELDS)
def test_refuses(cpu, kind):
    for text, message in [
        ("align_corners: true half_pixel_centers: true", "align_corners and half_pixel_centers are true"),
        ('data_format: "NCHWD"', 'must be "NHWC" or "NCHW"; got .NCHWD.'),
    ]:
        with pytest.raises(ConfigError, match=message):
            Rig(case(text, 1, 3, 3, 1, kind=kind), cpu)
    with pytest.raises(ShapeError, match=r"3 x 3 pixels of bottom 0, .* cannot become 0 x 3"):
        Rig(case("scale_height: 0.3", 1, 3, 3, 1, kind=kind), cpu)
    with pytest.raises(ShapeError, match="must have 4 axes, NHWC"):
        Rig(case("", 3, 3, 1, kind=kind), cpu)


def test_refuses_quantised_numbers(cpu):
    with pytest.raises(ConfigError, match=r"resize_bilinear_param.input_scale is not supported"):
        Rig(case("input_scale: 0.5", 1, 3, 3, 1), cpu)
