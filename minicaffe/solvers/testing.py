"""A test: a net's outputs, averaged over a number of batches."""

from __future__ import annotations

from collections.abc import Callable

from .. import log
from ..errors import DataError
from ..log import number
from ..net import Net
from .display import Outputs, outputs


def mean_outputs(
    net: Net, batches: int, *, log_loss: bool, interrupted: Callable[[], bool]
) -> Outputs | None:
    """The mean of every output element over the net's next batches, by blob; nothing for no batches.

    log_loss     log the mean of the loss, too
    interrupted  called before each batch: True ends the test, and None is returned

    Raises DataError if an output changes its number of elements.
    """
    sums: Outputs = {}
    loss = 0.0
    for _ in range(batches):
        if interrupted():
            return None
        net.next_forward()
        net.verify()
        if log_loss:
            loss += net.loss()
        for name, values in outputs(net).items():
            if name in sums and sums[name].size != values.size:
                raise DataError(
                    f"test output {name!r} has {values.size} elements; before it had {sums[name].size}"
                )
            sums[name] = sums[name] + values if name in sums else values
    if log_loss:
        log.info(f"Test loss: {number(loss / batches if batches else float('nan'))}")
    return {name: values / batches for name, values in sums.items()}
