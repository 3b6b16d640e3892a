"""Whole nets: every blob and every parameter gradient has the signature that Caffe recorded."""

from __future__ import annotations

import functools
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.net import Net
from minicaffe.proto import upgrade
from minicaffe.proto.schema import NetParameter

HERE = Path(__file__).parent
NETS = {
    "lenet_train_test": ("lenet/train_test.prototxt", (2, 1, 28, 28)),
    "cifar10_quick_train_test": ("cifar10_quick/train_test.prototxt", (2, 3, 32, 32)),
    "googlenet_train_val": ("googlenet/train_val.prototxt", (2, 3, 224, 224)),
    "googlenet_deploy": ("googlenet/deploy.prototxt", (10, 3, 224, 224)),
}

Arrays = dict[str, np.ndarray]

STATISTICS = 3  # of a signature: mean, mean absolute value, standard deviation; then follow single values

# In a net as deep as GoogLeNet rounding can decide on which side of zero an input of ReLU lies (one was
# counted between float32 and float64), or which of two nearly equal elements a max pooling takes.  No blob
# differs by more than 4e-6 for it, but seven of 128 gradients do in some single element, by 1.6e-3 to
# 5.5e-3 of their largest.  So in float32 the statistics of its gradients are compared, and the single
# values in float64. One gradient of Caffe, which computed in float32, is itself farther than 1e-3 from that
# in float64:
ROUNDED = {"param_diff/conv1/7x7_s2/0": 2e-3}


def recorded(path: str, shape: tuple[int, ...]) -> NetParameter:
    """The net as it was recorded: Input layers in the place of its data layers, no Dropout."""
    param = upgrade.read_net(HERE.parent / "prototxt" / path)
    labelled = any("label" in layer.top for layer in param.layer)
    net = NetParameter(name=param.name)
    for top, dims in (("data", shape), ("label", shape[:1]))[: 1 + labelled]:
        net.layer.add(name=f"input_{top}", type="Input", top=[top]).input_param.shape.add(dim=dims)
    net.layer.extend(layer for layer in param.layer if layer.bottom)
    for layer in net.layer:
        if layer.type == "Dropout":
            layer.dropout_param.dropout_ratio = 0
    return net


def random(name: str) -> np.random.RandomState:
    return np.random.RandomState(crc32(name.encode()))


@functools.cache
def run(
    name: str, phase: str, dtype: type, math: str = "FAST"
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """After a forward and a backward pass by the recipe: what Caffe recorded, and what we have, by key."""
    path, shape = NETS[name]
    stored = np.load(HERE / "golden" / "nets" / f"{name}.{phase}.npz")
    device = CpuDevice(dtype, math=math)
    net = Net(recorded(path, shape), phase=phase, device=device, seed=1)
    for layer in net.layers:
        for i, blob in enumerate(layer.params):
            several = sum(d > 1 for d in blob.shape) > 1
            scale = np.sqrt(2 / (blob.count / blob.shape[0])) if several else 0.01
            values = random(f"{layer.name}/{i}").randn(*blob.shape) * scale
            device.put(values.astype(np.float32), blob.data)
    device.put(random("input/data").randn(*shape).astype(np.float32), net.blobs["data"].data)
    if "label" in net.blobs:
        device.put(random("input/label").randint(0, 5, shape[:1]), net.blobs["label"].data)
    net.forward()
    net.clear_param_diffs()
    net.backward()
    found = {f"blob/{blob}": signature(device.get(net.blobs[blob].data)) for blob in net.blobs}
    for layer_name, params in net.params.items():
        for i, blob in enumerate(params):
            found[f"param_diff/{layer_name}/{i}"] = signature(device.get(blob.diff))
    return {key: stored[key] for key in stored.files if key != "phase"}, found


def signature(array: np.ndarray) -> np.ndarray:
    flat = array.astype(np.float64).ravel()
    return np.array([flat.mean(), np.abs(flat).mean(), flat.std(), *np.resize(flat[:8], min(8, flat.size))])


def agree(key: str, got: np.ndarray, wanted: np.ndarray, tolerance: float = 1e-3) -> None:
    wanted = wanted[: got.size]
    scale = max(np.abs(wanted).max(), 1e-8)
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance * scale, err_msg=key)


def check(name: str, found: Arrays, wanted: Arrays, tolerance: float = 1e-3) -> None:
    assert [key for key in wanted if key.startswith("blob/")] == [k for k in found if k.startswith("blob/")]
    for key in wanted:
        rounded = name == "googlenet_train_val" and key.startswith("param_diff/")
        count = STATISTICS if rounded else None
        agree(key, found[key][:count], wanted[key][:count], 1e-3 if rounded else tolerance)


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("name", NETS)
def test_signatures(name, phase):
    wanted, found = run(name, phase, np.float32)
    check(name, found, wanted)


def test_signatures_in_exact_math():
    """Of the one net here whose convolutions Winograd computes otherwise."""
    name = "googlenet_train_val"
    wanted, exact = run(name, "TRAIN", np.float32, "EXACT")
    check(name, exact, wanted)
    check(name, run(name, "TRAIN", np.float32)[1], exact, 1e-4)


@pytest.mark.slow
def test_single_gradients_of_googlenet():
    wanted, found = run("googlenet_train_val", "TRAIN", np.float64)
    for key in wanted:
        agree(key, found[key], wanted[key], ROUNDED.get(key, 1e-3))


def test_a_planted_fault_is_seen():
    wanted = signature(np.arange(1, 100, dtype=np.float32))
    agree("as it is", 1.0005 * wanted, wanted)
    with pytest.raises(AssertionError, match="off"):
        agree("off", wanted + 0.0025 * wanted.max(), wanted)
    assert signature(np.ones(3)).size == 6
