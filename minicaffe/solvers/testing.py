"""A test: a net's outputs, averaged over a number of batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import log
from ..core.blob import Blob
from ..device.base import Device
from ..errors import DataError
from ..kernels import memory
from ..log import number
from ..net import Net
from .display import Outputs


def mean_outputs(
    net: Net, batches: int, *, log_loss: bool, interrupted: Callable[[], bool]
) -> Outputs | None:
    """The mean of every output element over the net's next batches, by blob; nothing for no batches.

    log_loss     log the mean of the loss, too
    interrupted  called before each batch: True ends the test, and None is returned

    Raises DataError if an output changes its number of elements, or for a label that is none: on a GPU at the
    end, as nothing waits for it before.
    """
    blobs, at_once = net.blobs, net.device.synchronous
    pairs = (pair for row in zip(net.tops, net.loss_weights) for pair in zip(*row))
    tops = [(blob, weight) for blob, weight in pairs if weight]
    outputs = Means(net.device, {name: blobs[name] for name in net.outputs})
    losses = Means(net.device, {f"loss {i}": blob for i, (blob, _) in enumerate(tops) if log_loss})
    stopped = False
    for _ in range(batches):
        stopped = interrupted()
        if stopped:
            break
        net.next_forward()
        if at_once:
            net.verify()
        outputs.add()
        losses.add()
    if not at_once:
        net.verify()
    if stopped:
        return None
    if log_loss:
        parts = [weight * values.sum() for values, (_, weight) in zip(losses.read().values(), tops)]
        log.info(f"Test loss: {number(float(sum(parts)) if batches else float('nan'))}")
    return outputs.read()


class Means:
    """The means of every element of some blobs, which are summed in float64 where the blobs are: a GPU is
    asked once in a test, not after every batch.

    blobs  by the names that errors call them
    """

    def __init__(self, device: Device, blobs: dict[str, Blob]) -> None:
        self.device, self.blobs, self.batches = device, blobs, 0
        self.add_to = device.bind(memory).add_to

    def add(self) -> None:
        """Take what the blobs hold; DataError if one has not as many elements as in the first batch."""
        if not self.batches:
            self.starts = [0, *np.cumsum([blob.count for blob in self.blobs.values()]).tolist()]
            self.sums = self.device.zeros((self.starts[-1],), np.float64)
        for (name, blob), start, end in zip(self.blobs.items(), self.starts, self.starts[1:]):
            if blob.count != end - start:
                raise DataError(
                    f"test output {name!r} has {blob.count} elements; before it had {end - start}"
                )
            self.add_to(blob.data, self.sums[start:end], blob.count)
        self.batches += 1

    def read(self) -> Outputs:
        """The means, by name, none of no batches; waits for the device."""
        if not self.batches:
            return {}
        parts = np.split(self.device.get(self.sums) / self.batches, self.starts[1:-1])
        return dict(zip(self.blobs, parts))
