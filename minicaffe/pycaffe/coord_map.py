"""caffe.coord_map: where an element of one blob lies in another, for Crop layers of fully convolutional nets.

A layer with windows maps positions along its spatial axes by y -> a y + b, from the coordinates of its
bottom to those of its top.  A map is (axis, a, b): axis is the one before the spatial axes, None if the
layer takes every element where it is; a and b are numbers, or arrays with one for each spatial axis:

    Convolution, Pooling, Im2col   a = 1/s   b = (p - (K - 1)/2) / s
    Deconvolution                  a = s     b = (K - 1)/2 - p
    Crop                           a = 1     b = -offset
    layers element by element      (None, 1, 0)

with stride s, pad p, and K = d (k - 1) + 1 for kernel size k and dilation d.

Differs: global pooling, and kernels given by height and width wherever they stand, are refused by name
where Caffe fails with a KeyError; crop works too where only element-wise layers lie between the blobs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ConfigError
from .net_spec import Function, Top
from .net_spec import layers as L

PASS_THROUGH_LAYERS = [
    "AbsVal",
    "BatchNorm",
    "Bias",
    "BNLL",
    "Dropout",
    "Eltwise",
    "ELU",
    "Log",
    "LRN",
    "Exp",
    "MVN",
    "Power",
    "ReLU",
    "PReLU",
    "Scale",
    "Sigmoid",
    "Split",
    "TanH",
    "Threshold",
]
BY_AXIS_NAME = ("kernel_h", "kernel_w", "stride_h", "stride_w", "pad_h", "pad_w")

Map = tuple[Any, Any, Any]  # axis, a, b


class UndefinedMapException(ConfigError):
    """A layer that has no map: what it puts where is no matter of coordinates."""


class AxisMismatchException(ConfigError):
    """Maps of different axes."""


class UnconnectedError(ConfigError, RuntimeError):
    """Blobs that no chain of spatial layers connects."""


class CropError(ConfigError, AssertionError):
    """Settings from which no Crop can be made."""


def conv_params(fn: Function) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Axis, stride, size of the (dilated) kernel and pad of a layer with windows."""
    params = _fields(fn, "pooling_param" if fn.type_name == "Pooling" else "convolution_param")
    by_axis = [name for name in BY_AXIS_NAME if name in params]
    if by_axis:
        hint = "give kernel_size, stride and pad as lists: kernel_size=[3, 5]"
        raise CropError(f"cropping does not support {by_axis[0]}", hint=hint)
    if "kernel_size" not in params:
        raise UndefinedMapException(f"{fn.type_name} has no kernel_size, so its windows are not known")
    kernel, dilation, stride, pad = (
        np.array(params.get(name, default), ndmin=1)
        for name, default in (("kernel_size", None), ("dilation", 1), ("stride", 1), ("pad", 0))
    )
    return params.get("axis", 1), stride, (kernel - 1) * dilation + 1, pad


def crop_params(fn: Function) -> tuple[int, np.ndarray]:
    """Axis and offset of a Crop."""
    params = _fields(fn, "crop_param")
    return params.get("axis", 2), np.array(params.get("offset", 0), ndmin=1)


def _fields(fn: Function, message: str) -> dict[str, Any]:
    """The fields of a layer, wherever its spec has them."""
    return {**fn.params, **fn.params.get(message, {})}


def coord_map(fn: Function) -> Map:
    """The map of a layer; UndefinedMapException if it has none."""
    if fn.type_name in ("Convolution", "Pooling", "Im2col"):
        axis, stride, kernel, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (kernel - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, stride, kernel, pad = conv_params(fn)
        return axis, stride, (kernel - 1) / 2 - pad
    if fn.type_name in PASS_THROUGH_LAYERS:
        return None, 1, 0
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    raise UndefinedMapException(f"{fn.type_name} does not map coordinates")


def compose(base_map: Map, next_map: Map) -> Map:
    """The map that applies next_map first, then base_map."""
    axis, a, b = base_map
    other, a2, b2 = next_map
    if axis is not None and other is not None and axis != other:
        raise AxisMismatchException(f"spatial axes come after axis {axis} in one layer, {other} in another")
    return other if axis is None else axis, a * a2, a * b2 + b


def inverse(coord_map: Map) -> Map:
    """The map back."""
    axis, a, b = coord_map
    return axis, 1 / a, -b / a


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """The map from the coordinates of top_from to those of top_to, by way of a blob that both are computed
    from.

    Where several are, they are taken to agree.  Raises UnconnectedError (a RuntimeError) if there is none.
    """
    from_maps = _maps_to_ancestors(top_from)
    to_maps = _maps_to_ancestors(top_to, until=from_maps.__contains__)
    for top, to_map in to_maps.items():
        if top in from_maps:
            return compose(to_map, inverse(from_maps[top]))
    raise UnconnectedError("Could not compute map between tops; are they connected by spatial layers?")


def _maps_to_ancestors(top: Top, until: Callable[[Top], bool] = lambda top: False) -> dict[Top, Map]:
    """For every blob that `top` is computed from, the nearest first, the map from it to `top`; no further
    than a blob that `until` holds for, or a layer without map."""
    maps: dict[Top, Map] = {top: (None, 1, 0)}
    queue = [top]
    for top in queue:
        if until(top):
            break
        crops = top.fn.type_name == "Crop"  # its second bottom gives no more than a shape
        bottoms = top.fn.inputs[:1] if crops else top.fn.inputs
        try:
            layer_map = coord_map(top.fn) if bottoms else None
        except UndefinedMapException:
            continue
        for bottom in bottoms:
            if bottom not in maps:
                maps[bottom] = compose(maps[top], layer_map)  # type: ignore[arg-type]
                queue.append(bottom)
    return maps


def crop(top_from: Top, top_to: Top) -> Top:
    """A Crop layer that cuts top_from to the elements that lie over those of top_to.

    Raises CropError (an AssertionError) if the scales differ, or offsets are negative or no whole numbers.
    """
    axis, a, b = coord_map_from_to(top_from, top_to)
    if np.any(np.asarray(a) != 1):
        raise CropError(f"scale mismatch on crop (a = {a})")
    if np.any(np.asarray(b) > 0):
        raise CropError(f"cannot crop negative offset (b = {b})")
    if np.any(np.round(b) != b):
        raise CropError(f"cannot crop noninteger offset (b = {b})")
    offset = [int(-shift) for shift in np.atleast_1d(b)]
    axis = 1 if axis is None else axis  # nothing between them but element-wise layers
    return L.Crop(top_from, top_to, crop_param={"axis": axis + 1, "offset": offset})
