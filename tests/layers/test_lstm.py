"""LSTM."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError
from minicaffe.layers.recurrent.lstm import LSTM
from minicaffe.layers.recurrent.recurrent import Recurrent
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient, check_repeatable, distinct
from ..support.recurrent import case, cases, sigmoid, unrolled

CASES = cases("LSTM")


def step(z, h, c):
    i, f, o, g = np.split(z, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return [sigmoid(o) * np.tanh(c), c]


def reference(case: Case):
    def run(*arrays):
        bottoms, weights = arrays[: len(case.shapes)], arrays[len(case.shapes) :]
        return unrolled(step, bottoms, weights, weights[-1].shape[1], 2)[: case.tops]

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
    one = case("LSTM", steps, n, size, features=features, static=static, exposed=exposed)
    check_forward(one, device, reference(one))
    check_gradient(one, device)


@each_device
def test_many_numbers(device):
    """More than a block of threads has, and more than one register tile."""
    one = case("LSTM", 3, 9, 37, features=(20,), static=(5,))
    check_forward(one, device, reference(one))


def fill(rig: Rig, value: float) -> None:
    for blob in rig.layer.params:
        rig.device.fill(blob.data, value)


@each_device
def test_extremes(device):
    """Gates far out are 0, 1 and -1, not NaN; and NaN stays where it came in."""
    rig = Rig(case("LSTM", 2, 2, 1, features=(1,)), device)
    fill(rig, 0)
    device.put(np.array([[1e3], [1e3], [1e3], [-1e3]]), rig.layer.params[0].data)
    (h,) = rig.forward([np.array([[1.0, np.nan], [1, 1]]).reshape(2, 2, 1), np.ones((2, 2))])
    np.testing.assert_allclose(h[:, 0, 0], [np.tanh(-1), np.tanh(-2)])
    assert np.isnan(h[:, 1]).all()
    rig.seed_tops()
    dx = rig.backward()[0][0]
    assert np.isfinite(dx[:, 0]).all()


@each_device
def test_sequences_do_not_touch_each_other(device):
    """After cont = 0 neither values nor gradients come over, NaN and infinity neither."""
    rig = Rig(case("LSTM", 4, 1, 3), device)
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


# -- from pass to pass


def run(net: Net, x, goes_on) -> np.ndarray:
    return net.forward(x0=x, x1=goes_on)["y0"]


@pytest.mark.parametrize("keep", ["all", "needed"])
@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_the_next_pass_goes_on_where_the_last_ended(kind, keep):
    """Six steps in one pass, and in passes of any length, give the same; training passes in between too."""
    layers = f"""
        layer {{ name: "x" type: "Input" top: "x0" input_param {{ shape {{ dim: 6 dim: 2 dim: 3 }} }} }}
        layer {{ name: "cont" type: "Input" top: "x1" input_param {{ shape {{ dim: 6 dim: 2 }} }} }}
        layer {{ name: "layer" type: "{kind}" bottom: "x0" bottom: "x1" top: "y0" loss_weight: 1
          recurrent_param {{ num_output: 4 weight_filler {{ type: "uniform" min: -1 }} }} }}
    """
    device = make_device("cpu")
    net = Net(text.parse(layers, NetParameter), phase="TRAIN", device=device, seed=1, keep=keep)
    rng = np.random.default_rng(0)
    x, goes_on = rng.standard_normal((6, 2, 3)), np.ones((6, 2))
    goes_on[0] = goes_on[4, 1] = 0
    whole = run(net, x, goes_on)
    parts = []
    for some in (slice(0, 1), slice(1, 4), slice(4, 6)):
        parts.append(run(net, x[some], goes_on[some]))
        net.backward()
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-12)

    again = run(net, x, np.ones((6, 2)))
    assert abs(again - whole)[:4].max() > 1e-3  # did not start from 0
    net.reset_state()
    np.testing.assert_allclose(run(net, x, np.ones((6, 2)))[:4], whole[:4], rtol=1e-12)
    run(net, x[:, :1], np.ones((6, 1)))  # another N: reset
    np.testing.assert_allclose(run(net, x, np.ones((6, 2)))[:4], whole[:4], rtol=1e-12)


@each_device
def test_exposed_states_hand_over_what_is_hidden_otherwise(device):
    hidden, shown = (Rig(case("LSTM", 2, 3, 4, exposed=exposed), device) for exposed in (False, True))
    x, goes_on = hidden.case.arrays()
    goes_on = np.where(goes_on == 0, 1.0, goes_on)
    first = hidden.forward([x, goes_on])[0]
    h, h_last, c_last = shown.forward([x, goes_on, np.zeros((1, 3, 4)), np.zeros((1, 3, 4))])
    np.testing.assert_array_equal(h, first)
    np.testing.assert_array_equal(h_last[0], h[-1])
    hidden.layer.forward(hidden.bottom, hidden.top)  # once more, without a reset
    h = shown.forward([x, goes_on, h_last, c_last])[0]
    np.testing.assert_array_equal(h, device.get(hidden.top[0].data))


def test_backward_may_run_twice(cpu):
    rig = Rig(CASES[3], cpu)
    rig.forward(rig.case.arrays())
    rig.seed_tops()
    for one, other in zip(rig.backward(), rig.backward()):
        for a, b in zip(one, other):
            np.testing.assert_array_equal(a, b)


def test_a_planted_state_that_stays_is_seen(cpu, monkeypatch):
    one = replace(CASES[0], makers=(distinct, lambda shape, rng: np.ones(shape)))
    check_repeatable(one, cpu)
    monkeypatch.setattr(Recurrent, "reset_state", lambda layer: None)
    with pytest.raises(AssertionError):
        check_repeatable(one, cpu)


def test_a_planted_gradient_through_the_last_state_is_seen(cpu, monkeypatch):
    one, right = next(case for case in CASES if case.tops == 3), LSTM.backward

    def wrong(layer, top, propagate_down, bottom):
        top[0].diff[-1:] += top[1].diff
        right(layer, top, propagate_down, bottom)

    monkeypatch.setattr(LSTM, "backward", wrong)
    with pytest.raises(AssertionError, match="read more than"):
        check_gradient(one, cpu)


# -- gradients that are refused

EXPOSED = 'recurrent_param { num_output: 2 expose_hidden: true weight_filler { type: "xavier" } }'
CHAIN = f"""
    layer {{ name: "in" type: "Input" top: "x" top: "cont" top: "h0" top: "c0"
      input_param {{ shape {{ dim: 3 dim: 1 dim: 2 }} shape {{ dim: 3 dim: 1 }}
                     shape {{ dim: 1 dim: 1 dim: 2 }} shape {{ dim: 1 dim: 1 dim: 2 }} }} }}
    layer {{ name: "first" type: "LSTM" bottom: "x" bottom: "cont" bottom: "h0" bottom: "c0"
      top: "a" top: "h1" top: "c1" {EXPOSED} }}
    layer {{ name: "none" type: "Silence" bottom: "a" }}
