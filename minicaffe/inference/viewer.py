"""A net that looks at images: what is done to them on their way in, as in training."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from ..convert.deploy import LOOKED_AT, Deployment, Shapes
from ..convert.model import load_all
from ..data import absent, class_names, images, ranges
from ..data.images import Channels
from ..data.making.fit import fit
from ..device.base import Device
from ..errors import ConfigError, ShapeError, locate
from ..net import Net
from ..proto.schema import LayerParameter, Message, TransformationParameter
from . import files, ground
from .preparation import Preparation
from .samples import Samples

INVERT = ("auto", "yes", "no")
MOST_PIXELS = 80_000_000  # of one image: it is held whole, three bytes a pixel and more

Image = str | os.PathLike | bytes | np.ndarray


class Viewer:
    """A net with its weights, whose one input is an image.

    net       a deploy net, or one that trains, of which a deploy net is made: a path or a NetParameter.  What
              transform_param of the data layer in TEST, or of the Input layer, says is done to images
    weights   a file of any format; None: what the fillers give
    mean      in the place of the net's own: a binaryproto, or one value for all channels, or one for each
    scale, std  in the place of the net's own
    raw_scale  what a white pixel is in the data of training (255); by default, where that data is here and
              its pixels go no higher than 64, its highest: 16 for the set `digits`
    size      height and width that images are brought to before the net's part is cut from their centre
    mode      how images of other proportions come to the size: squash (default), crop, fill, half-crop
    invert    yes: light and dark change places; no: as they are; auto (default): for a net of one channel,
              where the ground of the image (`ground.of_image`) is not that of the training images, if those
              are here, or else not the one that `ground.guessed` takes for theirs
    oversample  ten parts of every image instead of the whole
    shapes    of inputs that the net does not tell, by name
    device    where it runs; a CpuDevice in float32 if left out
    keep      "needed" (default), or "all": every blob can be read after a pass

    net           that runs; input: the name of its input; shape: (C, H, W) of that
    channels      of the images it takes: 1 or 3, blue first
    transform     the transform_param that images are prepared by; preparation: what does it
    samples       the images of the data that the net names in TEST

    A subclass whose nets take more than an image names these inputs (`beside`) and fills them.

    Raises a MiniCaffeError for files that cannot be read, weights that do not fit or lack a layer, a net
    whose input is no image, settings that do not fit each other.
    """

    beside: frozenset[str] = frozenset()
    forward_only = True  # what goes backward says False, and `described` what for

    def __init__(
        self,
        net: str | Path | Message,
        weights: str | Path | None,
        *,
        mean: str | Path | Sequence[float] | None = None,
        scale: float | None = None,
        std: Sequence[float] | None = None,
        raw_scale: float | None = None,
        size: tuple[int, int] | None = None,
        mode: str = "squash",
        invert: str = "auto",
        oversample: bool = False,
        shapes: Shapes | None = None,
        device: Device | None = None,
        keep: str = "needed",
    ) -> None:
        if invert not in INVERT:
            raise ConfigError(f"invert is one of {', '.join(INVERT)}; got {invert!r}")
        if size is not None and size[0] * size[1] > MOST_PIXELS:
            raise ConfigError(
                f"a size of {size[0]} x {size[1]}; expected at most {MOST_PIXELS} pixels in all"
            )
        self.invert = invert
        self._deployment = deployment = Deployment(net, shapes=shapes, written=True)
        self.file = deployment.source
        self.net = Net(
            self.described(deployment.param),
            device=device,
            seed=1,
            source=self.file,
            keep=keep,
            forward_only=self.forward_only,
        )
        with locate(self.file or "the net"):
            self.input = _image_input(self.net, self.beside)
        if weights is not None:
            load_all(self.net, weights, quiet=True)
        self._source = deployment.sources[self.input]
        self.samples = Samples(deployment, self.input)
        self._ground: str | None = None
        self._ground_known = False
        _, self.channels, height, width = self.net.blobs[self.input].shape
        self.shape = (self.channels, height, width)
        self.transform = _transform(self._source, mean, scale, std)
        self.preparation = Preparation(
            self.transform,
            self.shape,
            size=size,
            whole=self._whole(self.transform) if size is None else None,
            mode=mode,
            raw_scale=deployment.white(self.input) if raw_scale is None else raw_scale,
            oversample=oversample,
        )

    def described(self, net: Message) -> Message:
        """The net that is built, from the deploy net."""
        return net

    def _whole(self, transform: Message) -> tuple[int, int] | None:
        """Height and width of the images that training read, if all had one: before they were resized and
        cropped."""
        resize = transform.resize
        if resize.from_height and resize.from_width:
            return resize.from_height, resize.from_width
        if not resize.height and transform.mean_file and (shape := absent.mean_shape(transform.mean_file)):
            return shape[1], shape[2]
        return self._deployment.whole(self.input) if resize.height or transform.crop_size else None

    def see_whole(self) -> None:
        """ConfigError unless all of an image is stretched to all of the input: what is said of places in the
        input is then said of places in the image."""
        if self.preparation.size != self.shape[1:]:
            raise ConfigError(
                "a part is cut out of every image, and of the rest nothing would be known",
                hint="remove crop_size from transform_param",
            )
        if self.preparation.mode != "squash":
            raise ConfigError(f"mode must be squash for a net that sees places; got {self.preparation.mode}")

    def class_names(self) -> list[str] | Path | None:
        """The names of the classes of the training data, or the labels.txt beside it; None if nothing is
        known of them."""
        source = (self._source.data_param.source or self._source.image_data_param.source) or None
        beside = class_names.beside([ranges.without(source)]) if source else None
        return self._deployment.class_names(self.input) or beside

    def expected_ground(self) -> str | None:
        """The ground of the images that the net was trained on: of the training data, or a guess; None if
        nothing tells."""
        if not self._ground_known:
            seen = self._deployment.images(self.input, LOOKED_AT)
            mean = self.preparation.mean
            self._ground = ground.of_images(seen) if seen else ground.guessed(self.shape, mean)
            self._ground_known = True
        return self._ground

    def pixels(self, image: Image) -> np.ndarray:
        """An image as (C, H, W), bytes, in as many channels as the net takes: of a path, - for the standard
        input, of the bytes of a file, or of such an array.  DataError for what is no image."""
        if isinstance(image, np.ndarray):
            if image.ndim != 3 or len(image) != self.channels or image.dtype != np.uint8 or not image.size:
                expected = f"an array must have the shape ({self.channels}, H, W) and hold bytes"
                raise ShapeError(f"{expected}; got {image.shape} of {image.dtype}")
            return image
        channels = Channels.GRAY if self.channels == 1 else Channels.COLOR
        if isinstance(image, bytes):
            return images.decode(image, channels, most_pixels=MOST_PIXELS)
        data = files.contents(os.fspath(image))
        with locate("the standard input" if image == files.STDIN else os.fspath(image)):
            return images.decode(data, channels, most_pixels=MOST_PIXELS)

    def fitted(self, pixels: np.ndarray) -> tuple[np.ndarray, bool]:
        """Pixels (C, H, W) in the size that `preparation` takes, with light and dark exchanged if `invert`
        says so; and whether they were."""
        inverted = self._is_inverted(pixels)
        return self.preparation.fit(255 - pixels if inverted else pixels), inverted

    def _is_inverted(self, pixels: np.ndarray) -> bool:
        if self.invert != "auto":
            return self.invert == "yes"
        if self.channels != 1:
            return False
        found = ground.of_image(fit(pixels, self.preparation.size))
        expected = self.expected_ground()
        return None not in (found, expected) and found != expected


def _image_input(net: Net, beside: Collection[str] = ()) -> str:
    """The input that is an image, but for those that are named; ConfigError or ShapeError unless there is
    one."""
    inputs = [name for name in net.inputs if name not in beside]
    if len(inputs) != 1:
        names = ", ".join(inputs) or "none"
        raise ConfigError(f"{len(inputs)} inputs ({names}); an image goes into one")
    name = inputs[0]
    shape = net.blobs[name].shape
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise ShapeError(
            f"input {name!r} has the shape {shape}, which no image has: expected (N, 1 or 3, H, W)"
        )
    return name


def _transform(
    source: LayerParameter,
    mean: str | Path | Sequence[float] | None,
    scale: float | None,
    std: Sequence[float] | None,
) -> Message:
    """transform_param of the layer that brings images in, with what is asked for in its place."""
    conf = TransformationParameter()
    conf.CopyFrom(source.transform_param)
    image = source.image_data_param
    if image.new_height and image.new_width and not conf.HasField("resize"):
        conf.resize.height, conf.resize.width = image.new_height, image.new_width
    if mean is not None:
        conf.ClearField("mean_file")
        conf.ClearField("mean_value")
        if isinstance(mean, (str, Path)):
            conf.mean_file = str(mean)
        else:
            conf.mean_value.extend(mean)
    if scale is not None:
        conf.scale = scale
    if std is not None:
        del conf.std_value[:]
        conf.std_value.extend(std)
    return conf
