"""What follows the sum of a convolution; finish.cuh is its other half."""

from __future__ import annotations

from .cpu import jit


@jit
def finish(sums, channel, scale, bias, g):
    """Do to the sums of a channel what g (convolution.Conv) asks for."""
    for i in range(sums.size):
        value = sums[i]
        if g.scaled:
            value *= scale[channel]
        if g.bias:
            value += bias[channel]
        sums[i] = sums.dtype.type(0) if g.relu and value <= 0 else value
