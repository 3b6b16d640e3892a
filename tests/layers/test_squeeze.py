"""Squeeze of several axes, and of all: that of one is a Reshape (tests/proto/test_aliases.py)."""

import pytest

from minicaffe.errors import ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward

SQUEEZE = 'type: "Squeeze" squeeze_param {{ {} }}'

CASES = [
    Case(SQUEEZE.format(""), ((2, 1, 3, 1),)),
    Case(SQUEEZE.format("axis: -1 axis: 1"), ((2, 1, 3, 1),)),
]


@each_device
@pytest.mark.parametrize(
    ("text", "shape", "out"),
    [
        ("", (2, 1, 3, 1), (2, 3)),
        ("", (1, 1), ()),
        ("", (2, 3), (2, 3)),
        ("axis: 1 axis: 3", (2, 1, 3, 1), (2, 3)),
        ("axis: -2 axis: 0", (1, 3, 1, 2), (3, 2)),
        ("axis: 1 axis: -3", (2, 1, 3, 1), (2, 3, 1)),
        ("axis: -1", (2, 1, 1), (2, 1)),
    ],
)
def test_shapes(device, text, shape, out):
    check_forward(Case(SQUEEZE.format(text), (shape,)), device, lambda x: x.reshape(out), rtol=0)


def test_refuses(cpu):
    with pytest.raises(ShapeError, match=r"axis 0 of bottom 0, \(2, 1\), has not extent 1"):
        Rig(Case(SQUEEZE.format("axis: 0 axis: 1"), ((2, 1),)), cpu)
    with pytest.raises(ShapeError, match="axis 2 does not exist"):
        Rig(Case(SQUEEZE.format("axis: 1 axis: 2"), ((2, 1),)), cpu)
    with pytest.raises(ShapeError, match="the new shape"):
        Rig(Case(SQUEEZE.format("axis: 0"), ((2, 1),)), cpu)
