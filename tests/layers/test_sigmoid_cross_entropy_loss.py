"""SigmoidCrossEntropyLoss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ShapeError

from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct, uniform
from ..support.strategies import shapes


def layer(loss: str = "", rest: str = "") -> str:
    return f'type: "SigmoidCrossEntropyLoss" loss_param {{ {loss} }} {rest}'


def targets(shape, rng) -> np.ndarray:
    """Some of each: -1, 0, 1 and in between."""
    return rng.choice([-1.0, -0.5, 0.0, 0.25, 0.7, 1.0], shape)


MODES = [
    "",
    "normalization: FULL",
    "normalization: VALID",
    "normalization: BATCH_SIZE",
    "normalization: NONE",
]
VALID = layer("ignore_label: -1 normalization: VALID", "loss_weight: 0.5")
CASES = [
    *[Case(layer(mode), ((4, 3), (4, 3)), (distinct, uniform)) for mode in MODES],
    Case(VALID, ((3, 2, 2), (3, 2, 2)), (distinct, targets)),
    Case(layer("ignore_label: -1"), ((3, 4), (3, 2, 2)), (distinct, targets)),
    Case(layer("normalize: true"), ((6,), (6,)), (distinct, uniform)),
]


def reference(x, t, mode: str, ignore: int | None):
    counts = np.ones(t.shape, bool) if ignore is None else np.trunc(t) != ignore
    losses = -(t * np.log(1 / (1 + np.exp(-x))) + (1 - t) * np.log(1 / (1 + np.exp(x))))
    z = {"VALID": counts.sum(), "FULL": t.size, "BATCH_SIZE": len(t), "NONE": 1}[mode]
    return np.array(losses[counts].sum() / max(1, z))


@each_device
@given(
    shape=shapes(),
    mode=st.sampled_from(["VALID", "FULL", "BATCH_SIZE", "NONE"]),
    ignore=st.sampled_from([None, -1, 0, 1]),
)
def test_formula_and_gradient(device, shape, mode, ignore):
    loss = f"normalization: {mode}" + ("" if ignore is None else f" ignore_label: {ignore}")
    case = Case(layer(loss), (shape, shape), (distinct, targets))
    check_forward(case, device, lambda x, t: reference(x, t, mode, ignore))
    check_gradient(case, device)


@each_device
@pytest.mark.parametrize(
    "loss, factor",
    [("", 3), ("normalize: false", 3), ("normalization: BATCH_SIZE", 3), ("normalize: true", 1)]
    + [("normalization: VALID", 1), ("normalization: FULL", 1), ("normalization: NONE", 6)],
)
def test_normalization_of_a_known_batch(device, loss, factor):
    """Caffe's own numbers: two items of three zero scores."""
    case = Case(layer(loss), ((2, 3), (2, 3)), (lambda shape, rng: np.zeros(shape), uniform))
    check_forward(case, device, lambda x, t: np.array(factor * np.log(2)))


@each_device
def test_ignored_elements_have_no_gradient(device):
    rig = Rig(Case(layer("ignore_label: 0"), ((1, 4), (1, 4))), device)
    rig.forward([np.full((1, 4), 0.5), np.array([[0.7, 1.0, -0.9, 0.0]])])  # 0.7 and -0.9 are cut to 0
    (dx, _), _ = rig.backward()
    np.testing.assert_array_equal(dx != 0, [[False, True, False, False]])


@each_device
def test_special_values(device):
    rig = Rig(Case(layer("normalization: NONE ignore_label: 7"), ((1, 5), (1, 5))), device)
    x, t = np.array([[1e4, -1e4, 1e4, 5.0, np.nan]]), np.array([[1.0, 0.0, 0.0, 7.0, 7.0]])
    (y,) = rig.forward([x, t])
    assert y == 1e4  # neither overflow nor the ignored NaN
    device.fill(rig.top[0].diff, 1)
    (dx, _), _ = rig.backward()
    np.testing.assert_array_equal(dx, [[0, 0, 1, 0, 0]])
    (y,) = rig.forward([x, np.array([[1.0, 0.0, 0.0, np.nan, 7.0]])])
    assert np.isnan(y)  # a NaN target is ignored by no label


def test_float32_sums_are_accurate():
    rng = np.random.default_rng(1)
    x, t = (
        (3 * rng.standard_normal((256, 1000))).astype(np.float32),
        rng.random((256, 1000)).astype(np.float32),
    )
    (y,) = Rig(Case(layer(), (x.shape, t.shape)), make_device("cpu", np.float32)).forward([x, t])
    wanted = reference(x.astype(np.float64), t.astype(np.float64), "BATCH_SIZE", None)
    np.testing.assert_allclose(y, wanted, rtol=1e-6)


def test_shapes_that_do_not_fit(cpu):
    with pytest.raises(ShapeError, match=r"equal counts; got \(4, 3\) and \(4,\); hint: .*SoftmaxWithLoss"):
        Rig(Case(layer(), ((4, 3), (4,))), cpu)
