"""What a training logs of its speed, its loss and the outputs of its nets, in Caffe's lines."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np

from .. import log
from ..log import number
from ..net import Net
from ..proto.schema import Message

# The loss of SoftmaxWithLoss where the label's probability is 0, which counts as the least float there is.
LARGEST_LOSS = -math.log(float(np.finfo(np.float32).tiny))  # 87.3365

Outputs = dict[str, np.ndarray]  # every element of every output blob, by name, in Caffe's order


class Shown(NamedTuple):
    """What was displayed last: loss is smoothed over average_loss iterations."""

    iteration: int
    loss: float
    outputs: Outputs


class Display:
    """The lines about a net in training; it knows when it wrote the last ones, to tell the speed."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self._warned = False  # it was said that training has diverged
        self.start(0)

    def start(self, iteration: int) -> None:
        """Measure the speed from now on; so many updates are made."""
        self._since = iteration, time.perf_counter()

    def show(self, iteration: int, loss: float, param: Message) -> Shown:
        """Log speed, loss and outputs, and once a warning if a loss shows that training has diverged."""
        before, since = self._since
        now = time.perf_counter()
        self._since = iteration, now
        speed = (iteration - before) / (now - since)
        log.info(
            f"Iteration {iteration} ({number(speed)} iter/s, {number(round(now - since, 3))}s/"
            f"{param.display} iters), loss = {number(loss)}"
        )
        shown = Shown(iteration, loss, outputs(self.net))
        show_outputs("Train", self.net, shown.outputs)
        if not self._warned and (output := diverged(self.net, shown.outputs)):
            self._warned = True
            log.warning(
                f"Iteration {iteration}: {output} = {LARGEST_LOSS:g}, the largest there is: every label has"
                f" probability 0, from which nothing is learned; lower base_lr (now {number(param.base_lr)})"
            )
        return shown

    def show_last(self, iteration: int, loss: float) -> Shown:
        """Log the loss behind the last update."""
        log.info(f"Iteration {iteration}, loss = {number(loss)}")
        return Shown(iteration, loss, outputs(self.net))


def outputs(net: Net) -> Outputs:
    """The outputs of the last forward pass."""
    return {name: net.device.get(net.blobs[name].data).astype(np.float64).ravel() for name in net.outputs}


def show_outputs(what: str, net: Net, values: Outputs) -> None:
    """Log a line for every element; `what` is Train or Test."""
    index = 0
    for name, elements in values.items():
        weight = net.loss_weight(name)
        for value in elements:
            loss = f" (* {number(weight)} = {number(weight * value)} loss)" if weight else ""
            log.info(f"    {what} net output #{index}: {name} = {number(value)}{loss}")
            index += 1


def show_clipping(norm: float, limit: float) -> None:
    """Log a line if a gradient of this norm was clipped."""
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
