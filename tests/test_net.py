"""Net: memory, gradients, parameters and inputs of whole nets."""

from __future__ import annotations

import gc
import os
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest

from minicaffe import Net, Solver
from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import ConfigError, MiniCaffeError, ShapeError
from minicaffe.graph.passes import PASSES
from minicaffe.proto import binary, text, upgrade
from minicaffe.proto.schema import NetParameter

DIGITS = Path(__file__).parent.parent / "prototxt" / "digits"

# A branch of every kind: a split, layers in place, a concatenation, a sum, a shared parameter, two losses.
BRANCHES = """
layer { name: "in" type: "Input" top: "data" top: "label" input_param {
  shape { dim: 4 dim: 3 dim: 7 dim: 7 } shape { dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "tanh" type: "TanH" bottom: "conv" top: "conv" }
layer { name: "norm" type: "LRN" bottom: "conv" top: "norm" lrn_param { local_size: 3 alpha: 0.5 } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param { pool: AVE kernel_size: 3 pad: 1 } }
layer { name: "sum" type: "Eltwise" bottom: "norm" bottom: "pool" top: "sum"
  eltwise_param { coeff: 1 coeff: -2 } }
layer { name: "both" type: "Concat" bottom: "sum" bottom: "conv" top: "both" }
layer { name: "sigmoid" type: "Sigmoid" bottom: "both" top: "both" }
layer { name: "ip1" type: "InnerProduct" bottom: "both" top: "ip1" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "ip2" type: "InnerProduct" bottom: "both" top: "ip2" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 5 } }
layer { name: "apart" type: "Power" bottom: "ip2" top: "apart" power_param { scale: 0.5 shift: 0.25 } }
layer { name: "classes" type: "SoftmaxWithLoss" bottom: "ip1" bottom: "label" top: "classes"
  loss_weight: 0.5 }
layer { name: "distance" type: "EuclideanLoss" bottom: "apart" bottom: "ip1" top: "distance" loss_weight: 2 }
"""


def branches(**options) -> Net:
    """The net above with something at its inputs."""
    net = Net(text.parse(BRANCHES, NetParameter), phase="TRAIN", seed=1, **options)
    rng = np.random.default_rng(2)
    net.put_inputs({"data": rng.standard_normal((4, 3, 7, 7)), "label": [0, 4, 2, 1]})
    return net


def gradients(net: Net) -> np.ndarray:
    net.clear_param_diffs()
    net.forward()
    net.backward()
    return net.device.get(net.parameters.diff)


def test_gradients_by_all_parameters_in_shared_memory():
    """Central differences along random directions, through splits, sharing and weighted losses."""
    net = branches(device=CpuDevice("float64"), keep="needed")
    gradient, start = gradients(net), net.device.get(net.parameters.data)
    for seed in range(4):
        direction = np.random.default_rng(seed).standard_normal(start.shape) * (start != 0)
        values = []
        for step in (1e-5, -1e-5):
            net.device.put(start + step * direction, net.parameters.data)
            net.forward()
            values.append(net.loss())
        assert (values[0] - values[1]) / 2e-5 == pytest.approx(gradient @ direction, rel=1e-8)


def test_shared_memory_changes_no_bit():
    exact = [name for name in PASSES if name not in ("accumulate", "siblings", "absorb")]
    apart, shared = branches(keep="all"), branches(keep="needed", passes=exact)
    for _ in range(2):  # the second pass finds the arena full of what the first one left
        one, other = apart.forward(), shared.forward()
        assert one.keys() == other.keys() == {"classes", "distance"}
        assert all((one[name] == other[name]).all() for name in one)
        assert (gradients(apart) == gradients(shared)).all()


def test_what_the_net_needs_not_is_poisoned_without_effect():
    net = branches(keep="needed")
    wanted = gradients(net)
    net.memory._arena.block[:] = 0xFF  # NaN, as floats
    assert (gradients(net) == wanted).all()


def test_one_array_holds_parameters_of_equal_name():
    net = branches()
    (w1, b1), (w2, b2) = net.params["ip1"], net.params["ip2"]
    assert np.shares_memory(w1.data, w2.data) and np.shares_memory(b1.diff, b2.diff)
    assert len(net.parameters.owned) == 4


def test_loss_is_the_weighted_sum():
    net = branches()
    outputs = net.forward()
    assert net.loss() == pytest.approx(0.5 * outputs["classes"] + 2 * outputs["distance"])
    assert net.loss_weight("distance") == 2 and net.loss_weight("conv") == 0


