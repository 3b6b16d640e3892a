"""caffe.io: blobs, datums and image files as arrays, and arrays as nets want them.

Images here are (H, W, K), float32 in [0, 1], red before green before blue; `Transformer` makes of them what a
net was trained on, usually (K, H, W), blue first, in [0, 255], less a mean.

Source   BVLC Caffe 1.0, python/caffe/io.py.
Differs  Caffe's module needs scikit-image; this one computes with SciPy what scikit-image 0.19 and later
         compute, and reads with Pillow.  Each function says what else differs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from ..data import datum as records
from ..data.images import DEEP, contents
from ..errors import ConfigError, DataError, ShapeError, locate
from ..proto import binary
from ..proto.schema import BlobProto, Datum, Message
from .proto import caffe_pb2  # code for Caffe also knows it as caffe.io.caffe_pb2

# scikit-image's rgb2gray: the luminance of the primaries of ITU-R BT.709.
LUMINANCE = np.array([0.2125, 0.7154, 0.0721], np.float32)


class ImageError(DataError, OSError):
    """An image file that is missing or cannot be read; code written for pycaffe catches IOError."""


# -- blobs and datums


def blobproto_to_array(blob: BlobProto, return_diff: bool = False) -> np.ndarray:
    """The data of a BlobProto, or its diff, in the blob's shape, float64.

    num, channels, height and width are the shape if any of them is set.  A blob without a shape holds one
    value.

    Differs  double_data and double_diff, which pycaffe leaves out, are read too.
    Raises   ValueError if the values are not as many as the shape says.
    """
    return binary.to_array(blob, diff=return_diff).astype(float)


def array_to_blobproto(arr: np.ndarray, diff: np.ndarray | None = None) -> BlobProto:
    """A BlobProto of an array of any shape, and of its diff; ValueError unless the two have one shape."""
    data = np.asarray(arr, np.float32)
    if diff is None:
        return binary.from_array(data)
    if np.shape(diff) != data.shape:
        raise ShapeError(f"diff must have the shape of the data, {data.shape}; got {np.shape(diff)}")
    return binary.from_array(data, np.asarray(diff, np.float32))


def arraylist_to_blobprotovector_str(arraylist: Iterable[np.ndarray]) -> bytes:
    """Arrays as the bytes of one BlobProtoVector."""
    return caffe_pb2.BlobProtoVector(blobs=[array_to_blobproto(arr) for arr in arraylist]).SerializeToString()


arraylist_to_blobprotovecor_str = arraylist_to_blobprotovector_str  # as early versions of Caffe spell it


def blobprotovector_str_to_arraylist(str: bytes) -> list[np.ndarray]:
    """The arrays in the bytes of a BlobProtoVector; ValueError if they are damaged."""
    return [blobproto_to_array(blob) for blob in binary.parse(str, caffe_pb2.BlobProtoVector).blobs]


def array_to_datum(arr: np.ndarray, label: int | None = None) -> Message:
    """A Datum of an array (C, H, W): uint8 in its data, any other type in its float_data.

    Raises ValueError unless the array has three axes, none empty, and the label fits 32 bits.
    """
    arr = np.asarray(arr)
    if arr.dtype != np.uint8:
        arr = arr.astype(np.float32)
    datum = records.from_array(arr, 0 if label is None else label)
    if label is None:
        datum.ClearField("label")
    return datum


def datum_to_array(datum: Datum) -> np.ndarray:
    """The image of a Datum, (C, H, W): uint8, or float64 if it is stored in float_data.

    Differs  an encoded image is decoded, channels in the order blue, green, red; pycaffe fails.
    Raises   ValueError if the values are not as many as the shape says, or an encoded image is damaged.
    """
    image = records.to_array(datum)
    return image.copy() if image.dtype == np.uint8 else image.astype(float)


# -- images


def load_image(filename: str | os.PathLike, color: bool = True) -> np.ndarray:
    """The image in a file, float32 in [0, 1]: (H, W, 3), red first; or, unless `color`, (H, W, 1).

    Grey images are repeated for colour, colour images weighed by 0.2125 R + 0.7154 G + 0.0721 B for grey;
    alpha is dropped.  16-bit grey images keep their bits.  The orientation of EXIF is not followed, as in
    pycaffe, and unlike in ImageData.

    Differs  a grey image with alpha, and CMYK, are converted; pycaffe returns two channels, and CMY.
             color=False works; in pycaffe it fails with scikit-image 0.16 and later.
    Raises   OSError, naming the file, if it is missing or no image.
    """
    from PIL import Image

    try:
        data = contents(filename)
    except DataError as error:
        raise ImageError(error.message) from None
    try:
        with Image.open(BytesIO(data)) as image:
            pixels = _unit_range(image)
    except DataError as error:
        raise ImageError(f"{filename}: {error.message}", hint=error.hint) from None
    except Exception:  # what decoders raise on damaged data is of any kind
        raise ImageError(f"{filename}: not a whole image that Pillow knows", hint="check the file") from None
    if color:
        return np.broadcast_to(pixels, (*pixels.shape[:2], 3)).copy()
    return pixels if pixels.shape[2] == 1 else (pixels @ LUMINANCE)[:, :, None]


def _unit_range(image) -> np.ndarray:
    """The pixels of a Pillow image, (H, W, 1) or (H, W, 3), float32 in [0, 1]."""
    if image.mode == "F":
        values = np.array(image, np.float32)
        if not (np.abs(values) <= 1).all():
            raise DataError("an image of floats must hold values from -1 to 1", hint="scale it")
        return values[:, :, None]
    if image.mode in DEEP:
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise DataError("pixel values of more than 16 bits", hint="store them as .npy or HDF5")
        return (values[:, :, None] / 0xFFFF).astype(np.float32)
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if image.mode in ("La", "RGBa"):  # Pillow takes alpha out of these first
        image = image.convert("RGBA")
    values = np.asarray(image.convert(mode), np.float32) / np.float32(255)
    return values.reshape(*values.shape[:2], -1)


def resize_image(im: np.ndarray, new_dims: Iterable[int], interp_order: int = 1) -> np.ndarray:
    """An image (H, W, K) at height and width `new_dims`, float32.

    interp_order  of the splines between pixels: 0 is the nearest pixel, 1 linear (default), up to 5

    One or three channels are resized as scikit-image's `resize(mode="constant")` does: pixel i of n' lies at
    (i + 0.5) n / n' - 0.5; beyond the border stands the image's smallest value, so borders are pulled towards
    it; and an axis that shrinks by the factor s is smoothed before by a Gaussian of sigma (s - 1) / 2.
    (scikit-image before 0.15, of Caffe's own time, did not smooth.)  Values stay within the image's range.

    Any other number of channels is resized by `scipy.ndimage.zoom`, as in pycaffe: corner pixels keep their
    places, nothing is smoothed.

    Raises ShapeError (a ValueError) for an array or a size that is none.
    """
    im = np.asarray(im)
    height, width = _size(new_dims, "new_dims")
    if im.ndim != 3 or not im.size:
        raise ShapeError(f"an image must have the axes (H, W, K), none empty; got {im.shape}")
    if not 0 <= interp_order <= 5:
        raise ConfigError(f"interp_order must be from 0 to 5; got {interp_order}")
    im = im.astype(np.result_type(im, np.float32), copy=False)  # bytes would overflow
    if im.shape[2] not in (1, 3):
        from scipy import ndimage

        scale = (height / im.shape[0], width / im.shape[1], 1)
        return ndimage.zoom(im, scale, order=interp_order).astype(np.float32)
    low, high = im.min(), im.max()
    if not high > low:
        return np.full((height, width, im.shape[2]), low, np.float32)
    resized = _resize((im - low) / (high - low), (height, width), interp_order)
    return (resized * (high - low) + low).astype(np.float32)


def _resize(im: np.ndarray, size: tuple[int, int], order: int) -> np.ndarray:
    """An image with values from 0 to 1, resized; 0 stands beyond its borders."""
    from scipy import ndimage

    factors = np.array([im.shape[0] / size[0], im.shape[1] / size[1], 1])
    if (factors > 1).any():
        sigma = np.maximum(0, (factors - 1) / 2)
        im = ndimage.gaussian_filter(im, sigma, mode="grid-constant")
    resized = ndimage.zoom(im, 1 / factors, order=order, mode="grid-constant", grid_mode=True)
    return np.clip(resized, 0, 1)  # splines of higher order swing over


def oversample(images: Sequence[np.ndarray], crop_dims: Iterable[int]) -> np.ndarray:
    """Ten crops of each image: the corners (upper left, upper right, lower left, lower right), the centre,
    and the same five mirrored; (10 N, h, w, K), float32.

    images     N images (H, W, K) of one shape
    crop_dims  h and w

    Differs  images of several shapes, and crops larger than the images, are refused; pycaffe cuts wrongly.
    Raises   ShapeError (a ValueError).
    """
    height, width = _size(crop_dims, "crop_dims")
    if not len(images):
        raise ShapeError("there must be an image at least; got none")
    shape = np.shape(images[0])
    for image in images:
        if len(shape) != 3 or np.shape(image) != shape:
            raise ShapeError(
                f"all images must have the shape {shape}, which is (H, W, K); got {np.shape(image)}"
            )
    below, right = shape[0] - height, shape[1] - width
    if below < 0 or right < 0:
        raise ShapeError(f"crops of {height} x {width} do not fit in images of {shape[0]} x {shape[1]}")
    corners = [(0, 0), (0, right), (below, 0), (below, right), (below // 2, right // 2)]
    crops = np.empty((len(images), 2, 5, height, width, shape[2]), np.float32)
    for image, (plain, mirrored) in zip(images, crops):
        for crop, (top, left) in zip(plain, corners):
            crop[...] = image[top : top + height, left : left + width]
        mirrored[...] = plain[:, :, ::-1]
    return crops.reshape(-1, height, width, shape[2])


def _size(dims: Iterable[int], name: str) -> tuple[int, int]:
    size = tuple(int(d) for d in dims)
    if len(size) != 2 or min(size) < 1:
        raise ShapeError(f"{name} must be a height and a width of at least 1; got {size}")
    return size


# -- what nets take


class Transformer:
    """Images as inputs of a net, and back.

        transformer = caffe.io.Transformer({"data": net.blobs["data"].data.shape})
        transformer.set_transpose("data", (2, 0, 1))  # (H, W, K) -> (K, H, W)
        transformer.set_channel_swap("data", (2, 1, 0))  # red first -> blue first
        transformer.set_raw_scale("data", 255)  # [0, 1] -> [0, 255]
        transformer.set_mean("data", mean)
        net.blobs["data"].data[...] = transformer.preprocess("data", caffe.io.load_image("cat.jpg"))

    inputs  the shapes of a net's inputs, (N, K, H, W), by their names

    Differs  preprocess never writes to its argument; in pycaffe an image that is float32 already, in the
             input's size, is scaled in place.  deprocess inverts any transposition and order of channels,
             and keeps an only channel; pycaffe inverts a few, and loses the axis.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]) -> None:
        self.inputs = {name: tuple(int(d) for d in shape) for name, shape in inputs.items()}
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, np.ndarray] = {}
        self.input_scale: dict[str, float] = {}

    def preprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """The image `data`, (H', W', K), as input `in_` of the net, a new float32 array:

            (swap channels(transpose(resize(data))) * raw_scale - mean) * input_scale

        Each step is left out that was not set; resizing, if the image has the input's size.

        Raises ConfigError for a name that is no input, ShapeError (a ValueError) for an image that does not
        fit what was set.
        """
        shape = self._shape(in_)
        image = np.array(data, np.float32)
        with locate(f"input {in_!r}"):
            if image.shape[:2] != shape[2:]:
                image = resize_image(image, shape[2:])
            if in_ in self.transpose:
                order = self.transpose[in_]
                if len(order) != image.ndim:
                    raise ShapeError(f"an image must have {len(order)} axes; got {image.shape}")
                image = image.transpose(order)
            if in_ in self.channel_swap:
                swap = self.channel_swap[in_]
                if image.ndim != 3 or max(swap) >= len(image):
                    raise ShapeError(f"channel_swap {tuple(swap)} does not fit an image of {image.shape}")
                image = image[list(swap)]
            if in_ in self.raw_scale:
                image *= self.raw_scale[in_]
            if in_ in self.mean:
                mean = self.mean[in_]
                if image.ndim != 3 or any(m not in (1, n) for m, n in zip(mean.shape, image.shape)):
                    raise ShapeError(f"a mean of {mean.shape} does not fit an image of {image.shape}")
                image -= mean
            if in_ in self.input_scale:
                image *= self.input_scale[in_]
        return image

    def deprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """An input `in_` of the net, (K, H, W) or (1, K, H, W), as the image it was made of, at the input's
        size."""
        shape = self._shape(in_)
        image = np.array(data, np.result_type(data, np.float32))
        while image.ndim >= len(shape) and len(image) == 1:  # the axis of images
            image = image[0]
        if in_ in self.input_scale:
            image /= self.input_scale[in_]
        if in_ in self.mean:
            image += self.mean[in_]
        if in_ in self.raw_scale:
            image /= self.raw_scale[in_]
        if in_ in self.channel_swap:
            image = image[_inverse(self.channel_swap[in_], "channel_swap")]
        if in_ in self.transpose:
            return image.transpose(_inverse(self.transpose[in_], "transpose"))
        return image.squeeze()

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """Set which axis of an image becomes which of the input: (2, 0, 1) makes (K, H, W) of (H, W, K)."""
        shape = self._shape(in_)
        if sorted(order) != list(range(len(shape) - 1)):
            raise ConfigError(
                f"transpose order needs to have the same number of dimensions as the input, {len(shape) - 1},"
                f" each once; got {tuple(order)}"
            )
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """Set which channels of an image become the first, second, ... of the input, after the transposition:
        (2, 1, 0) makes blue first of red first."""
        channels = self._shape(in_)[1]
        if len(order) != channels or min(order) < 0:
            raise ConfigError(
                "channel swap needs to have the same number of dimensions as the input channels,"
                f" {channels}, counted from 0; got {tuple(order)}"
            )
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """Set the factor before the mean is taken away: 255 for nets that learned from bytes."""
        self._shape(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: np.ndarray) -> None:
        """Set what is taken away: a value per channel (K,), or an image (H, W) or (K, H, W) in the input's
        order of channels, which is resized to the input.

        Differs  a 2-D mean of another size, and a constant one, are resized too; pycaffe fails on the first,
                 and makes NaN of the second.
        Raises   ValueError for any other shape.
        """
        shape = self._shape(in_)
        mean = np.array(mean)
        if mean.ndim not in (1, 2, 3):
            raise ShapeError(f"mean shape invalid: expected (K,), (H, W) or (K, H, W); got {mean.shape}")
        if mean.ndim != 2 and len(mean) not in ((shape[1],) if mean.ndim == 1 else (1, shape[1])):
            raise ShapeError(f"mean channels incompatible with input: expected {shape[1]}; got {len(mean)}")
        mean = mean[:, None, None] if mean.ndim == 1 else mean.reshape(-1, *mean.shape[-2:])
        if mean.shape[1:] not in (shape[2:], (1, 1)):
            mean = resize_image(mean.transpose(1, 2, 0), shape[2:]).transpose(2, 0, 1)
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """Set the factor after the mean was taken away."""
        self._shape(in_)
        self.input_scale[in_] = scale

    def _shape(self, in_: Any) -> tuple[int, ...]:
        try:
            return self.inputs[in_]
        except KeyError:
            raise ConfigError(f"{in_} is not one of the net inputs: {', '.join(self.inputs)}") from None


def _inverse(order: Sequence[int], name: str) -> list[int]:
    if sorted(order) != list(range(len(order))):
        raise ConfigError(f"{name} {tuple(order)} takes some channels twice and cannot be inverted")
    return np.argsort(order).tolist()
