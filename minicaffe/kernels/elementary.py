"""exp, tanh and log1p as the CPU halves of kernels call them: a loop over float32 becomes vector code.

The C library's functions take one number at a time (2 to 15 ns).  Compiled for float32 the functions here are
polynomials without branches, which the compiler turns into vector instructions (0.2 to 0.6 ns a number);
for float64, and interpreted, they are the library's.  Results in float32 are within 2 units in the last place
of the exact ones; NaN stays NaN.  CUDA has all of them built in.

Coefficients: minimax fits of the stated functions, relative error below 4e-9.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload, register_jitable


def exp(x):
    """e^x."""
    with np.errstate(over="ignore"):  # infinity, as in the other halves without a word
        return np.exp(x)


def tanh(x):
    """The hyperbolic tangent of x."""
    return np.tanh(x)


def log1p(x):
    """log(1 + x) for 0 <= x <= 1, where rounding 1 + x would lose a small x."""
    return np.log1p(x)


# No reordering: the range reduction subtracts a rounded product in two parts on purpose.
_exact = {"fastmath": {"contract"}}
_f = np.float32

_LOWEST, _HIGHEST = _f(-104), _f(88.72284)  # beyond: 0, infinity
_LOG2_E = _f(1 / math.log(2))
_LN2_HIGH, _LN2_LOW = (
    _f(0.693359375),
    _f(-2.12194440e-4),
)  # the first exact in 10 bits, so k * _LN2_HIGH is too
_NARROW = _f(0.55)  # below, tanh by polynomial: 1 - e would cancel


@register_jitable(**_exact)
def _exp32(x):
    """x = k ln 2 + r with |r| <= ln 2 / 2; e^r = 1 + r + r^2 q(r); 2^k in two factors, as subnormals need."""
    z = x if x > _LOWEST else _LOWEST  # NaN too: what follows stays defined
    z = z if z < _HIGHEST else _HIGHEST
    k = np.floor(z * _LOG2_E + _f(0.5))
    r = (z - k * _LN2_HIGH) - k * _LN2_LOW
    q = _f(0.008368718) + r * _f(0.0013814596)
    q = _f(0.49999994) + r * (_f(0.16666521) + r * (_f(0.04166839) + r * q))
    e = _f(1) + (r + r * r * q)
    k = np.int32(k)
    half = k >> np.int32(1)
    e = e * _power_of_two(half) * _power_of_two(k - half)
    e = _f(math.inf) if x > _HIGHEST else e
    return x if x != x else e


@register_jitable(**_exact)
def _power_of_two(k):
    return np.int32((k + np.int32(127)) << np.int32(23)).view(np.float32)


@register_jitable(**_exact)
def _tanh32(x):
    """(1 - e) / (1 + e) with e = exp(-2 |x|), and an odd polynomial where that would cancel."""
    e = _exp32(_f(-2) * abs(x))
    wide = math.copysign((_f(1) - e) / (_f(1) + e), x)
    u = x * x
    p = _f(-0.05385385) + u * (_f(0.021077745) + u * _f(-0.006282454))
    narrow = x + x * u * (_f(-0.3333332) + u * (_f(0.13332602) + u * p))
    return narrow if abs(x) < _NARROW else wide


@register_jitable(**_exact)
def _log1p32(x):
    """2 artanh(s) with s = x / (2 + x) <= 1 / 3: an odd polynomial."""
    s = x / (_f(2) + x)
    v = s * s
    return _f(2) * (
        s + s * v * (_f(0.3333321) + v * (_f(0.2001077) + v * (_f(0.14000812) + v * _f(0.1400643))))
    )


def _declare(function, fast, library) -> None:
    """What kernels compile to where they call `function`."""

    @overload(function, inline="never", **{"jit_options": _exact})
    def choose(x):
        return (lambda x: fast(x)) if x == types.float32 else (lambda x: library(x))


_declare(exp, _exp32, math.exp)
_declare(tanh, _tanh32, math.tanh)
_declare(log1p, _log1p32, math.log1p)
