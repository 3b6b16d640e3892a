"""The sums of a plane's windows divided by their areas, a vector of output columns at a time; and back.

A load takes `stride` vectors of elements, among which are the elements under that many taps of each output;
what lies outside the image is not read and counts as 0.  On the way back the quotients of all windows are
first written into a plane with zeros around them, where none has to be asked whether a window is there: every
element is then a sum of some neighbours, the same ones for elements at the same place within the stride.
"""

from __future__ import annotations

import functools

from .builder import INT, Function
from .machine import Machine

FORWARD = (
    "planes",  # one behind the other in x and y; this and all other counts at least 1
    "top",  # image row where the first output row's windows begin; may be negative, as may left
    "left",
    "height",  # of the image
    "width",
    "rows",  # of the output
    "columns",
    "vectors",  # that cover the columns
    "areas",  # addresses: of the windows' areas, a plane of the output,
    "x",
    "y",
)
BACKWARD = ("planes", "top", "left", "height", "width", "rows", "columns", "vectors", "areas", "dy", "dx") + (
    "across",  # vectors that cover the width, in steps of `stride` columns
    "quotients",  # address of a plane of zeros, with `above` rows and `above` columns before the output's,
    "pitch",  # and its width: room for the vectors
)


@functools.cache
def average(
    kernel: tuple[int, int], stride: tuple[int, int], lanes: int, itemsize: int, machine: Machine
) -> int:
    """The address of the kernel with arguments FORWARD."""
    f = Function("average", FORWARD, itemsize, machine)
    build, given = f.build, f.arguments
    pixels, outputs = (
        build.mul(*[given[n] for n in names]) for names in (("height", "width"), ("rows", "columns"))
    )
    wide = stride[1] * lanes

    def plane(p, _):
        x, y = f.at(f.pointer("x"), (p, pixels)), f.at(f.pointer("y"), (p, outputs))

        def row(i, _):
            top = build.add(given["top"], build.mul(i, INT(stride[0])))
            first = f.greater(top, INT(0))
            count = build.sub(f.lesser(build.add(top, INT(kernel[0])), given["height"]), first)

            def vector(v, _):
                left = build.add(given["left"], build.mul(v, INT(wide)))
                groups = range(0, kernel[1], stride[1])  # of taps whose elements one load takes
                inside = [f.below(build.add(left, INT(c)), given["width"], wide) for c in groups]

                def taps(r, carried):
                    (total,) = carried
                    source = f.at(x, (build.add(first, r), given["width"]), left)
                    for c, live in zip(groups, inside):
                        values = f.load_where(live, f.at(source, c))
                        for place in range(min(stride[1], kernel[1] - c)):
                            under = f.shuffle(values, values, range(place, wide, stride[1]))
                            total = build.fadd(total, under)
                    return [total]

                (total,) = f.loop(count, [f.zero(lanes)], taps)
                at = build.mul(v, INT(lanes))
                live, at = (
                    f.below(at, given["columns"], lanes),
                    build.add(at, build.mul(i, given["columns"])),
                )
                area = f.load_where(live, f.at(f.pointer("areas"), at))
                f.store_where(live, build.fdiv(total, area), f.at(y, at))
                return []

            return f.loop(given["vectors"], [], vector)

        return f.loop(given["rows"], [], row)

    f.loop(given["planes"], [], plane)
    return f.compile()


def above(kernel: tuple[int, int], stride: tuple[int, int]) -> list[int]:
    """How many windows before one, along each axis, may share elements with it."""
    return [(k - 1) // s for k, s in zip(kernel, stride)]


@functools.cache
def spread(
    kernel: tuple[int, int], stride: tuple[int, int], add: bool, lanes: int, itemsize: int, machine: Machine
) -> int:
    """The address of the kernel with arguments BACKWARD; no stride longer than the window.  It writes dx, or
    adds to it."""
    f = Function("spread", BACKWARD, itemsize, machine)
    build, given = f.build, f.arguments
    pixels, outputs = (
        build.mul(*[given[n] for n in names]) for names in (("height", "width"), ("rows", "columns"))
    )
    before, wide, quotients = above(kernel, stride), stride[1] * lanes, f.pointer("quotients")

    def plane(p, _):
        dy, dx = f.at(f.pointer("dy"), (p, outputs)), f.at(f.pointer("dx"), (p, pixels))

        def divide(i, _):
            def vector(v, _):
                at = build.mul(v, INT(lanes))
                live, source = (
                    f.below(at, given["columns"], lanes),
                    build.add(at, build.mul(i, given["columns"])),
                )
                values = [f.load_where(live, f.at(start, source)) for start in (dy, f.pointer("areas"))]
                target = f.at(quotients, (build.add(i, INT(before[0])), given["pitch"]), at, before[1])
                f.store(build.select(live, build.fdiv(*values), f.zero(lanes)), target)
                return []

            return f.loop(given["vectors"], [], vector)

        def row(b, _):
            place = build.sub(b, given["top"])  # above the first window's first row
            last, place = build.udiv(place, INT(stride[0])), build.urem(place, INT(stride[0]))
            # Windows last - count + 1 to last hold the row, where there are so many.
            count = build.udiv(build.sub(INT(kernel[0] + stride[0] - 1), place), INT(stride[0]))
            first = build.add(build.sub(last, count), INT(1 + before[0]))

            def vector(v, _):
                def windows(r, sums):
                    source = f.at(quotients, (build.add(first, r), given["pitch"]), (v, lanes))
                    for t in range(before[1], -1, -1):  # the window t before
                        values = f.load(f.at(source, before[1] - t), lanes)
                        sums = [
                            build.fadd(total, values) if place + t * stride[1] < kernel[1] else total
                            for place, total in enumerate(sums)
                        ]
                    return sums

                sums = f.loop(count, [f.zero(lanes)] * stride[1], windows)
                left = build.add(given["left"], build.mul(v, INT(wide)))
                live, target = f.below(left, given["width"], wide), f.at(dx, (b, given["width"]), left)
                values = f.in_turns(sums)
                if add:
                    values = build.fadd(f.load_where(live, target), values)
                f.store_where(live, values, target)
                return []

            return f.loop(given["across"], [], vector)

        f.loop(given["rows"], [], divide)
        return f.loop(given["height"], [], row)

    f.loop(given["planes"], [], plane)
    return f.compile()
