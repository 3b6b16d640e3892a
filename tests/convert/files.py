"""Nets and weights to convert."""

from __future__ import annotations

import numpy as np

from minicaffe.proto import binary, text
from minicaffe.proto.schema import NetParameter

NET = """name: "n"
    layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [2, 3] } } }
    layer { name: "a/b" type: "InnerProduct" bottom: "x" top: "y" param { name: "w" }
            inner_product_param { num_output: 2 } }
    layer { name: "bn" type: "BatchNorm" bottom: "y" top: "y" }"""


def weights(dtype=np.float32, diff: bool = False) -> NetParameter:
    """NET with its weights: 0, 1, 2 and so on, the correction 1."""
    net = text.parse(NET, NetParameter)
    at = 0
    for layer, shapes in (("a/b", [(2, 3), (2,)]), ("bn", [(2,), (2,), (1,)])):
        entry = next(each for each in net.layer if each.name == layer)
        for shape in shapes:
            count = int(np.prod(shape))
            array = (
                np.arange(at, at + count, dtype=dtype).reshape(shape) if shape != (1,) else np.ones(1, dtype)
            )
            entry.blobs.append(binary.from_array(array, array * 2 if diff else None))
            at += count
    return net


def arrays(net: NetParameter) -> dict[str, np.ndarray]:
    """What the blobs of a net hold, by layer and number."""
    return {
        f"{layer.name}/{i}": binary.to_array(blob)
        for layer in net.layer
        for i, blob in enumerate(layer.blobs)
    }


def same(one: NetParameter, other: NetParameter) -> None:
    """The same weights, to the bit and in the same precision."""
    a, b = arrays(one), arrays(other)
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype and a[name].shape == b[name].shape
        np.testing.assert_array_equal(a[name], b[name])
