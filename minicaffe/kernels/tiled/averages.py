"""Average pooling on register vectors: planes dealt to threads, those side by side to a register kernel."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numba import prange

from ..cpu import jit
from ..micro.averages import above, average, even, mean, spread
from ..micro.builder import address, call
from .panels import carve, part_of, threads

PARTS = 64  # that whole planes are dealt in


def lanes_for(g, device) -> int:
    """How many columns of the output a vector takes."""
    lanes = 2
    while lanes < min(g.ow, device.machine.lanes(device.dtype.itemsize)):
        lanes *= 2
    return lanes


def forward(device, plain: Callable) -> Callable:
    """kernels.pooling.ave_pool_forward on register vectors, `plain` for windows that these do not take."""

    itemsize, machine = device.dtype.itemsize, device.machine

    def run(x: np.ndarray, y: np.ndarray, g) -> None:
        if whole(g):
            whole_planes(mean(itemsize, machine), areas(g, device.dtype), x, y, *extents(g), PARTS)
            return
        if not taken(g):
            plain(x, y, g)
            return
        lanes = lanes_for(g, device)
        kernel = average((g.kh, g.kw), (g.sh, g.sw), lanes, itemsize, machine)
        ave_pool_planes(kernel, areas(g, device.dtype), x, y, g, -(-g.ow // lanes), min(threads(), g.planes))

    return run


def backward(device, plain: Callable) -> Callable:
    """The same for ave_pool_backward."""

    itemsize, machine = device.dtype.itemsize, device.machine

    def run(dy: np.ndarray, dx: np.ndarray, g, add: int) -> None:
        if whole(g):
            whole_planes(
                even(bool(add), itemsize, machine), areas(g, device.dtype), dx, dy, *extents(g), PARTS
            )
            return
        if not taken(g) or g.sh > g.kh or g.sw > g.kw:
            plain(dy, dx, g, add)
            return
        lanes = lanes_for(g, device)
        window = (g.kh, g.kw), (g.sh, g.sw)
        kernel = spread(*window, bool(add), lanes, itemsize, machine)
        vectors, across = -(-g.ow // lanes), -(-(g.w + g.pw) // (g.sw * lanes))
        over, before = above(*window)
        rows, pitch = over + max(g.oh, (g.h + g.ph - 1) // g.sh + 1), before + lanes * max(vectors, across)
        (quotients,) = carve(device, (min(threads(), g.planes), rows * pitch))
        counts = vectors, across, pitch
        spread_planes(kernel, areas(g, device.dtype), dy, dx, g, counts, quotients)

    return run


def whole(g) -> bool:
    """Whether there is one window, which holds the whole image."""
    return (g.oh, g.ow) == (1, 1) and g.kh - g.ph >= g.h and g.kw - g.pw >= g.w


def extents(g) -> tuple[int, ...]:
    """Of whole_planes: few numbers, which are handed over sooner than a geometry."""
    return g.planes, min(g.channels, g.planes), g.x_step, g.y_step, g.h * g.w


def taken(g) -> bool:
    """Whether the register kernels take the windows of g; a window as wide as the image is one long
    sum."""
    return g.ow > 1 and g.sw <= 4 and g.kw <= 16


@functools.lru_cache(maxsize=256)
def areas(g, dtype: np.dtype) -> np.ndarray:
    """The areas of a plane's windows, padding included, unless bare, but not what lies beyond it."""
    rows = covered(g.oh, g.sh, g.kh, g.ph, g.h + g.eh, g.bare)
    columns = covered(g.ow, g.sw, g.kw, g.pw, g.w + g.ew, g.bare)
    return np.outer(rows, columns).astype(dtype).reshape(-1)


def covered(outputs: int, stride: int, kernel: int, pad: int, end: int, bare: int) -> np.ndarray:
    """How many rows, or columns, of each window count that lie before `end`."""
    start = stride * np.arange(outputs) - pad
    return np.minimum(start + kernel, end) - (np.maximum(start, 0) if bare else start)


@jit
def start_of(p, channels, step, size):
    """Where plane p, of `size` elements, starts in an array whose images are `step` elements apart."""
    image = p // channels
    return image * step + (p - image * channels) * size


def whole_planes(kernel, area, x, y, planes, channels, x_step, y_step, size, parts):
    """All planes with one of the kernels for windows that hold the whole image."""
    for part in prange(parts):
        p, last = part_of(part, parts, planes)
        while p < last:
            run = min(last - p, channels - p % channels)
            of_x, of_y = start_of(p, channels, x_step, size), start_of(p, channels, y_step, 1)
            call(kernel, (run, size, address(area, 0), address(x, of_x), address(y, of_y)))
            p += run


@jit
def run_of(p, last, g):
    """How many planes from p on, and before `last`, lie side by side, and where they start in x and in y."""
    run = min(last - p, g.channels - p % g.channels)
    x, y = start_of(p, g.channels, g.x_step, g.h * g.w), start_of(p, g.channels, g.y_step, g.oh * g.ow)
    return run, x, y


def ave_pool_planes(kernel, areas, x, y, g, vectors, parts):
    """All planes with the register kernel `average`."""
    for part in prange(parts):
        p, last = part_of(part, parts, g.planes)
        while p < last:
            run, of_x, of_y = run_of(p, last, g)
            places = address(areas, 0), address(x, of_x), address(y, of_y)
            call(kernel, (run, -g.ph, -g.pw, g.h, g.w, g.oh, g.ow, vectors, *places))
            p += run


def spread_planes(kernel, areas, dy, dx, g, counts, quotients):
    """All planes with the register kernel `spread`."""
    vectors, across, pitch = counts
    parts = len(quotients)
    for part in prange(parts):
        quotients[part][:] = 0
        p, last = part_of(part, parts, g.planes)
        while p < last:
            run, of_x, of_y = run_of(p, last, g)
            places = address(areas, 0), address(dy, of_y), address(dx, of_x)
            own = across, address(quotients[part], 0), pitch
            call(kernel, (run, -g.ph, -g.pw, g.h, g.w, g.oh, g.ow, vectors, *places, *own))
            p += run


whole_planes, ave_pool_planes, spread_planes = [
    jit(function, parallel=True) for function in (whole_planes, ave_pool_planes, spread_planes)
]
