"""The maxima of a plane's windows, a vector of output columns at a time, and where they stand.

For every tap of the window, row by row, the vector of elements under it is compared with the best so far; a
strictly greater one takes its place together with its index, so the first of equal values wins.

A window that sticks out of the image at the top or bottom reads the nearest row of the image instead: it
holds that row anyway, and a value seen twice changes neither the maximum nor its first index.  What columns
left and right of the image read is made NaN, which never wins.  The last vector of an output row runs over
into the next row, which is written after it.

On the way back, no gradient is sent to where its maximum stood: every element looks which of the windows
around it name it, a vector of elements at a time.
"""

from __future__ import annotations

import math

from llvmlite import ir

from .builder import I32, INT, Function
from .kernel import micro_kernel
from .machine import Machine

ARGUMENTS = (
    "rows",  # of the output; at least 1
    "top",  # image row where the first output row's windows begin; may be negative, as may left
    "down",  # image rows from one output row to the next
    "left",  # image column where the first output column's windows begin
    "height",  # of the image
    "width",
    "columns",  # of the output,
    "vectors",  # and how many vectors cover them; at least 1
    "x",  # addresses: the image,
    "y",  # and the first of the output rows
    "mask",
)
BACKWARD = (
    "planes",  # one behind the other; at least 1
    "top",  # row and column of the image where the first windows begin; may be negative
    "left",
    "height",  # of the image
    "width",
    "rows",  # of the output
    "columns",
    "across",  # vectors that cover the width, in steps of `stride` columns
    "dy",  # addresses
    "mask",
    "dx",
)


