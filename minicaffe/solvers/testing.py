"""A test: a net's outputs, averaged over a number of batches; of a detector its mean average precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .. import log
from ..core.blob import Blob
from ..device.base import Device
from ..errors import ConfigError, DataError, suggest
from ..kernels import memory
from ..log import number
from ..net import Net
from ..proto.schema import Message
from .average_precision import VERSIONS, Verdicts, mean
from .display import Outputs

EVALUATION = "DetectionEvaluate"  # a layer type: a row for each box found


def mean_outputs(
    net: Net, batches: int, param: Message, *, interrupted: Callable[[], bool]
) -> Outputs | None:
    """The mean of every output element over the net's next batches, by blob; nothing for no batches.  Of an
    output of DetectionEvaluate it is the mean average precision over all batches.

    param        of the solver: test_compute_loss logs the mean of the loss too, ap_version says what average
                 precision is, show_per_class_result logs that of each class
    interrupted  called before each batch: True ends the test, and None is returned

    Raises DataError if an output changes its number of elements, or for a label that is none: on a GPU at the
    end, as nothing waits for it before.
    """
    blobs, at_once = net.blobs, net.device.synchronous
    pairs = (pair for row in zip(net.tops, net.loss_weights) for pair in zip(*row))
    tops = [(blob, weight) for blob, weight in pairs if weight]
    verdicts = {name: Verdicts() for name in detections(net)}
    outputs = Means(net.device, {name: blobs[name] for name in net.outputs if name not in verdicts})
    log_loss = param.test_compute_loss
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
        for name, rows in verdicts.items():
            rows.add(net.device.get(blobs[name].data))
    if not at_once:
        net.verify()
    if stopped:
        return None
    if log_loss:
        parts = [weight * values.sum() for values, (_, weight) in zip(losses.read().values(), tops)]
        log.info(f"Test loss: {number(float(sum(parts)) if batches else float('nan'))}")
    found = outputs.read()
    for name, rows in verdicts.items() if batches else ():
        precisions = rows.of_classes(param.ap_version)
        for c, value in precisions.items() if param.show_per_class_result else ():
            log.info(f"class{c}: {number(value)}")
        found[name] = np.array([mean(precisions)])
    return {name: found[name] for name in net.outputs if name in found}


def detections(net: Net) -> list[str]:
    """The outputs that say of boxes found whether they are right."""
    judged = [top for layer, tops in zip(net.layers, net.tops) if layer.type == EVALUATION for top in tops]
    return [name for name in net.outputs if any(net.blobs[name] is top for top in judged)]


def check(param: Message, tests: Sequence[Net]) -> None:
    """ConfigError if a solver's eval_type, ap_version and test nets do not fit each other."""
    for field, known in (("eval_type", ("classification", "detection")), ("ap_version", VERSIONS)):
        if getattr(param, field) not in known:
            what = f"{field} must be {', '.join(known[:-1])} or {known[-1]}; got {getattr(param, field)!r}"
            raise ConfigError(what, hint=suggest(getattr(param, field), known), field=field)
    for i, net in enumerate(tests if param.eval_type == "detection" else ()):
        if not detections(net):
            raise ConfigError(
                f"eval_type is detection, but test net #{i} has no output of a layer {EVALUATION}",
                hint="end it with one, or remove eval_type",
                field="eval_type",
            )


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
