"""Layers of optical flow: FlowNet's."""

from __future__ import annotations

import numpy as np

from ..graph import INT64, Draft, Tensor
from .shape import reduce


def correlation(w: Draft) -> Tensor:
    """One displacement after the other: both maps cut, multiplied, and their channels' mean; then the means
    over windows of all displacements at once."""
    g, conf = w.layer.g, w.layer.param.correlation_param
    a, b = w.bottom
    if conf.pad:
        pads = [0, 0, conf.pad, conf.pad] * 2
        a, b = w("Pad", a, pads), w("Pad", b, pads)
    start, reach = conf.max_displacement, g.side // 2 * g.apart
    high, wide = ((extent - 1) * g.step + g.window for extent in (g.oh, g.ow))

    def cut(x: Tensor, row: int, column: int) -> Tensor:
        return w("Slice", x, [row, column], [row + high, column + wide], [2, 3])

    own, means = cut(a, start, start), []
    shifts = range(start - reach, start + reach + 1, g.apart)
    for row in shifts:
        for column in shifts:
            other = cut(b, row, column)
            both = w("Abs", w("Sub", own, other)) if g.sizes else w("Mul", own, other)
            means.append(reduce(w, "ReduceMean", both, [1], keepdims=1))
    y = w("Concat", *means, axis=1) if len(means) > 1 else means[0]
    if (g.window, g.step) == (1, 1):
        return y
    return w("AveragePool", y, kernel_shape=[g.window] * 2, strides=[g.step] * 2)


def flow_warp(w: Draft) -> Tensor:
    """The four pixels around a place are gathered, where it lies in the image."""
    g = w.layer.g
    flow = w("Reshape", w.bottom[1], [0, 2, g.h * g.w])
    rows, columns = np.indices((g.h, g.w), np.float32).reshape(2, 1, -1)
    places, insides = [], []
    for i, (own, extent) in enumerate(((columns, g.w), (rows, g.h))):
        place = w("Add", w("Slice", flow, [i], [i + 1], [1]), own)  # (n, 1, h w)
        places.append(place)
        insides += [w("GreaterOrEqual", place, 0.0), w("Less", place, float(extent))]
    inside = insides[0]
    for other in insides[1:]:
        inside = w("And", inside, other)
    firsts, nexts, shares = [], [], []
    for place, extent in zip(places, (g.w, g.h)):
        whole = w("Where", inside, w("Floor", place), 0.0)
        first = w("Cast", whole, to=INT64)
        firsts.append(first)
        nexts.append(w("Min", w("Add", first, [1]), [extent - 1]))
        shares.append(w("Sub", place, whole))
    pixels = w("Transpose", w("Reshape", w.x, [0, g.c, g.h * g.w]), perm=[0, 2, 1])

    def read(row: Tensor, column: Tensor) -> Tensor:
        at = w("Add", w("Mul", row, [g.w]), column)  # (n, 1, h w)
        picked = w("GatherND", pixels, w("Transpose", at, perm=[0, 2, 1]), batch_dims=1)
        return w("Transpose", picked, perm=[0, 2, 1])

    def between(x: Tensor, y: Tensor, share: Tensor) -> Tensor:
        return w("Add", w("Mul", w("Sub", 1.0, share), x), w("Mul", share, y))

    (left, upper), (right, lower), (a, b) = firsts, nexts, shares
    above = between(read(upper, left), read(upper, right), a)
    under = between(read(lower, left), read(lower, right), a)
    y = w("Where", inside, between(above, under, b), np.float32(w.layer.absent))
    return w("Reshape", y, [0, g.c, g.h, g.w])


RULES = {"Correlation": correlation, "FlowWarp": flow_warp}
