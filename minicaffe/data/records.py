"""Batches of images that are read one by one."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..errors import locate
from ..proto.schema import Message
from .batch import Batch
from .order import Order, Share
from .transformer import Transformer


class Records(Protocol):
    """Labelled images, which may differ in size, by number: a database, a list of files."""

    def __len__(self) -> int: ...

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Image (C, H, W) and label."""

    def place(self, index: int) -> str:
        """Where record `index` is stored, for errors."""


class RecordBatches:
    """Reads and transforms batch number b of some records.  The result depends on b alone, not on earlier
    calls.

    conf, phase, augment  of the transformer
    order                 which record comes when

    The first image of a batch determines the shape of the batch, as in Caffe.  If neither resize nor
    crop_size is set, all images of the batch must have it: ShapeError, naming the record.
    """

    def __init__(
        self,
        records: Records,
        conf: Message,
        phase: int,
        augment: Message | None,
        order: Order,
        share: Share,
    ) -> None:
        self.records, self.conf, self.phase, self.augment = records, conf, phase, augment
        self.order, self.share = order, share
        first = int(order.samples(share.positions(0)[:1])[0])
        with locate(lambda: records.place(first)):
            image, _ = records.read(first)
            self.transformer = Transformer(conf, phase, image.shape, augment)

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Image (C, H, W) and label of a record."""
        with locate(lambda: self.records.place(index)):
            return self.records.read(index)

    def transformer_for(self, shape: tuple[int, int, int]) -> Transformer:
        """The transformer for a batch whose first image has this shape."""
        if self.transformer.takes(shape):
            return self.transformer
        return Transformer(self.conf, self.phase, shape, self.augment)

    def __call__(self, number: int, out: Batch) -> None:
        """Write batch `number`."""
        at = self.share.positions(number)
        index = self.order.samples(at).tolist()
        images: list[np.ndarray] = []
        labels: list[int] = []
        for i in index:
            with locate(lambda: self.records.place(i)):  # noqa: B023, called before the next i
                image, label = self.records.read(i)
                if not images:
                    self.transformer = self.transformer_for(image.shape)
                self.transformer.check(image.shape)
            images.append(image)
            labels.append(label)
        self.transformer.fill(out, images, at, self.share.key)
        out.label(labels)
