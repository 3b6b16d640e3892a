"""Bias."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ..support.devices import each_device
from ..support.laws import Case, check_forward, check_gradient
from ..support.strategies import broadcasts

FILLER = 'filler { type: "uniform" min: -1 max: 1 }'

CASES = [
    Case(f'type: "Bias" bias_param {{ {FILLER} }}', ((2, 3, 4, 5),)),
    Case(f'type: "Bias" bias_param {{ axis: 1 num_axes: -1 {FILLER} }}', ((2, 3, 4),)),
    Case(f'type: "Bias" bias_param {{ num_axes: 0 {FILLER} }}', ((4, 3),)),
    Case('type: "Bias" bias_param { axis: 0 }', ((2, 3, 4), (2, 3))),
    Case('type: "Bias"', ((2, 3), ())),
]


@each_device
@given(broadcast=broadcasts(), second=st.booleans())
def test_formula_and_gradient(device, broadcast, second):
    shape, first, last = broadcast
    operand = shape[first:last]
    bottoms = (shape, operand) if second else (shape,)
    case = Case(f'type: "Bias" bias_param {{ axis: {first} num_axes: {last - first} {FILLER} }}', bottoms)
    tail = [1] * (len(shape) - last)
    check_forward(case, device, lambda x, b: x + np.reshape(b, (*operand, *tail)))
    check_gradient(case, device)
