"""Recurrent layers: what one time step does to every hidden number, and the way back.

A step is a matrix product and one of these kernels.  `cont` (n) tells each sequence whether it goes on: it
multiplies what comes from the step before, and where it is 0 nothing comes, NaN neither.  So that the product
of the next step can start at once, a forward kernel also leaves what it will take: kept = cont of the next
step * h.  On the way back `down` is the gradient by that `kept`.

The loops run over slices, one per sequence, which the compiler then turns into vector code.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .elementary import exp, tanh
from .registry import geometry, kernel


@geometry
class TimeStep(NamedTuple):
    """n sequences of d hidden numbers; `more`: another step follows, whose cont comes behind this one's."""

    n: int
    d: int
    more: int

    @property
    def count(self) -> int:
        return self.n * self.d


@kernel(threads=lambda h, cont, kept, g: g.count)
def keep(h, cont, kept, g: TimeStep):
    """kept = cont * h: what the first step takes."""
    zero = h.dtype.type(0)
    for s in prange(g.n):
        goes_on = cont[s]
        now, later = h[s * g.d : (s + 1) * g.d], kept[s * g.d : (s + 1) * g.d]
        for j in range(now.size):
            later[j] = zero if goes_on == 0 else goes_on * now[j]


# -- LSTM: gates (n, 4 d) holds i, f, o and g of a sequence one behind the other


@kernel(threads=lambda gates, cont, c_before, c, h, kept, g: g.count)
def lstm_forward(gates, cont, c_before, c, h, kept, g: TimeStep):
    """c = cont f c_before + i g, h = o tanh(c); gates become sigmoid of i, f, o and tanh of g in place."""
    zero, one = gates.dtype.type(0), gates.dtype.type(1)
    for s in prange(g.n):
        goes_on = cont[s]
        first, end = s * g.d, (s + 1) * g.d
        before, cell, hidden = c_before[first:end], c[first:end], h[first:end]
        i, f = gates[4 * first : 4 * first + g.d], gates[4 * first + g.d : 4 * first + 2 * g.d]
        o, a = gates[4 * first + 2 * g.d : 4 * first + 3 * g.d], gates[4 * first + 3 * g.d : 4 * end]
        for j in range(cell.size):
            i[j] = one / (one + exp(-i[j]))
            f[j] = one / (one + exp(-f[j]))
            o[j] = one / (one + exp(-o[j]))
            a[j] = tanh(a[j])
            over = zero if goes_on == 0 else goes_on * before[j]
            cell[j] = f[j] * over + i[j] * a[j]
            hidden[j] = o[j] * tanh(cell[j])
        if g.more:
            goes_on = cont[g.n + s]
            later = kept[first:end]
            for j in range(later.size):
                later[j] = zero if goes_on == 0 else goes_on * hidden[j]


@kernel(threads=lambda gates, cont, c_before, c, dh, down, dc, dgates, g: g.count)
def lstm_backward(gates, cont, c_before, c, dh, down, dc, dgates, g: TimeStep):
    """dc: the gradient by c that comes from elsewhere, and then, in place, the gradient by c_before.

    With e = dh + cont of the next step * down and r = dc + e o (1 - tanh(c)^2):
    dgates = r g i (1 - i), r cont c_before f (1 - f), e tanh(c) o (1 - o), r i (1 - g^2), dc = r f cont.
    """
    zero, one = gates.dtype.type(0), gates.dtype.type(1)
    for s in prange(g.n):
        goes_on, goes_on_then = cont[s], cont[g.n + s] if g.more else zero
        first, end = s * g.d, (s + 1) * g.d
        before, cell = c_before[first:end], c[first:end]
        dhidden, dkept, dcell = dh[first:end], down[first:end], dc[first:end]
        gate, dgate = gates[4 * first : 4 * end], dgates[4 * first : 4 * end]
        di, df = dgate[: g.d], dgate[g.d : 2 * g.d]
        do, da = dgate[2 * g.d : 3 * g.d], dgate[3 * g.d :]
        for j in range(cell.size):
            i, f, o, a = gate[j], gate[g.d + j], gate[2 * g.d + j], gate[3 * g.d + j]
            t = tanh(cell[j])
            over = zero if goes_on == 0 else goes_on * before[j]
            e = dhidden[j] + (zero if goes_on_then == 0 else goes_on_then * dkept[j])
            r = dcell[j] + e * o * (one - t * t)
            di[j] = r * a * i * (one - i)
            df[j] = r * over * f * (one - f)
            do[j] = e * t * o * (one - o)
            da[j] = r * i * (one - a * a)
            dcell[j] = zero if goes_on == 0 else r * f * goes_on


# -- RNN


@kernel(threads=lambda h, cont, kept, g: g.count)
def rnn_forward(h, cont, kept, g: TimeStep):
    """h = tanh(h), in place."""
    zero = h.dtype.type(0)
    for s in prange(g.n):
        now = h[s * g.d : (s + 1) * g.d]
        for j in range(now.size):
            now[j] = tanh(now[j])
        if g.more:
            goes_on = cont[g.n + s]
            later = kept[s * g.d : (s + 1) * g.d]
            for j in range(later.size):
                later[j] = zero if goes_on == 0 else goes_on * now[j]


@kernel(threads=lambda h, cont, down, dh, g: g.count)
def rnn_backward(h, cont, down, dh, g: TimeStep):
    """dh: the gradient by h from this step's output, and then, in place, that by what tanh was taken of:
    (dh + cont of the next step * down) (1 - h^2)."""
    zero, one = h.dtype.type(0), h.dtype.type(1)
    for s in prange(g.n):
        goes_on = cont[g.n + s] if g.more else zero
        first, end = s * g.d, (s + 1) * g.d
        now, dkept, dnow = h[first:end], down[first:end], dh[first:end]
        for j in range(dnow.size):
            e = dnow[j] + (zero if goes_on == 0 else goes_on * dkept[j])
            dnow[j] = e * (one - now[j] * now[j])
