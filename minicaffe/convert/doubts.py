"""What looks wrong about weights and solver states, although it can be read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import Place, locate
from ..proto import binary
from ..proto.schema import Message, NetParameter, SolverState


def doubts(message: Message) -> Iterator[str]:
    """A line for each thing.  Raises WeightsError, naming layer and blob, for arrays that are damaged."""
    if isinstance(message, SolverState):
        for i, blob in enumerate(message.history):
            with locate(f"history {i}"):
                yield from _not_finite(Place(f"history {i}"), binary.to_array(blob))
    elif isinstance(message, NetParameter):
        yield from _in_weights(message)


def _in_weights(net: NetParameter) -> Iterator[str]:
    if not any(layer.blobs for layer in net.layer):
        yield "no layer has weights"
    gradients = []
    for layer in net.layer:
        with locate(Place(layer=layer.name)):
            arrays = []
            for i, blob in enumerate(layer.blobs):
                place = Place(f"blob {i}", layer.name)
                with locate(f"blob {i}"):
                    if binary.has_diff(blob):
                        gradients.append(layer.name)
                        binary.to_array(blob, diff=True)
                    arrays.append(binary.to_array(blob))
                yield from _not_finite(place, arrays[i])
                if not arrays[i].size:
                    yield f"{place} is empty"
            if layer.type == "BatchNorm" and len(arrays) >= 3 and not arrays[2].any():
                lost = any(array.any() for array in arrays[:2])
                why = "1 was probably meant" if lost else "it was not trained"
                what = "the correction of its statistics is 0, so that they count as 0"
                yield f"{Place(layer=layer.name)}: {what}; {why}"
    if gradients:
        count = len(set(gradients))
        yield f"{count} layer{'s have' if count > 1 else ' has'} gradients (diff) beside the weights"


def _not_finite(place: Place, array: np.ndarray) -> Iterator[str]:
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        yield f"{place}: {bad} of {array.size} values are NaN or infinite"
