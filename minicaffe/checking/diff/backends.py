"""One net on two backends: every layer forward and backward, on the same input.

The second net is given what the first computed before each layer runs, so that a row shows what that layer
alone makes different, not what came before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ...core.blob import Blob
from ...device.base import Device
from ...device.cpu import CpuDevice
from ...errors import ConfigError, suggest
from ...net import Net
from ..gradcheck import fill_inputs
from .arrays import difference

TOLERANCE = 1e-4  # relative; what single precision leaves of a sum of thousands is below
FORWARD, BACKWARD = "forward", "backward"


def _gpu(threads: int | None) -> Device:
    from ...device.cuda import CudaDevice

    return CudaDevice()


BACKENDS: dict[str, Callable[[int | None], Device]] = {
    "cpu": lambda threads: CpuDevice(threads=threads),
    "exact": lambda threads: CpuDevice(math="EXACT", threads=threads),
    "plain": lambda threads: CpuDevice(kernels="plain", threads=threads),
    "python": lambda threads: CpuDevice(kernels="python"),
    "float64": lambda threads: CpuDevice(np.float64, threads=threads),
    "gpu": _gpu,
}


class BlobDifference(NamedTuple):
    """A blob that a layer wrote.

    way       forward or backward
    blob      a top, a bottom (its diff), or a parameter ("param 0": its diff, or what forward made of it)
    absolute, relative, worst   as of `arrays.ArrayDifference`; a parameter's gradient, whose sums cancel,
              relative to the top's diffs at least
    """

    layer: str
    type: str
    way: str
    blob: str
    absolute: float
    relative: float
    worst: tuple[int, ...]


def device(name: str, threads: int | None = None) -> Device:
    """The device that a backend's name stands for; on the CPU it has so many threads.  ConfigError for
    another name, DeviceError for a GPU that there is not."""
    if name not in BACKENDS:
        raise ConfigError(f"no backend {name!r}", hint=suggest(name, BACKENDS))
    return BACKENDS[name](threads)


def compare(first: Net, second: Net, seed: int = 1) -> Iterator[BlobDifference]:
    """Run both nets, which must be of one description and seed and keep all blobs, and compare what each
    layer writes.  The second takes on the parameters of the first."""
    for mine, other in zip(first.parameters.owned, second.parameters.owned):
        _copy(first, mine.blob.data, second, other.blob.data)
    fill_inputs(first, seed)
    for name in first.inputs:
        _copy(first, first.blobs[name].data, second, second.blobs[name].data)
    for net in (first, second):
        net.clear_param_diffs()
        net.stage()
    pair = _Pair(first, second)
    for i, layer in enumerate(first.layers):
        if not layer.writes:
            yield from pair.forward(i)
    for i in reversed(range(len(first.layers))):
        if first.gradients[i].runs:
            yield from pair.backward(i)


class _Pair:
    """Two nets that run in step."""

    def __init__(self, first: Net, second: Net) -> None:
        self.first, self.second = first, second

    def forward(self, i: int) -> Iterator[BlobDifference]:
        layer = self.first.layers[i]
        for net in (self.first, self.second):
            net.run_forward(i, i)
        for mine, other in zip(self.first.tops[i], self.second.tops[i]):
            yield self._row(i, FORWARD, mine.name, mine, other, "data")
        if layer.carries:
            for j, (mine, other) in enumerate(zip(layer.params, self.second.layers[i].params)):
                yield self._row(i, FORWARD, f"param {j}", mine, other, "data")

    def backward(self, i: int) -> Iterator[BlobDifference]:
        layer, gradients = self.first.layers[i], self.first.gradients[i]
        diffs = [top.diff for top in self.first.tops[i] if top.diff is not None]
        scale = max(
            (float(np.abs(self.first.device.get(diff)).max(initial=0)) for diff in diffs), default=0.0
        )
        for net in (self.first, self.second):
            net.run_backward(i, i)
        for j, (mine, other) in enumerate(zip(self.first.bottoms[i], self.second.bottoms[i])):
            if gradients.propagate[j]:
                yield self._row(i, BACKWARD, mine.name, mine, other, "diff")
        for j, (mine, other) in enumerate(zip(layer.params, self.second.layers[i].params)):
            if gradients.params[j]:
                yield self._row(i, BACKWARD, f"param {j}", mine, other, "diff", scale)

    def _row(
        self, i: int, way: str, name: str, mine: Blob, other: Blob, kind: str, scale: float = 0.0
    ) -> BlobDifference:
        """Compare what both hold, and give the second what the first does."""
        ours, theirs = getattr(mine, kind), getattr(other, kind)
        found = difference(
            np.asarray(self.first.device.get(ours)), np.asarray(self.second.device.get(theirs)), scale
        )
        _copy(self.first, ours, self.second, theirs)
        layer = self.first.layers[i]
        return BlobDifference(layer.name, layer.type, way, name, *found)


def _copy(source: Net, array: Any, target: Net, into: Any) -> None:
    target.device.put(np.asarray(source.device.get(array)), into)