@micro_kernel
def max_pool(
    kernel: tuple[int, int], stride: int, inside: bool, lanes: int, itemsize: int, machine: Machine
) -> Function:
    """The address of the kernel with ARGUMENTS for windows of `kernel` rows and columns that move by `stride`
    columns, 1 or 2.

    inside   True if no window sticks out at the left or right
    lanes    of a vector; it may run over the end of a row, but not over the end of the next one
    """
    f = Function(ARGUMENTS, itemsize, machine)
    build, given = f.build, f.arguments
    x, y, mask = f.pointer("x"), f.pointer("y"), build.inttoptr(given["mask"], I32.as_pointer())
    steps = f.counting(lanes, step=stride)
    none = ir.Constant(f.vector(lanes), [math.nan] * lanes)
    nowhere = ir.Constant(ir.VectorType(I32, lanes), [-1] * lanes)
    width = f.integers(given["width"], lanes)

    def row(i, _):
        top = build.add(given["top"], build.mul(i, given["down"]))
        starts = [
            build.mul(_clamp(f, build.add(top, INT(r)), given["height"]), given["width"])
            for r in range(kernel[0])
        ]

        def vector(v, _):
            first = build.add(given["left"], build.mul(v, INT(stride * lanes)))
            column = build.add(f.integers(first, lanes), steps)
            target = build.add(build.mul(i, given["columns"]), build.mul(v, INT(lanes)))
            where = f.at(mask, target)
            for r in range(stride):  # rows that move into the window, about as many as columns
                for line in range(0, stride * lanes, 64 // itemsize):
                    f.prefetch(f.at(x, starts[-1], first, (r, given["width"]), line))
            for place in f.at(y, target), where:
                f.prefetch(place, write=True)
            outside = []
            for c in range(0 if inside else kernel[1]):
                here = build.add(column, f.integers(INT(c), lanes))
                outside.append(build.icmp_unsigned(">=", here, width))
            best, at = none, nowhere
            for start in starts:
                index = build.add(column, f.integers(start, lanes))
                for c, value in enumerate(_taps(f, f.at(x, start, first), kernel[1], stride, lanes)):
                    if not inside:
                        value = build.select(outside[c], none, value)
                    # Neither less nor equal, and a number: true also for the first number after NaN.
                    wins = build.and_(
                        build.fcmp_unordered(">", value, best), build.fcmp_ordered("==", value, value)
                    )
                    best = build.select(wins, value, best)
                    at = build.select(wins, build.add(index, f.integers(INT(c), lanes)), at)
            f.store(best, f.at(y, target))
            where = build.bitcast(where, at.type.as_pointer())
            build.store(at, where).align = 4
            return []

        f.loop(given["vectors"], [], vector)
        return []

    f.loop(given["rows"], [], row)
    return f


@micro_kernel
def max_pool_back(
    kernel: tuple[int, int], stride: tuple[int, int], add: bool, lanes: int, itemsize: int, machine: Machine
) -> Function:
    """The address of the kernel with arguments BACKWARD.  An element gets the gradients of those windows that
    name it: all that hold it are asked, and maybe others beside them, which name another.

    lanes  columns of the output that are looked at together
    """
    f = Function(BACKWARD, itemsize, machine)
    build, given = f.build, f.arguments
    pixels, outputs = (
        build.mul(*[given[n] for n in names]) for names in (("height", "width"), ("rows", "columns"))
    )
    wide, line = stride[1] * lanes, 64 // itemsize

    def plane(p, _):
        dy, dx = f.at(f.pointer("dy"), (p, outputs)), f.at(f.pointer("dx"), (p, pixels))
        mask = f.at(build.inttoptr(given["mask"], I32.as_pointer()), (p, outputs))

        def row(b, _):
            place = build.sub(b, given["top"])  # above the first window's first row
            last, place = build.udiv(place, INT(stride[0])), build.urem(place, INT(stride[0]))
            count = build.udiv(build.sub(INT(kernel[0] + stride[0] - 1), place), INT(stride[0]))
            first = _clamp(f, build.sub(build.add(last, INT(1)), count), given["rows"])
            count = build.sub(build.add(_clamp(f, last, given["rows"]), INT(1)), first)
            count = f.greater(count, INT(1))

            def vector(v, _):
                left = build.add(given["left"], build.mul(v, INT(wide)))
                target = build.add(build.mul(b, given["width"]), left)
                here = [
                    build.add(f.integers(build.add(target, INT(c)), lanes), f.counting(lanes, step=stride[1]))
                    for c in range(stride[1])
                ]
                for c in range(0, wide, line):
                    f.prefetch(f.at(dx, target, c), write=True)
                before = range((kernel[1] - 1) // stride[1], -1, -1)  # how many windows
                columns = [build.sub(build.mul(v, INT(lanes)), INT(t)) for t in before]
                live = [f.below(column, given["columns"], lanes) for column in columns]

                def windows(r, carried):
                    sums = list(carried)
                    source = build.mul(build.add(first, r), given["columns"])
                    f.prefetch(f.at(dy, source, columns[-1]))
                    f.prefetch(f.at(mask, source, columns[-1]))
                    for t, column, there in zip(before, columns, live):
                        values, named = (
                            f.load_where(there, f.at(start, source, column)) for start in (dy, mask)
                        )
                        for c in range(min(stride[1], kernel[1] - t * stride[1])):
                            value = build.select(
                                build.icmp_signed("==", named, here[c]), values, f.zero(lanes)
                            )
                            sums[c] = build.fadd(sums[c], value)
                    return sums

                values = f.in_turns(f.loop(count, [f.zero(lanes)] * stride[1], windows))
                if add:
                    inside = f.below(left, given["width"], wide)
                    values = build.fadd(f.load_where(inside, f.at(dx, target)), values)
                f.store_inside(values, f.at(dx, target), left, given["width"])
                return []

            return f.loop(given["across"], [], vector)

        return f.loop(given["height"], [], row)

    f.loop(given["planes"], [], plane)
    return f


def _taps(f: Function, source, count: int, stride: int, lanes: int):
    """The vectors under `count` taps of a row, of which the first begins at `source`."""
    if stride == 1:
        for c in range(count):
            yield f.load(f.at(source, c), lanes)
        return
    for c in range(0, count, 2):  # two vectors hold two taps: their even and their odd elements
        low, high = (f.load(f.at(source, c + half * lanes), lanes) for half in range(2))
        for odd in range(min(2, count - c)):
            yield f.shuffle(low, high, range(odd, 2 * lanes, 2))


def _clamp(f: Function, index, count):
    """The nearest of 0 ... count - 1."""
    return f.greater(f.lesser(index, f.build.sub(count, INT(1))), INT(0))
