"""Windows over one plane: a block of outputs stays in registers while the taps of the window pass.

    y[i, j] = sum over taps  w[tap] * x[i, j, tap]

The plane read is a bordered copy (`into_borders`) in which outputs that are neighbours read neighbours under
every tap, see tiled/planes.py; so nothing has to be asked where an image ends.  A vector that is read serves
all rows of the block that hold it in their windows, with another weight in each.

`turns` > 1 is for the gradient by data of a convolution whose stride is that: neighbouring columns have
other taps each, and the vectors of their sums are put together lane by lane when they are stored.
"""

from __future__ import annotations

from typing import NamedTuple

from .builder import INT, Function
from .kernel import micro_kernel
from .machine import Machine
from .tile import finished

SORTED = 4  # the greatest stride of columns that vectors are sorted by, or put together by
ARGUMENTS = ("pass", "x", "taps", "w", "y", "scale", "bias")  # addresses
WEIGHTS = ("table", "x", "dy", "sums")
COPY = ("table", "x", "image")


class Pass(NamedTuple):
    """What `pass` points at, all int64: how some rows of y come about.  Places count from x, w and y."""

    rows: int  # of y; at least 1, as all counts
    columns: int
    blocks: int  # of rows, that cover them
    across: int  # of columns, `turns` times `vectors` vectors
    x: int  # place of what the first output has under its first tap
    pitch: int  # elements from one row under a tap to that under the next output,
    apart: int  # and from a row to the next one within the stride
    taps: int  # where in `taps` two numbers begin for every column of taps: its place in x, its first weight
    w: int  # place of the first weight
    down: int  # elements from a weight to the one of the row below
    y: int
    step: int  # elements from a row of y to the next


class Sums(NamedTuple):
    """What `table` of `weights` points at; behind it the places in x of all rows of taps and all columns."""

    rows: int  # of dy
    columns: int
    vectors: int  # that cover them
    pitch: int  # elements from one row under a tap to that under the next output


class Rows(NamedTuple):
    """What `table` of `into_borders` points at; behind it, for every column below the stride and then for
    every row, where it goes in `image`: negative if nowhere."""

    rows: int
    width: int
    vectors: int  # that cover it, `stride` at a time


