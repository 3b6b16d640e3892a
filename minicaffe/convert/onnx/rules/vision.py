"""Convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ....layers.vision.window import Window
from ..graph import INT64, Draft, Tensor


def in_batches(w: Draft, x: Tensor, shape: tuple[int, ...], axis: int) -> Tensor:
    """x with the axes before `axis` as one, and at least one axis behind the channels, as Conv wants it."""
    if axis == 1 and len(shape) > 2:
        return x
    return w("Reshape", x, [-1, shape[axis], *(shape[axis + 1 :] or [1])])


def convolving(w: Draft, op: str) -> list[Tensor]:
    """Every bottom under the same weights."""
    layer, window = w.layer, w.layer.window
    dims = layer.params[0].shape[:2] + (window.kernel or (1,))
    params = [w.param(layer.params[0], dims), *([w.param(layer.bias)] if layer.bias else [])]
    size = w.shape[layer.axis + 1 :]
    out = w.top_shapes[0][layer.axis + 1 :]
    attributes = {
        "kernel_shape": dims[2:],
        "strides": window.stride or (1,),
        "dilations": window.dilation or (1,),
        "pads": padding(size, out, window) if op == "Conv" else [*window.pad, *window.ends],
        "group": layer.groups,
    }
    if not size:
        attributes["pads"] = [0, 0]
    tops = []
    for i, x in enumerate(w.bottom):
        x = in_batches(w, x, w.shape, layer.axis)
        y = w(op, x, *params, **attributes)
        tops.append(y if layer.axis == 1 and size else w.reshaped(y, i))
    return tops


def padding(size: Sequence[int], out: Sequence[int], window: Window) -> list[int]:
    """Pads at the beginnings and ends of a convolution.  Caffe's division truncates: an input a little short
    of the kernel gives one output, as if there were more zeros behind it."""
    ends = [
        max(behind, (o - 1) * stride + dilation * (kernel - 1) + 1 - extent - pad)
        for extent, o, (kernel, stride, pad, dilation, behind) in zip(size, out, window.axes)
    ]
    return [*window.pad, *ends]


def im2col(w: Draft) -> Tensor:
    """A convolution by group: the kernels of every channel are the unit vectors of the window."""
    layer = w.layer
    channels, window, size = w.shape[layer.axis], layer.window, w.shape[layer.axis + 1 :]
    count = math.prod(window.kernel)
    units = np.tile(np.eye(count, dtype=np.float32), (channels, 1)).reshape(-1, 1, *window.kernel)
    out = w.top_shapes[0][layer.axis + 1 :]
    y = w(
        "Conv",
        in_batches(w, w.x, w.shape, layer.axis),
        units,
        kernel_shape=window.kernel,
        strides=window.stride,
        dilations=window.dilation,
        pads=padding(size, out, window),
        group=channels,
    )
    return y if layer.axis == 1 else w.reshaped(y)


def interp(w: Draft) -> Tensor:
    """Resize by sizes takes those of batch and channels too."""
    g, x = w.layer.g, w.x
    if (g.h, g.w) != (g.rows, g.columns):
        x = w("Slice", x, [g.top, g.left], [g.top + g.h, g.left + g.w], [2, 3])
    return resize(w, x, "align_corners")


def resize(w: Draft, x: Tensor, places: str) -> Tensor:
    """To the size that the layer's geometry says; places: where pixels of the result stand in x."""
    sizes = w("Concat", w("Slice", w("Shape", x), [0], [2]), [w.layer.g.oh, w.layer.g.ow], axis=0)
    return w("Resize", x, None, None, sizes, mode="linear", coordinate_transformation_mode=places)


