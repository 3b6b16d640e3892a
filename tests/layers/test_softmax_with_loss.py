"""SoftmaxWithLoss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct, labels
from ..support.strategies import shapes
from .test_softmax import softmax

LABELS5 = (distinct, labels(5))


WEIGHTS5 = "weight_by_label_freqs: true class_weighting: [0.5, 1, 2, 0.25, 3]"


def layer(loss: str = "", rest: str = "") -> str:
    return f'type: "SoftmaxWithLoss" loss_param {{ {loss} }} {rest}'


CASES = [
    Case(layer(), ((4, 5), (4,)), LABELS5),
    Case(layer("ignore_label: 1"), ((9, 5), (9,)), LABELS5),
    Case(layer("ignore_label: 1 normalization: FULL"), ((3, 5, 2, 2), (3, 2, 2)), LABELS5),
    Case(layer("normalization: BATCH_SIZE", "loss_weight: 0.5"), ((3, 5, 4), (3, 1, 4)), LABELS5),
    Case(layer("normalization: NONE", "softmax_param { axis: -1 }"), ((2, 3, 5), (2, 3)), LABELS5),
    Case(layer("normalize: false"), ((2, 5, 3), (2, 3)), LABELS5),
    Case(layer("normalize: true ignore_label: 0"), ((4, 5), (4, 1)), LABELS5),
    Case(layer("ignore_label: 2"), ((4, 5, 2), (4, 2)), LABELS5, tops=2),
    Case(layer(f"ignore_label: 1 {WEIGHTS5}"), ((3, 5, 2, 2), (3, 1, 2, 2)), LABELS5),
]


def reference(x, t, axis: int, mode: str, ignore: int | None):
    """loss and probabilities; labels in the shape of x without its axis."""
    p = softmax(x, axis)
    t = np.trunc(t).reshape(np.delete(x.shape, axis))
    counts = np.ones(t.shape, bool) if ignore is None else t != ignore
    chosen = np.take_along_axis(p, np.expand_dims(t.astype(int), axis), axis).squeeze(axis)
    z = {"VALID": counts.sum(), "FULL": t.size, "BATCH_SIZE": np.prod(x.shape[:axis]), "NONE": 1}[mode]
    return np.array(-np.log(chosen[counts]).sum() / max(1, z)), p


@each_device
@given(
    data=st.data(),
    shape=shapes(min_rank=2),
    mode=st.sampled_from(["VALID", "FULL", "BATCH_SIZE", "NONE"]),
    ignore=st.sampled_from([None, 0, 1]),
    tops=st.sampled_from([1, 2]),
)
def test_formula_and_gradient(device, data, shape, mode, ignore, tops):
    axis = data.draw(st.integers(1, len(shape) - 1))
    loss = f"normalization: {mode}" + ("" if ignore is None else f" ignore_label: {ignore}")
    case = Case(
        layer(loss, f"softmax_param {{ axis: {axis} }}"),
        (shape, tuple(np.delete(shape, axis))),
        (distinct, labels(shape[axis])),
        tops=tops,
    )
    check_forward(case, device, lambda x, t: reference(x, t, axis, mode, ignore)[:tops])
    check_gradient(case, device)


@each_device
@pytest.mark.parametrize(
    "loss, factor",
    [("", 1), ("normalization: FULL", 1), ("normalization: BATCH_SIZE", 2), ("normalization: NONE", 4)]
    + [("normalize: false", 2), ("normalize: true", 1), ("normalize: false normalization: FULL", 1)],
)
def test_normalization_of_a_known_batch(device, loss, factor):
    """Caffe's own numbers: two items of two positions with equal scores for three classes."""
    case = Case(layer(loss), ((2, 3, 2), (2, 2)), (lambda shape, rng: np.zeros(shape), labels(3)))
    check_forward(case, device, lambda x, t: np.array(factor * np.log(3)))


@each_device
def test_classes_on_the_first_axis(device):
    case = Case(layer("", "softmax_param { axis: 0 }"), ((5, 5), (5,)), LABELS5)
    check_forward(case, device, lambda x, t: reference(x, t, 0, "VALID", None)[0])
    check_gradient(case, device)


@each_device
def test_ignored_positions(device):
    x, case = np.zeros((2, 3, 2)), ((2, 3, 2), (2, 2))
    rig = Rig(Case(layer("ignore_label: 255 normalization: FULL"), case), device)
    (y,) = rig.forward([x, np.array([[255, 255.0], [255.9, 2]])])
    np.testing.assert_allclose(y, np.log(3) / 4, rtol=1e-12)
    rig.seed_tops()
    (dx, _), _ = rig.backward()
    assert (dx[0] == 0).all() and (dx[1, :, 0] == 0).all() and (dx[1, :, 1] != 0).all()
    rig = Rig(Case(layer("ignore_label: -1"), case), device)
    (y,) = rig.forward([x, np.full((2, 2), -1.0)])
    assert y == 0  # nothing counts, and the divisor is 1
    rig.seed_tops()
    (dx, _), _ = rig.backward()
    np.testing.assert_array_equal(dx, np.zeros((2, 3, 2)))


