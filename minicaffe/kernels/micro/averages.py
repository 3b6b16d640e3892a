"""The sums of a plane's windows divided by their areas, a vector of output columns at a time; and back.

A load takes `stride` vectors of elements, among which are the elements under that many taps of each output;
what lies outside the image is not read and counts as 0.  On the way back the quotients of all windows are
first written into a plane with zeros around them, where none has to be asked whether a window is there: every
element is then a sum of some neighbours, the same ones for elements at the same place within the stride.
"""

from __future__ import annotations

from .builder import I32, INT, Function
from .kernel import micro_kernel
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
WHOLE = (
    "planes",
    "count",  # of elements of a plane
    "area",  # address of what the sum is divided by
    "planar",  # addresses: of the planes,
    "single",  # and of one element for each
)


@micro_kernel
def mean(itemsize: int, machine: Machine) -> Function:
    """The address of the kernel with arguments WHOLE for windows that hold the whole image:
    single = sum of a plane / area."""
    f = Function(WHOLE, itemsize, machine)
    build, given, lanes = f.build, f.arguments, machine.lanes(itemsize)
    area = build.load(f.pointer("area"))

    def plane(p, _):
        source = f.at(f.pointer("planar"), (p, given["count"]))

        def vector(v, carried):
            at = build.mul(v, INT(lanes))
            f.prefetch(f.at(source, at))
            values = f.load_where(f.below(at, given["count"], lanes), f.at(source, at))
            return [build.fadd(carried[0], values)]

        (total,) = f.loop(_vectors(f, lanes), [f.zero(lanes)], vector)
        half = lanes // 2
        while half:
            total = build.fadd(*[f.shuffle(total, total, range(i, i + half)) for i in (0, half)])
            half //= 2
        build.store(build.fdiv(build.extract_element(total, I32(0)), area), f.at(f.pointer("single"), p))
        return []

    f.loop(given["planes"], [], plane)
    return f


@micro_kernel
def even(add: bool, itemsize: int, machine: Machine) -> Function:
    """The address of the kernel with arguments WHOLE, on the way back:  every element of a plane is, or has
    added to it, single / area."""
    f = Function(WHOLE, itemsize, machine)
    build, given, lanes = f.build, f.arguments, machine.lanes(itemsize)
    area = f.broadcast(f.pointer("area"), lanes)

    def plane(p, _):
        target = f.at(f.pointer("planar"), (p, given["count"]))
        share = build.fdiv(f.broadcast(f.at(f.pointer("single"), p), lanes), area)

        def vector(v, _):
            at, value = build.mul(v, INT(lanes)), share
            if add:
                value = build.fadd(f.load_where(f.below(at, given["count"], lanes), f.at(target, at)), value)
            f.store_inside(value, f.at(target, at), at, given["count"])
            return []

        return f.loop(_vectors(f, lanes), [], vector)

    f.loop(given["planes"], [], plane)
    return f


def _vectors(f: Function, lanes: int):
    """How many cover a plane."""
    return f.build.udiv(f.build.add(f.arguments["count"], INT(lanes - 1)), INT(lanes))


@micro_kernel
def average(
    kernel: tuple[int, int], stride: tuple[int, int], lanes: int, itemsize: int, machine: Machine
) -> Function:
    """The address of the kernel with arguments FORWARD."""
    f = Function(FORWARD, itemsize, machine)
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
                column = build.mul(v, INT(lanes))
                live = f.below(column, given["columns"], lanes)
                at = build.add(column, build.mul(i, given["columns"]))
                area = f.load_where(live, f.at(f.pointer("areas"), at))
                f.store_inside(build.fdiv(total, area), f.at(y, at), column, given["columns"])
                return []

            return f.loop(given["vectors"], [], vector)

        return f.loop(given["rows"], [], row)

    f.loop(given["planes"], [], plane)
    return f


def above(kernel: tuple[int, int], stride: tuple[int, int]) -> list[int]:
    """How many windows before one, along each axis, may share elements with it."""
    return [(k - 1) // s for k, s in zip(kernel, stride)]


@micro_kernel
def spread(
    kernel: tuple[int, int], stride: tuple[int, int], add: bool, lanes: int, itemsize: int, machine: Machine
) -> Function:
    """The address of the kernel with arguments BACKWARD; no stride longer than the window.  It writes dx, or
    adds to it."""
    f = Function(BACKWARD, itemsize, machine)
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
                f.store_inside(values, target, left, given["width"])
                return []

            return f.loop(given["across"], [], vector)

        f.loop(given["rows"], [], divide)
        return f.loop(given["height"], [], row)

    f.loop(given["planes"], [], plane)
    return f
