"""Between an image and its columns: the inner loops of im2col and col2im for one panel of output pixels.

Row (c, t) of the panel holds, for every output pixel, the element under tap t of channel c.  Pixels that
neighbour in an output row neighbour in the image too (stride 1), so a row is a few *runs*: run r puts the
image elements from c * plane + taps[t] + source[r] on at the panel elements from target[r] on, length[r] of
them, at most one vector.  `gather` also serves a stride of 2, by which it takes every second element.

`gather` copies whole vectors and lets each run's overhang be overwritten by the next, so runs, taps and
channels ascend.  `scatter` adds the panel back into the image, where an overhang must not be seen: lanes from
length[r] on add zero.  It walks the channels inside the taps, because neighbouring taps touch the same
elements and a load that half-overlaps a store just made waits for it.  Both touch up to a vector behind the
last element of image and panel, with a stride of 2 up to two.
"""

from __future__ import annotations

from .builder import Function
from .kernel import micro_kernel
from .machine import Machine

ARGUMENTS = (
    "channels",
    "plane",  # elements from one channel of the image to the next
    "taps",  # their count, and
    "tap",  # the address of their offsets (int64, as all tables)
    "image",
    "runs",
    "source",
    "target",
    "length",
    "panel",
    "width",  # elements from one row of the panel to the next
)


@micro_kernel
def gather(lanes: int, itemsize: int, machine: Machine, step: int = 1) -> Function:
    """The address of the kernel image -> panel with vectors of `lanes`, whose elements are `step`, 1 or 2,
    apart in the image; every count at least 1."""
    f = Function(ARGUMENTS, itemsize, machine)

    def copy_run(outside, inside, _):
        value = f.load(outside, lanes)
        if step == 2:
            value = f.shuffle(value, f.load(f.at(outside, lanes), lanes), range(0, 2 * lanes, 2))
        f.store(value, inside)

    def channel(c, _):
        f.loop(f.arguments["taps"], [], lambda t, _: _row(f, c, t, copy_run))
        return []

    f.loop(f.arguments["channels"], [], channel)
    return f


@micro_kernel
def scatter(lanes: int, itemsize: int, machine: Machine) -> Function:
    """The address of the kernel image += panel, the transpose of `gather`."""
    f = Function(ARGUMENTS, itemsize, machine)

    def add_run(outside, inside, length):
        live = f.build.icmp_signed("<", f.counting(lanes), f.integers(length, lanes))
        values = f.build.select(live, f.load(inside, lanes), f.zero(lanes))
        f.store(f.build.fadd(f.load(outside, lanes), values), outside)

    def tap(t, _):
        f.loop(f.arguments["channels"], [], lambda c, _: _row(f, c, t, add_run))
        return []

    f.loop(f.arguments["taps"], [], tap)
    return f


def _row(f: Function, c, t, move) -> list:
    """All runs of row (c, t); move(image pointer, panel pointer, length) is called for each."""

    image = f.at(f.pointer("image"), (c, f.arguments["plane"]), f.entry("tap", t))
    row = f.build.add(f.build.mul(c, f.arguments["taps"]), t)
    panel = f.at(f.pointer("panel"), (row, f.arguments["width"]))

    def run(r, _):
        source, target, length = (f.entry(table, r) for table in ("source", "target", "length"))
        move(f.at(image, source), f.at(panel, target), length)
        return []

    return f.loop(f.arguments["runs"], [], run)
