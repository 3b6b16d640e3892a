"""InnerDistance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient


def case(*shape: int, outputs: int = 3, text: str = "", gradient: bool = True) -> Case:
    param = f'num_output: {outputs} weight_filler {{ type: "xavier" }} {text}'
    return Case(f'type: "InnerDistance" inner_distance_param {{ {param} }}', (shape,), gradient=gradient)


CASES = [
    case(4, 5),
    case(3, 2, 2, outputs=2, text='distance_type: "L1" bias_term: false'),
    case(2, 3, 2, text="axis: 2 bias_term: false"),
]
# No case for the laws: every forward changes the weights a little, by the 1e-6.
NORMALIZED = case(4, 5, text="normalize: true", gradient=False)


@each_device
@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 4), st.sampled_from(["L1", "L2"]), st.booleans())
def test_formula_and_gradient(device, m, length, outputs, kind, biased):
    one = case(m, length, outputs=outputs, text=f'distance_type: "{kind}" bias_term: {str(biased).lower()}')

    def distances(x, w, b=0):
        d = x[:, None] - w
        return (np.abs(d) if kind == "L1" else d * d).sum(2) + b

    check_forward(one, device, distances)
    check_gradient(one, device)


@each_device
def test_normalize_brings_weights_to_length_one(device):
    rig = Rig(NORMALIZED, device)
    before = device.get(rig.layer.params[0].data).reshape(3, 5)
    rig.forward(NORMALIZED.arrays())
    lengths = np.sqrt((before**2).sum(1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(
        device.get(rig.layer.params[0].data).reshape(3, 5), before / lengths, rtol=1e-12
    )


def test_refuses(cpu):
    for text, message in [
        ("transpose: true", r"inner_distance_param.transpose is not supported"),
        ("update_center_only: true", r"update_center_only is not supported"),
        ('distance_type: "L3"', "distance_type must be L1 or L2; got 'L3'"),
    ]:
        with pytest.raises(ConfigError, match=message):
            Rig(case(2, 3, text=text), cpu)
    rig = Rig(case(2, 3), cpu)
    rig.bottom[0].reshape(2, 4)
    with pytest.raises(ShapeError, match="has 4 inputs per item; the weights take 3"):
        rig.layer.reshape(rig.bottom, rig.top)
