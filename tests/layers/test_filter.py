"""Filter, and nets whose shapes change in the middle of a pass."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct
from ..support.strategies import shapes

LAYER = 'type: "Filter"'


def chosen(*items: float):
    return lambda shape, rng: np.resize(np.array(items, np.float64), shape)


def case(shape: tuple, *items: float, blobs: int = 1) -> Case:
    return Case(
        LAYER,
        (*[shape] * blobs, (shape[0], 1, 1, 1)),
        (*[distinct] * blobs, chosen(*items)),
        tops=blobs,
    )


CASES = [case((6, 3, 2), 1, 0, 0, 1, 1, 0), case((4,), 0, 2), case((3, 2), -1), case((5, 2), 0, 1, blobs=2)]


@each_device
@given(shape=shapes(), items=st.lists(st.sampled_from([0.0, 1.0, -3.0, 0.5]), min_size=1, max_size=6))
def test_formula(device, shape, items):
    check_forward(case(shape, *items), device, lambda x, s: x[s.reshape(-1) != 0])
    check_gradient(case(shape, *items), device)


@each_device
def test_left_out_items_get_no_gradient(device):
    rig = Rig(case((3, 2), 1, 0, 1), device)
    rig.forward([np.ones((3, 2)), np.array([1.0, 0, 1]).reshape(3, 1, 1, 1)])
    dy = np.array([[1.0, 2], [3, 4]])
    device.put(dy, rig.top[0].diff)
    device.fill(rig.bottom[0].diff, np.nan)
    (dx, _), _ = rig.backward()
    np.testing.assert_array_equal(dx, [[1, 2], [0, 0], [3, 4]])


@pytest.mark.parametrize(
    ("shapes", "tops", "message"),
    [
        (((3, 2), (2,)), 1, r"the selector is for 2 items, bottom 0 has \(3, 2\)"),
        (((3, 2), (3, 2)), 1, r"one value per item; got \(3, 2\)"),
        (((3, 2), (3,)), 2, "1 bottoms are filtered, but there are 2 tops"),
    ],
)
def test_errors(shapes, tops, message):
    from ..support.devices import make_device

    with pytest.raises(ShapeError, match=message):
        Rig(Case(LAYER, shapes, tops=tops), make_device("cpu"))


NET = """
layer { name: "in" type: "Input" top: "x" top: "s" top: "label"
  input_param { shape { dim: 8 dim: 5 } shape { dim: 8 } shape { dim: 8 } } }
layer { name: "first" type: "InnerProduct" bottom: "x" top: "h"
  inner_product_param { num_output: 6 weight_filler { type: "xavier" } } }
layer { name: "filter" type: "Filter" bottom: "h" bottom: "label" bottom: "s" top: "k" top: "l"
  propagate_down: true propagate_down: false propagate_down: false }
layer { name: "drop" type: "Dropout" bottom: "k" top: "k" dropout_param { dropout_ratio: 0 } }
layer { name: "last" type: "InnerProduct" bottom: "k" top: "y"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "l" top: "loss"
  propagate_down: true propagate_down: false }
"""


def run(net: Net, inputs: dict) -> tuple[float, np.ndarray]:
    net.clear_param_diffs()
    loss = net.forward(**inputs)["loss"]
    net.backward()
    return float(loss), np.array(net.parameters.diff)


@pytest.mark.parametrize("keep", ["all", "needed"])
def test_the_net_behind_follows_from_pass_to_pass(keep):
    """Loss and gradients are those of a net that is fed the kept items only; shapes shrink, grow and vanish,
    and a larger batch comes in between."""
    net = Net(text.parse(NET, NetParameter), phase="TRAIN", seed=1, keep=keep)
    rng = np.random.default_rng(1)
    for items, kept in [(8, 3), (8, 8), (8, 1), (13, 9), (8, 0), (2, 2), (8, 5)]:
        x, label = rng.standard_normal((items, 5)), rng.integers(0, 3, items)
        s = rng.permutation([1] * kept + [0] * (items - kept))
        loss, gradients = run(net, {"x": x, "s": s, "label": label})
        assert net.blobs["y"].shape == (kept, 3)
        if kept == 0:
            assert loss == 0
            assert not gradients.any()
            continue
        plain = Net(text.parse(NET.replace("dim: 8", f"dim: {kept}"), NetParameter), phase="TRAIN", seed=1)
        wanted, slopes = run(plain, {"x": x[s == 1], "s": np.ones(kept), "label": label[s == 1]})
        assert loss == pytest.approx(wanted, rel=1e-6)
        np.testing.assert_allclose(gradients, slopes, rtol=1e-5, atol=1e-7)


def test_the_selector_has_no_gradient():
    learned = NET.replace('bottom: "x" top: "h"', 'bottom: "x" top: "s2"').replace(
        "num_output: 6", "num_output: 1"
    )
    learned = learned.replace(
        'bottom: "h" bottom: "label" bottom: "s"', 'bottom: "x" bottom: "label" bottom: "s2"'
    )
    learned = learned.replace("propagate_down: true propagate_down: false propagate_down: false", "")
    with pytest.raises(ConfigError, match="bottom 2 's2' needs a gradient"):
        Net(text.parse(learned, NetParameter), phase="TRAIN")
