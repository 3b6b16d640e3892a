"""The compiled kernels of convolution.cu, their arguments, and how they are launched on a device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import cuda
from ..registry import geometry
from .places import Lattice
from .tiles import Tile

SOURCE = Path(__file__).with_name("convolution.cu")
SHARED_BYTES = 46 << 10  # dynamic shared memory that a kernel has without asking: of 48 KiB, 2 are static
ALIGNMENT = 16  # bytes: of the workspace's parts, for copies of 16 bytes


@geometry
class Extent(NamedTuple):
    """Of an image."""

    d: int
    h: int
    w: int


@geometry
class Gather(NamedTuple):
    """conv_gather: per group, m rows of the result, channels of the image that is read, `row` floats of a row
    of the weights; floats from one image to the next, of those read and of those written; a part of the sum
    has `slices` slices and lies `part` floats behind the last one; what follows the sum (finish.cuh), and
    whether it is added to the result, for weights that are copied by 4 floats."""

    images: int
    groups: int
    channels: int
    m: int
    from_step: int
    to_step: int
    row: int
    slices: int
    part: int
    bias: int
    relu: int
    add: int


@geometry
class Weights(NamedTuple):
    """conv_weights: per group, m output channels and n = channels * taps; floats from one image of x, and of
    dy, to the next; pixels of a plane of dy."""

    images: int
    groups: int
    channels: int
    m: int
    n: int
    x_step: int
    y_step: int
    pixels: int
    slices: int


@geometry
class Pack(NamedTuple):
    """conv_pack: weights (groups, m, c, taps) to (groups, c, row), times a factor for each (group, c) or not,
    rounded to TF32 or not."""

    m: int
    c: int
    taps: int
    row: int
    scaled: int
    round: int


@geometry
class Parts(NamedTuple):
    """conv_add_parts: how many, 0 if the result is the sum already; images of so many channels of `area`
    floats, `step` floats apart in the result; the rest as in Gather."""

    parts: int
    channels: int
    area: int
    step: int
    bias: int = 0
    relu: int = 0
    add: int = 0
    scaled: int = 0


def source() -> str:
    """The CUDA C++ text of all kernels here, with all that it includes."""
    shared = (cuda.COMMON, cuda.COMMON.with_name("finish.cuh"))
    files = (*shared, SOURCE.with_name("ptx.cuh"), SOURCE.with_name("tile.cuh"), SOURCE)
    structs = map(cuda.struct, (Extent, Lattice, Gather, Weights, Pack, Parts))
    texts = (f'#line 1 "{path.name}"\n{path.read_text()}' for path in files)
    return "\n".join(["typedef float real;", f"#define BLOCK {cuda.BLOCK}", *structs, *texts])


def instance(name: str, passes: int, tile: Tile, *options: int) -> str:
    """The name of a template instance."""
    blocks = tile.blocks_for(name, passes)
    sizes = passes, tile.bm, tile.bn, tile.wm, tile.wn, tile.stages, blocks, *options
    return f"{name}<{', '.join(map(str, sizes))}>"


class Kernels:
    """The compiled kernels of one device, and how they are launched."""

    def __init__(self, device) -> None:
        self.device = device
        self.passes = 1 if device.math == "TF32" else 3
        module = device.module(source())
        self.functions = {name: device.load(module, name) for name in ("conv_pack", "conv_add_parts")}

    def tiled(self, name: str, tile: Tile, shared_bytes: int, *options: int) -> Callable:
        """A template instance for a tile: a function of grid and arguments."""
        name = instance(name, self.passes, tile, *options)
        function = self.device.load(self.device.module(source(), [name]), name)
        if shared_bytes > SHARED_BYTES:
            function.max_dynamic_shared_size_bytes = shared_bytes

        def launch(grid: tuple[int, int, int], *args) -> None:
            self.device.launch(function, grid, (tile.threads, 1, 1), args, shared_bytes)

        return launch

    def over(self, name: str, count: int, *args) -> None:
        """Launch a kernel without a template on `count` work items."""
        blocks = min(-(-count // cuda.BLOCK), cuda.MAX_BLOCKS)
        self.device.launch(self.functions[name], (blocks, 1, 1), (cuda.BLOCK, 1, 1), (*args, np.int32(count)))

    def table(self, host: np.ndarray):
        """An array of the device with these values."""
        array = self.device.empty(host.shape, np.int32)
        self.device.put(host, array)
        return array

    def floats(self, *counts: int) -> list:
        """Arrays of the workspace with at least so many floats each."""
        sizes = [-(-4 * count // ALIGNMENT) * ALIGNMENT for count in counts]
        block = self.device.workspace(sum(sizes))
        starts = np.cumsum([0, *sizes])
        return [block[start : start + size].view(np.float32) for start, size in zip(starts.tolist(), sizes)]
