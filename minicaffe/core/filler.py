"""Fillers: how a parameter starts.

Random fillers draw from one stream, the Mersenne Twister that Caffe draws from, seeded by random_seed.
Uniform numbers are made of its words as Caffe makes them, so the fillers uniform, xavier and
positive_unitball give Caffe's own values for the same seed; gaussian and msra give other numbers of the same
distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..errors import ConfigError, UnknownTypeError, suggest
from ..proto.schema import Message, enum_name

PIECE = 1 << 16  # normal numbers drawn at a time; even, since they are made in pairs


class Twister:
    """Caffe's random numbers: the words of a 32-bit Mersenne Twister (MT19937), in order."""

    def __init__(self, seed: int) -> None:
        self._twister = np.random.RandomState(seed & 0xFFFFFFFF)

    def words(self, count: int) -> np.ndarray:
        """The next words, uint32."""
        return self._twister.randint(0, 1 << 32, count, np.uint32)

    def uniform(self, low: float, high: float, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Numbers in [low, high], one word each: word / 2^32 * (top - low) + low in the precision of dtype,
        where top is the number after high.  A result that rounding takes to top is drawn again."""
        real = np.dtype(dtype).type
        bottom, top = real(low), np.nextafter(real(high), real(math.inf))
        found = np.empty(0, real)
        while found.size < math.prod(shape):
            words = self.words(math.prod(shape) - found.size).astype(real)
            drawn = words / real(2**32) * (top - bottom) + bottom
            found = np.concatenate([found, drawn[drawn < top]])
        return found.reshape(shape)

    def normal(self, mean: float, deviation: float, out: np.ndarray) -> None:
        """Fill `out`, which is contiguous.  Numbers are drawn in float64, a piece at a time: all at once they
        would take twice the memory of what they fill."""
        flat = out.reshape(-1)
        for start in range(0, flat.size, PIECE):
            piece = flat[start : start + PIECE]
            piece[...] = self._twister.normal(mean, deviation, piece.size)


def fill(array: np.ndarray, filler: Message, stream: Twister) -> None:
    """Fill `array` on the host as a FillerParameter says.

    Raises UnknownTypeError for an unknown type, ConfigError for values out of range.
    """
    if filler.type not in FILLERS:
        raise UnknownTypeError(f"no filler type {filler.type!r}", hint=suggest(filler.type, FILLERS))
    if filler.sparse != -1 and filler.type != "gaussian":
        raise ConfigError(
            f"filler sparse is for type gaussian only; got type {filler.type!r}", hint="remove sparse"
        )
    FILLERS[filler.type](array, filler, stream)


def check(filler: Message, shape: Sequence[int]) -> None:
    """Raise what `fill` would raise for an array of this shape, at the cost of a few elements."""
    few = [min(max(extent, 0), 2) for extent in shape]
    if len(shape) == 4 and shape[2] != shape[3]:  # a bilinear filler wants them equal
        few[2:] = 1, 2
    fill(np.zeros(few, np.float32), filler, Twister(0))


def _constant(array, filler, stream):
    """value."""
    array[...] = filler.value


def _uniform(array, filler, stream):
    """U[min, max]."""
    if filler.min > filler.max:
        raise ConfigError(f"uniform filler: min {filler.min} is above max {filler.max}")
    if not all(abs(end) <= np.finfo(np.float32).max / 4 for end in (filler.min, filler.max)):  # NaN neither
        raise ConfigError(f"uniform filler: numbers from {filler.min} to {filler.max} cannot be drawn")
    array[...] = stream.uniform(filler.min, filler.max, array.shape, array.dtype)


def _gaussian(array, filler, stream):
    """N(mean, std); with sparse >= 0 each element is kept with probability sparse / shape[0], else 0."""
    if not filler.std > 0:
        raise ConfigError(f"gaussian filler: std must be above 0; got {filler.std}")
    if filler.sparse < -1:
        raise ConfigError(f"gaussian filler: sparse must be at least 0; got {filler.sparse}")
    if filler.sparse >= 0 and not array.ndim:
        raise ConfigError("gaussian filler: sparse needs a parameter with axes", hint="remove sparse")
    stream.normal(filler.mean, filler.std, array)
    if filler.sparse >= 0:
        array *= stream.uniform(0, 1, array.shape, array.dtype) < filler.sparse / _rows(array, filler)


def _positive_unitball(array, filler, stream):
    """U[0, 1], then every row (index of axis 0; without axes there is one) divided by its sum."""
    array[...] = stream.uniform(0, 1, array.shape, array.dtype)
    rows = array.reshape(_rows(array, filler), -1)
    rows /= rows.sum(1, keepdims=True)


def _xavier(array, filler, stream):
    """U[-a, a] with a = sqrt(3 / n); n by variance_norm (Glorot & Bengio 2010)."""
    real = array.dtype.type
    limit = np.sqrt(real(3) / real(_fan(array, filler)))
    array[...] = stream.uniform(-limit, limit, array.shape, array.dtype)


def _msra(array, filler, stream):
    """N(0, sqrt(2 / n)); n by variance_norm (He et al. 2015)."""
    stream.normal(0, math.sqrt(2 / _fan(array, filler)), array)


def _bilinear(array, filler, stream):
    """Weights that make a Deconvolution interpolate: (1 - |x / f - c|) (1 - |y / f - c|) in every filter."""
    if array.ndim != 4 or array.shape[2] != array.shape[3]:
        raise ConfigError(f"bilinear filler: weights must have 4 axes and a square kernel; got {array.shape}")
    size = array.shape[3]
    f = math.ceil(size / 2)
    line = 1 - np.abs(np.arange(size) / f - (size - 1) / (2 * f))
    array[...] = np.outer(line, line)


FILLERS: dict[str, Callable[[np.ndarray, Message, Twister], None]] = {
    "constant": _constant,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "positive_unitball": _positive_unitball,
    "xavier": _xavier,
    "msra": _msra,
    "bilinear": _bilinear,
}


def _fan(array: np.ndarray, filler: Message) -> float:
    """n of xavier and msra: fan_in = count / shape[0], fan_out = count / shape[1] (count for one axis), or
    the mean; 1 for a parameter without axes."""
    fan_in = array.size / _rows(array, filler)
    fan_out = array.size / array.shape[1] if array.ndim > 1 else array.size
    return {"FAN_IN": fan_in, "FAN_OUT": fan_out, "AVERAGE": (fan_in + fan_out) / 2}[
        enum_name(filler, "variance_norm")
    ]


def _rows(array: np.ndarray, filler: Message) -> int:
    """The extent of axis 0; a parameter without axes is one row, as in Caffe."""
    if array.size == 0:
        raise ConfigError(f"{filler.type} filler: the parameter of shape {array.shape} is empty")
    return array.shape[0] if array.ndim else 1
