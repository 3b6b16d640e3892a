"""CenterLoss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct, labels


def case(shape, classes=4, text="", rest="", gradient=True, counted=None) -> Case:
    param = f'num_output: {classes} center_filler {{ type: "xavier" }} {text}'
    layer = f'type: "CenterLoss" center_loss_param {{ {param} }} {rest}'
    makers = distinct, labels(classes)
    return Case(layer, (shape, counted or shape[:1]), makers, gradient=gradient)


FIXED = "param { lr_mult: 0 }"  # what steps centres is no derivative

CASES = [
    case((6, 3), rest=FIXED),
    case((6, 3), rest=f"loss_weight: 0.5 {FIXED}", text='distance_type: "L1"'),
    case((5, 2, 2), gradient=False),
    case((2, 3, 2), rest=f"{FIXED}", text="axis: 2", counted=(2, 3)),
]


def steps(x, y, centres, absolute, each):
    d = x - centres[y]
    d = np.sign(d) if absolute else d
    found = np.zeros_like(centres)
    for j in range(len(centres)):
        members = (y == j).sum()
        found[j] = -d[y == j].sum(0) / (1 + members) * (members if each else 1)
    return found


@each_device
@given(st.integers(1, 7), st.integers(1, 4), st.integers(1, 5), st.sampled_from(["", "L1", "L2"]))
def test_formula_and_steps(device, n, length, classes, kind):
    text = f'distance_type: "{kind}"' if kind else ""
    one = case((n, length), classes, text)

    def loss(x, y, centres):
        d = x - centres[y.astype(int)]
        return np.array((np.abs(d).sum() if kind == "L1" else (d * d).sum() / 2) / n)

    check_forward(one, device, loss)
    check_gradient(case((n, length), classes, text, FIXED), device)
    rig, (x, y) = Rig(one, device), one.arrays()
    rig.forward([x, y])
    rig.seed_tops()
    centres = device.get(rig.layer.params[0].data)
    (_, (found,)) = rig.backward()
    wanted = steps(x, y.astype(int), centres, kind == "L1", bool(kind))
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@each_device
def test_a_label_that_is_no_class(device):
    rig = Rig(CASES[0], device)
    x, y = CASES[0].arrays()
    y[4] = 4
    with pytest.raises(DataError, match=r"label 4 at \[4\] of bottom 1 is none of the 4 classes"):
        rig.forward([x, y])


def test_refuses(cpu):
    with pytest.raises(ShapeError, match="bottom 1 must hold 6 labels"):
        Rig(case((6, 3), counted=(6, 2)), cpu)
    with pytest.raises(ConfigError, match="distance_type must be L1 or L2; got 'cos'"):
        Rig(case((6, 3), text='distance_type: "cos"'), cpu)
    with pytest.raises(ConfigError, match="num_output must be at least 1"):
        Rig(case((6, 3), 0), cpu)
