"""What happens to pixels where they are; images are (C, h, w), float32."""

from __future__ import annotations

import math

import numpy as np

from ..cpu import jit
from ..random import draw

TRUNCATE = 3  # a Gaussian ends after so many sigmas


@jit
def taps(sigma):
    """The weights of a Gaussian at whole pixels, float32, their sum 1."""
    radius = int(TRUNCATE * sigma + 0.5)
    weights = np.empty(2 * radius + 1, np.float32)
    total = 0.0
    for i in range(weights.size):
        value = math.exp(-0.5 * ((i - radius) / sigma) ** 2) if radius else 1.0
        weights[i] = value
        total += value
    for i in range(weights.size):
        weights[i] = weights[i] / total
    return weights


@jit
def reflected(i, n):
    """The place among n pixels that the mirrors at both ends show at i."""
    i = i % (2 * n)
    return i if i < n else 2 * n - 1 - i


@jit
def smooth(plane, weights, scratch):
    """Convolve a plane (h, w) with `weights` along rows and columns, in place; beyond its border it is
    mirrored.  scratch is of its shape."""
    h, w = plane.shape
    radius = weights.size // 2
    line = np.empty(w + 2 * radius, np.float32)
    for y in range(h):
        row, out = plane[y], scratch[y]
        for x in range(radius):
            line[x] = row[reflected(x - radius, w)]
            line[radius + w + x] = row[reflected(w + x, w)]
        line[radius : radius + w] = row
        out[:] = 0
        for k in range(weights.size):
            weight, shifted = weights[k], line[k : k + w]
            for x in range(w):
                out[x] += weight * shifted[x]
    for y in range(h):
        out = plane[y]
        out[:] = 0
        for k in range(weights.size):
            weight, row = weights[k], scratch[reflected(y + k - radius, h)]
            for x in range(w):
                out[x] += weight * row[x]


@jit
def bend(place, step, k0, k1, alpha, sigma, out, scratch):
    """Fields of displacement (2, h, w): numbers from [-1, 1), smoothed by sigma pixels, times alpha.

    Source: Simard, Steinkraus, Platt, "Best practices for convolutional neural networks", ICDAR 2003.
    """
    low, high = np.uint32(place), np.uint32(place >> np.uint64(32))
    flat = out.reshape(-1)
    scale = np.float32(alpha * 2.0**-31)
    for q in range((flat.size + 3) // 4):
        a, b, c, d = draw(low, high, np.uint32(q + 1), np.uint32(step), k0, k1)
        for i in range(min(4, flat.size - 4 * q)):
            word = a if i == 0 else b if i == 1 else c if i == 2 else d
            flat[4 * q + i] = np.float32(np.int64(word) - 2**31) * scale
    weights = taps(sigma)
    for axis in range(2):
        smooth(out[axis], weights, scratch)


@jit
def recolour(image, brightness, contrast, saturation, hue):
    """Times `brightness`; the distance from the mean of all values times `contrast`; and of three channels,
    blue, green and red, the distance from grey, (b + g + r) / 3, times `saturation`, and turned about the
    grey axis by `hue` radians, red to green to blue."""
    flat = image.reshape(-1)
    if brightness != 1 or contrast != 1:
        total = 0.0
        for i in range(flat.size):
            total += flat[i]
        gain = np.float32(brightness * contrast)
        offset = np.float32(brightness * (1 - contrast) * total / flat.size)
        for i in range(flat.size):
            flat[i] = flat[i] * gain + offset
    if saturation != 1 or hue != 0:
        size = flat.size // 3
        blue, green, red = flat[:size], flat[size : 2 * size], flat[2 * size :]
        along = np.float32(saturation * math.cos(hue))
        aside = np.float32(saturation * math.sin(hue) / math.sqrt(3.0))
        third = np.float32(1 / 3)
        for i in range(size):
            b, g, r = blue[i], green[i], red[i]
            grey = (b + g + r) * third
            blue[i] = grey + along * (b - grey) + aside * (g - r)
            green[i] = grey + along * (g - grey) + aside * (r - b)
            red[i] = grey + along * (r - grey) + aside * (b - g)


@jit
def shade(image, strength, value, a, b, c):
    """Draw every pixel towards `value`: v + (value - v) strength f, where f = t^2 (3 - 2 t) and t is
    a x + b y + c, held within 0 and 1."""
    channels, h, w = image.shape
    strength, value = np.float32(strength), np.float32(value)
    a, b, c = np.float32(a), np.float32(b), np.float32(c)
    zero, one, two, three = np.float32(0), np.float32(1), np.float32(2), np.float32(3)
    for k in range(channels):
        for y in range(h):
            row, start = image[k, y], b * np.float32(y) + c
            for x in range(w):
                t = min(max(a * np.float32(x) + start, zero), one)
                row[x] += (value - row[x]) * (strength * t * t * (three - two * t))


@jit
def add_noise(image, place, step, k0, k1, std):
    """Add to every value a number of its own from a normal distribution.

    Source: Box and Muller, "A note on the generation of random normal deviates", 1958.
    """
    low, high = np.uint32(place), np.uint32(place >> np.uint64(32))
    flat = image.reshape(-1)
    turn = np.float32(2 * math.pi * 2.0**-32)
    for q in range((flat.size + 3) // 4):
        a, b, c, d = draw(low, high, np.uint32(q + 1), np.uint32(step), k0, k1)
        for i in range(2):
            length, direction = (a, b) if i == 0 else (c, d)
            # From (0, 1], so that there is a logarithm.
            radius = np.float32(std * math.sqrt(-2 * math.log((np.float64(length) + 1) * 2.0**-32)))
            angle = np.float32(direction) * turn
            at = 4 * q + 2 * i
            if at < flat.size:
                flat[at] += radius * np.cos(angle)
            if at + 1 < flat.size:
                flat[at + 1] += radius * np.sin(angle)


@jit
def erase(image, top, left, rows, columns, fill):
    """Set a rectangle of every channel to fill[channel]."""
    for k in range(image.shape[0]):
        image[k, top : top + rows, left : left + columns] = fill[k]


@jit
def store(image, out):
    """The image, in the type of `out`: bytes are rounded to the nearest, within 0 and 255."""
    flat, target = image.reshape(-1), out.reshape(-1)
    if out.itemsize == 1:
        for i in range(flat.size):
            value = flat[i]
            value = value if value > np.float32(0) else np.float32(0)
            value = value if value < np.float32(255) else np.float32(255)
            target[i] = np.uint8(np.int32(value + np.float32(0.5)))
    else:
        for i in range(flat.size):
            target[i] = flat[i]
