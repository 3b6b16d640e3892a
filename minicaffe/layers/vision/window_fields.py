"""Reading kernel, stride, pad and dilation: Caffe's fields, and those of forks for padding."""

from __future__ import annotations

from ...errors import ConfigError
from ...proto.schema import Message
from .given import given
from .window import Window

PADS = ("pad_t", "pad_l", "pad_b", "pad_r")  # fields of forks: rows and columns of padding on each side
SAME = 1  # pad_type of TensorFlow's SAME


def fields_of_padding(message: str) -> frozenset[str]:
    """The fields of forks that `read_padding` reads, as Layer.fork_fields names them."""
    return frozenset(f"{message}.{name}" for name in (*PADS, "pad_type"))


def read_padding(conf: Message, window: Window) -> Window:
    """The window with what forks say of its padding: pad_t, pad_b, pad_l and pad_r, where one is not 0; else
    pad_type 1, TensorFlow's SAME; else pad, as ever.

    Raises ConfigError naming the field.
    """
    sides, kind = [getattr(conf, name) for name in PADS], conf.pad_type
    if kind not in (0, SAME):
        raise ConfigError(f"pad_type must be 0, or 1 for TensorFlow's SAME; got {kind}")
    if any(sides):
        if len(window.stride) != 2:
            raise ConfigError(
                f"{', '.join(PADS)} are for two spatial axes; there are {len(window.stride)}", hint="use pad"
            )
        if min(sides) < 0:
            raise ConfigError(f"{', '.join(PADS)} must be at least 0; got {sides}")
        top, left, bottom, right = sides
        return window._replace(pad=(top, left), behind=(bottom, right))
    return window._replace(same=True, pad=(0,) * len(window.pad)) if kind == SAME else window


def read_window(conf: Message, axes: int) -> Window:
    """The window of a convolution_param for `axes` spatial axes.

    Lists hold one value for all axes or one each (stride, pad and dilation may be left out); for two axes the
    fields _h and _w may be used instead.  What forks say of padding is not read.  Raises ConfigError naming
    the field.
    """
    return Window(
        values_of(conf, "kernel_size", "kernel", axes, None),
        values_of(conf, "stride", "stride", axes, 1),
        values_of(conf, "pad", "pad", axes, 0),
        values_of(conf, "dilation", None, axes, 1),
    )


def read_pooling_window(conf: Message, axes: int) -> Window:
    """The window of a pooling_param for `axes` spatial axes, without dilation.

    kernel_size, stride and pad are single values for all axes; for two the fields _h and _w may be used
    instead, for three those with _3d, and padding as `read_padding` takes it.  With global_pooling the
    kernel is the image, which only a reshape knows: it is empty here.  Raises ConfigError naming the field.
    """
    stride, pad = values_of(conf, "stride", "stride", axes, 1), values_of(conf, "pad", "pad", axes, 0)
    once = (1,) * axes
    if not conf.global_pooling:
        kernel = values_of(conf, "kernel_size", "kernel", axes, None)
        window = read_padding(conf, Window(kernel, stride, pad, once))
        if window.same and axes > 2:
            raise ConfigError("pad_type: 1 of a pooling is for images of at most two axes", hint="use pad")
        for sides in (window.pad, window.behind):
            if any(p >= k for p, k in zip(sides, kernel)):
                raise ConfigError(f"pad must be less than the kernel, {kernel}; got {sides}")
        return window
    given = [name for name in (*PADS, "pad_type") if getattr(conf, name)]
    if given:
        raise ConfigError(f"global_pooling takes no padding; got {', '.join(given)}", hint="remove it")
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
