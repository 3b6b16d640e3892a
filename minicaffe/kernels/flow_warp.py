"""Images read at places that a flow displaces, between four pixels."""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .cpu import jit
from .registry import geometry, kernel


@geometry
class Warp(NamedTuple):
    """n images of c channels and h * w pixels, and for each a flow of as many: to the right, and down."""

    n: int
    c: int
    h: int
    w: int


@jit
def source(flow, image, r, s, g):
    """What pixel (r, s) reads: the number of the upper left pixel, how many pixels farther the right and the
    lower ones are, and the shares of these; first -1 outside of the image."""
    at = (2 * image * g.h + r) * g.w + s
    x, y = s + flow[at], r + flow[at + g.h * g.w]
    if not (0 <= x < g.w and 0 <= y < g.h):
        return -1, 0, 0, x, y
    left, upper = int(x), int(y)
    return upper * g.w + left, min(1, g.w - 1 - left), min(1, g.h - 1 - upper) * g.w, x - left, y - upper


@kernel(threads=lambda x, flow, y, g, absent: g.n * g.c * g.h * g.w)
def warp_forward(x, flow, y, g: Warp, absent: float):
    """y = x at the pixel's place displaced by the flow; `absent` outside of the image."""
    one, area = x.dtype.type(1), g.h * g.w
    for row in prange(g.n * g.c * g.h):
        plane, r = row // g.h, row % g.h
        for s in range(g.w):
            at, right, down, a, b = source(flow, plane // g.c, r, s, g)
            if at < 0:
                y[row * g.w + s] = absent
                continue
            k = plane * area + at
            upper = (one - a) * x[k] + a * x[k + right]
            lower = (one - a) * x[k + down] + a * x[k + down + right]
            y[row * g.w + s] = (one - b) * upper + b * lower


@kernel(threads=lambda dy, flow, dx, g: g.n * g.c)
def warp_backward_image(dy, flow, dx, g: Warp):
    """dx = dy, shared among the four pixels, in the order of dy's."""
    one, area = dx.dtype.type(1), g.h * g.w
    for plane in prange(g.n * g.c):
        down_to = dx[plane * area : (plane + 1) * area]
        for k in range(area):
            down_to[k] = 0
        for r in range(g.h):
            for s in range(g.w):
                at, right, down, a, b = source(flow, plane // g.c, r, s, g)
                if at < 0:
                    continue
                slope = dy[plane * area + r * g.w + s]
                down_to[at] += (one - a) * (one - b) * slope
                down_to[at + right] += a * (one - b) * slope
                down_to[at + down] += (one - a) * b * slope
                down_to[at + down + right] += a * b * slope


@kernel(threads=lambda x, dy, flow, dflow, g: g.n * g.h * g.w)
def warp_backward_flow(x, dy, flow, dflow, g: Warp):
    """dflow = dy times the slope of x to the right, and down, added up over the channels; 0 outside."""
    zero, one, area = x.dtype.type(0), x.dtype.type(1), g.h * g.w
    for row in prange(g.n * g.h):
        image, r = row // g.h, row % g.h
        for s in range(g.w):
            at, right, down, a, b = source(flow, image, r, s, g)
            across, below = zero, zero
            for channel in range(image * g.c, (image + 1) * g.c if at >= 0 else image * g.c):
                k, slope = channel * area + at, dy[channel * area + r * g.w + s]
                upper, lower = x[k + right] - x[k], x[k + down + right] - x[k + down]
                before, behind = x[k + down] - x[k], x[k + down + right] - x[k + right]
                across += slope * ((one - b) * upper + b * lower)
                below += slope * ((one - a) * before + a * behind)
            to = (2 * image * g.h + r) * g.w + s
            dflow[to] = across
            dflow[to + area] = below
