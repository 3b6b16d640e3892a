"""exp, tanh and log1p as the CPU halves of kernels call them: loops over them become vector code.

The C library's functions take one number at a time (2 to 15 ns).  The functions here are polynomials without
branches, which the compiler turns into vector instructions: 0.2 to 1 ns a number in float32, 1 to 2 in
float64.  Every number goes through the same operations, wherever in an array it lies.  Interpreted they are
the library's, and so is log1p in float64.

The greatest errors found, in units in the last place; over every 35th float and 10^7 doubles of each range:

    exp    float32 1.0, float64 1.0, also where results are subnormal
    tanh   float32 1.6, float64 2.6
    log1p  float32 2.0

NaN stays NaN.  CUDA has all of them built in.  Coefficients: for float32 minimax fits of the stated
functions, relative error below 4e-9; for float64 those of Taylor's series.
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


_d = np.float64
_LOWEST64, _HIGHEST64 = _d(-746), _d(709.782712893384)
_LOG2_E64 = _d(1 / math.log(2))
_LN2_HIGH64 = _d(float.fromhex("0x1.62e42fp-1"))  # exact in 25 bits
_LN2_LOW64 = _d(float.fromhex("0x1.df473de6af279p-26"))  # ln 2 without them
_TAYLOR = tuple(1 / math.factorial(n) for n in range(2, 14))


@register_jitable(**_exact)
def _reduced64(z):
    """k and e^r - 1 with z = k ln 2 + r and |r| <= ln 2 / 2."""
    k = np.floor(z * _LOG2_E64 + _d(0.5))
    r = (z - k * _LN2_HIGH64) - k * _LN2_LOW64
    q = _d(_TAYLOR[11])
    for n in range(10, -1, -1):
        q = _d(_TAYLOR[n]) + r * q
    return np.int32(k), r + r * r * q


@register_jitable(**_exact)
def _exp64(x):
    """As _exp32."""
    z = x if x > _LOWEST64 else _LOWEST64
    z = z if z < _HIGHEST64 else _HIGHEST64
    k, e = _reduced64(z)
    half = k >> np.int32(1)
    e = (_d(1) + e) * _power_of_two64(half) * _power_of_two64(k - half)
    e = _d(math.inf) if x > _HIGHEST64 else e
    return x if x != x else e


@register_jitable(**_exact)
def _power_of_two64(k):
    return np.int64((np.int64(k) + np.int64(1023)) << np.int64(52)).view(np.float64)


@register_jitable(**_exact)
def _tanh64(x):
    """m / (m + 2) with m = exp(2 |x|) - 1 = 2^k (e^r - 1) + 2^k - 1, where nothing cancels; 1 beyond 20."""
    z = _d(2) * abs(x)
    k, e = _reduced64(z if z < _d(40) else _d(40))
    power = _power_of_two64(k)
    m = e * power + (power - _d(1))
    t = math.copysign(m / (m + _d(2)), x)
    return x if x != x else t


@register_jitable(**_exact)
def _log1p32(x):
    """2 artanh(s) with s = x / (2 + x) <= 1 / 3: an odd polynomial."""
    s = x / (_f(2) + x)
    v = s * s
    return _f(2) * (
        s + s * v * (_f(0.3333321) + v * (_f(0.2001077) + v * (_f(0.14000812) + v * _f(0.1400643))))
    )


def _declare(function, float32, float64) -> None:
    """What kernels compile to where they call `function`."""

    @overload(function, inline="never", **{"jit_options": _exact})
    def choose(x):
        return (lambda x: float32(x)) if x == types.float32 else (lambda x: float64(x))


_declare(exp, _exp32, _exp64)
_declare(tanh, _tanh32, _tanh64)
_declare(log1p, _log1p32, math.log1p)
