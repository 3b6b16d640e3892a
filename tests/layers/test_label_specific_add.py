"""LabelSpecificAdd."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import DataError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct, labels


def case(*shape: int, text: str = "bias: -0.35", tops: int = 1, phase: str = "TRAIN") -> Case:
    layer = f'type: "LabelSpecificAdd" label_specific_add_param {{ {text} }}'
    makers = distinct, labels(int(np.prod(shape[1:])))
    return Case(layer, (shape, shape[:1]), makers, tops=tops, phase=phase)


ANNEALED = "bias_base: -0.5 bias_gamma: 0.5 bias_power: 2 bias_min: -1 bias_max: 99 iteration: 3"
CASES = [case(5, 4), case(3, 2, 2, tops=2), case(3, 4, phase="TEST"), case(3, 4, text=ANNEALED, tops=2)]


@each_device
@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([-0.37, 0.21, 0.0]))
def test_formula_and_gradient(device, n, classes, bias):
    one, bias = case(n, classes, text=f"bias: {bias}"), np.float64(np.float32(bias))

    def shifted(x, t):
        own = np.arange(classes) == t[:, None].astype(int)
        return np.where(own & (x > -bias), x + bias, x)

    check_forward(one, device, shifted)
    check_gradient(one, device)


@each_device
def test_in_test_nothing_changes(device):
    check_forward(CASES[2], device, lambda x, t: x, rtol=0)


@each_device
def test_the_margin_follows_its_schedule(device):
    """From `iteration` on, pass by pass, and back there when states are reset."""
    rig, arrays = Rig(CASES[3], device), CASES[3].arrays()
    found = []
    for _ in range(3):
        rig.layer.forward(rig.bottom, rig.top)
        found.append(float(device.get(rig.top[1].data)[0]))
    np.testing.assert_allclose(found, [-0.5 + (1 + 0.5 * t) ** 2 - 1 for t in (3, 4, 5)])
    assert rig.forward(arrays)[1] == found[0]
    low = Rig(case(3, 4, text=ANNEALED.replace("99", "2"), tops=2), device)
    assert low.forward(arrays)[1] == 2


@each_device
def test_a_label_that_is_no_class(device):
    rig, (x, t) = Rig(CASES[0], device), CASES[0].arrays()
    t[3] = -1
    with pytest.raises(DataError, match=r"label -1 at \[3\] of bottom 1 is none of the 4 classes"):
        rig.forward([x, t])


def test_refuses(cpu):
    with pytest.raises(ShapeError, match="bottom 1 must hold 3 labels"):
        Rig(Case('type: "LabelSpecificAdd"', ((3, 2), (3, 2))), cpu)
