"""debug_info: the mean absolute value of every blob and parameter in the log, layer by layer, as Caffe logs
them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from . import log
from .log import number

if TYPE_CHECKING:
    from .net import Net


def forward(net: Net, i: int) -> None:
    """After the forward of layer i: its tops and parameters."""
    layer, node = net.layers[i], net.graph.nodes[i]
    for index, blob in zip(node.tops, net.tops[i]):
        name = net.graph.blob_names[index]
        _line(f"[Forward] Layer {layer.name}, top blob {name} data", _mean(net, blob.data))
    for j, blob in enumerate(layer.params):
        spec = layer.param.param[j] if j < len(layer.param.param) else None
        name = spec.name if spec is not None and spec.name else str(j)
        _line(f"[Forward] Layer {layer.name}, param blob {name} data", _mean(net, blob.data))


def backward(net: Net, i: int, propagate: list[bool]) -> None:
    """After the backward of layer i: the gradients by its bottoms and parameters, where there are any."""
    layer, node = net.layers[i], net.graph.nodes[i]
    for index, blob, wanted in zip(node.bottoms, net.bottoms[i], propagate):
        if wanted:
            name = net.graph.blob_names[index]
            _line(f"[Backward] Layer {layer.name}, bottom blob {name} diff", _mean(net, blob.diff))
    for j, (blob, wanted) in enumerate(zip(layer.params, layer.param_gradient)):
        if wanted:
            _line(f"[Backward] Layer {layer.name}, param blob {j} diff", _mean(net, blob.diff))


def parameters(net: Net) -> None:
    """After a whole backward pass: norms over all parameters."""
    blobs = [owned.blob for owned in net.parameters.owned]
    both = ([net.device.get(b.data).ravel() for b in blobs], [net.device.get(b.diff).ravel() for b in blobs])
    data, diff = (np.concatenate(arrays or [np.empty(0)]).astype(np.float64) for arrays in both)
    norms = [(np.abs(a).sum(), math.sqrt(a @ a)) for a in (data, diff)]
    (data_l1, data_l2), (diff_l1, diff_l2) = norms
    log.error(
        f"    [Backward] All net params (data, diff): L1 norm = ({number(data_l1)}, {number(diff_l1)}); "
        f"L2 norm = ({number(data_l2)}, {number(diff_l2)})"
    )


def _mean(net: Net, array: Any) -> float:
    host = net.device.get(array)
    return float(np.abs(host).sum(dtype=np.float64) / host.size) if host.size else 0.0


def _line(what: str, value: float) -> None:
    log.info(f"    {what}: {number(value)}")
