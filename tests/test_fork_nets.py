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
# Parameters between 0.5 and 1.5, and those with a deviation of 0.1.
UNIFORM = {("BatchNorm", 1), ("BN", 0), ("BN", 3), ("Scale", 0)}
SMALL = {("BatchNorm", 0), ("BN", 1), ("BN", 2), ("Scale", 1)}


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
            got = np.pad(got, (0, len(wanted) - len(got)))  # of fewer than eight values
            np.testing.assert_allclose(got, wanted, rtol=2e-3, atol=2e-3 * np.abs(wanted).max(), err_msg=key)


def test_a_segnet_returns_maxima_to_where_they_stood():
    """Through a Pooling whose mask an Upsample reads: in every plane as many pixels as there were windows."""
    net, device = run(np.load(next(path for path in NETS if path.stem == "segnet")))
    (up,) = [layer for layer in net.layers if layer.type == "Upsample"][:1]
    x, mask, y = (net.blobs[name] for name in (*up.param.bottom, *up.param.top))
    values, places = device.get(x.data), device.get(mask.data).astype(int)
    planes = device.get(y.data).reshape(*y.shape[:2], -1)
    flat = places.reshape(*x.shape[:2], -1)
    np.testing.assert_array_equal(np.take_along_axis(planes, flat, 2), values.reshape(flat.shape))
    assert np.count_nonzero(planes) == np.count_nonzero(values)


def test_an_ssd_finds_boxes():
    """The last layer of a detector: rows by class, scores from the highest down, above the threshold."""
    net, device = run(np.load(next(path for path in NETS if path.stem == "ssd_vgg")))
    rows = device.get(net.blobs["detection_out"].data)[0, 0]
    assert 1 < len(rows) <= 50
    assert (rows[:, 2] > 0.3).all() and not rows[:, 0].any()
    order = np.lexsort((-rows[:, 2], rows[:, 1]))
    np.testing.assert_array_equal(order, np.arange(len(rows)))