"""


def chain(rest: str) -> Net:
    return Net(text.parse(CHAIN + rest, NetParameter), phase="TRAIN", device=make_device("cpu"), seed=1)


def test_a_state_to_start_from_has_no_gradient():
    second = f"""
        layer {{ name: "second" type: "LSTM" bottom: "x" bottom: "cont" bottom: "h1" bottom: "c1"
          top: "b" top: "h2" top: "c2" loss_weight: 1 loss_weight: 0 loss_weight: 0 {EXPOSED} %s }}"""
    with pytest.raises(
        ConfigError, match=r"'first' \(LSTM\): top 1 'h1' passes no gradient back.*_down: fal"
    ):
        chain(second % "")
    net = chain(second % ("propagate_down: false " * 4))
    net.forward(x=np.ones((3, 1, 2)))
    net.backward()
    assert net.params["second"][0].diff.any() and not net.params["first"][0].diff.any()


def test_a_learned_state_to_start_from_is_refused(cpu):
    layers = CHAIN.replace('top: "h0"', 'top: "h"').replace(
        'layer { name: "first"',
        """layer { name: "learned" type: "InnerProduct" bottom: "h" top: "h0"
          inner_product_param { num_output: 2 axis: 2 } }
        layer { name: "first" loss_weight: 1 loss_weight: 0 loss_weight: 0""",
    )
    with pytest.raises(ConfigError, match="bottom 2 'h0' needs a gradient; LSTM has none"):
        Net(text.parse(layers, NetParameter), phase="TRAIN", device=cpu)


@pytest.mark.parametrize("copies", [1, 2])
def test_a_loss_of_the_last_state_is_refused(copies):
    loss = 'layer { name: "l%d" type: "Reduction" bottom: "h1" top: "l%d" loss_weight: 1 %s }'
    with pytest.raises(ConfigError, match=r"top 1 'h1.*' passes no gradient back, and one comes to it"):
        chain("".join(loss % (i, i, "") for i in range(copies)))
    net = chain("".join(loss % (i, i, "propagate_down: false") for i in range(copies)))
    net.forward()
    net.backward()


def test_a_loss_weight_on_the_last_state_is_refused():
    net = CHAIN.replace('top: "c1"', 'top: "c1" loss_weight: 0 loss_weight: 0 loss_weight: 1')
    with pytest.raises(ConfigError, match="top 2 'c1' passes no gradient back"):
        Net(text.parse(net, NetParameter), phase="TRAIN", device=make_device("cpu"))


# -- bottoms that do not fit


def layer(rest: str = "num_output: 4", tops: int = 1):
    return lambda *shapes: Case(f'type: "LSTM" recurrent_param {{ {rest} }}', shapes, tops=tops)


SHOWN = layer("num_output: 4 expose_hidden: true", tops=3)
REFUSED = [
    (layer("")((3, 2, 5), (3, 2)), "num_output must be at least 1"),
    (layer()((3, 2, 5), (3, 2), (1, 2, 4), (1, 2, 4)), "takes 2 or 3 bottoms; got 4.*only with expose"),
    (SHOWN((3, 2, 5), (3, 2)), "takes 4 or 5 bottoms; got 2.*h, c to start from"),
    (SHOWN((3, 2, 5), (3, 2), (2, 7)), "takes 4 or 5 bottoms; got 3"),
    (layer(tops=3)((3, 2, 5), (3, 2)), "takes 1 top; got 3; hint: states need expose_hidden"),
    (
        layer("num_output: 4 expose_hidden: true", tops=1)((3, 2, 5), (3, 2), (1, 2, 4), (1, 2, 4)),
        "takes 3 tops; got 1; hint: all steps, and h, c of the last",
    ),
    (layer()((3,), (3, 2)), r"axes steps \(1 or more\), sequences and then features; got \(3,\)"),
    (layer()((0, 2, 5), (0, 2)), r"steps \(1 or more\)"),
    (layer()((3, 2, 5), (2, 2)), r"every step of every sequence, \(3, 2\); got \(2, 2\)"),
    (layer()((3, 2, 5), (3, 2, 1)), r"got \(3, 2, 1\); hint: 0 where a sequence starts"),
    (layer()((3, 2, 5), (3, 2), (3, 7)), r"bottom 2 must .* each of the 2 sequences; got \(3, 7\)"),
    (layer()((3, 2, 5), (3, 2), ()), r"each of the 2 sequences; got \(\)"),
    (SHOWN((3, 2, 5), (3, 2), (1, 2, 4), (2, 4)), r"bottom 3, a state .*must be \(1, 2, 4\); got \(2, 4\)"),
    (SHOWN((3, 2, 5), (3, 2), (2, 7), (1, 2, 3), (1, 2, 4)), r"bottom 3, .* \(1, 2, 4\); got \(1, 2, 3\)"),
]  # fmt: skip


@pytest.mark.parametrize("wrong, message", REFUSED)
def test_refuses(cpu, wrong, message):
    with pytest.raises((ConfigError, ShapeError), match=message):
        Rig(wrong, cpu)


def test_features_stay(cpu):
    rig = Rig(case("LSTM", 3, 2, 4, static=(2,)), cpu)
    rig.bottom[0].reshape(3, 2, 7)
    with pytest.raises(ShapeError, match="bottom 0 has 7 features per step; the weights take 3"):
        rig.net.reshape()
    rig.bottom[0].reshape(3, 2, 3)
    rig.bottom[2].reshape(2, 5)
    with pytest.raises(ShapeError, match="bottom 2 has 5 features per sequence; the weights take 2"):
        rig.net.reshape()
