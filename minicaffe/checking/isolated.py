"""One layer on its own, so that it can be run again and again on chosen values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.blob import Blob
from ..core.layer import Layer
from ..errors import ConfigError
from ..net import Net
from ..net.parameters import specs
from ..proto.schema import LayerParameter, NetParameter

Arrays = list[np.ndarray]


class Alone:
    """A layer in a net of its own, behind Input layers for its bottoms x0, x1, ...; its tops are y0, y1, ...

    param      its description; which bottoms and tops that names does not count
    shapes     of the bottoms
    tops       how many there are
    in_place   for the first tops, whether each is the bottom of its number
    passes     the pass whose random words every forward draws
    settings   of the net: phase, device, seed

    learned    per parameter: whether it is trained (BatchNorm's statistics are not)
    propagate  per bottom: whether it has a gradient
    """

    def __init__(
        self,
        param: LayerParameter,
        shapes: Sequence[Sequence[int]],
        tops: int,
        in_place: Sequence[bool] = (),
        passes: int = 0,
        **settings: Any,
    ) -> None:
        net = NetParameter(force_backward=True)
        for i, shape in enumerate(shapes):
            net.layer.add(name=f"x{i}", type="Input", top=[f"x{i}"]).input_param.shape.add(dim=shape)
        entry = net.layer.add()
        entry.CopyFrom(param)
        del entry.bottom[:], entry.top[:]
        entry.bottom.extend(f"x{i}" for i in range(len(shapes)))
        entry.top.extend(f"{'x' if j < len(in_place) and in_place[j] else 'y'}{j}" for j in range(tops))
        self.net, self.passes = Net(net, **settings), passes
        self.device = self.net.device
        self.layer: Layer = self.net.layers[-1]
        self.bottom: list[Blob] = self.net.bottoms[-1]
        self.top: list[Blob] = self.net.tops[-1]
        self.learned = [spec.lr_mult != 0 for spec in specs(self.layer)]
        self.propagate = [self.layer.differentiable(i, self.layer.param) for i in range(len(shapes))]

    def put(self, values: np.ndarray, blob: Blob, kind: str = "data") -> None:
        """Set a blob's "data" or "diff"."""
        self.device.put(values, getattr(blob, kind))

    def get(self, blob: Blob, kind: str = "data") -> np.ndarray:
        """A copy of it on the host."""
        return self.device.get(getattr(blob, kind))

    def evaluate(self, bottoms: Sequence[np.ndarray], params: Sequence[np.ndarray] = ()) -> Arrays:
        """Copies of the tops for these values of bottoms, and of parameters if they are given: a function, as
        every forward draws the same words and starts from no recurrent state."""
        for blob, array in zip([*self.bottom, *self.layer.params], [*bottoms, *params]):
            self.put(array, blob)
        if self.layer.random is not None:
            self.layer.random.seek(self.passes)
        self.layer.reset_state()
        self.layer.forward(self.bottom, self.top)
        return [self.get(blob) for blob in self.top]

    def backward(self) -> tuple[list[np.ndarray | None], Arrays]:
        """From the tops' diffs, and cleared ones of the parameters: bottom diffs (None where there is no
        gradient) and parameter diffs."""
        self.net.clear_param_diffs()
        self.layer.backward(self.top, self.propagate, self.bottom)
        down = [self.get(b, "diff") if p else None for b, p in zip(self.bottom, self.propagate)]
        return down, [self.get(blob, "diff") for blob in self.layer.params]


class Isolated(Alone):
    """Layer `index` of a net, made anew from its prototxt.

    bottoms, params   what the layer read in the net's present pass, on the host; every evaluation starts from
                      these parameters, statistics among them

    A layer in place stays in place, unless only the absence of a backward pass allowed it.
    """

    def __init__(self, net: Net, index: int) -> None:
        node, original = net.graph.nodes[index], net.layers[index]
        self.bottoms: Arrays = [net.device.get(blob.data) for blob in net.bottoms[index]]
        self.params: Arrays = [net.device.get(blob.data) for blob in original.params]
        param = LayerParameter()
        param.CopyFrom(original.param)
        for field in ("include", "exclude", "propagate_down"):
            param.ClearField(field)
        param.phase = original.phase
        in_place = [b == t for b, t in zip(node.bottoms, node.tops)]
        shapes = [array.shape for array in self.bottoms]
        settings: dict[str, Any] = {
            "passes": net.passes - 1,
            "phase": net.phase,
            "device": net.device,
            "seed": net.seed,
        }
        try:
            super().__init__(param, shapes, len(node.tops), in_place, **settings)
        except ConfigError:
            if not any(in_place):
                raise
            super().__init__(param, shapes, len(node.tops), **settings)

    def gradients(self, slopes: Sequence[np.ndarray]) -> tuple[list[np.ndarray | None], Arrays]:
        """The gradients for these top diffs, at the layer's own values.  A bottom diff that backward does not
        write is NaN."""
        self.evaluate(self.bottoms, self.params)
        occupied = {id(blob.diff_of) for blob in self.top}
        for blob, wanted in zip(self.bottom, self.propagate):
            if wanted and id(blob.diff_of) not in occupied:
                self.device.fill(blob.diff, math.nan)
        for blob, slope in zip(self.top, slopes):
            self.put(slope, blob, "diff")
        self.layer.param_gradient = list(self.learned)
        return self.backward()
