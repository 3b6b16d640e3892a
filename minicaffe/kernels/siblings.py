"""Up to three 1x1 convolutions of one blob: stride 1, no padding, one group.

Layout: x (n, c, pixels); of sibling i the weights wi (mi, c), the bias bi (mi) and yi (n, mi, pixels).  A
sibling that is not there has mi = 0, and any array will do for each of its own.  Images lie apart as in
convolution.py, and the results are those of its kernels: forward to the bit on the CPU, the gradient by data
with the sum over all siblings' outputs in one.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

from numba import prange

from .convolution import Conv, contiguous
from .cpu import jit
from .registry import geometry, kernel
from .tiled import siblings as tiled


@geometry
class Fan(NamedTuple):
    """n images of c channels; each sibling's outputs; elements from one image to the next; what follows the
    sum, as in Conv."""

    n: int
    c: int
    pixels: int
    m0: int
    m1: int
    m2: int
    x_step: int
    y_step0: int
    y_step1: int
    y_step2: int
    bias: int
    relu: int
    add: int

    @property
    def outputs(self) -> tuple[int, int, int]:
        return self.m0, self.m1, self.m2

    @property
    def steps(self) -> tuple[int, int, int]:
        return self.y_step0, self.y_step1, self.y_step2

    def member(self, i: int) -> Conv:
        """Sibling i by itself."""
        line = 1, 1, self.pixels
        ones, zeros = (1, 1, 1), (0, 0, 0)
        g = contiguous(
            *(self.n, 1, self.c, self.outputs[i], self.bias), *line, *line, *ones, *ones, *zeros, *ones
        )
        return g._replace(x_step=self.x_step, y_step=self.steps[i], relu=self.relu, add=self.add)


def fan(members: list[Conv]) -> Fan:
    """The siblings of these geometries, at most three; what follows the sum is as in the first."""
    g, missing = members[0], [0] * (3 - len(members))
    outputs, steps = [one.m for one in members] + missing, [one.y_step for one in members] + missing
    return Fan(g.n, g.c, g.pixels, *outputs, g.x_step, *steps, g.bias, g.relu, g.add)


@kernel(
    threads=lambda x, w0, w1, w2, b0, b1, b2, y0, y1, y2, g: g.n * sum(g.outputs) * g.pixels,
    cpu=lambda device: tiled.Siblings(device).forward,
)
def siblings_forward(x, w0, w1, w2, b0, b1, b2, y0, y1, y2, g: Fan):
    """yi[n, m, o] = sum over c of wi[m, c] * x[n, c, o], plus bi[m] if g.bias; 0 where that is not positive,
    if g.relu."""
    for n in prange(g.n):
        image = x[n * g.x_step : n * g.x_step + g.c * g.pixels].reshape(g.c, g.pixels)
        multiply(image, w0, b0, y0, n * g.y_step0, g.m0, g)
        multiply(image, w1, b1, y1, n * g.y_step1, g.m1, g)
        multiply(image, w2, b2, y2, n * g.y_step2, g.m2, g)


@kernel(
    threads=lambda dy0, dy1, dy2, w0, w1, w2, dx, g: g.n * g.c * g.pixels,
    cpu=lambda device: tiled.Siblings(device).backward_data,
)
def siblings_backward_data(dy0, dy1, dy2, w0, w1, w2, dx, g: Fan):
    """dx[n, c, o] = sum over i and m of wi[m, c] * dyi[n, m, o], + dx[n, c, o] if g.add."""
    for n in prange(g.n):
        image = dx[n * g.x_step : n * g.x_step + g.c * g.pixels].reshape(g.c, g.pixels)
        if not g.add:
            image[:] = 0
        spread(dy0, n * g.y_step0, w0, g.m0, image, g)
        spread(dy1, n * g.y_step1, w1, g.m1, image, g)
        spread(dy2, n * g.y_step2, w2, g.m2, image, g)


@kernel(
    blocks=lambda x, dy0, dy1, dy2, dw0, dw1, dw2, g: sum(g.outputs) * g.c,
    cpu=lambda device: tiled.Siblings(device).backward_weights,
)
def siblings_backward_weights(x, dy0, dy1, dy2, dw0, dw1, dw2, g: Fan):
    """dwi[m, c] += sum over n, o of dyi[n, m, o] * x[n, c, o]."""
    for c in prange(g.c):
        collect(x, dy0, g.y_step0, dw0, g.m0, c, g)
        collect(x, dy1, g.y_step1, dw1, g.m1, c, g)
        collect(x, dy2, g.y_step2, dw2, g.m2, c, g)


# One sibling's part of each; y and dy of an image start at `first`.


@jit
def multiply(image, w, b, y, first, outputs, g):
    zero = y.dtype.type(0)
    for m in range(outputs):
        for o in range(g.pixels):
            total = zero
            for c in range(g.c):
                total += w[m * g.c + c] * image[c, o]
            if g.bias:
                total += b[m]
            y[first + m * g.pixels + o] = zero if g.relu and total <= 0 else total


@jit
def spread(dy, first, w, outputs, image, g):
    for m in range(outputs):
        for c in range(g.c):
            for o in range(g.pixels):
                image[c, o] += w[m * g.c + c] * dy[first + m * g.pixels + o]


@jit
def collect(x, dy, y_step, dw, outputs, c, g):
    for m in range(outputs):
        total = dw.dtype.type(0)
        for n in range(g.n):
            for o in range(g.pixels):
                total += dy[n * y_step + m * g.pixels + o] * x[n * g.x_step + c * g.pixels + o]
        dw[m * g.c + c] += total


def one_by_one(convolutions) -> SimpleNamespace:
    """The family by a convolution family, one sibling after the other: for devices whose convolutions do
    better than the kernels here."""

    def present(g: Fan):
        return [(i, g.member(i)) for i in range(3) if g.outputs[i]]

    def siblings_forward(x, w0, w1, w2, b0, b1, b2, y0, y1, y2, g: Fan) -> None:
        for i, one in present(g):
            b = (b0, b1, b2)[i]
            convolutions.conv_forward(x, (w0, w1, w2)[i], b, b, (y0, y1, y2)[i], one)

    def siblings_backward_data(dy0, dy1, dy2, w0, w1, w2, dx, g: Fan) -> None:
        for i, one in present(g):
            one = one._replace(add=int(i > 0 or g.add))
            convolutions.conv_backward_data((dy0, dy1, dy2)[i], (w0, w1, w2)[i], dx, one)

    def siblings_backward_weights(x, dy0, dy1, dy2, dw0, dw1, dw2, g: Fan) -> None:
        for i, one in present(g):
            convolutions.conv_backward_weights(x, (dy0, dy1, dy2)[i], (dw0, dw1, dw2)[i], one)

    made = siblings_forward, siblings_backward_data, siblings_backward_weights
    return SimpleNamespace(**{function.__name__: function for function in made})
