"""Images and what is said of each of their pixels, in pairs that a text file lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError, DataError, ShapeError, locate
from ..files import read_text
from ..proto.schema import Message
from . import images
from .batch import Batch
from .images import Channels
from .order import Order, Share
from .resize import Resize, nearest
from .transformer import factors, random_words, read_mean


class PairList:
    """What a text file lists: on every line the path of an image and, behind blanks, what belongs to it.

    source  the path of the text file
    root    text put before every path; a folder must end in a slash
    alone   lines need not have more than an image

    Raises DataError, with file and line, if the file does not have this form.
    """

    def __init__(self, source: str, root: str = "", *, alone: bool = False) -> None:
        self.source, self.root = source, root
        self.entries: list[tuple[str, str]] = []
        for number, line in enumerate(read_text(source).rstrip("\n").split("\n"), 1):
            words = line.split()
            if not (len(words) == 2 or (alone and len(words) == 1)):
                raise DataError(
                    f"{source}:{number}: expected an image, a blank and its label; got {line[:200]!r}",
                    hint="paths must not hold blanks here, and no line is empty",
                )
            self.entries.append((words[0], words[-1] if len(words) == 2 else ""))

    def __len__(self) -> int:
        return len(self.entries)

    def path(self, index: int) -> str:
        """The path of the image on line `index`."""
        return self.root + self.entries[index][0]

    def place(self, index: int) -> str:
        """The file and line of pair `index`, for errors."""
        return f"{self.source}:{index + 1}"


class Treatment(NamedTuple):
    """What is done to a pair, in this order.

    kind     what the second of a line is: "PIXEL", an image of labels; "EDGES", an image whose pixels are 1
             from 128 on, else 0; "IMAGE", one label for all pixels; "NONE", nothing: they are ignored
    color    images have three channels, else one
    size     height and width that both are resized to; None: as they are
    factors  by one of which, drawn, both are then resized
    crop     height and width of what is cut out; None: all of it
    chance   where it is cut out is drawn, else it is the middle
    fill     what is smaller than the crop is filled up at the bottom and on the right, with the mean and with
             ignored labels; else that is an error
    mirror   every other pair, as drawn, is mirrored
    ignore   the label that says nothing
    divide   the label's height and width are divided by it
    """

    kind: str = "PIXEL"
    color: bool = True
    size: tuple[int, int] | None = None
    factors: Sequence[float] = ()
    crop: tuple[int, int] | None = None
    chance: bool = False
    fill: bool = False
    mirror: bool = False
    ignore: int = 255
    divide: int = 1


class PairBatches:
    """Reads batch number b of some pairs.  The result depends on b alone, not on earlier calls.

    A batch has images (n, c, h, w), which are out = (pixel - mean) * (scale / std); labels (n, 1, h, w); and
    (n, 1, 1, 2), how many rows and columns of each are not filled up.  Labels are resized by nearest
    neighbour, edges linearly; neither is changed otherwise.

    transform  a TransformationParameter: mean_value, scale, std_value
    share      the batches; of the random numbers under its key, words 0 (mirrored), 1 and 2 (row and column
               of the crop), 3 (the factor)
    """

    transformer = None  # labels go through the same steps: no work for a device

    def __init__(
        self, pairs: PairList, how: Treatment, transform: Message, order: Order, share: Share
    ) -> None:
        self.pairs, self.how, self.order, self.share = pairs, how, order, share
        channels = 3 if how.color else 1
        self.mean = read_mean(transform, channels, _no_mean_file)
        self.factors = factors(transform.scale, transform.std_value, channels)[:, None, None]

    def shapes(self) -> list[tuple[int, ...]]:
        """Those of a batch like its first pair."""
        at = self.share.positions(0)[:1]
        image, label, _ = self._sample(int(self.order.samples(at)[0]), self._words(at)[0])
        n = self.share.batch
        return [(n, *image.shape), (n, 1, *label.shape), (n, 1, 1, 2)]

    def __call__(self, number: int, out: Batch) -> None:
        """Write batch `number`, which may differ in size from those before."""
        at = self.share.positions(number)
        samples = [self._sample(i, w) for i, w in zip(self.order.samples(at).tolist(), self._words(at))]
        found, labels, sizes = zip(*samples)
        for i, image in zip(self.order.samples(at).tolist(), found):
            if image.shape != found[0].shape:
                with locate(self.pairs.place(i)):
                    raise ShapeError(
                        f"all images of a batch must have the shape {found[0].shape}; got {image.shape}",
                        hint="bring them to one size, or take batches of one",
                    )
        out.room((len(found), *found[0].shape), out.dtype)[...] = found
        dims = np.array(sizes, out.dtype).reshape(-1, 1, 1, 2)
        out.beside = [np.stack(labels)[:, None].astype(out.dtype), dims]

    def _words(self, at: np.ndarray) -> np.ndarray:
        return np.stack(random_words(at, self.share.key), axis=1)

    def _sample(self, index: int, words: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
        """The image, transformed; its label; and how large both are but for what was filled up."""
        how = self.how
        with locate(self.pairs.place(index)):
            image, label = self._read(index)
            if how.factors:
                factor = how.factors[int(words[3]) % len(how.factors)]
                rows, columns = (max(1, int(np.rint(extent * factor))) for extent in image.shape[1:])
                image, label = _linear(image, rows, columns), self._other_size(label, rows, columns)
            h, w = image.shape[1:]
            high, wide = how.crop or (h, w)
            if (high > h or wide > w) and not how.fill:
                raise ConfigError(f"the crop, {high} x {wide}, is larger than an image, {h} x {w}")
            spare = max(h - high, 0), max(w - wide, 0)
            top, left = (
                int(word) % (rest + 1) if how.chance else rest // 2 for word, rest in zip(words[1:3], spare)
            )
            down, across = slice(top, top + high), slice(left, left + wide)
        image = (image[:, down, across].astype(np.float32) - self.mean) * self.factors.astype(np.float32)
        label = label[down, across]
        size = image.shape[1:]
        below, right = high - size[0], wide - size[1]
        if below or right:
            image = np.pad(image, ((0, 0), (0, below), (0, right)))  # (mean - mean) * scale
            label = np.pad(label, ((0, below), (0, right)), constant_values=how.ignore)
        if how.mirror and words[0] % 2:
            image, label = image[:, :, ::-1], label[:, ::-1]
        if how.kind == "EDGES":
            label = label >= 128
        return image, label, size

    def _read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The image (c, h, w) and its label (h, w), resized."""
        how = self.how
        image = images.read(self.pairs.path(index), Channels.COLOR if how.color else Channels.GRAY)
        if how.size:
            image = _linear(image, *how.size)
        size = image.shape[1:]
        said = self.pairs.entries[index][1]
        if how.kind in ("NONE", "IMAGE"):
            return image, np.full(size, how.ignore if how.kind == "NONE" else _number(said), np.int32)
        label = images.read(self.pairs.root + said, Channels.GRAY)[0]
        if not how.size and label.shape != size:
            raise DataError(
                f"{self.pairs.root + said}: a label must be as large as its image, {size[0]} x {size[1]};"
                f" got {label.shape[0]} x {label.shape[1]}"
            )
        return image, self._other_size(label, *(extent // how.divide for extent in size))

    def _other_size(self, label: np.ndarray, height: int, width: int) -> np.ndarray:
        if self.how.kind == "EDGES":
            return _linear(label[None], height, width)[0]
        return nearest(label, height, width)


def _linear(image: np.ndarray, height: int, width: int) -> np.ndarray:
    out = np.empty((len(image), height, width), np.uint8)
    Resize(height, width)(image, out)
    return out


def _number(said: str) -> int:
    if not said.lstrip("+-").isdecimal() or len(said) > 9:
        raise DataError(f"expected a whole number as the label of an image; got {said[:200]!r}")
    return int(said)


def _no_mean_file(mean: np.ndarray) -> np.ndarray:
    raise ConfigError("images of pairs may differ in size: a mean_file does not fit", hint="use mean_value")
