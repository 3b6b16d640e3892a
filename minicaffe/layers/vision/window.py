"""Reading kernel, stride, pad and dilation, and the extents that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...errors import ConfigError, ShapeError
from ...proto.schema import Message
from .given import given

SPATIAL = 3  # the most spatial axes; kernels see fewer behind leading axes of extent 1


class Window(NamedTuple):
    """A sliding window; one entry per spatial axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]


def read_window(conf: Message, axes: int) -> Window:
    """The window of a convolution_param for `axes` spatial axes.

    Lists hold one value for all axes or one each (stride, pad and dilation may be left out); for two axes the
    fields _h and _w may be used instead.  Raises ConfigError naming the field.
    """
    return Window(
        values_of(conf, "kernel_size", "kernel", axes, None),
        values_of(conf, "stride", "stride", axes, 1),
        values_of(conf, "pad", "pad", axes, 0),
        values_of(conf, "dilation", None, axes, 1),
    )


def read_pooling_window(conf: Message, axes: int) -> Window:
    """The window of a pooling_param for `axes` spatial axes, without dilation.

    kernel_size, stride and pad are single values for all axes; for two the fields _h and _w may be used, for
    three _3d.  With global_pooling the kernel is the image, which only a reshape knows: it is empty here.
    Raises ConfigError naming the field.
    """
    stride, pad = values_of(conf, "stride", "stride", axes, 1), values_of(conf, "pad", "pad", axes, 0)
    once = (1,) * axes
    if not conf.global_pooling:
        window = Window(values_of(conf, "kernel_size", "kernel", axes, None), stride, pad, once)
        if any(p >= k for p, k in zip(window.pad, window.kernel)):
            raise ConfigError(f"pad must be less than the kernel, {window.kernel}; got {window.pad}")
        return window
    for name in ("kernel_size", "kernel_h", "kernel_w", "kernel_size_3d"):
        if name in {field.name for field, _ in conf.ListFields()}:
            raise ConfigError(f"global_pooling pools the whole image; got {name} too", hint=f"remove {name}")
    if stride != once or any(pad):
        raise ConfigError(
            f"global_pooling takes stride 1 and pad 0; got stride {stride} and pad {pad}",
            hint="remove stride and pad",
        )
    return Window((), stride, pad, once)


def values_of(conf: Message, field: str, pair: str | None, axes: int, default: int | None) -> tuple[int, ...]:
    single = isinstance(getattr(conf, field), int)  # the field is not repeated
    values: tuple[int, ...]
    listed = given(conf, field, axes)
    if pair and (conf.HasField(f"{pair}_h") or conf.HasField(f"{pair}_w")):
        if axes != 2:
            raise ConfigError(
                f"{pair}_h and {pair}_w are for two spatial axes; there are {axes}", hint=f"use {field}"
            )
        if listed:
            raise ConfigError(
                f"both {field} and {pair}_h or {pair}_w are set", hint="keep one of the two forms"
            )
        if not (conf.HasField(f"{pair}_h") and conf.HasField(f"{pair}_w")):
            missing = f"{pair}_w" if conf.HasField(f"{pair}_h") else f"{pair}_h"
            raise ConfigError(f"{missing} is missing", hint=f"set both {pair}_h and {pair}_w")
        values = (getattr(conf, f"{pair}_h"), getattr(conf, f"{pair}_w"))
    elif len(listed) in (1, axes):
        values = tuple(listed) if len(listed) == axes else tuple(listed) * axes
    elif not listed and (default is not None or axes == 0):
        values = () if default is None else (default,) * axes
    elif single:
        pairs = f", or {pair}_h and {pair}_w" if axes == 2 else ""
        raise ConfigError(f"{field} is missing", hint=f"set {field}{pairs}")
    else:
        expected = f"1 or {axes}" if axes > 1 else "1"
        raise ConfigError(f"{field} must have {expected} values for {axes} spatial axes; got {len(listed)}")
    low = 0 if field == "pad" else 1
    if any(v < low for v in values):
        raise ConfigError(f"{field} must be at least {low}; got {list(values)}")
    return values


def in_three_axes(size: Sequence[int], out: Sequence[int], window: Window) -> tuple[int, ...]:
    """Depth, row and column of each of size, out, kernel, stride, pad and dilation in turn: how geometries
    list them.  Axes that are missing become leading ones of extent 1."""
    filled = zip((size, out, *window), (1, 1, 1, 1, 0, 1))
    return tuple(n for values, fill in filled for n in (*[fill] * (SPATIAL - len(values)), *values))


def convolved(size: int, kernel: int, stride: int, pad: int, dilation: int) -> int:
    """Output extent of a convolution, (size + 2 pad - reach) / stride + 1 with C's truncating division: an
    input up to stride - 1 short of the kernel still gives one output, as in Caffe.

    Raises ShapeError if no output is left.
    """
    reach = dilation * (kernel - 1) + 1
    out = int((size + 2 * pad - reach) / stride) + 1
    if out < 1:
        raise ShapeError(
            f"a kernel that reaches over {reach} does not fit an input of {size} with padding {pad}"
        )
    return out


def deconvolved(size: int, kernel: int, stride: int, pad: int, dilation: int) -> int:
    """Output extent of a transposed convolution, stride (size - 1) + reach - 2 pad: the image from which a
    convolution makes `size` outputs.  Raises ShapeError if no output is left.
    """
    out = stride * (size - 1) + dilation * (kernel - 1) + 1 - 2 * pad
    if out < 1:
        raise ShapeError(f"padding {pad} leaves nothing of the output of an input of {size}")
    return out


def pooled(size: Sequence[int], window: Window, ceil: bool) -> tuple[int, ...]:
    """Output extents of pooling: (size + 2 pad - kernel) / stride + 1, rounded up or down.

    With padding along any axis, a last window that would start behind the image and its first padding is left
    out.  Raises ShapeError if no window is left, or if one would lie outside the image, where it has nothing
    to pool.
    """
    out = []
    for extent, kernel, stride, pad in zip(size, window.kernel, window.stride, window.pad):
        room = extent + 2 * pad - kernel
        count = (-(-room // stride) if ceil else room // stride) + 1
        if any(window.pad) and (count - 1) * stride >= extent + pad:
            count -= 1
        if count < 1:
            raise ShapeError(f"a window of {kernel} does not fit an input of {extent} with padding {pad}")
        if (count - 1) * stride - pad >= extent:
            raise ShapeError(
                f"the last window would start at {(count - 1) * stride}, outside an input of {extent}",
                hint="round_mode: FLOOR leaves it out; so does a stride not above the kernel",
            )
        out.append(count)
    return tuple(out)
