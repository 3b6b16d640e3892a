"""Winograd's F(4x4, 3x3) and F(4x4, 5x5): the transforms of tiles, all as one micro-kernel.

    y = A^T [ (G g G^T) * (B^T d B) ] A

is the correlation of a tile d with weights g, y (4 x 4): of d (6 x 6) with g (3 x 3) by 36 products instead
of 144, of d (8 x 8) with g (5 x 5) by 64 instead of 400 (Winograd 1980; Lavin and Gray, "Fast algorithms
for convolutional neural networks", CVPR 2016).  Polynomials are multiplied by their values at five or seven
points and at infinity.  Of five, the usual ones are 0, +-1 and +-2; here they are 0, +-1/sqrt(2) and
+-sqrt(2), whose powers are closer together: the largest error is a fifth.  Seven are 0, +-1, +-2 and +-1/2;
of 100 other choices none had less than 0.8 times their largest error.

Every transform is L X L^T with a constant L.  Vectors run over channels, and the rows of an L that belong to
points +-p differ in the signs of odd powers alone, so that half of the work is done once for both.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .builder import Function
from .kernel import micro_kernel
from .machine import Machine
from .tile import ended


class Scheme(NamedTuple):
    """F(out x out, taps x taps): extents of a tile of outputs and of the window."""

    out: int
    taps: int

    @property
    def extent(self) -> int:
        """Of what both need of the image, and of a transformed tile."""
        return self.out + self.taps - 1

    @property
    def places(self) -> int:
        """Elements of a transformed tile."""
        return self.extent**2

    @property
    def window(self) -> int:
        """Elements of a window."""
        return self.taps**2

    def __str__(self) -> str:
        return f"F({self.out}x{self.out})"


SCHEMES = {taps: Scheme(4, taps) for taps in (3, 5)}
ROOT = math.sqrt(2)
POINTS = {6: (0, 1 / ROOT, -1 / ROOT, ROOT, -ROOT), 8: (0, 1, -1, 2, -2, 1 / 2, -1 / 2)}  # and infinity

# Addresses, and strides in elements: of the rows and columns of a block, and from one block to the next.
ARGUMENTS = (
    *("count", "src", "src_row", "src_column", "src_step"),
    *("dst", "dst_row", "dst_column", "dst_step", "scale", "bias"),
)


@functools.cache
def matrices(scheme: Scheme) -> dict[str, np.ndarray]:
    """The constant matrices of a scheme."""
    extent, points = scheme.extent, POINTS[scheme.extent]
    a, g, b = (np.zeros((extent, width)) for width in (*scheme, extent))
    for i, point in enumerate(points):
        others = [other for other in points if other != point]
        a[i] = np.power(float(point), np.arange(scheme.out))
        g[i] = np.power(float(point), np.arange(scheme.taps)) / math.prod(point - other for other in others)
        b[i, :-1] = np.poly(others)[::-1]
    a[-1, -1] = g[-1, -1] = 1
    b[-1] = np.poly(points)[::-1]
    # Sums such as p - p are 0 but for the last bit of a root.
    return {
        name: np.where(np.abs(m) < 1e-9, 0, m)
        for name, m in {
            "image": b,  # d -> B^T d B
            "weights": g,  # g -> G g G^T
            "sums": a.T,  # products -> y
            "slopes": a,  # the transpose of `sums`: dy -> A dy A^T
            "gradient": g.T,  # that of `weights`: sums of products -> dg
        }.items()
    }


@micro_kernel
def sandwich(scheme: Scheme, name: str, finish: str, itemsize: int, machine: Machine) -> Function:
    """The address of the kernel with ARGUMENTS: L X L^T, for `count` blocks X of vectors; L is
    matrices(scheme)[name].

    finish  what is done to a vector before it is stored, any of these joined by _: "scale" it is multiplied
            by the vector at `scale`, "bias" that at `bias` is added, "relu" 0 takes the place of what is
            negative (NaN stays); or "set": nothing, and `scale` and `bias` are not read
    """
    matrix, lanes, follows = matrices(scheme)[name], machine.lanes(itemsize), finish.split("_")
    f = Function(ARGUMENTS, itemsize, machine)
    scale, bias = (f.load(f.pointer(k), lanes) if k in follows else None for k in ("scale", "bias"))

    def place(side: str, block):
        """The address of element (i, j) of a block."""
        first = f.at(f.pointer(side), (block, f.arguments[f"{side}_step"]))
        row, column = f.arguments[f"{side}_row"], f.arguments[f"{side}_column"]
        return lambda i, j: f.at(first, (row, i), (column, j))

    def block(number, _):
        source, target = place("src", number), place("dst", number)
        height, extent = matrix.shape
        columns = []
        for j in range(extent):
            columns.append(_product(f, matrix, [f.load(source(i, j), lanes) for i in range(extent)]))
        for i in range(height):
            for j, value in enumerate(_product(f, matrix, [column[i] for column in columns])):
                f.store(ended(f, value, scale, bias, "relu" in follows), target(i, j))
        return []

    f.loop(f.arguments["count"], [], block)
    return f


def _product(f: Function, matrix: np.ndarray, vectors: Sequence) -> list:
    """matrix @ vectors."""
    if matrix.shape[0] < matrix.shape[1]:  # the transpose of one with paired rows: its pairs are columns
        return _wide(f, matrix, vectors)
    out = []
    last = len(matrix) - 1
    for i in (0, *range(1, last, 2), last):
        row = matrix[i]
        if i in (0, last):
            out.append(_sum(f, list(zip(row, vectors))))
            continue
        even = _sum(f, list(zip(row[::2], vectors[::2])))
        odd = [(c, v) for c, v in zip(row[1::2], vectors[1::2]) if c]
        factor = odd[-1][0]
        odd_sum = _sum(f, [(c / factor, v) for c, v in odd])
        out += [_add(f, sign * factor, odd_sum, even) for sign in (1, -1)]
    return out


def _wide(f: Function, matrix: np.ndarray, vectors: Sequence) -> list:
    last = len(vectors) - 1
    pairs = {
        i: (f.build.fadd(*vectors[i : i + 2]), f.build.fsub(*vectors[i : i + 2])) for i in range(1, last, 2)
    }
    out = []
    for row in matrix:
        terms = [(row[i], pairs[i][int(row[i] * row[i + 1] < 0)]) for i in pairs]
        out.append(_sum(f, [*terms, (row[0], vectors[0]), (row[last], vectors[last])]))
    return out


def _sum(f: Function, terms: list):
    """The sum of coefficient * vector; the terms with coefficient 1 are the cheap ones to begin with."""
    terms = sorted((term for term in terms if term[0]), key=lambda term: abs(term[0] - 1) > 1e-9)
    coefficient, total = terms[0]
    if abs(coefficient - 1) > 1e-9:
        total = f.build.fmul(_constant(f, coefficient, total), total)
    for coefficient, vector in terms[1:]:
        total = _add(f, coefficient, vector, total)
    return total


def _add(f: Function, coefficient: float, vector, total):
    """total + coefficient * vector."""
    if abs(abs(coefficient) - 1) < 1e-9:
        return (f.build.fadd if coefficient > 0 else f.build.fsub)(total, vector)
    return f.multiply_add(_constant(f, coefficient, vector), vector, total)


def _constant(f: Function, value: float, like):
    # LLVM takes a float's constant as a double that a float can hold.
    value = float(np.float32(value)) if f.itemsize == 4 else float(value)
    return like.type([value] * like.type.count)
