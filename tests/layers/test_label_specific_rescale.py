"""LabelSpecificRescale."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct, labels


def case(*shape: int, text: str = "positive_weight: 0.5", in_place: bool = True, **more) -> Case:
    layer = f'type: "LabelSpecificRescale" label_specific_rescale_param {{ {text} }}'
    makers = distinct, labels(int(np.prod(shape[1:])))
    return Case(layer, (shape, shape[:1]), makers, in_place=in_place, **more)


ANNEALED = "positive_weight_base: 4 gamma: 0.5 power: 2 iteration: 3 positive_weight_min: 0.3"
CASES = [
    case(5, 4, text="positive_weight: 0.5 negative_weight: 1.5 bias_fix: true"),
    case(3, 2, 2, text="positive_weight: 1.5 power_on_positive: true", tops=2, in_place=False),
    case(5, 4, text="positive_weight: 0.25 for_ip: true", in_place=False),
    case(3, 4, text="positive_weight: 2 for_ip: true", phase="TEST"),
    case(3, 4, text=ANNEALED, tops=2),
]


@each_device
@given(st.integers(1, 5), st.integers(1, 5), *[st.sampled_from([0.5, 1.0, 1.5])] * 2, *[st.booleans()] * 3)
def test_formula_and_gradient(device, n, classes, p, q, above, fixed, powers):
    flags = {"for_ip": above, "bias_fix": fixed, "power_on_positive": powers}
    said = " ".join(f"{name}: {str(value).lower()}" for name, value in flags.items())
    text = f"positive_weight: {p} negative_weight: {q} {said} rescale_test: true"
    one = case(n, classes, text=text, phase="TEST")

    def rescaled(x, t):
        own = np.arange(classes) == t[:, None].astype(int)
        changed = np.sign(x) * abs(x) ** p if powers else p * x + (1 - p) * fixed
        return np.where(own, np.where(above & (x <= 0), x, changed), q * x)

    check_forward(one, device, rescaled)
    check_gradient(one, device)


@each_device
def test_in_test_nothing_changes(device):
    check_forward(CASES[3], device, lambda x, t: x, rtol=0)
    check_gradient(CASES[3], device)


@each_device
def test_the_factor_follows_its_schedule(device):
    rig, arrays = Rig(CASES[4], device), CASES[4].arrays()
    found = []
    for _ in range(3):
        rig.layer.forward(rig.bottom, rig.top)
        found.append(float(device.get(rig.top[1].data)[0]))
    np.testing.assert_allclose(
        found, np.maximum([4 / (1 + 0.5 * t) ** 2 for t in (4, 5, 6)], np.float32(0.3))
    )
    assert rig.forward(arrays)[1] == found[0]


@each_device
def test_a_label_that_is_no_class(device):
    rig, (x, t) = Rig(CASES[0], device), CASES[0].arrays()
    t[3] = 4
    with pytest.raises(DataError, match=r"label 4 at \[3\] of bottom 1 is none of the 4 classes"):
        rig.forward([x, t])


def test_refuses(cpu):
    with pytest.raises(ShapeError, match="bottom 1 must hold 3 labels"):
        Rig(Case('type: "LabelSpecificRescale"', ((3, 2), (3, 2))), cpu)
    with pytest.raises(ConfigError, match="positive_lower_bound is not supported in this layer"):
        Rig(case(3, 4, text="positive_lower_bound: 0.5"), cpu)
    with pytest.raises(ConfigError, match="cannot run in place"):
        Rig(CASES[1], cpu, in_place=True)
