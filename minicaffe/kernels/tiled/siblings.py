"""1x1 convolutions of one blob over register tiles, see kernels/siblings.py.

    forward            y_i = w_i x               see forward.py
    gradient by data   dx = sum of w_i^T dy_i    see pointwise.py
    by weights         dw_i^T = x dy_i^T         panel of x gathered once, read along its rows

Panels are cut, and tiles chosen, as for each convolution by itself, so that results are the same.
"""

from __future__ import annotations

from numba import prange

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.columns import gather
from ..micro.dealing import worker
from . import convolution, pointwise
from .columns import move_panel
from .forward import forward
from .panels import carve, pack, part_of, sums_apart, threads, tiling


def backward_weights(
    x, dys, sums, split, wide, narrow, rows, panels, others, outputs, steps, move, cols, t, g
):
    """Every item is a panel of pixels, `sums` are each sibling's, of each part; tiles and `split` as in
    convolution.py."""
    count, parts = cols.start.size - 1, len(sums[0])
    for share in prange(parts * split):
        part, me = share // split, worker()
        panel, slopes = panels[me], others[me]
        first, last = part_of(part, parts, g.n * count)
        for s in range(len(outputs)):
            low, high = columns_of(share % split, split, outputs[s], t)
            across = (outputs[s] + t.width - 1) // t.width * t.width
            for c in range((g.c + rows - 1) // rows * rows):
                sums[s][part][c * across + low : c * across + high] = 0
        for item in range(first, last):
            n, p = item // count, item % count
            move_panel(move, cols, p, address(x, n * g.x_step), address(panel, 0))
            live = min(cols.width, g.pixels - p * cols.width)
            for s in range(len(outputs)):
                total, m = sums[s][part], outputs[s]
                low, high = columns_of(share % split, split, m, t)
                across = (m + t.width - 1) // t.width * t.width
                at = n * steps[s] + low * g.pixels + p * cols.width
                pack(dys[s], at, g.pixels, 1, min(m, high) - low, live, t.width, slopes, t)
                for b in range(low, high, t.width):
                    tile = wide if m - b > t.lanes else narrow
                    right = address(slopes, (b - low) * live)
                    for c in range(0, g.c, rows):
                        left = address(panel, c * cols.width)
                        to = address(total, c * across + b)
                        call(tile, (live, left, right, t.width, to, across, 0, 0))


@jit
def columns_of(share, split, outputs, t):
    """The half-open range of outputs, in whole tiles, that falls to a share."""
    low, high = part_of(share, split, (outputs + t.width - 1) // t.width)
    return low * t.width, high * t.width


backward_weights = jit(backward_weights, parallel=True)


class Siblings:
    """The products of kernels.siblings for a CPU device: methods with the signatures of its kernels."""

    def __init__(self, device) -> None:
        self.device, self.one = device, convolution.Tiled(device)
        self.t = tiling(device.dtype, device.machine)

    def forward(self, x, w0, w1, w2, b0, b1, b2, y0, y1, y2, g) -> None:
        """siblings_forward."""
        ws, bs, ys = (w0, w1, w2), (b0, b1, b2), (y0, y1, y2)
        end = convolution.finish(scaled=0, bias=g.bias, relu=g.relu)
        forward(self.device, self.t, x, ws, b0, bs, ys, g.outputs, g.steps, end, g.member(0))

    def backward_data(self, dy0, dy1, dy2, w0, w1, w2, dx, g) -> None:
        """siblings_backward_data."""
        dys, weights = (dy0, dy1, dy2), (w0, w1, w2)
        pointwise.backward_data(self.device, self.t, dys, weights, dx, g.outputs, g.steps, g.member(0))

    def backward_weights(self, x, dy0, dy1, dy2, dw0, dw1, dw2, g) -> None:
        """siblings_backward_weights."""
        t, cut = self.t, self.one.cut_weights(g.member(0))
        across = [-(-m // t.width) * t.width for m in g.outputs]
        parts = sums_apart(g.n * g.pixels, cut.tall * max(across) * self.one.itemsize)
        *sums, panels, others = carve(
            self.device,
            *[(parts, cut.tall * wide) for wide in across],
            (threads(), cut.tall * cut.cols.width),
            (threads(), max(across) * cut.cols.width),
        )
        move = gather(cut.cols.lanes, self.one.itemsize, self.device.machine)
        backward_weights(
            *(x, (dy0, dy1, dy2), tuple(sums), -(-threads() // parts), *cut.tiles, cut.rows, panels, others),
            *(g.outputs, g.steps, move, cut.cols, t, g),
        )
        for total, dw, m in zip(sums, (dw0, dw1, dw2), g.outputs):
            if m:
                convolution.add_sums(total, dw, m, g.c, cut.rows, t.width)