def enlarging(w: Draft) -> Tensor:
    """Repeated pixels by Resize; values at their places of a plane of zeros, and the plane into rows."""
    layer, g = w.layer, w.layer.g
    batch = w("Slice", w("Shape", w.x), [0], [2])
    if layer.method != "PLACES":
        fits = (g.kh, g.kw) == (g.sh, g.sw) and (g.oh, g.ow) == (g.h * g.sh, g.w * g.sw)
        w.require(layer.method == "SUM" and fits, "ONNX has no means or sums over windows that were pooled")
        sizes, how = w("Concat", batch, [g.oh, g.ow], axis=0), {"mode": "nearest", "nearest_mode": "floor"}
        return w("Resize", w.x, None, None, sizes, coordinate_transformation_mode="asymmetric", **how)
    values = w("Reshape", w.x, [0, 0, g.h * g.w])
    if layer.masked:
        w.whole_numbers(w.bottom[1], g.oh * g.ow)
        places = w("Cast", w("Reshape", w.bottom[1], [0, 0, g.h * g.w]), to=INT64)
    else:
        corners = np.add.outer(np.arange(g.h) * g.sh * g.ow, np.arange(g.w) * g.sw).reshape(1, 1, -1)
        places = w("Expand", corners, w("Shape", values))
    zeros = w("Expand", np.zeros((1, 1, 1), np.float32), w("Concat", batch, [g.oh * g.ow], axis=0))
    y = w("ScatterElements", zeros, places, values, axis=2)
    return w("Reshape", y, w("Concat", batch, [g.oh, g.ow], axis=0))


def dense_block(w: Draft) -> Tensor:
    """Frozen batch norms as factors and summands; filters turned round."""
    layer, y = w.layer, w.x
    w.require(layer.frozen, "its batch norms are those of training", hint="remove its phase")
    factor = w.values(layer.factor)
    for stages in layer.transitions:
        x = y
        for stage in stages:
            a, b = (v.astype(np.float32).reshape(1, -1, 1, 1) for v in stage.folded(factor))
            x = w("Relu", w("Add", w("Mul", x, a), b))
            filters = w.values(stage.filters)[:, :, ::-1, ::-1].astype(np.float32)
            pad, side = stage.side // 2, [stage.side] * 2
            x = w("Conv", x, np.ascontiguousarray(filters), kernel_shape=side, pads=[pad] * 4)
        y = w("Concat", y, x, axis=1)
    return y


MODES = {  # of ResizeBilinear -> of Resize
    "": "asymmetric",
    "align_corners": "align_corners",
    "half_pixel_centers": "half_pixel",
    "pytorch_half_pixel": "pytorch_half_pixel",
}


def resize_bilinear(w: Draft) -> Tensor:
    """Resize wants the channels in front of rows and columns."""
    layer, last = w.layer, w.layer.first == 1
    x = w("Transpose", w.x, perm=[0, 3, 1, 2]) if last else w.x
    sizes = w("Concat", w("Slice", w("Shape", x), [0], [2]), [layer.g.oh, layer.g.ow], axis=0)
    mode = MODES[layer.mode]
    y = w("Resize", x, None, None, sizes, mode="linear", coordinate_transformation_mode=mode)
    return w("Transpose", y, perm=[0, 2, 3, 1]) if last else y


def resize_nearest_neighbor(w: Draft) -> Tensor:
    """By number: Resize would round places in its own way."""
    layer, y = w.layer, w.x
    for axis, extent, out in ((0, layer.g.h, layer.g.oh), (1, layer.g.w, layer.g.ow)):
        picked = layer.places(extent, out).first.astype(np.int64)
        y = w("Gather", y, picked, axis=layer.first + axis)
    return y


def resample(w: Draft) -> Tensor:
    """The weights of rows and of columns as matrices on both sides: Resize has other places."""
    down, across = (shares.astype(np.float32) for shares in w.layer.weights())
    return w("MatMul", w("MatMul", down, w.x), np.ascontiguousarray(across.T))


RULES = {
    "Convolution": lambda w: convolving(w, "Conv"),
    "DenseBlock": dense_block,
    "Deconvolution": lambda w: convolving(w, "ConvTranspose"),
    "Im2col": im2col,
    "Interp": interp,
    "Unpooling": enlarging,
    "Upsample": enlarging,
    "UpsampleDarknet": enlarging,
    "MaskResize": lambda w: resize(w, w.x, "asymmetric"),
    "Resample": resample,
    "ResizeBilinear": resize_bilinear,
    "ResizeNearestNeighbor": resize_nearest_neighbor,
}
