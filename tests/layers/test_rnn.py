"""RNN.  What it has in common with LSTM, such as states and bottoms that do not fit, is in test_lstm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.recurrent import case, cases, unrolled

CASES = cases("RNN")


def reference(case: Case):
    def run(*arrays):
        bottoms, (*weights, w_o, b_o) = arrays[: len(case.shapes)], arrays[len(case.shapes) :]
        every, last = unrolled(lambda z, h: [np.tanh(z)], bottoms, weights, len(w_o), 1)
        return (np.tanh(every @ w_o.T + b_o), last)[: case.tops]

    return run


@each_device
@given(
    steps=st.integers(1, 4),
    n=st.integers(1, 4),
    size=st.integers(1, 5),
    features=st.sampled_from([(), (1,), (3,), (2, 2)]),
    static=st.sampled_from([None, (), (3,), (2, 1, 2)]),
    exposed=st.booleans(),
)
def test_formula(device, steps, n, size, features, static, exposed):
    one = case("RNN", steps, n, size, features=features, static=static, exposed=exposed)
    check_forward(one, device, reference(one))
    check_gradient(one, device)


@each_device
def test_many_numbers(device):
    one = case("RNN", 3, 9, 37, features=(20,), static=(5,))
    check_forward(one, device, reference(one))


@each_device
def test_sequences_do_not_touch_each_other(device):
    rig = Rig(case("RNN", 4, 1, 3), device)
    x = np.linspace(-1, 1, 12).reshape(4, 1, 3)
    goes_on = np.array([[0.0], [1], [0], [1]])
    whole = rig.forward([x, goes_on])[0]
    x[:2] = np.nan
    spoilt = rig.forward([x, goes_on])[0]
    assert np.isnan(spoilt[:2]).all()
    np.testing.assert_array_equal(spoilt[2:], whole[2:])
    rig.forward([np.ones((4, 1, 3)), goes_on])
    device.put(np.array([1.0, 1, np.nan, np.nan]).repeat(3).reshape(4, 1, 3), rig.top[0].diff)
    dx = rig.backward()[0][0]
    assert np.isfinite(dx[:2]).all() and dx[:2].all() and np.isnan(dx[2:]).all()


@pytest.mark.parametrize(
    "tops, shapes, message",
    [
        (2, [(3, 2, 5), (3, 2)], "takes 3 or 4 bottoms; got 2; hint: x, cont, perhaps x_static, h to start"),
        (1, [(3, 2, 5), (3, 2), (1, 2, 4)], "takes 2 tops; got 1; hint: all steps, and h of the last"),
        (2, [(3, 2, 5), (3, 2), (2, 4)], r"bottom 2, a state .*must be \(1, 2, 4\); got \(2, 4\)"),
    ],
)
def test_refuses(cpu, tops, shapes, message):
    layer = 'type: "RNN" recurrent_param { num_output: 4 expose_hidden: true }'
    with pytest.raises(ShapeError, match=message):
        Rig(Case(layer, tuple(shapes), tops=tops), cpu)


def test_num_output_is_needed(cpu):
    with pytest.raises(ConfigError, match=r"recurrent_param\.num_output must be at least 1"):
        Rig(Case('type: "RNN"', ((3, 2, 5), (3, 2))), cpu)


def test_the_third_bottom_is_a_state_only_with_expose_hidden(cpu):
    shown, hidden = (Rig(case("RNN", 2, 1, 4, static=s, exposed=s is None), cpu) for s in (None, (4,)))
    assert shown.propagate == [True, False, False]
    assert hidden.propagate == [True, False, True]
    assert [len(rig.layer.params) for rig in (shown, hidden)] == [5, 6]