def test_parts_make_the_whole():
    net = branches()
    wanted, gradient = net.forward(), gradients(net)
    net.clear_param_diffs()
    last = len(net.layers) - 1
    net.forward(0, 3)
    assert net.forward(4) == wanted
    net.backward(last, 6)
    net.backward(5)
    assert (net.device.get(net.parameters.diff) == gradient).all()


def test_a_training_step_allocates_nothing():
    """Data layer with its thread, forward, backward and update, on batches so large that arrays dwarf the
    objects of Python's calls.  The thread may have its indices (10 KB each) and NumPy's buffer for a change
    of type (72 KB); the images have 328 KB, and what the layers compute has megabytes."""
    param = upgrade.read_solver(DIGITS / "solver.prototxt")
    param.net_param.CopyFrom(upgrade.read_net(DIGITS / "train_test.prototxt"))
    param.net_param.layer[0].data_param.batch_size = 1280
    param.ClearField("net")
    param.display = param.snapshot = 0
    param.test_interval = 100000
    solver = Solver.create(param)
    tracemalloc.start()
    try:
        solver.step(10)
        gc.collect()  # objects kept for reuse
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        solver.step(60)  # so many that even a batch of labels, left behind every time, would be noticed
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - before < 250_000


def test_a_net_says_what_it_is():
    assert repr(Net(DIGITS / "deploy.prototxt", phase="TEST")) == (
        "<Net 'LeNet-digits', TEST on cpu: 9 layers, 131,080 parameters,"
        " inputs data (64, 1, 8, 8), outputs prob (64, 10)>"
    )


def test_inputs_by_name_bring_their_shape():
    net = Net(DIGITS / "deploy.prototxt", phase="TEST", seed=1)
    images = np.random.default_rng(0).random((5, 1, 8, 8))
    whole = net.forward(data=images)["prob"]
    assert whole.shape == (5, 10)
    for i in range(5):  # another shape, another plan
        np.testing.assert_allclose(net.forward(data=images[i : i + 1])["prob"], whole[i : i + 1], rtol=1e-5)
    with pytest.raises(ConfigError, match=r"'dta' is not an input of the net; hint: inputs: data"):
        net.forward(dta=images)
    with pytest.raises(ShapeError, match=r"layer 'conv1' \(Convolution\): bottom 0 of shape \(1, 8, 8\)"):
        net.forward(data=images[0])


def test_weights_are_taken_over_by_layer_name(tmp_path):
    source = branches()
    path = tmp_path / "weights.caffemodel"
    path.write_bytes(source.to_message().SerializeToString())
    other = Net(text.parse(BRANCHES, NetParameter), phase="TRAIN", seed=7)
    assert (other.parameters.data != source.parameters.data).any()
    other.load(path)
    assert (other.parameters.data == source.parameters.data).all()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda layer: layer.blobs.pop(), r"'ip1' \(InnerProduct\): 1 blobs are stored for 2 parameters"),
        (
            lambda layer: layer.blobs[0].CopyFrom(binary.from_array(np.zeros((5, 3), np.float32))),
            r"'ip1' \(InnerProduct\): parameter 0: stored with shape \(5, 3\); the net has \(5, 392\)",
        ),
    ],
)
def test_weights_that_do_not_fit_change_nothing(spoil, message, tmp_path):
    net = branches()
    stored = net.to_message()
    stored.layer[1].blobs[0].data[0] += 1  # would be written first
    spoil(next(layer for layer in stored.layer if layer.name == "ip1"))
    path = tmp_path / "weights.caffemodel"
    path.write_bytes(stored.SerializeToString())
    before = net.device.get(net.parameters.data)
    with pytest.raises(ShapeError, match=message):
        net.load(path)
    assert (net.device.get(net.parameters.data) == before).all()


@pytest.mark.parametrize("early", [False, True], ids=["later", "from the start"])
def test_sharing_needs_no_copy(early):
    net = branches()
    other = Net(text.parse(BRANCHES, NetParameter), phase="TEST", seed=9, share=net if early else None)
    other.share_with(net)
    net.params["conv"][0].data[...] = 0.125
    assert (other.params["conv"][0].data == 0.125).all()
    layout = other.executor.layout
    other.share_with(net)
    assert other.parameters.data is net.parameters.data and other.executor.layout == layout
    with pytest.raises(ConfigError, match="float32 parameters cannot be shared as float64"):
        Net(text.parse(BRANCHES, NetParameter), device=CpuDevice("float64"), share=net)


