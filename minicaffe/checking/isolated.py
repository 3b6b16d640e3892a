"""One layer of a net on its own, so that it can be run again and again on chosen values."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..core.blob import Blob
from ..core.layer import Layer
from ..errors import ConfigError
from ..net import Net
from ..net.parameters import specs
from ..proto.schema import NetParameter

Arrays = list[np.ndarray]


class Isolated:
    """Layer `index` of a net, made anew from its prototxt in a net of its own behind Input layers.

    bottoms, params   what the layer read in the net's present pass, on the host
    learned           per parameter: whether it is trained (BatchNorm's statistics are not)
    differentiable    per bottom: whether it has a gradient

    A layer in place stays in place, unless only the absence of a backward pass allowed it.  Every evaluation
    starts from the same values, statistics and random words and from no recurrent state, so that the layer is
    a function.
    """

    def __init__(self, net: Net, index: int) -> None:
        node, original = net.graph.nodes[index], net.layers[index]
        self.device, self.passes = net.device, net.passes - 1
        self.bottoms: Arrays = [net.device.get(blob.data) for blob in net.bottoms[index]]
        self.params: Arrays = [net.device.get(blob.data) for blob in original.params]
        self.learned = [spec.lr_mult != 0 for spec in specs(original)]
        self.differentiable = [node.kind.differentiable(i, node.param) for i in range(len(node.bottoms))]
        in_place = [b == t for b, t in zip(node.bottoms, node.tops)]
        try:
            self._build(net, index, in_place)
        except ConfigError:
            if not any(in_place):
                raise
            self._build(net, index, [False] * len(in_place))

    def _build(self, net: Net, index: int, in_place: Sequence[bool]) -> None:
        node, original = net.graph.nodes[index], net.layers[index]
        param = NetParameter(name=net.name, force_backward=True)
        for i, array in enumerate(self.bottoms):
            source = param.layer.add(name=f"bottom{i}", type="Input", top=[f"bottom{i}"])
            source.input_param.shape.add(dim=array.shape)
        entry = param.layer.add()
        entry.CopyFrom(original.param)
        for field in ("bottom", "top", "include", "exclude", "propagate_down"):
            entry.ClearField(field)
        entry.phase = original.phase
        entry.bottom.extend(f"bottom{i}" for i in range(len(self.bottoms)))
        shared = [*in_place, *[False] * (len(node.tops) - len(in_place))]
        entry.top.extend(f"{'bottom' if shared[j] else 'top'}{j}" for j in range(len(node.tops)))
        alone = Net(param, phase=net.phase, device=net.device, seed=net.seed)
        self.net = alone
        self.layer: Layer = alone.layers[-1]
        self.bottom: list[Blob] = alone.bottoms[-1]
        self.top: list[Blob] = alone.tops[-1]

    def forward(self, bottoms: Sequence[np.ndarray], params: Sequence[np.ndarray]) -> Arrays:
        """Copies of the tops for these values of bottoms and parameters."""
        for blob, array in zip([*self.bottom, *self.layer.params], [*bottoms, *params]):
            self.device.put(array, blob.data)
        if self.layer.random is not None:
            self.layer.random.seek(self.passes)
        self.layer.reset_state()
        self.layer.forward(self.bottom, self.top)
        return [self.device.get(blob.data) for blob in self.top]

    def backward(self, slopes: Sequence[np.ndarray]) -> tuple[list[np.ndarray | None], Arrays]:
        """Bottom diffs (None where there is no gradient) and parameter diffs for these top diffs, at the
        layer's own values.  A bottom diff that backward does not write is NaN."""
        self.forward(self.bottoms, self.params)
        self.net.clear_param_diffs()
        occupied = {id(blob.diff_of) for blob in self.top}
        for blob, wanted in zip(self.bottom, self.differentiable):
            if wanted and id(blob.diff_of) not in occupied:
                self.device.fill(blob.diff, math.nan)
        for blob, slope in zip(self.top, slopes):
            self.device.put(slope, blob.diff)
        self.layer.param_gradient = list(self.learned)
        self.layer.backward(self.top, self.differentiable, self.bottom)
        down = [self.device.get(b.diff) if d else None for b, d in zip(self.bottom, self.differentiable)]
        return down, [self.device.get(blob.diff) for blob in self.layer.params]
