"""The composites of kernels/convolution.py for GPUs with tensor cores.

What a geometry needs, its tables on the device, its tile and its compiled kernels, is made by the first call
and kept, so that later calls only launch and can be captured in a graph.  All sums have a fixed order.

A 1x1 convolution gathers nothing: forward and backward by data go to cuBLAS where it is there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import cuda
from . import places, tiles
from .launches import Extent, Gather, Kernels, Pack, Parts, Weights
from .places import Gathering

LEAST_ARCH = 80  # cp.async and TF32


class GatherPlan:
    """conv_gather for a geometry: `rows` results per pixel and group, from `channels` of the image read.

    read, written   extents of the two images
    steps           floats from one image to the next, of those read and of those written
    pack            how the weights are packed first, as found.origins says; None: they are taken as they are
    follows         what follows the sum: bias, relu, add
    """

    def __init__(
        self,
        kernels: Kernels,
        g,
        found: Gathering,
        *,
        rows: int,
        channels: int,
        read: Extent,
        written: Extent,
        steps: tuple[int, int],
        pack: Pack | None,
        follows: tuple[int, int, int],
    ) -> None:
        self.kernels, self.groups = kernels, g.groups
        self.taps = kernels.table(found.taps)
        self.lattices = kernels.table(np.array(found.lattices, np.int32))
        self.origins = kernels.table(found.origins) if pack else None
        columns = g.n * max(lattice.pixels for lattice in found.lattices)
        slices = max(lattice.slices for lattice in found.lattices)
        count = g.groups * len(found.lattices)
        chosen = tiles.choose(*(rows, columns, slices, count, kernels.device.multiprocessors, kernels.passes))
        self.tile, self.parts = chosen.tile, chosen.parts
        self.grid = -(-rows // self.tile.bm) * -(-columns // self.tile.bn), count, self.parts
        self.row, self.channels = pack.row if pack else found.row, g.groups * rows
        area = written.d * written.h * written.w
        self.size = g.n * self.channels * area
        self.pack = cuda.packed(pack) if pack else None
        from_step, to_step = steps
        add = Parts(self.parts, self.channels, area, to_step, *follows)
        if self.parts > 1:  # side by side in the workspace, and what follows comes when they are added up
            to_step, follows = self.channels * area, (0, 0, 0)
        sizes = g.n, g.groups, channels, rows, from_step, to_step, self.row, chosen.slices, self.size
        self.geometry = cuda.packed(read), cuda.packed(written), cuda.packed(Gather(*sizes, *follows))
        self.add = cuda.packed(add)
        self.launches: dict[int, Callable] = {}

    def __call__(self, weights, source, scale, bias, result) -> None:
        in_packing = self.channels * self.row if self.pack is not None else 0
        in_parts = self.parts * self.size if self.parts > 1 else 0
        packed, parts = self.kernels.floats(in_packing, in_parts)
        if self.pack is not None:
            self.kernels.over("conv_pack", in_packing, weights, scale, packed, self.origins, self.pack)
            weights = packed
        to = parts if self.parts > 1 else result
        launch = self.launch(self.row % 4 == 0 and weights.data.ptr % 16 == 0)
        launch(self.grid, weights, source, bias, to, self.taps, self.lattices, *self.geometry)
        if self.parts > 1:
            self.kernels.over("conv_add_parts", self.size, parts, parts, bias, result, self.add)

    def launch(self, aligned: bool) -> Callable:
        """The compiled kernel, that copies the weights by 16 bytes where they are aligned."""
        vector = 4 if aligned else 1
        if vector not in self.launches:
            shared_bytes = self.tile.gather_bytes()
            self.launches[vector] = self.kernels.tiled("conv_gather", self.tile, shared_bytes, vector)
        return self.launches[vector]


class WeightsPlan:
    """conv_weights for a geometry: the parts of the sum, then their sum in order."""

    def __init__(self, kernels: Kernels, g) -> None:
        self.kernels = kernels
        n = g.c * g.taps
        slices = -(-g.n * g.pixels // places.DEPTH)
        tile, self.parts, each = tiles.choose(
            *(g.m, n, slices, g.groups, kernels.device.multiprocessors, kernels.passes)
        )
        self.size = g.groups * g.m * n
        self.taps = kernels.table(places.whole_slices(places.channel_taps(g)))
        self.pixels = kernels.table(places.pixels(g))
        self.grid = -(-g.m // tile.bm) * -(-n // tile.bn), g.groups, self.parts
        weights = Weights(g.n, g.groups, g.c, g.m, n, g.x_step, g.y_step, g.pixels, each)
        self.geometry = cuda.packed(Extent(g.d, g.h, g.w)), cuda.packed(weights)
        self.add = cuda.packed(Parts(self.parts, 1, self.size, self.size, add=1))
        self.launch = kernels.tiled("conv_weights", tile, tile.weights_bytes())

    def __call__(self, x, dy, dweights) -> None:
        (parts,) = self.kernels.floats(self.parts * self.size)
        self.launch(self.grid, dy, x, parts, self.taps, self.pixels, *self.geometry)
        self.kernels.over("conv_add_parts", self.size, parts, parts, parts, dweights, self.add)


# -- 1x1 by cuBLAS


def by_cublas(device, g) -> bool:
    """Whether every output pixel reads exactly the input pixel of its place, and cuBLAS is there."""
    same = (g.d, g.h, g.w) == (g.od, g.oh, g.ow) and not (g.pd or g.ph or g.pw)
    return g.taps == 1 and same and device.blas is not None


def multiply_planes(device, g, weights, source, result, rows: int, depth: int, turned: bool) -> None:
    """result (rows, pixels) = weights (rows, depth), or turned, times source (depth, pixels), for every image
    and group; added to the result if turned and g.add."""
    steps = (g.y_step, g.x_step) if turned else (g.x_step, g.y_step)
    for group in range(g.groups):
        device.blas.gemm(
            weights.data.ptr + 4 * group * g.m * g.c,
            source.data.ptr + 4 * group * depth * g.pixels,
            result.data.ptr + 4 * group * rows * g.pixels,
            *(rows, g.pixels, depth),
            ta=turned,
            add=bool(turned and g.add),
            tf32=device.math == "TF32",
            batch=g.n,
            strides=(0, *steps),
        )


# -- the composites


def make_forward(device) -> Callable | None:
    """kernels.convolution.conv_forward for a CUDA device."""
    if not suits(device):
        return None
    kernels, plans = Kernels(device), {}

    def conv_forward(x, weights, scale, bias, y, g) -> None:
        follows = g.bias, g.relu, 0
        if by_cublas(device, g):
            multiply_planes(device, g, weights, x, y, g.m, g.c, False)
            if g.scaled or any(follows):
                channels = g.groups * g.m
                finish = cuda.packed(Parts(0, channels, g.pixels, g.y_step, *follows, g.scaled))
                kernels.over("conv_add_parts", g.n * channels * g.pixels, y, scale, bias, y, finish)
            return
        if g not in plans:
            found = places.forward(g)
            pack = Pack(1, g.m, g.c * g.taps, len(found.taps), g.scaled, int(kernels.passes == 1))
            plans[g] = GatherPlan(
                *(kernels, g, found),
                rows=g.m,
                channels=g.c,
                read=Extent(g.d, g.h, g.w),
                written=Extent(g.od, g.oh, g.ow),
                steps=(g.x_step, g.y_step),
                pack=pack if pack.scaled or pack.round else None,
                follows=follows,
            )
        plans[g](weights, x, scale, bias, y)

    return conv_forward


def make_backward_data(device) -> Callable | None:
    """kernels.convolution.conv_backward_data for a CUDA device."""
    if not suits(device):
        return None
    kernels, plans = Kernels(device), {}

    def conv_backward_data(dy, weights, dx, g) -> None:
        if by_cublas(device, g):
            multiply_planes(device, g, weights, dy, dx, g.c, g.m, True)
            return
        if g not in plans:
            found = places.backward_data(g)
            plans[g] = GatherPlan(
                *(kernels, g, found),
                rows=g.c,
                channels=g.m,
                read=Extent(g.od, g.oh, g.ow),
                written=Extent(g.d, g.h, g.w),
                steps=(g.y_step, g.x_step),
                pack=Pack(g.m, g.c, g.taps, found.row, 0, int(kernels.passes == 1)),
                follows=(0, 0, g.add),
            )
        plans[g](weights, dy, dy, dy, dx)  # neither scale nor bias: any array will do

    return conv_backward_data


def make_backward_weights(device) -> Callable | None:
    """kernels.convolution.conv_backward_weights for a CUDA device."""
    if not suits(device):
        return None
    kernels, plans = Kernels(device), {}

    def conv_backward_weights(x, dy, dweights, g) -> None:
        if g not in plans:
            plans[g] = WeightsPlan(kernels, g)
        plans[g](x, dy, dweights)

    return conv_backward_weights


def suits(device) -> bool:
    """Whether it has tensor cores that compute in its type."""
    return device.dtype == np.float32 and device.arch >= LEAST_ARCH