PAIR = """
layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 3 }} }} }}
layer {{ name: "{0}" type: "InnerProduct" bottom: "x" top: "y" param {{ name: "w" }}
  inner_product_param {{ num_output: 3 bias_term: false weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "{1}" type: "InnerProduct" bottom: "y" top: "z" param {{ name: "w" }}
  inner_product_param {{ num_output: 3 bias_term: false }} }}
layer {{ name: "more" type: "InnerProduct" bottom: "z" top: "out"
  inner_product_param {{ num_output: 1 weight_filler {{ type: "xavier" }} }} }}
"""


@pytest.mark.parametrize("names", [("one", "two"), ("two", "one")])
@pytest.mark.parametrize("early", [False, True], ids=["later", "from the start"])
def test_what_is_shared_by_name_with_a_borrower_borrows_too(names, early):
    """Layer two is not in the other net; it is the owner, or one that shares."""
    source = Net(text.parse(PAIR.format("one", "far"), NetParameter), seed=1)
    param = text.parse(PAIR.format(*names).replace('"more"', '"other"'), NetParameter)
    net = Net(param, seed=2, share=source if early else None)
    net.share_with(source)
    source.params["one"][0].data[...] = 0.5
    assert all((net.params[name][0].data == 0.5).all() for name in names)
    assert net.parameters.data is None and net.params["other"][0].data.any()


class Counting(CpuDevice):
    """Counts the bytes of arrays that are alive, and the most there were."""

    now = most = 0

    def _allocated(self, make, shape, dtype):
        array = super()._allocated(make, shape, dtype)
        base = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        self.now += array.nbytes
        self.most = max(self.most, self.now)
        weakref.finalize(base, self._gone, array.nbytes)
        return array

    def _gone(self, nbytes: int) -> None:
        self.now -= nbytes


@pytest.mark.parametrize("keep", ["all", "needed"])
def test_old_memory_goes_before_new_memory_comes(keep):
    device = Counting()
    net = branches(device=device, keep=keep)
    assert device.most == device.now
    for count in (9, 30, 4):
        shape = (count, *net.blobs["data"].shape[1:])
        net.blobs["data"].reshape(*shape)
        net.blobs["label"].reshape(count)
        before = device.most
        net.reshape()
        assert device.most <= max(before, device.now)


def test_a_borrower_allocates_and_fills_nothing_of_its_own():
    device = Counting()
    source = branches(device=device)
    before, taken = device.now, source.parameters.data.nbytes
    Net(source.param, phase="TRAIN", device=device, forward_only=True)
    alone = device.most - before
    device.most = before
    Net(source.param, phase="TRAIN", device=device, forward_only=True, share=source)
    assert device.most - before == alone - taken


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_the_child_of_a_fork_runs_nets():
    """Its parent's, which has run before, and its own, on threads that it starts; the parent's still run."""
    net = branches(device=CpuDevice(threads=3))
    wanted = gradients(net)
    child = os.fork()
    if not child:
        same = [np.array_equal(gradients(one), wanted) for one in (net, branches())]
        os._exit(0 if all(same) else 1)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(gradients(net), wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('bottom: "norm" bottom: "pool"|bottom: "norm" bottom: "pol"', r":\d+: layer 'sum' .*'pol'.*'pool'"),
        ("kernel_size: 3 pad: 1 weight|kernel_size: 30 weight", r":4: layer 'conv' \(Convolution\): .*30"),
        ("loss_weight: 2|loss_weight: 2 loss_weight: 1", "'distance'.*loss_weight has 2 entries for 1 tops"),
        ('type: "TanH"|type: "Tanh"', r"layer 'tanh'.*Tanh.*TanH"),
    ],
)
def test_errors_name_file_line_and_layer(change, message, tmp_path):
    old, new = change.split("|")
    assert old in BRANCHES
    path = tmp_path / "net.prototxt"
    path.write_text(BRANCHES.replace(old, new))
    with pytest.raises(MiniCaffeError, match=f"^{path}.*{message}") as caught:
        Net(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", ["all", "needed"])
def test_forward_only(keep):
    """The same outputs in much less memory, and no backward pass."""
    both, forward = (branches(keep=keep, passes=(), forward_only=only) for only in (False, True))
    for name, value in both.forward().items():
        np.testing.assert_array_equal(forward.forward()[name], value)
    if keep == "needed":
        assert forward.memory.plan.nbytes < both.memory.plan.nbytes / 2
    assert forward.parameters.diff is None
    with pytest.raises(ConfigError, match="for forward passes only"):
        forward.backward()
