"""Kernel, stride, pad and dilation, and the extents that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...errors import ShapeError

SPATIAL = 3  # the most spatial axes; kernels see fewer behind leading axes of extent 1


class Window(NamedTuple):
    """A sliding window; one entry per spatial axis.

    pad     elements of padding in front of the image, and behind it where `behind` is empty
    behind  elements of padding behind the image
    same    the padding follows from the size: as little as makes size / stride outputs, rounded up
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]
    behind: tuple[int, ...] = ()
    same: bool = False

    @property
    def ends(self) -> tuple[int, ...]:
        """Elements of padding behind the image."""
        return self.behind or self.pad

    @property
    def padded(self) -> bool:
        """Whether there is padding, or may be."""
        return self.same or any(self.pad) or any(self.ends)

    @property
    def axes(self) -> list[tuple[int, ...]]:
        """Of each axis kernel, stride, pad, dilation, and the padding behind the image."""
        return list(zip(self.kernel, self.stride, self.pad, self.dilation, self.ends))

    def over(self, size: Sequence[int]) -> Window:
        """The window with the padding that it has over an image of that size; of two sides that cannot be
        alike the one behind has one more."""
        if not self.same:
            return self
        total = [
            max(0, (-(-n // s) - 1) * s + l * (k - 1) + 1 - n) for n, (k, s, _, l, _) in zip(size, self.axes)
        ]
        pad = tuple(n // 2 for n in total)
        return self._replace(pad=pad, behind=tuple(n - p for n, p in zip(total, pad)))


def in_three_axes(size: Sequence[int], out: Sequence[int], window: Window) -> tuple[int, ...]:
    """Depth, row and column of each of size, out, kernel, stride, pad and dilation in turn: how geometries
    list them.  Axes that are missing become leading ones of extent 1."""
    filled = zip((size, out, *window[:4]), (1, 1, 1, 1, 0, 1))
    return tuple(n for values, fill in filled for n in (*[fill] * (SPATIAL - len(values)), *values))


def convolved(size: int, kernel: int, stride: int, pad: int, dilation: int, behind: int) -> int:
    """Output extent of a convolution, (size + pad + behind - reach) / stride + 1 with C's truncating
    division: an input up to stride - 1 short of the kernel still gives one output, as in Caffe.

    Raises ShapeError if no output is left.
    """
    reach = dilation * (kernel - 1) + 1
    out = int((size + pad + behind - reach) / stride) + 1
    if out < 1:
        raise ShapeError(
            f"a kernel that reaches over {reach} does not fit an input of {size} with padding"
            f" {_both(pad, behind)}"
        )
    return out


def deconvolved(size: int, kernel: int, stride: int, pad: int, dilation: int, behind: int) -> int:
    """Output extent of a transposed convolution, stride (size - 1) + reach - pad - behind: the image from
    which a convolution makes `size` outputs.  Raises ShapeError if no output is left.
    """
    out = stride * (size - 1) + dilation * (kernel - 1) + 1 - pad - behind
    if out < 1:
        raise ShapeError(f"padding {_both(pad, behind)} leaves nothing of the output of an input of {size}")
    return out


def _both(pad: int, behind: int) -> str:
    return f"{pad}" if pad == behind else f"{pad} and {behind}"


def pooled(size: Sequence[int], window: Window, ceil: bool) -> tuple[int, ...]:
    """Output extents of pooling: (size + pad + behind - kernel) / stride + 1, rounded up or down; down where
    the padding follows from the size.

    With padding along any axis, a last window that would start behind the image and its first padding is left
    out.  Raises ShapeError if no window is left, or if one would lie outside the image, where it has nothing
    to pool.
    """
    out, window = [], window.over(size)
    for extent, (kernel, stride, pad, _, behind) in zip(size, window.axes):
        room = extent + pad + behind - kernel
        count = (-(-room // stride) if ceil and not window.same else room // stride) + 1
        if window.padded and (count - 1) * stride >= extent + pad:
            count -= 1
        if count < 1:
            padding = _both(pad, behind)
            raise ShapeError(f"a window of {kernel} does not fit an input of {extent} with padding {padding}")
        if (count - 1) * stride - pad >= extent:
            raise ShapeError(
                f"the last window would start at {(count - 1) * stride}, outside an input of {extent}",
                hint="round_mode: FLOOR leaves it out; so does a stride not above the kernel",
            )
        out.append(count)
    return tuple(out)
