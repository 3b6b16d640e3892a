"""Whole nets: every blob and every parameter gradient has the signature that Caffe recorded."""

from __future__ import annotations

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
    "lenet_train_test": (HERE.parent / "prototxt" / "lenet" / "train_test.prototxt", (2, 1, 28, 28)),
    "cifar10_quick_train_test": (HERE / "support" / "cifar10_quick.prototxt", (2, 3, 32, 32)),
}


def without_data(param: NetParameter, shape: tuple[int, ...]) -> NetParameter:
    """The net with Input layers in the place of its data layers."""
    net = NetParameter(name=param.name)
    for top, dims in (("data", shape), ("label", shape[:1])):
        net.layer.add(name=f"input_{top}", type="Input", top=[top]).input_param.shape.add(dim=dims)
    net.layer.extend(layer for layer in param.layer if layer.type != "Data")
    return net


def random(name: str) -> np.random.RandomState:
    return np.random.RandomState(crc32(name.encode()))


def signature(array: np.ndarray) -> np.ndarray:
    flat = array.astype(np.float64).ravel()
    return np.array([flat.mean(), np.abs(flat).mean(), flat.std(), *np.resize(flat[:8], min(8, flat.size))])


def agree(name: str, array: np.ndarray, wanted: np.ndarray) -> None:
    got = signature(array)
    scale = max(np.abs(wanted).max(), 1e-8)
    np.testing.assert_allclose(got, wanted[: got.size], rtol=1e-3, atol=1e-3 * scale, err_msg=name)


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("name", NETS)
def test_signatures(name, phase):
    path, shape = NETS[name]
    stored = np.load(HERE / "golden" / "nets" / f"{name}.{phase}.npz")
    device = CpuDevice(np.float32)
    net = Net(without_data(upgrade.read_net(path), shape), phase=phase, device=device, seed=1)
    for layer in net.layers:
        for i, blob in enumerate(layer.params):
            several = sum(d > 1 for d in blob.shape) > 1
            scale = np.sqrt(2 / (blob.count / blob.shape[0])) if several else 0.01
            values = random(f"{layer.name}/{i}").randn(*blob.shape) * scale
            device.put(values.astype(np.float32), blob.data)
    device.put(random("input/data").randn(*shape).astype(np.float32), net.blobs["data"].data)
    device.put(random("input/label").randint(0, 5, shape[:1]), net.blobs["label"].data)
    net.forward()
    net.clear_param_diffs()
    net.backward()
    blobs = {key.split("/", 1)[1]: stored[key] for key in stored.files if key.startswith("blob/")}
    assert blobs
    for blob, wanted in blobs.items():
        agree(f"blob {blob}", device.get(net.blobs[blob].data), wanted)
    for key in stored.files:
        if key.startswith("param_diff/"):
            layer_name, index = key.removeprefix("param_diff/").rsplit("/", 1)
            agree(key, device.get(net.params[layer_name][int(index)].diff), stored[key])