@each_device
def test_labels_are_cut_towards_zero(device):
    rig = Rig(Case(layer("normalization: NONE"), ((3, 4), (3,))), device)
    x = rig.case.arrays()[0]
    one = rig.forward([x, np.array([1.9, -0.9, 3.0])])
    np.testing.assert_array_equal(one, rig.forward([x, np.array([1.0, 0.0, 3.0])]))


@each_device
def test_a_probability_of_zero_costs_what_the_smallest_float_costs(device):
    rig = Rig(Case(layer(), ((1, 2), (1,))), device)
    (y,) = rig.forward([np.array([[0.0, 1e4]]), np.array([0.0])])
    np.testing.assert_allclose(y, 126 * np.log(2), rtol=1e-12)


@each_device
@pytest.mark.parametrize(
    "label, shown", [(3, "3"), (-1, "-1"), (2.5e9, "2.5e+09"), (np.nan, "nan"), (-np.inf, "-inf")]
)
def test_a_label_that_is_no_class(device, label, shown):
    rig = Rig(Case(layer(), ((2, 3, 2), (2, 2))), device)
    t = np.array([[0, 1.0], [label, label]])
    with pytest.raises(DataError) as error:
        rig.forward([np.zeros((2, 3, 2)), t])
    remedy = "ignore_label: " if abs(label) < 10 else "look at what fills bottom 1"
    assert f"label {shown} at [1, 0] of bottom 1 is none of the 3 classes 0 to 2" in str(error.value)
    assert remedy in str(error.value)
    assert np.isnan(device.get(rig.top[0].data))
    rig.seed_tops()
    (dx, _), _ = rig.backward()
    assert np.isfinite(dx).all() and (dx[1] == 0).all() and (dx[0] != 0).all()
    rig.forward([np.zeros((2, 3, 2)), np.zeros((2, 2))])  # the complaint is made once


@each_device
def test_a_bad_label_is_remembered_until_the_host_looks(device):
    rig = Rig(Case(layer(), ((2, 3), (2,))), device)
    for t in ([0, 7], [5, 0], [0, 1]):
        device.put(np.array(t), rig.bottom[1].data)
        rig.layer.forward(rig.bottom, rig.top)
    with pytest.raises(DataError, match=r"label 7 at \[1\] of bottom 1"):
        rig.layer.verify()
    rig.layer.verify()


def test_the_net_says_which_layer_has_the_bad_label(cpu):
    rig = Rig(Case(layer("normalization: VALID"), ((2, 3), (2,))), cpu)
    cpu.fill(rig.bottom[1].data, 3)
    with pytest.raises(DataError, match=r"layer 'layer' \(SoftmaxWithLoss\): label 3 at \[0\]"):
        rig.net.forward()


def test_loss_weight_scales_loss_and_gradient(cpu):
    shapes = ((4, 5), (4,))
    one, other = (Rig(Case(layer("", f"loss_weight: {w}"), shapes, LABELS5), cpu) for w in (1, -2.5))
    arrays = one.case.arrays()
    for rig in (one, other):
        rig.forward(arrays)
    np.testing.assert_allclose(other.backward()[0][0], -2.5 * one.backward()[0][0], rtol=1e-12)
    assert other.net.loss() == pytest.approx(-2.5 * one.net.loss())


def test_the_second_top_has_no_loss_weight_unless_given(cpu):
    shapes = ((4, 5), (4,))
    rig = Rig(Case(layer(), shapes, LABELS5, tops=2), cpu)
    assert rig.net.loss_weight("y0") == 1 and rig.net.loss_weight("y1") == 0
    rig = Rig(Case(layer("", "loss_weight: 2"), shapes, LABELS5, tops=2), cpu)
    assert rig.net.loss_weight("y0") == 2 and rig.net.loss_weight("y1") == 0
    rig = Rig(Case(layer("", "loss_weight: 2 loss_weight: 3"), shapes, LABELS5, tops=2), cpu)
    assert rig.net.loss_weight("y1") == 3
    with pytest.raises(ConfigError, match="loss_weight has 3 entries for 2 tops"):
        Rig(Case(layer("", "loss_weight: 2 loss_weight: 3 loss_weight: 4"), shapes, LABELS5, tops=2), cpu)


