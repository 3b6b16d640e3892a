"""Lstm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct
from ..support.recurrent import cont, sigmoid


def case(t: int, n: int, size: int, *, features=(3,), by_rows=True, carrying=True, rest="") -> Case:
    """A larger batch is two steps more by rows of 1 or 2 sequences, or two sequences more by steps."""
    fields = f"num_output: {size} {f'batch_size: {n}' if by_rows else ''} {rest}"
    shapes = ((t * n, *features) if by_rows else (t, n, *features),)
    if carrying:
        shapes += ((t * n,) if by_rows else (t, n),)
    growing = () if by_rows else (1, 1)[: len(shapes)]
    return Case(f'type: "Lstm" lstm_param {{ {fields} }}', shapes, (distinct, cont), growing=growing)


CASES = [
    case(3, 2, 4),
    case(3, 1, 2, features=(2, 1, 2), rest="clipping_threshold: 1e6"),
    case(3, 2, 4, carrying=False),
    case(2, 3, 5, by_rows=False),
    case(4, 2, 2, by_rows=False, carrying=False),
]


def reference(x, goes_on, w_x, w_h, b, state=None):
    """h of every step for x (T, N, I), and the states behind the last."""
    size = w_h.shape[1]
    h, c = state or (np.zeros((x.shape[1], size)), np.zeros((x.shape[1], size)))
    every = []
    for x_t, goes in zip(x, goes_on):
        z = x_t @ w_x.T + b + goes[:, None] * h @ w_h.T
        i, f, o, g = np.split(z, 4, axis=1)
        c = goes[:, None] * sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        every.append(h)
    return np.stack(every), (h, c)


@each_device
@given(
    t=st.integers(1, 4),
    n=st.integers(1, 3),
    size=st.integers(1, 4),
    by_rows=st.booleans(),
    carrying=st.booleans(),
)
def test_formula(device, t, n, size, by_rows, carrying):
    one = case(t, n, size, by_rows=by_rows, carrying=carrying)

    def whole(x, *rest):
        goes_on = rest[0].reshape(t, n) if carrying else np.repeat(np.arange(t) > 0, n).reshape(t, n) * 1.0
        h, _ = reference(x.reshape(t, n, -1), goes_on, *rest[-3:])
        return h.reshape(*x.shape[:-1], size)

    check_forward(one, device, whole)
    check_gradient(one, device, directions=2)


@each_device
def test_gradients_are_clipped_at_every_step(device):
    """With one cell, by hand: the clipped gradient is what goes back in time."""
    rig = Rig(case(3, 1, 1, features=(1,), carrying=False, rest="clipping_threshold: 0.01"), device)
    whole = Rig(case(3, 1, 1, features=(1,), carrying=False), device)
    for one in (rig, whole):
        one.forward([np.array([[0.3], [-0.7], [0.9]])])
        device.put(np.array([[0.5], [-2], [3.0]]), one.top[0].diff)
    w_x, w_h, _ = (device.get(blob.data) for blob in rig.layer.params)
    (dx,), (_, _, db) = rig.backward()
    z, cells = device.get(rig.layer.z.data)[:, 0], device.get(rig.layer.c.data)[:, 0, 0]
    down, dc, wanted, total = 0.0, 0.0, [], 0
    for t in (2, 1, 0):
        i, f, o, g = z[t]
        e = [0.5, -2, 3.0][t] + down
        r = dc + e * o * (1 - np.tanh(cells[t + 1]) ** 2)
        slopes = r * g * i * (1 - i), r * cells[t] * f * (1 - f), e * np.tanh(cells[t + 1]) * o * (1 - o)
        dz = np.clip([*slopes, r * i * (1 - g * g)], -0.01, 0.01)
        down, dc, total = dz @ w_h[:, 0], r * f, total + dz
        wanted.insert(0, dz @ w_x[:, 0])
    limit = np.float32(0.01) / 0.01  # the field is a float
    np.testing.assert_allclose(dx[:, 0] / limit, wanted, rtol=1e-6)
    np.testing.assert_allclose(db / limit, total, rtol=1e-6)
    assert np.abs(whole.backward()[0][0] - dx).max() > 0.01


# -- from pass to pass


def chain(carrying: bool) -> Net:
    bottom, inputs = 'bottom: "x"', "input_param { shape { dim: 6 dim: 3 } shape { dim: 6 } }"
    return Net(
        text.parse(
            f"""layer {{ name: "in" type: "Input" top: "x" top: "cont" {inputs} }}
            layer {{ name: "none" type: "Silence" bottom: "cont" }}
            layer {{ name: "lstm" type: "Lstm" {bottom} {'bottom: "cont"' if carrying else ""} top: "h"
              loss_weight: 1
              lstm_param {{ num_output: 4 batch_size: 2 weight_filler {{ type: "xavier" }} }} }}""",
            NetParameter,
        ),
        phase="TRAIN",
        device=make_device("cpu"),
        seed=1,
    )


def test_with_cont_the_next_pass_goes_on_where_the_last_ended():
    net, rng = chain(True), np.random.default_rng(0)
    x, goes_on = rng.standard_normal((6, 3)), np.array([0, 0, 1, 1, 1, 0.0])
    params = [blob.data for blob in net.params["lstm"]]
    whole, state = reference(x.reshape(3, 2, 3), goes_on.reshape(3, 2), *params)
    np.testing.assert_allclose(net.forward(x=x, cont=goes_on)["h"].reshape(3, 2, 4), whole, rtol=1e-12)
    net.backward()
    more, _ = reference(x.reshape(3, 2, 3), np.ones((3, 2)), *params, state)
    np.testing.assert_allclose(net.forward(x=x, cont=np.ones(6))["h"].reshape(3, 2, 4), more, rtol=1e-12)
    net.reset_state()
    np.testing.assert_allclose(
        net.forward(x=x, cont=np.ones(6))["h"].reshape(3, 2, 4)[0], whole[0], rtol=1e-12
    )


def test_the_state_is_part_of_where_a_net_is():
    net, x = chain(True), np.ones((6, 3))
    net.forward(x=x, cont=np.ones(6))
    position = net.position
    wanted = net.forward(x=x, cont=np.ones(6))["h"].copy()
    other = chain(True)
    for mine, theirs in zip(other.params["lstm"], net.params["lstm"]):
        mine.data[...] = theirs.data
    other.seek(position)
    np.testing.assert_array_equal(other.forward(x=x, cont=np.ones(6))["h"], wanted)


def test_without_cont_every_pass_starts_anew():
    net, x = chain(False), np.ones((6, 3))
    first = net.forward(x=x)["h"].copy()
    np.testing.assert_array_equal(net.forward(x=x)["h"], first)
    assert not net.position.carried


# -- bottoms that do not fit


def layer(fields: str, *shapes) -> Case:
    return Case(f'type: "Lstm" lstm_param {{ {fields} }}', shapes)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (layer("", (3, 2)), "lstm_param.num_output must be at least 1"),
        (layer("num_output: 2 batch_size: 0", (3, 2)), "lstm_param.batch_size must be at least 1"),
        (layer("num_output: 2 clipping_threshold: -1", (3, 2)), "at least 0; got -1"),
        (layer("num_output: 2 batch_size: 2", (3, 2)), r"whole steps of 2 sequences; got \(3, 2\)"),
        (layer("num_output: 2", (0, 2, 3)), "at least one step"),
        (layer("num_output: 2", (3, 2, 3), (3,)), r"every step of every sequence, 3 by 2; got \(3,\)"),
        (layer("num_output: 2", (3, 2), (3,), (3,)), "takes 1 to 2 bottoms; got 3"),
    ],
)
def test_refuses(cpu, wrong, message):
    with pytest.raises((ConfigError, ShapeError), match=message):
        Rig(wrong, cpu)


def test_features_stay(cpu):
    rig = Rig(case(3, 2, 4, by_rows=False), cpu)
    rig.bottom[0].reshape(3, 2, 7)
    with pytest.raises(ShapeError, match="bottom 0 has 7 features per step; the weights take 3"):
        rig.net.reshape()
