"""debug_info: the mean absolute value of every blob and parameter in the log, layer by layer, as Caffe logs
them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import log
from ..log import number
from .build import Built
from .parameters import Parameters


class DebugInfo:
    """An observer that logs what every layer computed."""

    def __init__(self, built: Built, parameters: Parameters) -> None:
        self.built, self.parameters = built, parameters

    def before_forward(self, layer: int) -> None:
        pass

    def before_backward(self, layer: int) -> None:
        pass

    def after_forward(self, layer: int) -> None:
        """The tops and parameters of a layer."""
        built, of = self.built, self.built.layers[layer]
        for index, blob in zip(built.graph.nodes[layer].tops, built.tops[layer]):
            name = built.graph.blob_names[index]
            _line(f"[Forward] Layer {of.name}, top blob {name} data", self._mean(blob.data))
        for j, blob in enumerate(of.params):
            spec = of.param.param[j] if j < len(of.param.param) else None
            name = spec.name if spec is not None and spec.name else str(j)
            _line(f"[Forward] Layer {of.name}, param blob {name} data", self._mean(blob.data))

    def after_backward(self, layer: int) -> None:
        """The gradients by a layer's bottoms and parameters, where there are any, and behind the last of a
        pass, layer 0, norms over all parameters."""
        built, of, backward = self.built, self.built.layers[layer], self.built.backward[layer]
        bottoms = zip(built.graph.nodes[layer].bottoms, built.bottoms[layer], backward.propagate)
        for index, blob, wanted in bottoms if backward.runs else ():
            if wanted:
                name = built.graph.blob_names[index]
                _line(f"[Backward] Layer {of.name}, bottom blob {name} diff", self._mean(blob.diff))
        for j, (blob, wanted) in enumerate(zip(of.params, of.param_gradient)) if backward.runs else ():
            if wanted:
                _line(f"[Backward] Layer {of.name}, param blob {j} diff", self._mean(blob.diff))
        if layer == 0:
            self._norms()

    def _norms(self) -> None:
        blobs, get = [owned.blob for owned in self.parameters.owned], self.parameters.device.get
        both = ([get(b.data).ravel() for b in blobs], [get(b.diff).ravel() for b in blobs])
        data, diff = (np.concatenate(arrays or [np.empty(0)]).astype(np.float64) for arrays in both)
        norms = [(np.abs(a).sum(), math.sqrt(a @ a)) for a in (data, diff)]
        (data_l1, data_l2), (diff_l1, diff_l2) = norms
        log.error(
            f"    [Backward] All net params (data, diff): L1 norm = ({number(data_l1)}, {number(diff_l1)}); "
            f"L2 norm = ({number(data_l2)}, {number(diff_l2)})"
        )

    def _mean(self, array: Any) -> float:
        host = self.parameters.device.get(array)
        return float(np.abs(host).sum(dtype=np.float64) / host.size) if host.size else 0.0


def _line(what: str, value: float) -> None:
    log.info(f"    {what}: {number(value)}")