@each_device
@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "InfogainLoss"])
@pytest.mark.parametrize("weights", [(), (2.5,), (2.5, 0.5)])
@pytest.mark.parametrize("used", [False, True])
def test_a_net_with_both_tops(device, kind, weights, used):
    """Loss and gradient of the whole net, the probabilities read by another loss or by nobody."""
    given = " ".join(f"loss_weight: {w}" for w in weights)
    gains = 'bottom: "h"' if kind == "InfogainLoss" else ""
    lines = f"""
        force_backward: true
        layer {{ name: "in" type: "Input" top: "x" top: "t" top: "h" top: "goal" input_param {{
          shape {{ dim: 4 dim: 3 }} shape {{ dim: 4 }} shape {{ dim: 3 dim: 3 }} shape {{ dim: 4 dim: 3 }}
        }} }}
        layer {{ name: "loss" type: "{kind}" bottom: "x" bottom: "t" {gains} top: "y" top: "p" {given} }}"""
    if used:
        lines += """
        layer { name: "far" type: "EuclideanLoss" bottom: "p" bottom: "goal" top: "d" loss_weight: 0.75 }"""
    net = Net(text.parse(lines, NetParameter), device=device, seed=1)
    rng = np.random.default_rng(3)
    x, t, goal, along = rng.standard_normal((4, 3)), np.array([0, 2, 1, 0]), *rng.standard_normal((2, 4, 3))
    first, second = (*weights, *(1.0, 0.0)[len(weights) :])

    def loss(x):
        p = softmax(x, 1)
        total = -first * np.log(p[np.arange(4), t]).mean() + second * p.sum()
        return total + used * 0.75 * ((p - goal) ** 2).sum() / 8

    net.forward(x=x, t=t, h=np.eye(3), goal=goal)
    np.testing.assert_allclose(net.loss(), loss(x), rtol=1e-9)
    net.backward()
    numeric = (loss(x + 1e-5 * along) - loss(x - 1e-5 * along)) / 2e-5
    np.testing.assert_allclose((device.get(net.blobs["x"].diff) * along).sum(), numeric, rtol=1e-7)


@each_device
@pytest.mark.parametrize("count", [1023, 1024, 1025, 3000])
def test_many_positions(device, count):
    """More than one partial sum; the position of a bad label is right in any of them."""
    case = Case(layer("ignore_label: 0"), ((1, 3, count), (1, count)), (distinct, labels(3)))
    check_forward(case, device, lambda x, t: reference(x, t, 1, "VALID", 0)[0])
    rig = Rig(case, device)
    x, t = case.arrays()
    t[0, [count - 3, count - 1]] = 9, 8
    with pytest.raises(DataError, match=rf"label 9 at \[0, {count - 3}\]"):
        rig.forward([x, t])


def test_float32_agrees_with_double():
    rng = np.random.default_rng(1)
    x, t = (3 * rng.standard_normal((256, 1000))).astype(np.float32), rng.integers(0, 1000, 256)
    (y,) = Rig(Case(layer(), (x.shape, t.shape)), make_device("cpu", np.float32)).forward([x, t])
    np.testing.assert_allclose(y, reference(x.astype(np.float64), t, 1, "VALID", None)[0], rtol=1e-6)


def test_shapes_that_do_not_fit(cpu):
    with pytest.raises(ShapeError, match="same batch size"):
        Rig(Case(layer(), ((4, 3), (3,))), cpu)
    with pytest.raises(ShapeError) as error:
        Rig(Case(layer(), ((4, 3, 2, 2), (4,))), cpu)
    assert "must hold 16 labels, for scores of shape (4, 3, 2, 2)" in str(error.value)
    assert "got 4 in shape (4,)" in str(error.value) and "as in the shape (4, 2, 2)" in str(error.value)
    with pytest.raises(ShapeError, match="axis 1 does not exist"):
        Rig(Case(layer(), ((4,), (4,))), cpu)


@each_device
@given(
    shape=shapes(min_rank=2),
    mode=st.sampled_from(["VALID", "BATCH_SIZE"]),
    ignore=st.sampled_from([None, 0, 255]),
    tops=st.sampled_from([1, 2]),
)
def test_class_weights(device, shape, mode, ignore, tops):
    """The weights count in the sum, and not in what it is divided by."""
    classes = shape[1]
    weights = np.arange(1, classes + 1) / 4
    listed = " ".join(f"class_weighting: {w}" for w in weights)
    loss = f"normalization: {mode} weight_by_label_freqs: true {listed}"
    loss += "" if ignore is None else f" ignore_label: {ignore}"
    case = Case(layer(loss), (shape, tuple(np.delete(shape, 1))), (distinct, labels(classes)), tops=tops)

    def formula(x, t):
        p, t = softmax(x, 1), t.astype(int)
        chosen = np.take_along_axis(p, t[:, None], 1)[:, 0]
        counts = np.ones(t.shape) if ignore is None else t != ignore
        z = counts.sum() if mode == "VALID" else len(x)
        found = np.array(-(weights[t] * counts * np.log(chosen)).sum() / max(1, z))
        return (found, p)[:tops]

    check_forward(case, device, formula)
    check_gradient(case, device, directions=1)


def test_class_weights_that_do_not_fit(cpu):
    both = "both weight_by_label_freqs: true and class_weighting, or neither"
    for loss, error, message in [
        ("class_weighting: 1", ConfigError, both),
        ("weight_by_label_freqs: true", ConfigError, both),
        ("weight_by_label_freqs: true class_weighting: [1, 2]", ShapeError, "each of the 5 classes .* got 2"),
    ]:
        with pytest.raises(error, match=message):
            Rig(Case(layer(loss), ((4, 5), (4,)), LABELS5), cpu)
    rig = Rig(Case(layer(WEIGHTS5), ((2, 5), (2,)), LABELS5), cpu)
    with pytest.raises(DataError, match=r"label 5 at \[1\] of bottom 1 is none of the 5 classes"):
        rig.forward([np.zeros((2, 5)), np.array([1.0, 5])])
