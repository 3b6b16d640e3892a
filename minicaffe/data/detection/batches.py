"""Batches of annotated images, and the rows of their boxes."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from ...errors import DataError, ShapeError, locate
from ...proto.schema import Message
from ..batch import Batch
from ..images import Channels
from ..order import Order, Share
from . import distortion, draws, sampling
from .boxes import Boxes, projected, rows
from .distortion import distorted, expanded
from .fitting import fitted
from .noise import noisy
from .records import Annotated, Found, opened
from .settings import Settings, settings, transformer

WORTH_A_THREAD = 100_000  # bytes of files in a batch, a few milliseconds of decoding


class Numbers(NamedTuple):
    """The random numbers of an image, from [0, 1).

    distort, expand  of those steps
    trials           for each sampler (trials, sampling.NUMBERS)
    choice           which part is taken, and which way of resampling
    place            of the image among all samples, for more
    """

    distort: np.ndarray
    expand: np.ndarray
    trials: list[np.ndarray]
    choice: np.ndarray
    place: int


class AnnotatedBatches:
    """Reads, changes and transforms batch number b of annotated images.  The result depends on b alone, not
    on earlier calls, nor on the number of threads.

    records    the images and their objects
    annotated  an AnnotatedDataParameter: the samplers
    transform  a TransformationParameter: all else
    order      which record comes when
    threads    that change the images of a batch; 0: as many as there are processors, if there is work

    An image's colours are distorted, it is put on a larger ground, a part of it is taken, it is resized, has
    its noise, is cropped and mirrored; its boxes go with it.

    labelled   whether the records have objects; else each has one label

    Raises ConfigError for fields that do not fit, DataError for records that cannot be read.
    """

    def __init__(
        self,
        records: Annotated,
        annotated: Message,
        transform: Message,
        phase: int,
        channels: Channels,
        order: Order,
        share: Share,
        threads: int = 0,
    ) -> None:
        self.records, self.phase, self.channels = records, phase, channels
        self.order, self.share, self.threads = order, share, threads
        first = int(order.samples(share.positions(0)[:1])[0])
        with locate(lambda: records.place(first)):
            found = records.read(first)
            image, boxes = opened(found, channels)
            self.labelled = boxes is not None
            self.settings: Settings = settings(annotated, transform, len(image))
            self.transformer = transformer(self.settings, phase, image.shape)  # type: ignore[arg-type]
        self.first_rows = max(len(boxes.labels), 1) if boxes is not None else 0

    def __call__(self, number: int, out: Batch) -> None:
        """Write batch `number`."""
        at = self.share.positions(number)
        index = self.order.samples(at).tolist()
        found = []
        for i in index:
            with locate(lambda: self.records.place(i)):  # noqa: B023, called before the next i
                found.append(self.records.read(i))
        images, boxes = self._changed(found, index, at)
        windows = self._windows(images, at)
        self.transformer.fill(out, images, at, self.share.key)
        if not self.labelled:
            out.label([one.label for one in found])
            return
        table = rows([self._cut(b, i, w) for b, i, w in zip(boxes, images, windows) if b is not None])
        out.beside = [np.ascontiguousarray(table, out.dtype)]

    def sample(self, index: int) -> tuple[np.ndarray, Boxes | None]:
        """Image (C, H, W) and objects of a record, as they are."""
        with locate(lambda: self.records.place(index)):
            return opened(self.records.read(index), self.channels)

    def seen(self, index: int, at: np.ndarray) -> list[tuple[np.ndarray, Boxes | None]]:
        """A record as the net sees it at these places of the sequence, in units of pixels, before mean, scale
        and std."""
        with locate(lambda: self.records.place(index)):
            found = self.records.read(index)
        images, boxes = self._changed([found] * len(at), [index] * len(at), at)
        windows = self._windows(images, at)
        values = np.empty((len(at), *self.transformer.out_shape), np.float32)
        self.transformer(images, values, at, self.share.key)
        pixels = self.transformer.undo(values, windows)
        return [
            (image, None if b is None else self._cut(b, whole, window))
            for image, b, whole, window in zip(pixels, boxes, images, windows)
        ]

    # -- what becomes of images

    def _changed(
        self, found: list[Found], index: list[int], at: np.ndarray
    ) -> tuple[list[np.ndarray], list[Boxes | None]]:
        """Images and boxes before crop and mirror."""
        drawn = self._numbers(at)

        def change(k: int) -> tuple[np.ndarray, Boxes | None]:
            with locate(lambda: self.records.place(index[k])):
                image, boxes = opened(found[k], self.channels)
                if len(image) != self.transformer.shape[0]:
                    raise ShapeError(
                        f"all images must have {self.transformer.shape[0]} channels; got {len(image)}",
                        hint="force_color or force_gray decodes all alike",
                    )
                if (boxes is not None) != self.labelled:
                    raise DataError("some records have objects, others have not", hint="anno_type: BBOX")
                return self._change(image, boxes, drawn[k])

        size = sum(len(one.image) if isinstance(one.image, bytes) else one.image.nbytes for one in found)
        threads = min(len(found), self.threads or min(_processors(), size // WORTH_A_THREAD))
        if threads > 1:
            with ThreadPoolExecutor(threads, "minicaffe annotated") as pool:
                changed = list(pool.map(change, range(len(found))))
        else:
            changed = [change(k) for k in range(len(found))]
        images = [image for image, _ in changed]
        if not self.transformer.takes(images[0].shape):
            self.transformer = transformer(self.settings._replace(fit=None), self.phase, images[0].shape)  # type: ignore[arg-type]
        for i, image in zip(index, images):
            if not self.transformer.takes(image.shape):
                with locate(self.records.place(i)):
                    raise ShapeError(
                        f"images of a batch must have one shape, {self.transformer.shape}; got {image.shape}",
                        hint="transform_param { resize_param } brings images to one size",
                    )
        return images, [boxes for _, boxes in changed]

    def _change(
        self, image: np.ndarray, boxes: Boxes | None, drawn: Numbers
    ) -> tuple[np.ndarray, Boxes | None]:
        conf = self.settings
        if conf.distortion is not None or conf.noise is not None:
            _refuse_floats(image)
        if conf.distortion is not None:
            image = distorted(image, conf.distortion, drawn.distort)
        if conf.expansion is not None:
            size = image.shape[1:]
            image, height, width = expanded(image, conf.expansion, drawn.expand)
            boxes = self._emitted(boxes, sampling.shares(height, width, *size))
        if conf.samplers:
            objects = np.empty((0, 4)) if boxes is None else boxes.corners
            parts = [sampler.found(u, objects) for sampler, u in zip(conf.samplers, drawn.trials)]
            if any(map(len, parts)):
                size = image.shape[1:]
                part = sampling.pixels(sampling.chosen(parts, drawn.choice[0]), *size)
                image = image[:, part[0], part[1]]
                boxes = self._emitted(boxes, sampling.shares(*part, *size))
        if conf.fit is not None:
            image, boxes = fitted(image, boxes, conf.fit, drawn.choice[1])
        if conf.noise is not None:
            pixels = image.shape[1] * image.shape[2] if conf.noise.salt else 0
            place = np.array([drawn.place])
            salt = draws.numbers(place, self.share.key, draws.SALT, pixels)[0] if pixels else place
            image = noisy(image, conf.noise, salt)
        return image, boxes

    def _emitted(self, boxes: Boxes | None, part: np.ndarray) -> Boxes | None:
        emit = self.settings.emit
        return None if boxes is None else projected(boxes, part, emit.least_share, emit.centred)

    def _windows(self, images: list[np.ndarray], at: np.ndarray) -> np.ndarray:
        return self.transformer.draw(at, self.share.key, np.array([image.shape[1:] for image in images]))

    def _cut(self, boxes: Boxes, image: np.ndarray, window: np.ndarray) -> Boxes:
        """The objects of an image in the window that is cropped and mirrored."""
        (top, left, mirrored), (h, w) = window.tolist(), image.shape[1:]
        height, width = (self.transformer.crop,) * 2 if self.transformer.crop else (h, w)
        part = sampling.shares(slice(top, top + height), slice(left, left + width), h, w)
        boxes = projected(boxes, part, self.settings.emit.least_share, self.settings.emit.centred)
        return boxes.mirrored() if mirrored else boxes

    def _numbers(self, at: np.ndarray) -> list[Numbers]:
        conf, key, n = self.settings, self.share.key, len(at)

        def some(step: int, count: int) -> np.ndarray:
            return draws.numbers(at, key, step, count)

        distort = some(draws.DISTORT, distortion.NUMBERS) if conf.distortion else np.empty((n, 0))
        expand = some(draws.EXPAND, distortion.EXPAND_NUMBERS) if conf.expansion else np.empty((n, 0))
        trials = [
            some(draws.SAMPLER + i, s.trials * sampling.NUMBERS).reshape(n, s.trials, sampling.NUMBERS)
            for i, s in enumerate(conf.samplers)
        ]
        choice = some(draws.CHOICE, 2)
        return [
            Numbers(distort[k], expand[k], [t[k] for t in trials], choice[k], int(at[k])) for k in range(n)
        ]


def _refuse_floats(image: np.ndarray) -> None:
    if image.dtype != np.uint8:
        raise DataError("distort_param and noise_param are for images of bytes; this one has floats")


def _processors() -> int:
    """That this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
