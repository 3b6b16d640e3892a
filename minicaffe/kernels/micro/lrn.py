"""Local response normalization with the exponent 3/4, a vector of columns at a time.

The sum over a neighbourhood is made anew for every element: what it reads again lies in the first cache, if
the columns from `begin` to `end` are few.  Neighbours that there are not are not read and count as 0.
"""

from __future__ import annotations

from .builder import INT, Function
from .kernel import micro_kernel
from .machine import Machine

ARGUMENTS = (
    "groups",  # one behind the other; at least 1, as all counts
    "h",  # lines in a group
    "w",  # columns of a line
    "begin",  # the first column to work on
    "vectors",  # that cover the columns to work on
    "settings",  # address of two reals: k and alpha forward, factor backward
    "x",  # addresses of the first group
    "y",
    "inverse",
    "dy",  # these two backward
    "dx",
)


@micro_kernel
def forward(lines: int, columns: int, lanes: int, itemsize: int, machine: Machine) -> Function:
    """The address of the kernel with ARGUMENTS for neighbourhoods of that reach:
    inverse = 1 / (k + alpha * sum of x^2), y = x * inverse^(3/4)."""
    f = Function(ARGUMENTS, itemsize, machine)
    build = f.build
    one, zero = f.constant(1.0, lanes), f.zero(lanes)
    k, alpha = (f.broadcast(f.at(f.pointer("settings"), i), lanes) for i in range(2))

    def square(at, live, total):
        x = f.load_where(live, f.at(f.pointer("x"), at))
        return f.multiply_add(x, x, total)

    def finish(at, live, total, store):
        inverse = build.fdiv(one, f.multiply_add(alpha, total, k))
        x = f.load_where(live, f.at(f.pointer("x"), at))
        store(inverse, "inverse")
        store(build.fmul(x, _three_quarters(f, inverse)), "y")

    _walk(f, lines, columns, zero, square, finish, ("x",), ("y", "inverse"))
    return f


@micro_kernel
def backward(lines: int, columns: int, lanes: int, itemsize: int, machine: Machine) -> Function:
    """The address of the kernel with ARGUMENTS:
    dx = dy * inverse^(3/4) - factor * x * sum of dy * y * inverse."""
    f = Function(ARGUMENTS, itemsize, machine)
    build, zero = f.build, f.zero(lanes)
    factor = f.broadcast(f.pointer("settings"), lanes)

    def load(name, at, live):
        return f.load_where(live, f.at(f.pointer(name), at))

    def product(at, live, total):
        dy, y, inverse = (load(name, at, live) for name in ("dy", "y", "inverse"))
        return f.multiply_add(build.fmul(dy, y), inverse, total)

    def finish(at, live, total, store):
        dy, inverse, x = (load(name, at, live) for name in ("dy", "inverse", "x"))
        less = build.fmul(build.fmul(factor, x), total)
        dx = build.fsub(build.fmul(dy, _three_quarters(f, inverse)), less)
        store(dx, "dx")

    _walk(f, lines, columns, zero, product, finish, ("x", "y", "inverse", "dy"), ("dx",))
    return f


def _walk(f: Function, lines: int, columns: int, zero, add, finish, read, written) -> None:
    """For every vector of every line: total = add(index of an element, which of its lanes there are, total)
    over the neighbourhood, lines and columns ascending, and then finish(index, lanes, total, store), with
    store(value, name of an argument)."""
    build, given, lanes = f.build, f.arguments, zero.type.count

    def group(n, _):
        start = build.mul(build.mul(n, given["h"]), given["w"])

        def line(i, _):
            first = f.greater(build.sub(i, INT(lines)), INT(0))
            count = build.sub(f.lesser(build.add(i, INT(lines + 1)), given["h"]), first)

            def vector(v, _):
                column = build.add(given["begin"], build.mul(v, INT(lanes)))
                steps = range(-columns, columns + 1)
                live = [f.below(build.add(column, INT(step)), given["w"], lanes) for step in steps]
                here = build.add(build.add(start, column), build.mul(i, given["w"]))
                next_line = build.add(here, build.mul(given["w"], INT(lines + 2)))
                for name in (*read, *written):  # the line that comes into the next but one neighbourhood
                    f.prefetch(f.at(f.pointer(name), next_line), ahead=0, write=name in written)

                def near(r, carried):
                    (total,) = carried
                    row = build.add(build.add(start, column), build.mul(build.add(first, r), given["w"]))
                    for step, there in zip(steps, live):
                        total = add(build.add(row, INT(step)), there, total)
                    return [total]

                (total,) = f.loop(count, [zero], near)

                def store(value, name):
                    f.store_inside(value, f.at(f.pointer(name), here), column, given["w"])

                finish(here, live[columns], total, store)
                return []

            return f.loop(given["vectors"], [], vector)

        return f.loop(given["h"], [], line)

    f.loop(given["groups"], [], group)


def _three_quarters(f: Function, value):
    """value^(3/4): two square roots are instructions."""
    root = f.intrinsic("sqrt", value.type, value)
    return f.build.fmul(root, f.intrinsic("sqrt", value.type, root))
