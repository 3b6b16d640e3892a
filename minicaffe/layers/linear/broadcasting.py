"""The base of Add and Mul: two blobs element by element, aligned at their last axes."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import broadcast

Shape = Sequence[int]


class Broadcasting(Layer):
    """y = a o b, where a blob is repeated along the axes that it lacks in front, or that have extent 1."""

    bottoms = (1, 2)
    kernels = broadcast
    product = False

    def reshape(self, bottom, top):
        a, b = (blob.shape for blob in self.pair(bottom))
        shape = broadcast_shape(a, b)
        top[0].reshape(*shape)
        self.g = pair_of(a, b, shape)

    def pair(self, bottom):
        """The blobs of a and b."""
        return [*bottom, *self.params][:2]

    def forward(self, bottom, top):
        a, b = self.pair(bottom)
        self.k.broadcast_forward(a.data, b.data, top[0].data, self.g, int(self.product))

    def backward(self, top, propagate_down, bottom):
        dy, (a, b) = top[0].diff, self.pair(bottom)
        wanted = [*propagate_down, *self.param_gradient]
        for one, other, g, wants in ((a, b, self.g, wanted[0]), (b, a, self.g.turned, wanted[1])):
            if not wants:
                continue
            learned = bool(self.params) and one is self.params[0]
            if one.count < g.count or learned:
                self.k.broadcast_gradient(dy, other.data, one.diff, g, int(self.product), int(learned))
            elif self.product:  # as large as y: one product for each element
                apart = pair_of(one.shape, other.shape, top[0].shape)
                self.k.broadcast_forward(dy, other.data, one.diff, apart, 1)
            else:
                self.device.copy(dy, one.diff)

    def forward_operations(self, bottom, top):
        return top[0].count

    def backward_operations(self, bottom, top, propagate_down, params):
        """A product for each element, and a sum where a blob is repeated."""
        wanted = zip(self.pair(bottom), [*propagate_down, *params])
        return sum(
            top[0].count for blob, wants in wanted if wants and (self.product or blob.count < top[0].count)
        )

    def read_by_backward(self, bottom, top, propagate_down, params):
        if not self.product:
            return 0
        a, b = self.pair(bottom)
        by = [*propagate_down, *params]
        return b.count * by[0] + a.count * by[1]


def broadcast_shape(a: Shape, b: Shape) -> tuple[int, ...]:
    """What both become; ShapeError if they do not fit."""
    axes = max(len(a), len(b))
    pairs = zip((1,) * (axes - len(a)) + tuple(a), (1,) * (axes - len(b)) + tuple(b))
    shape = []
    for first, second in pairs:
        if first != second and 1 not in (first, second):
            raise ShapeError(
                f"{tuple(a)} and {tuple(b)} do not fit: axes, counted from the last one, must have equal"
                " extents, or 1"
            )
        shape.append(second if first == 1 else first)
    return tuple(shape)


def pair_of(a: Shape, b: Shape, shape: Shape) -> broadcast.Pair:
    """The geometry of arrays that become `shape`, in as few axes as can be; ShapeError for too many."""
    axes: list[tuple[int, int, int]] = []  # (extent, step of a, step of b), the last axis first
    sizes = [1, 1]
    for i in range(1, len(shape) + 1):
        extent = shape[-i]
        steps = []
        for which, other in enumerate((a, b)):
            own = other[-i] if i <= len(other) else 1
            steps.append(sizes[which] if own > 1 else 0)
            sizes[which] *= own
        if extent == 1:
            continue
        if axes and all(step == (axes[-1][0] * inner) for step, inner in zip(steps, axes[-1][1:])):
            axes[-1] = (axes[-1][0] * extent, *axes[-1][1:])  # goes on where the one behind it ends
        else:
            axes.append((extent, steps[0], steps[1]))
    if len(axes) > broadcast.MOST_AXES:
        raise ShapeError(
            f"{tuple(a)} and {tuple(b)} are repeated along too many axes in turn;"
            f" {broadcast.MOST_AXES} runs of axes can be"
        )
    axes += [(1, 0, 0)] * (broadcast.MOST_AXES - len(axes))
    return broadcast.Pair(*(axis[i] for i in range(3) for axis in reversed(axes)))
