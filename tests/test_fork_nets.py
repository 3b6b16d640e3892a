"""Small whole nets of forks: what was recorded of them comes out again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter
from minicaffe.proto.upgrade import upgrade_net

from .test_golden_nets import random, signature

NETS = sorted((Path(__file__).parent / "golden" / "forks" / "nets").glob("*.npz"))
UNIFORM = {("BatchNorm", 1), ("Scale", 0)}  # parameters between 0.5 and 1.5
SMALL = {("BatchNorm", 0), ("Scale", 1)}  # those with a deviation of 0.1


def weights(kind: str, name: str, i: int, shape: tuple[int, ...]) -> np.ndarray:
    """Parameter i of a layer, as it was when the net was recorded."""
    draw = random(f"{name}/{i}")
    if (kind, i) == ("BatchNorm", 2):
        return np.ones(shape)
    if (kind, i) in UNIFORM or kind == "Normalize":
        return draw.uniform(0.5, 1.5, shape) * (10 if kind == "Normalize" else 1)
    if (kind, i) in SMALL:
        return 0.1 * draw.randn(*shape)
    several = sum(d > 1 for d in shape) > 1
    return draw.randn(*shape) * (np.sqrt(2 / np.prod(shape[1:])) if several else 0.01)


def run(stored) -> tuple[Net, CpuDevice]:
    """The net after a forward pass over what it was recorded with."""
    param = text.parse(str(stored["net"]), NetParameter)
    upgrade_net(param)
    device = CpuDevice(np.float32)
    net = Net(param, phase=str(stored["phase"]), device=device, seed=1)
    for layer in net.layers:
        for i, blob in enumerate(layer.params):
            values = weights(layer.param.type, layer.name, i, blob.shape)
            device.put(values.astype(np.float32), blob.data)
    shape = net.blobs["data"].shape
    net.forward(data=random("input/data").randn(*shape).astype(np.float32))
    return net, device


@pytest.mark.parametrize("path", NETS, ids=lambda path: path.stem)
def test_blobs(path):
    stored = np.load(path)
    net, device = run(stored)
    for key in stored.files:
        section, _, name = key.partition("/")
        if section == "shape":
            assert net.blobs[name].shape == tuple(stored[key])
        if section == "blob":
            wanted, got = stored[key], signature(device.get(net.blobs[name].data))
            np.testing.assert_allclose(got, wanted, rtol=2e-3, atol=2e-3 * np.abs(wanted).max(), err_msg=key)


def test_an_ssd_finds_boxes():
    """The last layer of a detector: rows by class, scores from the highest down, above the threshold."""
    net, device = run(np.load(next(path for path in NETS if path.stem == "ssd_vgg")))
    rows = device.get(net.blobs["detection_out"].data)[0, 0]
    assert 1 < len(rows) <= 50
    assert (rows[:, 2] > 0.3).all() and not rows[:, 0].any()
    order = np.lexsort((-rows[:, 2], rows[:, 1]))
    np.testing.assert_array_equal(order, np.arange(len(rows)))