@micro_kernel
def windows(
    height: int,
    stride: int,
    dilation: int,
    rows: int,
    vectors: int,
    counts: tuple[int, ...],
    finish: str,
    itemsize: int,
    machine: Machine,
) -> Function:
    """The address of a kernel with ARGUMENTS.

    height   rows of taps in a column of them, with that stride and dilation
    rows     of the block, and `vectors` across
    counts   columns of taps, for each of the turns
    finish   as of micro.tile
    """
    f = Function(ARGUMENTS, itemsize, machine)
    build, lanes, follows = f.build, machine.lanes(itemsize), finish.split("_")
    given = _fields(f, "pass", Pass)
    x, y, w = (f.at(f.pointer(name), given[name]) for name in ("x", "y", "w"))
    turns, wide = len(counts), len(counts) * vectors * lanes
    # What lies under tap t of output row i: the row within the stride, and how many strides below.
    under = {}
    for i in range(rows):
        for t in range(height):
            under.setdefault((t * dilation % stride, i + t * dilation // stride), []).append((i, t))

    def block(b, _):
        first = build.mul(b, INT(rows))

        def across(v, _):
            start = f.at(x, (first, given["pitch"]), (v, vectors * lanes))
            tops = [f.at(start, (down, given["pitch"]), (place, given["apart"])) for place, down in under]
            sums, begin = [], 0
            for count in counts:

                def column(k, acc, begin=begin):
                    entry = build.add(given["taps"], build.mul(build.add(k, INT(begin)), INT(2)))
                    offset, weight = (f.entry("taps", build.add(entry, INT(i))) for i in range(2))
                    factors = [f.broadcast(f.at(w, weight, (t, given["down"])), lanes) for t in range(height)]
                    acc = list(acc)
                    for top, users in zip(tops, under.values()):
                        for n in range(vectors):
                            value = f.load(f.at(top, offset, n * lanes), lanes)
                            for i, t in users:
                                at = i * vectors + n
                                acc[at] = f.multiply_add(factors[t], value, acc[at])
                    return acc

                sums.append(f.loop(INT(count), [f.zero(lanes)] * (rows * vectors), column))
                begin += count
            left = build.mul(v, INT(wide))
            for i in range(rows):
                row = build.add(first, INT(i))
                with build.if_then(build.icmp_signed("<", row, given["rows"])):
                    for n in range(vectors):
                        value = f.in_turns([one[i * vectors + n] for one in sums])
                        at = build.add(left, INT(n * turns * lanes))
                        target = f.at(y, (row, given["step"]), at)
                        if finish == "add":
                            live = f.below(at, given["columns"], turns * lanes)
                            value = build.fadd(f.load_where(live, target), value)
                        f.store_inside(finished(f, value, follows, 0), target, at, given["columns"])
            return []

        return f.loop(given["across"], [], across)

    f.loop(given["blocks"], [], block)
    return f


@micro_kernel
def weights(rows: int, columns: int, itemsize: int, machine: Machine) -> Function:
    """The address of a kernel with arguments WEIGHTS for windows of so many rows (all but the last axis) and
    columns:  sums[tap] += dy[i, j] * x[i, j, tap], a vector for every tap, in each lane the pixels that fall
    to it."""
    f = Function(WEIGHTS, itemsize, machine)
    build, given, lanes = f.build, _fields(f, "table", Sums), machine.lanes(itemsize)
    x, dy, sums = f.pointer("x"), f.pointer("dy"), f.pointer("sums")
    taps = [(r, c) for r in range(rows) for c in range(columns)]
    most = machine.registers - 4
    places = [f.entry("table", INT(len(given) + i)) for i in range(rows + columns)]
    for begin in range(0, len(taps), most):
        some = taps[begin : begin + most]

        def row(i, carried, some=some):
            under = {r: f.at(x, places[r], (i, given["pitch"])) for r, _ in some}
            slopes = f.at(dy, (i, given["columns"]))

            def vector(v, acc):
                at = build.mul(v, INT(lanes))
                live = f.below(at, given["columns"], lanes)
                slope = f.load_where(live, f.at(slopes, at))
                result = []
                for (r, c), total in zip(some, acc):
                    # What lies behind the row is no part of the sum, also where it is infinite.
                    value = f.load(f.at(under[r], build.add(at, places[rows + c])), lanes)
                    result.append(f.multiply_add(slope, build.select(live, value, f.zero(lanes)), total))
                return result

            return f.loop(given["vectors"], carried, vector)

        found = f.loop(given["rows"], [f.zero(lanes)] * len(some), row)
        for tap, total in enumerate(found, begin):
            target = f.at(sums, tap * lanes)
            f.store(build.fadd(f.load(target, lanes), total), target)
    return f


def lanes_of(stride: int, itemsize: int, machine: Machine) -> int:
    """Columns at each place within the stride that `into_borders` takes at a time."""
    return machine.lanes(itemsize) if stride <= SORTED else 1


@micro_kernel
def into_borders(stride: int, itemsize: int, machine: Machine) -> Function:
    """The address of a kernel with arguments COPY: rows of a plane to their places in a bordered one, whose
    columns are sorted by their place within the stride."""
    f = Function(COPY, itemsize, machine)
    build, given, lanes = f.build, _fields(f, "table", Rows), lanes_of(stride, itemsize, machine)
    x, image, wide = f.pointer("x"), f.pointer("image"), stride * lanes
    columns = [f.entry("table", INT(len(given) + c)) for c in range(stride)]

    def row(r, _):
        place = f.entry("table", build.add(r, INT(len(given) + stride)))
        with build.if_then(build.icmp_signed(">=", place, INT(0))):

            def vector(v, _):
                left, at = (build.mul(v, INT(size)) for size in (wide, lanes))
                live = f.below(left, given["width"], wide)
                values = f.load_where(live, f.at(x, (r, given["width"]), left))
                for c, column in enumerate(columns):
                    count = build.sdiv(build.add(given["width"], INT(stride - 1 - c)), INT(stride))
                    with build.if_then(build.icmp_signed(">=", column, INT(0))):
                        some = f.shuffle(values, values, range(c, wide, stride))
                        f.store_inside(some, f.at(image, place, column, at), at, count)
                return []

            f.loop(given["vectors"], [], vector)
        return []

    f.loop(given["rows"], [], row)
    return f


def _fields(f: Function, argument: str, kind) -> dict:
    """The numbers at the argument's address."""
    return {name: f.entry(argument, INT(i)) for i, name in enumerate(kind._fields)}
