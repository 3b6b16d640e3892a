"""Layers that rearrange, combine, select and repeat."""

from __future__ import annotations

import numpy as np

from ..graph import FLOAT, INT64, Draft, Tensor

END = 2**31 - 1  # as the end of a Slice: whatever the extent is


def concat(w: Draft) -> Tensor:
    return w("Concat", *w.bottom, axis=w.axis(w.layer.axis)) if len(w.bottom) > 1 else w.x


def cut(w: Draft) -> list[Tensor]:
    """Slice."""
    if len(w.top_shapes) == 1:
        return [w.x]
    axis = w.axis(w.layer.axis)
    sizes = [shape[axis] for shape in w.top_shapes]
    return w.several("Split", w.x, sizes, outputs=len(sizes), axis=axis)


def crop(w: Draft) -> Tensor:
    conf, out = w.layer.param.crop_param, w.top_shapes[0]
    axes = list(range(w.axis(conf.axis), len(out)))
    given = list(conf.offset) or [0]
    starts = given if len(given) == len(axes) else given * len(axes)
    ends = [start + out[axis] for start, axis in zip(starts, axes)]
    return w("Slice", w.x, starts, ends, axes)


def eltwise(w: Draft) -> Tensor:
    layer = w.layer
    if layer.operation == "MAX":
        return w("Max", *w.bottom)
    if layer.operation == "SUM":
        return w("Sum", *(w("Mul", x, c) if c != 1 else x for x, c in zip(w.bottom, layer.coeff)))
    y, *others = w.bottom
    for x in others:
        y = w("Mul", y, x)
    return y


def pad(w: Draft) -> Tensor:
    before, behind = zip(*w.layer.paddings)
    return w("Pad", w.x, [*before, *behind], w.layer.param.pad_param.constant_values)


def flip(w: Draft) -> Tensor:
    """Slices that go backwards, from the last element on."""
    conf = w.layer.param.flip_param
    axes = [axis for axis, wanted in ((2, conf.flip_height), (3, conf.flip_width)) if wanted]
    return w("Slice", w.x, [-1] * len(axes), [-END] * len(axes), axes, [-1] * len(axes)) if axes else w.x


def tile(w: Draft) -> Tensor:
    times = [1] * len(w.shape)
    times[w.axis(w.layer.param.tile_param.axis)] = w.layer.tiles
    return w("Tile", w.x, times) if w.layer.tiles > 1 else w.x


def reduce(w: Draft, op: str, x: Tensor, axes: list[int], keepdims: int = 0) -> Tensor:
    """A Reduce operator: in opset 17 the axes of a sum are an input, those of all others an attribute."""
    if op == "ReduceSum":
        return w(op, x, axes, keepdims=keepdims)
    return w(op, x, axes=axes, keepdims=keepdims)


def reduction(w: Draft) -> Tensor:
    conf, operation = w.layer.param.reduction_param, w.layer.operation
    ops = {"SUM": "ReduceSum", "ASUM": "ReduceL1", "SUMSQ": "ReduceSumSquare", "MEAN": "ReduceMean"}
    y = reduce(w, ops[operation], w.x, list(range(w.axis(conf.axis), len(w.shape))))
    return w("Mul", y, conf.coeff) if conf.coeff != 1 else y


def batch_reindex(w: Draft) -> Tensor:
    w.whole_numbers(w.bottom[1], w.shape[0])
    return w("Gather", w.x, w("Cast", w.bottom[1], to=INT64), axis=0)


def arg_max(w: Draft) -> Tensor:
    """Of equal scores Caffe's last one is first, and TopK's first one: it looks at them in reverse."""
    layer = w.layer
    x, axis, extent = w.x, 1, layer.g.classes
    if layer.along is None:
        x = w("Flatten", x, axis=1)
    else:
        axis = w.axis(layer.along)
    if layer.top_k == 1 and not layer.values:
        places = w("Cast", w("ArgMax", x, axis=axis, keepdims=1, select_last_index=1), to=FLOAT)
        return places if layer.along is not None else w.reshaped(places)
    reverse = w("Slice", x, [-1], [-END], [axis], [-1])
    highest, places = w.several("TopK", reverse, [layer.top_k], outputs=2, axis=axis)
    places = w("Sub", float(extent - 1), w("Cast", places, to=FLOAT))
    if layer.along is not None:
        return highest if layer.values else places
    if layer.values:
        places = w("Concat", w("Unsqueeze", places, [1]), w("Unsqueeze", highest, [1]), axis=1)
    return w.reshaped(places)


def sieve(w: Draft) -> list[Tensor]:
    """Filter."""
    *blobs, selector = w.bottom
    w.whole_numbers(selector, 2)
    w.jumps = True
    let_through = w("Not", w("Equal", w("Reshape", selector, [-1]), 0.0))
    return [w("Compress", x, let_through, axis=0) for x in blobs]


def one_hot(w: Draft) -> Tensor:
    classes = w.layer.classes
    w.whole_numbers(w.x, classes)
    off_on = np.array([0, 1], np.float32)
    return w("OneHot", w("Cast", w.x, to=INT64), [classes], off_on, axis=-1)


def shuffle_channel(w: Draft) -> Tensor:
    group, shape = w.layer.group, w.shape
    apart = w("Reshape", w.x, [0, group, shape[1] // group, -1])
    return w.reshaped(w("Transpose", apart, perm=[0, 2, 1, 3]))


def reorg(w: Draft) -> Tensor:
    """DepthToSpace (DCR) is the reverse; SpaceToDepth undoes it, on x seen as what that makes."""
    layer, g = w.layer, w.layer.g
    if not layer.coarse:
        return w("DepthToSpace", w.x, blocksize=layer.side, mode="DCR")
    fine = w("Reshape", w.x, [-1, g.channels, g.h * g.side, g.w * g.side])
    return w.reshaped(w("SpaceToDepth", fine, blocksize=layer.side))


def reverse(w: Draft) -> Tensor:
    axes = w.layer.axes
    return w("Slice", w.x, [-1] * len(axes), [-END] * len(axes), axes, [-1] * len(axes))


RULES = {
    "ArgMax": arg_max,
    "BatchReindex": batch_reindex,
    "Concat": concat,
    "Crop": crop,
    "Eltwise": eltwise,
    "Filter": sieve,
    "Flip": flip,
    "Flatten": lambda w: w.reshaped(w.x),
    "OneHot": one_hot,
    "Pad": pad,
    "Parameter": lambda w: w.param(w.layer.params[0]),
    "PriorBox": lambda w: w.constant(np.array(w.layer.device.get(w.layer.boxes), np.float32)),
    "Permute": lambda w: w("Transpose", w.x, perm=w.layer.full_order),
    "Reduction": reduction,
    "Reorg": reorg,
    "Reshape": lambda w: w.reshaped(w.x),
    "Reverse": reverse,
    "ShuffleChannel": shuffle_channel,
    "Silence": lambda w: [],
    "Slice": cut,
    "Squeeze": lambda w: w.reshaped(w.x),
    "Split": lambda w: [w.x] * len(w.top_shapes),
    "Tile": tile,
    "Transpose": lambda w: w("Transpose", w.x, perm=w.layer.full_order),
}
