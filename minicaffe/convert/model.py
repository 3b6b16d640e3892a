"""Weights of any format into a net; and weights as a net has them: every parameter of every layer, in its
shape, shared ones with each sharer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import log
from ..device.cpu import CpuDevice
from ..errors import Place, WeightsError, locate
from ..files import LARGEST_BYTES
from ..net import Net, weights
from ..proto import binary, hdf5
from ..proto.schema import NetParameter
from . import formats


def through_net(
    model: str | Path,
    path: str | Path,
    *,
    level: int | None = None,
    stages: Sequence[str] = (),
    reshape: bool = False,
    largest_bytes: int = LARGEST_BYTES,
) -> NetParameter:
    """The weights of a file, loaded into the net of a prototxt in its TEST phase and taken from there, as
    Caffe would store them: all layers, Splits too; in float64 if the file is, else in float32.

    With `reshape`, a parameter of as many values as the net's takes the net's shape, in the order in which
    the values lie; the log names each: so the weights of an InnerProduct become those of a Convolution whose
    kernel covers its input.

    Raises a MiniCaffeError that names file, layer and parameter for weights that do not fit the net, or that
    lack a layer of it; WeightsError for a net that has none.
    """
    in_hdf5 = reshape and hdf5.is_hdf5(path)
    stored = hdf5.to_weights(path, largest_bytes) if in_hdf5 else _read(path, largest_bytes)
    device = CpuDevice("float64" if _is_double(path, stored, largest_bytes) else "float32")
    device.largest_bytes = largest_bytes
    net = Net(model, phase="TEST", level=level, stages=stages, device=device, seed=1, forward_only=True)
    if not net.parameters.owned:
        raise WeightsError(f"{model}: no layer has weights")
    if reshape and stored is not None:
        for line in _reshape(stored, net):
            log.warning(f"{path}: {line}")
    if missing := _fill(net, path, stored):
        raise WeightsError(f"{path}: layer {missing[0]!r} of {model} is not in it")
    return net.to_message()


def _reshape(stored: NetParameter, net: Net) -> Iterator[str]:
    """Give parameters of as many values as the net's the net's shape, in place; a line for each."""
    targets = {layer.name: layer for layer in reversed(net.layers)}
    for layer in stored.layer:
        params = targets[layer.name].params if layer.name in targets else []
        for j, (blob, target) in enumerate(zip(layer.blobs, params)):
            shape = binary.blob_shape(blob)
            if shape != target.shape and math.prod(shape) == target.count:
                said = not binary.is_legacy(blob)  # the four axes that all blobs once had are no news
                with locate(Place(layer=layer.name)), locate(f"blob {j}"):
                    blob.CopyFrom(binary.from_array(binary.to_array(blob).reshape(target.shape)))
                if said:
                    yield f"{Place(f'blob {j}', layer.name)}: {shape} becomes {target.shape}"


def load(net: Net, path: str | Path) -> list[str]:
    """Load the weights of a file of any format, all or none; the log names what the net has no layer for.

    Returns the names of the layers with parameters of their own that the file lacks.  Raises a MiniCaffeError
    that names file, layer and parameter for weights that do not fit.
    """
    return _fill(net, path, _read(path, net.device.largest_bytes))


def load_all(net: Net, path: str | Path, *, quiet: bool = False) -> None:
    """As `load`; WeightsError for layers that the file lacks.  With `quiet` nothing is said of what the net
    has no layer for."""
    if missing := _fill(net, path, _read(path, net.device.largest_bytes), quiet=quiet):
        raise WeightsError(
            f"{path} holds no weights for {', '.join(map(repr, missing))}",
            hint="names of layers in net and weights must agree",
        )


def _read(path: str | Path, largest_bytes: int) -> NetParameter | None:
    """The weights in a file; None for HDF5, which only a net can read: what is shared lies there once."""
    return None if hdf5.is_hdf5(path) else formats.read_weights(path, largest_bytes)


def _fill(net: Net, path: str | Path, stored: NetParameter | None, *, quiet: bool = False) -> list[str]:
    """`load`, of a file that `_read` has read."""
    if stored is None:
        with hdf5.open_weights(path, net.device.largest_bytes) as datasets:
            names = [name for name, found in datasets.items() if found]
        lacking = weights.load(net.parameters, path, quiet=True, must_match=True)
    else:
        names = [layer.name for layer in stored.layer if layer.blobs]
        lacking = weights.load_message(net.parameters, stored, path, quiet=quiet, must_match=True)
    known = _names(net)
    surplus = [repr(name) for name in names if name not in known]
    if surplus and not quiet:
        log.warning(f"{path}: left out, not being in the net: {', '.join(surplus)}")
    owners = {net.layers[owned.layer].name for owned in net.parameters.owned}
    return [name for name in lacking if name in owners]


def _names(net: Net) -> set[str]:
    """What files may call the layers of a net: a Scale behind a BatchNorm also what NVIDIA Caffe does."""
    return {layer.name for layer in net.layers} | set(weights.scales_behind_batch_norms(net.parameters))


def _is_double(path: str | Path, stored: NetParameter | None, largest_bytes: int) -> bool:
    if stored is not None:
        return any(blob.double_data for layer in stored.layer for blob in layer.blobs)
    with hdf5.open_weights(path, largest_bytes) as datasets:
        return any(d.dtype.itemsize == 8 for found in datasets.values() for d in found.values())
