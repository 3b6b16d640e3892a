"""What a solver says of a net's outputs, in Caffe's lines."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .. import log
from ..log import number
from ..net import Net

# The loss of SoftmaxWithLoss where the label's probability is 0, which counts as the least float there is.
LARGEST_LOSS = -math.log(float(np.finfo(np.float32).tiny))  # 87.3365

Outputs = dict[str, np.ndarray]  # every element of every output blob, by name, in Caffe's order


class Shown(NamedTuple):
    """What was displayed last: loss is smoothed over average_loss iterations."""

    iteration: int
    loss: float
    outputs: Outputs


def outputs(net: Net) -> Outputs:
    """The outputs of the last forward."""
    return {name: net.device.get(net.blobs[name].data).astype(np.float64).ravel() for name in net.outputs}


def show_outputs(what: str, net: Net, values: Outputs) -> None:
    """A line for every element; `what` is Train or Test."""
    index = 0
    for name, elements in values.items():
        weight = net.loss_weight(name)
        for value in elements:
            loss = f" (* {number(weight)} = {number(weight * value)} loss)" if weight else ""
            log.info(f"    {what} net output #{index}: {name} = {number(value)}{loss}")
            index += 1


def show_clipping(norm: float, limit: float) -> None:
    """A line if a gradient of this norm was clipped."""
    if norm > limit:
        log.info(
            f"Gradient clipping: scaling down gradients (L2 norm {number(norm)} > {number(limit)})"
            f" by scale factor {number(limit / norm)}"
        )


def diverged(net: Net, values: Outputs) -> str:
    """The name of a loss that is LARGEST_LOSS, as when training has diverged; empty if there is none."""
    for name, elements in values.items():
        if net.loss_weight(name) and np.isclose(elements, LARGEST_LOSS, rtol=1e-5).any():
            return name
    return ""
