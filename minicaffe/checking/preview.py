"""What a net will see of some images: each as it is stored, beside what random changes make of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..data.batches import Batches
from ..data.detection.batches import AnnotatedBatches
from ..data.detection.boxes import Boxes
from ..data.order import Order
from ..data.records import RecordBatches
from ..data.transformer import Transformer
from ..errors import ConfigError, Place, locate
from ..layers.source.annotated_data import AnnotatedData
from ..layers.source.prefetching import Prefetching
from ..net import Net
from ..proto.schema import NetParameter
from .reading import read
from .state import State
from .summary import state_of

SEED = 1  # where neither the caller nor a solver says


class Seen(NamedTuple):
    """An image (C, H, W), its label if it has one, and how the net sees it in one epoch after the other, in
    units of pixels, before mean, scale and std.

    boxes  of its objects, if it has such: those of the original, and those of each sample
    names  of the classes of the objects
    """

    original: np.ndarray
    label: int | None
    samples: list[np.ndarray]
    boxes: Sequence[Boxes] = ()
    names: Sequence[str] = ()


def preview(
    path: str,
    *,
    images: int = 8,
    samples: int = 8,
    phase: str = "TRAIN",
    seed: int | None = None,
    layer: str = "",
    level: int = 0,
    stages: Sequence[str] = (),
    source: str | None = None,
) -> list[Seen]:
    """The first images that a net or solver prototxt reads, as it will see them in its first epochs.

    images, samples  how many images, and of how many epochs each; fewer images if there are not so many
    phase, level, stages  the state
    seed    of the run; the solver's random_seed if left out, or else SEED
    layer   that brings the images in; the first if left out
    source  the data of an all-in-one net that leaves it open

    Raises a MiniCaffeError for files that cannot be read, ConfigError where no layer reads images.
    """
    if seed is None:
        solver = read(path, source).solver
        seed = solver.random_seed if solver is not None and solver.random_seed >= 0 else SEED
    state, _ = state_of(path, phase=phase, level=level, stages=stages, source=source)
    make = _maker(state, layer, seed)
    order = make.order
    found = []
    for index in order.samples(np.arange(min(images, order.count))).tolist():
        at = places(order, index, samples)
        if isinstance(make, AnnotatedBatches):
            found.append(_annotated(make, index, at))
            continue
        image, label = make.read(index)
        found.append(Seen(image, label, _seen(image, make.transformer_for(image.shape), at, make.share.key)))
    return found


def places(order: Order, index: int, epochs: int) -> np.ndarray:
    """Where a sample stands in the endless sequence of samples, in its first epochs."""
    found: list[int] = []
    for epoch in range(epochs + 1):  # one more, since rand_skip may begin behind it
        at = np.arange(epoch * order.count, (epoch + 1) * order.count, dtype=np.int64)
        found += at[order.samples(at) == index].tolist()
    return np.array(found[:epochs], np.int64)


def _seen(
    image: np.ndarray, transformer: Transformer, at: np.ndarray, key: tuple[int, int]
) -> list[np.ndarray]:
    values = np.empty((len(at), *transformer.out_shape), np.float32)
    transformer([image] * len(at), values, at, key)
    size = None if transformer.resize is not None else image.shape[1:]
    return list(transformer.undo(values, transformer.draw(at, key, size)))


def _annotated(make: AnnotatedBatches, index: int, at: np.ndarray) -> Seen:
    image, boxes = make.sample(index)
    seen = make.seen(index, at)
    samples = [changed for changed, _ in seen]
    if boxes is None:
        return Seen(image, None, samples)
    classes = make.records.classes
    names = [classes[k] if k < len(classes) else str(k) for k in boxes.labels.tolist()]
    return Seen(image, None, samples, [boxes, *(b for _, b in seen if b is not None)], names)


def _maker(state: State, name: str, seed: int) -> Batches | RecordBatches | AnnotatedBatches:
    """What makes the batches of the layer of this name, or of the first that reads images."""
    sources = [i for i, layer in enumerate(state.layers) if reads_images(state, i)]
    if name:
        sources = [i for i in sources if state.layers[i].name == name]
    if not sources:
        which = f"no layer {name!r}" if name else "no layer"
        raise ConfigError(
            f"{state.file}: {which} of the net in phase {state.name} reads images that can be shown",
            hint="Data, ImageData and AnnotatedData layers do; --phase chooses the phase",
        )
    with locate(Place(file=state.file)):
        param = NetParameter(state=state.param.state)
        param.layer.append(state.layers[sources[0]])
        return Net(param, seed=seed, allocate=False).layers[0].batches()  # type: ignore[attr-defined]


def reads_images(state: State, i: int) -> bool:
    """Whether a layer reads images that it shows as it changes them."""
    kind = state.kind(i)
    if kind is None or not issubclass(kind, Prefetching):
        return False
    return kind.augments or issubclass(kind, AnnotatedData)
