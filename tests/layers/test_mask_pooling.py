"""MaskPooling."""

import pytest

from minicaffe.errors import ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward

CASES = [
    Case('type: "MaskPooling"', ((3, 4, 2, 5), (3, 1, 2, 5))),
    Case('type: "MaskPooling"', ((1, 1, 1, 1), (1, 1, 1, 1))),
]


@each_device
def test_formula(device):
    for case in CASES:
        check_forward(case, device, lambda x, mask: x * mask)


def test_refuses(cpu):
    for mask in ((3, 4, 2, 5), (3, 1, 10), (2, 1, 2, 5)):
        with pytest.raises(ShapeError, match=r"bottoms must be \(r, c, h, w\) and \(r, 1, h, w\); got"):
            Rig(Case('type: "MaskPooling"', ((3, 4, 2, 5), mask)), cpu)
