"""Weights as a net has them: every parameter of every layer, in its shape, shared ones with each sharer."""

from __future__ import annotations

from pathlib import Path

from .. import weights
from ..device.cpu import CpuDevice
from ..errors import WeightsError
from ..net import Net
from ..proto import hdf5
from ..proto.schema import NetParameter
from . import formats


def through_net(model: str | Path, path: str | Path) -> NetParameter:
    """The weights of a file, loaded into the net of a prototxt in its TEST phase and taken from there, as
    Caffe would store them: all layers, Splits too; in float64 if the file is, else in float32.

    Raises a MiniCaffeError that names file, layer and parameter for weights that do not fit the net, or that
    lack a layer of it.
    """
    as_hdf5 = hdf5.is_hdf5(path)
    if as_hdf5:
        with hdf5.open_weights(path) as stored:
            double = any(d.dtype.itemsize == 8 for datasets in stored.values() for d in datasets.values())
    else:
        message = formats.read_weights(path)
        double = any(blob.double_data for layer in message.layer for blob in layer.blobs)
    device = CpuDevice("float64" if double else "float32")
    net = Net(model, phase="TEST", device=device, seed=1, forward_only=True)
    lacking = weights.load(net, path) if as_hdf5 else weights.load_message(net, message, path)
    owners = {net.layers[owned.layer].name for owned in net.parameters.owned}
    if missing := [name for name in lacking if name in owners]:
        raise WeightsError(f"{path}: layer {missing[0]!r} of {model} is not in it")
    return net.to_message()
