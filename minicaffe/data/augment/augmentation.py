"""Batches of images, each changed at random."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ...errors import ConfigError
from ...kernels.augment.plan import LENGTH, plan
from ...kernels.augment.render import render
from ...proto.schema import Message
from . import reading

BYTES = np.dtype(np.uint8)
WORTH_A_THREAD = 1_000_000  # values, about 3 ms of the cheapest work


class Augmentation:
    """Images of whatever size to images of the same size, as an AugmentationParameter says.

    conf      the message
    channels  of the images

    Pixels move first: a random crop is brought to the image's size, that is scaled, sheared, turned and
    moved, and then bent, all in one linear interpolation.  Then come blur, brightness, contrast, saturation
    and hue, shade, noise, and erasing.  All is computed in float32.  Bytes become bytes again, rounded to the
    nearest and held within 0 and 255; all else becomes float32, whatever its range.

    What happens to an image is a function of (key, position of the image in the sequence of all samples), so
    neither the size of a batch, nor order, nor the number of threads makes a difference.

    An object keeps its working memory, so it serves one thread at a time.

    Raises ConfigError for fields that are out of range or do not fit the images.
    """

    def __init__(self, conf: Message, channels: int) -> None:
        self.settings = reading.settings(conf, channels)
        self.fill = reading.fill(list(conf.fill), "fill", channels)
        self.erased = reading.fill(list(conf.erase.fill), "erase.fill", channels)
        if conf.HasField("threads") and not conf.threads:
            raise ConfigError("augment_param.threads must be at least 1; got 0")
        self.threads = conf.threads  # 0: as many as the work is worth
        self._images = self._results = np.empty(0, np.uint8)

    def __call__(
        self, images: np.ndarray | Sequence[np.ndarray], positions: np.ndarray, key: tuple[int, int]
    ) -> np.ndarray | list[np.ndarray]:
        """The images (N, C, H, W), or N images (C, H, W), changed.  An array is written again by the next
        call."""
        positions = np.ascontiguousarray(positions, np.int64)  # one type: one compiled function
        batch = self._together(images)
        if batch is not None:
            self._results = _room(self._results, batch.shape, batch.dtype)
            self._render(batch, positions, key, self._results)
            return self._results
        results = []
        for i, image in enumerate(images):
            source = image[None] if image.dtype == BYTES else image[None].astype(np.float32)
            result = np.empty_like(source)
            self._render(source, positions[i : i + 1], key, result)
            results.append(result[0])
        return results

    def plans(self, positions: np.ndarray, key: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """What happens to the images of height and width `size` at these positions, (N, LENGTH): see
        kernels/augment/plan.py."""
        out = np.empty((len(positions), LENGTH))
        k0, k1 = (np.uint32(word) for word in key)
        plan(positions, k0, k1, self.settings, float(size[0]), float(size[1]), out)
        return out

    def _together(self, images: np.ndarray | Sequence[np.ndarray]) -> np.ndarray | None:
        """The images as one contiguous array of bytes or float32; None if they have several sizes."""
        if isinstance(images, np.ndarray):
            # Numba has code of its own for arrays that may not be written to: a copy costs less.
            if images.dtype in (BYTES, np.float32) and images.flags.carray:
                return images
            shape, types = images.shape, {images.dtype}
        else:
            if len({image.shape for image in images}) > 1:
                return None
            shape, types = (len(images), *images[0].shape), {image.dtype for image in images}
        self._images = _room(self._images, shape, BYTES if types == {BYTES} else np.dtype(np.float32))
        for i, image in enumerate(images):
            self._images[i] = image
        return self._images

    def _render(
        self, images: np.ndarray, positions: np.ndarray, key: tuple[int, int], out: np.ndarray
    ) -> None:
        k0, k1 = (np.uint32(word) for word in key)
        plans = self.plans(positions, key, images.shape[2:])
        alpha, sigma = self.settings.alpha, self.settings.sigma

        def some(first: int, end: int) -> None:
            part = slice(first, end)
            render(
                images[part],
                positions[part],
                k0,
                k1,
                plans[part],
                alpha,
                sigma,
                self.fill,
                self.erased,
                out[part],
            )

        count = len(images)
        threads = min(count, self.threads or min(_processors(), images.size // WORTH_A_THREAD))
        if threads <= 1:
            some(0, count)
            return
        cuts = [count * i // threads for i in range(threads + 1)]
        # Threads of their own for every batch: nothing is left behind that a fork or an exit would meet.
        with ThreadPoolExecutor(threads, "minicaffe augment") as pool:
            list(pool.map(some, cuts[:-1], cuts[1:]))


def _room(memory: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """`memory`, or in its place an array of this shape and type."""
    return memory if memory.shape == shape and memory.dtype == dtype else np.empty(shape, dtype)


def _processors() -> int:
    """That this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
