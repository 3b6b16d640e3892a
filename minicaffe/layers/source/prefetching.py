"""The base of data layers whose batches a thread prepares ahead."""

from __future__ import annotations

from typing import Protocol

from ...data.batch import Batch
from ...data.prefetch import Prefetch
from ...data.transformer import BYTES, Transformer
from .source import Source
from .transforming import DeviceTransform


class Maker(Protocol):
    """What writes batch number b; it may not refer to the layer (see Prefetch).

    transformer  what it leaves to do where a batch takes bytes; None if it never does
    """

    @property
    def transformer(self) -> Transformer | None: ...

    def __call__(self, number: int, out: Batch) -> None: ...


class Prefetching(Source):
    """A source whose pass p brings batch p of a sequence that the seed decides.

    data_param.prefetch, of whatever layer, says how many batches a thread prepares ahead; with 0 there is no
    thread.

    A device that transforms gets images as the bytes that they are, a quarter of the traffic, and does the
    arithmetic that the thread does for others.

    A subclass sets self.shapes in setup, which it may read from a first batch, and implements `batches`.
    """

    stochastic = True

    ahead: Prefetch[Batch] | None = None
    device_transform: DeviceTransform | None = None
    left_to_do = False  # the batch has still to be transformed
    seed = 0  # what the batches ahead are made with

    def batches(self) -> Maker:
        """What writes batches, under the seed of self.random."""
        raise NotImplementedError

    def stage(self, passes, top, put):
        if self.ahead is None or self.seed != self.random.seed:
            self._start()
        with self.ahead.batch(passes) as batch:
            images, windows = batch.images, batch.windows
            shape = images.shape if windows is None else self.device_transform.out_shape(images)
            beside = batch.beside or ([] if batch.labels is None else [batch.labels])
            beside = beside[: len(top) - 1]
            self.follow([shape, *(array.shape for array in beside)], top)
            if windows is None:
                put(images, top[0])
            else:
                self.device_transform.stage(images, windows, put)
            for blob, array in zip(top[1:], beside):
                put(array, blob)
        self.left_to_do = windows is not None

    def unpack(self, top):
        if self.left_to_do:
            self.device_transform.unpack(top[0].data)

    def _start(self) -> None:
        if self.ahead is not None:
            self.ahead.close()  # what reads the data serves one thread at a time
        make, count = self.batches(), self.param.data_param.prefetch
        transformer = make.transformer if self.device.transforms else None
        if transformer is not None and self.device_transform is None:
            self.device_transform = DeviceTransform(self.device, transformer)
        slots = [self._slot(transformer) for _ in range(max(count, 1))]
        self.ahead, self.seed = Prefetch(make, slots, threaded=count > 0), self.random.seed

    def _slot(self, transformer: Transformer | None) -> Batch:
        """Room for a batch: for the bytes that this transformer takes, if the device transforms them."""
        (images, *labels), dtype = self.shapes, self.device.dtype
        if transformer is not None:
            images, dtype = (images[0], *transformer.shape), BYTES
        return Batch(
            self.device.host_empty(images, dtype),
            self.device.host_empty(labels[0]) if labels else None,
            dtype=self.device.dtype,
            takes_bytes=transformer is not None,
        )
