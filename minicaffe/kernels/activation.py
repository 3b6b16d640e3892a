"""Activations: y = f(x), element by element."""

from __future__ import annotations

from numba import prange

from .elementary import exp, log1p, tanh
from .registry import kernel


@kernel(threads=lambda x, y, slope: x.size)
def relu_forward(x, y, slope: float):
    """y = x where x > 0, slope * x where x <= 0 (0 for -inf if the slope is 0); NaN stays NaN."""
    zero = x.dtype.type(0)
    for i in prange(x.size):
        if x[i] <= 0:
            y[i] = x[i] * slope if slope != 0 else zero
        else:
            y[i] = x[i]


@kernel(threads=lambda y, dy, dx, slope: y.size)
def relu_backward(y, dy, dx, slope: float):
    """dx = dy where y > 0, slope * dy elsewhere."""
    for i in prange(y.size):
        dx[i] = dy[i] if y[i] > 0 else dy[i] * slope


@kernel(threads=lambda x, y: x.size)
def sigmoid_forward(x, y):
    """y = 1 / (1 + exp(-x)); where exp(-x) is infinite, 0."""
    one = x.dtype.type(1)
    for i in prange(x.size):
        y[i] = one / (one + exp(-x[i]))


@kernel(threads=lambda y, dy, dx: y.size)
def sigmoid_backward(y, dy, dx):
    """dx = dy * y * (1 - y)."""
    one = y.dtype.type(1)
    for i in prange(y.size):
        dx[i] = dy[i] * y[i] * (one - y[i])


@kernel(threads=lambda x, y: x.size)
def tanh_forward(x, y):
    """y = tanh(x)."""
    for i in prange(x.size):
        y[i] = tanh(x[i])


@kernel(threads=lambda y, dy, dx: y.size)
def tanh_backward(y, dy, dx):
    """dx = dy * (1 - y^2)."""
    one = y.dtype.type(1)
    for i in prange(y.size):
        dx[i] = dy[i] * (one - y[i] * y[i])


@kernel(threads=lambda x, y, alpha: x.size)
def elu_forward(x, y, alpha: float):
    """y = x where x > 0, alpha * (exp(x) - 1) elsewhere."""
    one = x.dtype.type(1)
    for i in prange(x.size):
        y[i] = x[i] if x[i] > 0 else alpha * (exp(x[i]) - one)


@kernel(threads=lambda x, y, dy, dx, alpha: x.size)
def elu_backward(x, y, dy, dx, alpha: float):
    """dx = dy where x > 0, dy * (y + alpha) elsewhere."""
    for i in prange(x.size):
        dx[i] = dy[i] if x[i] > 0 else dy[i] * (y[i] + alpha)


@kernel(threads=lambda x, y, s, beta: x.size)
def swish_forward(x, y, s, beta: float):
    """s = 1 / (1 + exp(-beta * x)), y = x * s; where s is 0, 0."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for i in prange(x.size):
        s[i] = one / (one + exp(-(beta * x[i])))
        y[i] = zero if s[i] == 0 else x[i] * s[i]


@kernel(threads=lambda y, s, dy, dx, beta: y.size)
def swish_backward(y, s, dy, dx, beta: float):
    """dx = dy * (beta * y + s * (1 - beta * y))."""
    one = y.dtype.type(1)
    for i in prange(y.size):
        dx[i] = dy[i] * (beta * y[i] + s[i] * (one - beta * y[i]))


@kernel(threads=lambda x, y: x.size)
def bnll_forward(x, y):
    """y = log(1 + exp(x)), as max(x, 0) + log(1 + exp(-|x|)), which neither overflows nor cancels."""
    zero = x.dtype.type(0)
    for i in prange(x.size):
        y[i] = log1p(exp(-abs(x[i]))) + (zero if x[i] <= 0 else x[i])


@kernel(threads=lambda x, dy, dx: x.size)
def bnll_backward(x, dy, dx):
    """dx = dy / (1 + exp(-x))."""
    one = x.dtype.type(1)
    for i in prange(x.size):
        dx[i] = dy[i] / (one + exp(-x[i]))
