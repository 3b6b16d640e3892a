"""Split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import ConfigError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

CASES = [Case('type: "Split"', ((2, 3, 4),), tops=n) for n in (1, 2, 4)]


@each_device
@given(shape=shapes(), tops=st.integers(1, 4))
def test_copies_and_sums(device, shape, tops):
    case = Case('type: "Split"', (shape,), tops=tops)
    check_forward(case, device, lambda x: [x] * tops)
    check_gradient(case, device)


@each_device
def test_the_gradient_is_the_sum_of_all(device):
    rig = Rig(Case('type: "Split"', ((5,),), tops=3), device)
    rig.forward([np.zeros(5)])
    diffs = rig.seed_tops()
    (dx,), _ = rig.backward()
    np.testing.assert_allclose(dx, sum(diffs), rtol=1e-14)


def test_no_copy_is_made(cpu):
    rig = Rig(CASES[1], cpu)
    assert all(np.shares_memory(top.data, rig.bottom[0].data) for top in rig.top)


def test_in_place_is_refused(cpu):
    with pytest.raises(ConfigError, match="cannot run in place"):
        Rig(CASES[1], cpu, in_place=True)


DEAD_BRANCH = """
layer { name: "data" type: "Input" top: "x" top: "t" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
        inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
layer { name: "silence" type: "Silence" bottom: "y" }
"""


@pytest.mark.parametrize("keep", ["all", "needed"])
def test_a_branch_without_gradient_counts_as_zero(keep):
    """Twice, because memory that was zero at first may not be later."""
    alone = DEAD_BRANCH[: DEAD_BRANCH.index('layer { name: "silence"')]
    gradients = []
    for net_text, mode in ((alone, "all"), (DEAD_BRANCH, keep)):
        net = Net(text.parse(net_text, NetParameter), device=CpuDevice(np.float64), seed=3, keep=mode)
        rng = np.random.default_rng(0)
        for name in ("x", "t"):
            net.device.put(rng.standard_normal((2, 3)), net.blobs[name].data)
        for _ in range(2):
            net.forward()
            net.clear_param_diffs()
            net.backward()
        gradients.append(net.device.get(net.params["ip"][0].diff))
    np.testing.assert_array_equal(*gradients)
