"""MarginInnerProduct."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, labels

KINDS = "SINGLE", "DOUBLE", "TRIPLE", "QUADRUPLE"


def apart(shape, rng) -> np.ndarray:
    return rng.standard_normal(shape)


def case(n: int, length: int, classes: int, text: str = "", tops: int = 2) -> Case:
    param = f'num_output: {classes} weight_filler {{ type: "xavier" }} {text}'
    layer = f'type: "MarginInnerProduct" margin_inner_product_param {{ {param} }}'
    return Case(layer, ((n, length), (n,)), (apart, labels(classes)), tops=tops, gradient=False)


CASES = [
    case(5, 4, 3, "type: QUADRUPLE base: 2"),
    case(3, 4, 5, "type: TRIPLE base: 0.5", tops=1),
    case(4, 3, 4, "type: DOUBLE base: 10 gamma: 0.5 lambda_min: 1"),
    case(4, 3, 4),
]


def target(cosine: float, m: int) -> float:
    """cos m a where it falls first, and its mirror images below: (-1)^k cos m a - 2 k."""
    angle = math.acos(max(-1.0, min(1.0, cosine)))
    k = min(int(angle * m / math.pi), m - 1)
    return (-1) ** k * math.cos(m * angle) - 2 * k


@each_device
@given(
    st.integers(1, 5), st.integers(2, 5), st.integers(1, 4), st.integers(0, 3), st.sampled_from([0.5, 4.0])
)
def test_formula(device, n, length, classes, kind, base):
    one = case(n, length, classes, f"type: {KINDS[kind]} base: {base}")
    rig, (x, t) = Rig(one, device), one.arrays()
    w = device.get(rig.layer.params[0].data).reshape(classes, length)
    w = w / np.sqrt((w * w).sum(1, keepdims=True))
    y, strength = rig.forward([x, t])
    assert strength == base
    wanted = x @ w.T
    for i, label in enumerate(t.astype(int)):
        size = np.sqrt((x[i] ** 2).sum())
        f = target(wanted[i, label] / size, kind + 1)
        wanted[i, label] = (f * size + base * wanted[i, label]) / (1 + base)
    np.testing.assert_allclose(y, wanted, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(device.get(rig.layer.params[0].data).reshape(w.shape), w, rtol=1e-12)


@each_device
@given(st.integers(1, 4), st.integers(2, 4), st.integers(2, 4), st.integers(0, 3))
def test_gradient(device, n, length, classes, kind):
    """dx at the item's class: the direction of the derivative of f |x|, in length 1 over w and x, and s w."""
    base = 0.5
    one = case(n, length, classes, f"type: {KINDS[kind]} base: {base}")
    rig, (x, t) = Rig(one, device), one.arrays()
    rig.forward([x, t])
    w = device.get(rig.layer.params[0].data).reshape(classes, length)
    dy, _ = rig.seed_tops()
    (dx, _), (dw,) = rig.backward()
    np.testing.assert_allclose(dw, dy.T @ x, rtol=1e-9, atol=1e-12)
    wanted = dy @ w
    if kind:
        for i, label in enumerate(t.astype(int)):
            size = np.sqrt((x[i] ** 2).sum())
            c, h, m = x[i] @ w[label] / size, 1e-6, kind + 1
            slope = (target(c + h, m) - target(c - h, m)) / (2 * h)  # f'; of f |x|: f' w + (f - f' c) x / |x|
            shares = np.array([slope, (target(c, m) - slope * c) / size])
            shares /= np.sqrt((shares**2).sum())
            wanted[i] -= dy[i, label] * w[label]
            wanted[i] += (
                dy[i, label] * (shares[0] * w[label] + shares[1] * x[i] + base * w[label]) / (1 + base)
            )
    np.testing.assert_allclose(dx, wanted, rtol=1e-5, atol=1e-6)


@each_device
def test_lambda_follows_its_schedule(device):
    rig = Rig(case(2, 3, 2, "base: 1000 gamma: 0.12 power: 2 lambda_min: 5 iteration: 9"), device)
    arrays = rig.case.arrays()
    found = [rig.forward(arrays)[1].item()]
    for _ in range(2):
        rig.layer.forward(rig.bottom, rig.top)
        found.append(float(device.get(rig.top[1].data)[0]))
    gamma = float(np.float32(0.12))
    np.testing.assert_allclose(found, [1000 * (1 + gamma * t) ** -2 for t in (10, 11, 12)])
    late = Rig(case(2, 3, 2, "base: 1000 gamma: 0.12 lambda_min: 5 iteration: 100000"), device)
    assert late.forward(arrays)[1] == 5


@each_device
def test_a_label_that_is_no_class(device):
    rig, (x, t) = Rig(CASES[0], device), CASES[0].arrays()
    t[1] = 7
    with pytest.raises(DataError, match=r"label 7 at \[1\] of bottom 1 is none of the 3 classes"):
        rig.forward([x, t])
    y = device.get(rig.top[0].data)
    assert np.isnan(y[1]).all() and np.isfinite(np.delete(y, 1, 0)).all()


def test_refuses(cpu):
    with pytest.raises(ConfigError, match="num_output must be at least 1"):
        Rig(case(2, 3, 0), cpu)
    rig = Rig(CASES[3], cpu)
    rig.bottom[0].reshape(4, 2)
    with pytest.raises(ShapeError, match="has 2 inputs per item; the weights take 3"):
        rig.layer.reshape(rig.bottom, rig.top)
