"""ResizeNearestNeighbor: tests/layers/test_resize_bilinear.py has what it has in common with that."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ..support.devices import each_device
from ..support.laws import check_forward, check_gradient
from .test_resize_bilinear import case as bilinear
from .test_resize_bilinear import sizes


def case(text: str, *shape: int):
    return bilinear(text, *shape, kind="ResizeNearestNeighbor")


CASES = [
    case("output_height: 5 output_width: 3", 2, 3, 4, 2),
    case('scale_height: 2 scale_width: 2 data_format: "NCHW"', 1, 2, 3, 4),
    case("output_height: 3 output_width: 2 align_corners: true", 2, 4, 3, 1),
]


def rows(extent: int, out: int, mode: str) -> list[int]:
    """Step by step in float32, as the fork does; halves are rounded up."""
    f = np.float32
    corners = mode == "align_corners" and out > 1
    step = f(extent - 1) / f(out - 1) if corners else f(extent) / f(out)
    found = []
    for i in range(out):
        at = (f(i) + f(0.5)) * step if "half" in mode else f(i) * step
        if mode == "half_pixel_onnx":
            at = at - f(0.5)
        whole = int(np.floor(float(at) + 0.5)) if mode == "align_corners" else int(np.floor(at))
        found.append(min(max(whole, 0), extent - 1))
    return found


@each_device
@given(sizes, st.sampled_from(["", "align_corners", "half_pixel_centers", "half_pixel_onnx"]), st.booleans())
def test_formula_and_gradient(device, size, mode, last):
    h, w, oh, ow = size
    text = f"output_height: {oh} output_width: {ow}" + (f" {mode}: true" if mode else "")
    down, across = rows(h, oh, mode), rows(w, ow, mode)
    one = case(text, 2, h, w, 3) if last else case(f'{text} data_format: "NCHW"', 2, 3, h, w)
    check_forward(
        one, device, lambda x: x[:, down][:, :, across] if last else x[:, :, down][..., across], rtol=0
    )
    check_gradient(one, device)
