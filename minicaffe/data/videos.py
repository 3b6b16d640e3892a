"""Batches of videos: some frames of each, one behind the other as channels."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError, DataError, ShapeError, locate
from ..philox import philox
from ..proto.schema import TRAIN, Message
from .batch import Batch
from .order import Order, Share
from .resize import Resize
from .transformer import factors, random_words
from .video_list import Video, VideoList

SCALES = (1.0, 0.875, 0.75, 0.66)  # of the shorter side: how large a crop may be
NEAR = 3  # a crop whose side is less than so many pixels from crop_size has that side


class Crop(NamedTuple):
    """A window of a frame: its first row and column, its size, and whether it is mirrored."""

    top: int
    left: int
    height: int
    width: int
    mirrored: bool


class VideoBatches:
    """Reads and transforms batch number b of videos.  The result depends on b alone, not on earlier calls.

    A video is divided into `segments` parts of equal length, of each of which `length` frames are taken: from
    a random one on in TRAIN, from the middle in TEST.  Their channels, one frame behind the other, are
    cropped alike, perhaps resized and mirrored; out = (pixel - mean) * (scale / std).

    transform  a TransformationParameter
                 crop_size      the side of the result; 0: frames whole
                 multi_scale    in TRAIN height and width of the crop are drawn from scale_ratios (SCALES) of
                                the frame's shorter side, at most max_distort (1) places apart in that list
                 fix_crop       in TRAIN a crop lies in a corner or the middle; with more_fix_crop also in
                                the middle of a side or of a quarter; else anywhere
                 mirror         left and right are exchanged in every other video, at random, in TEST too
                 is_flow        where they are, every other channel, the flow along x, becomes 255 - pixel
                 mean_value     one, or so many that channels are a multiple of them, in turns
                 scale (1), std_value
    share      the batches.  Of the random numbers under its key, words 0 (mirrored), 1 (the size of the crop)
               and 2, 3 (its place) at counter (position, 0, 0), for the frames those from (position, 1, 0) on
    """

    transformer = None  # crops of many sizes: no work for a device

    def __init__(
        self,
        videos: VideoList,
        segments: int,
        length: int,
        transform: Message,
        phase: int,
        order: Order,
        share: Share,
    ) -> None:
        self.videos, self.segments, self.length = videos, segments, length
        self.transform, self.training, self.order, self.share = transform, phase == TRAIN, order, share
        self.channels = segments * length * videos.channels
        values = list(transform.mean_value) or [0.0]
        if self.channels % len(values):
            raise ConfigError(
                f"transform_param.mean_value must be given so often that the {self.channels} channels are a"
                f" multiple of that; got {len(values)} values"
            )
        self.mean = np.resize(np.array(values, np.float32), self.channels)[:, None, None]
        scales = factors(transform.scale, transform.std_value, self.channels)
        self.factors = scales.astype(np.float32)[:, None, None]
        self._resize = functools.lru_cache(maxsize=2)(Resize)

    def __call__(self, number: int, out: Batch) -> None:
        """Write batch `number`."""
        at = self.share.positions(number)
        words = np.stack(random_words(at, self.share.key), axis=1).tolist()
        labels = []
        for k, index in enumerate(self.order.samples(at).tolist()):
            video = self.videos.videos[index]
            with locate(lambda: self.videos.place(index)):  # noqa: B023, called before the next
                pixels = self.read(video, self.starts(video.length, int(at[k])))
                crop = self.crop(pixels.shape[1:], words[k])
                side = self.transform.crop_size
                shape = (self.channels, side or pixels.shape[1], side or pixels.shape[2])
                if k == 0:
                    room = out.room((self.share.batch, *shape), out.dtype)
                elif shape != room.shape[1:]:
                    raise ShapeError(
                        f"all videos of a batch must have frames of the shape {room.shape[2:]};"
                        f" got {shape[1:]}",
                        hint="new_height and new_width, or transform_param.crop_size, give them one size",
                    )
                self._write(pixels, crop, room[k])
            labels.append(video.label)
        out.label(labels)

    def read(self, video: Video, starts: Sequence[int]) -> np.ndarray:
        """The frames behind those numbers, (channels, H, W)."""
        return np.concatenate([f for start in starts for f in self.videos.frames(video, start, self.length)])

    def starts(self, length: int, position: int) -> list[int]:
        """For every segment the frame before its first one, of a video of that many frames.  Where segments
        are shorter than what is taken of them, all begin behind the first frame."""
        if length < self.length:
            raise DataError(f"new_length is {self.length}; the video has {length} frames")
        each = length // self.segments
        if each < self.length:
            return [min(1, length - self.length)] * self.segments
        choices = each - self.length + 1
        if not self.training:
            return [choices // 2 + i * each for i in range(self.segments)]
        low, high = np.uint32(position & 0xFFFFFFFF), np.uint32(position >> 32)
        key = [np.uint32(word) for word in self.share.key]
        with np.errstate(over="ignore"):
            draws = [
                philox(low, high, np.uint32(1 + i), np.uint32(0), *key) for i in range(-(-self.segments // 4))
            ]
        return [int(draws[i // 4][i % 4]) % choices + i * each for i in range(self.segments)]

    def crop(self, size: tuple[int, ...], words: Sequence[int]) -> Crop:
        """What is cut out of frames of a size, for four random words."""
        conf, (h, w) = self.transform, size
        side, mirrored = conf.crop_size, conf.mirror and words[0] % 2 == 1
        if not side:
            return Crop(0, 0, h, w, mirrored)
        if side > min(h, w):
            raise ConfigError(
                f"crop_size {side} is larger than the frames, {h} x {w}", hint=f"at most {min(h, w)} fits"
            )
        if not self.training:
            return Crop((h - side) // 2, (w - side) // 2, side, side, mirrored)
        height, width = side, side
        if conf.multi_scale:
            sizes = crop_sizes(min(h, w), side, list(conf.scale_ratios) or SCALES, conf.max_distort)
            height, width = sizes[words[1] % len(sizes)]
        if conf.fix_crop:
            places = crop_places(h - height, w - width, conf.more_fix_crop)
            top, left = places[words[2] % len(places)]
        else:
            top, left = words[2] % (h - height + 1), words[3] % (w - width + 1)
        return Crop(top, left, height, width, mirrored)

    def _write(self, pixels: np.ndarray, crop: Crop, out: np.ndarray) -> None:
        window = pixels[:, crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
        if window.shape != out.shape:
            resized = np.empty(out.shape, np.uint8)
            self._resize(*out.shape[1:])(window, resized)
            window = resized
        if crop.mirrored:
            window = window[:, :, ::-1]
        np.copyto(out, window)
        if crop.mirrored and self.transform.is_flow:
            np.subtract(255, out[::2], out=out[::2])
        out -= self.mean
        out *= self.factors


def crop_sizes(base: int, side: int, scales: Sequence[float], distort: int) -> list[tuple[int, int]]:
    """Heights and widths of crops: parts of `base`, at most `distort` places apart among the scales."""
    sizes = [int(np.float32(base) * np.float32(scale)) for scale in scales]
    sizes = [side if abs(size - side) < NEAR else size for size in sizes]
    return [
        (height, width)
        for i, height in enumerate(sizes)
        for j, width in enumerate(sizes)
        if abs(i - j) <= distort
    ]


def crop_places(down: int, across: int, more: bool) -> list[tuple[int, int]]:
    """First rows and columns of crops that leave so many rows and columns, on a grid of quarters of these."""
    places = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
    if more:
        places += [(0, 2), (4, 2), (2, 0), (2, 4), (1, 1), (1, 3), (3, 1), (3, 3)]
    return [(i * (down // 4), j * (across // 4)) for i, j in places]
