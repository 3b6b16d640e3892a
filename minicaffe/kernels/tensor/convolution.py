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
    pack            how the weights are packed first, as found.origins says; None: they are taken as they are
    bias            whether the result gets a bias
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
        pack: Pack | None,
        bias: int,
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
        self.area = written.d * written.h * written.w
        self.size = g.n * self.channels * self.area
        self.pack = cuda.packed(pack) if pack else None
        in_gather = bias if self.parts == 1 else 0
        gather = Gather(g.n, g.groups, channels, rows, self.row, chosen.slices, self.size, in_gather)
        self.geometry = cuda.packed(read), cuda.packed(written), cuda.packed(gather)
        self.add = cuda.packed(Parts(self.parts, 0, bias, self.area, self.channels))
        self.launches: dict[int, Callable] = {}

    def __call__(self, weights, source, bias, result) -> None:
        in_packing = self.channels * self.row if self.pack is not None else 0
        in_parts = self.parts * self.size if self.parts > 1 else 0
        packed, parts = self.kernels.floats(in_packing, in_parts)
        if self.pack is not None:
            self.kernels.over("conv_pack", in_packing, weights, packed, self.origins, self.pack)
            weights = packed
        to = parts if self.parts > 1 else result
        launch = self.launch(self.row % 4 == 0 and weights.data.ptr % 16 == 0)
        launch(self.grid, weights, source, bias, to, self.taps, self.lattices, *self.geometry)
        if self.parts > 1:
            self.kernels.over("conv_add_parts", self.size, parts, bias, result, self.add)

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
        weights = Weights(g.n, g.groups, g.c, g.m, n, g.pixels, each)
        self.geometry = cuda.packed(Extent(g.d, g.h, g.w)), cuda.packed(weights)
        self.add = cuda.packed(Parts(self.parts, 1, 0, 1, 1))
        self.launch = kernels.tiled("conv_weights", tile, tile.weights_bytes())

    def __call__(self, x, dy, dweights) -> None:
        (parts,) = self.kernels.floats(self.parts * self.size)
        self.launch(self.grid, dy, x, parts, self.taps, self.pixels, *self.geometry)
        self.kernels.over("conv_add_parts", self.size, parts, parts, dweights, self.add)


# -- 1x1 by cuBLAS


def by_cublas(device, g) -> bool:
    """Whether every output pixel reads exactly the input pixel of its place, and cuBLAS is there."""
    same = (g.d, g.h, g.w) == (g.od, g.oh, g.ow) and not (g.pd or g.ph or g.pw)
    return g.taps == 1 and same and device.blas is not None


def multiply_planes(device, g, weights, source, result, rows: int, depth: int, turned: bool) -> None:
    """result (rows, pixels) = weights (rows, depth), or turned, times source (depth, pixels), for every image
    and group."""
    for group in range(g.groups):
        device.blas.gemm(
            weights.data.ptr + 4 * group * g.m * g.c,
            source.data.ptr + 4 * group * depth * g.pixels,
            result.data.ptr + 4 * group * rows * g.pixels,
            *(rows, g.pixels, depth),
            ta=turned,
            tf32=device.math == "TF32",
            batch=g.n,
            strides=(0, g.groups * depth * g.pixels, g.groups * rows * g.pixels),
        )


# -- the composites


def make_forward(device) -> Callable | None:
    """kernels.convolution.conv_forward for a CUDA device."""
    if not suits(device):
        return None
    kernels, plans = Kernels(device), {}

    def conv_forward(x, weights, bias, y, g) -> None:
        if by_cublas(device, g):
            multiply_planes(device, g, weights, x, y, g.m, g.c, False)
            if g.bias:
                add = cuda.packed(Parts(0, 1, 1, g.pixels, g.groups * g.m))
                kernels.over("conv_add_parts", y.size, y, bias, y, add)
            return
        if g not in plans:
            found = places.forward(g)
            rounded = Pack(1, g.m, g.c * g.taps, len(found.taps), 1)
            plans[g] = GatherPlan(
                *(kernels, g, found),
                rows=g.m,
                channels=g.c,
                read=Extent(g.d, g.h, g.w),
                written=Extent(g.od, g.oh, g.ow),
                pack=rounded if kernels.passes == 1 else None,
                bias=g.bias,
            )
        plans[g](weights, x, bias, y)

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
                pack=Pack(g.m, g.c, g.taps, found.row, int(kernels.passes == 1)),
                bias=0,
            )
        plans[g](weights, dy, dy, dx)  # no bias: any array will do

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
