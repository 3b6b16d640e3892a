"""What happens to each image of a batch: a function of a key and of the image's place among all samples.

Number i of a step is word i % 4 of philox at the counter

    (low word of the place, high word, i // 4, step)

and number 0 says whether the step happens.  Step 0 is the Transformer's crop and mirror, so neither these nor
the steps disturb each other's numbers: one that is added leaves the others as they were.
"""

from __future__ import annotations

import math

import numpy as np

from ..cpu import jit
from ..random import draw

# Runs that are resumed depend on these numbers.
CROP, AFFINE, ELASTIC, BLUR, BRIGHTNESS, CONTRAST, SATURATION, HUE, NOISE, ERASE, SHADE = range(1, 12)

# The columns of a plan.  Pixel (x, y) of the result lies at (M[0] x + M[1] y + M[2], M[3] x + M[4] y + M[5])
# in the source, where MOVED is not 0; there, BENT says whether it is displaced on its own too, and INSIDE
# whether all of it lies in the image but for half a pixel, which is then the border's.
M = 0
MOVED, BENT, INSIDE = 6, 7, 8
BLUR_SIGMA = 9
GAIN, DISTANCE, COLOUR, TURN = 10, 11, 12, 13  # brightness, contrast, saturation, hue in radians
NOISE_STD = 14
TOP, LEFT, ROWS, COLUMNS = 15, 16, 17, 18  # of what is erased
# Where the shade's strength is not 0, all of it lies where A x + B y + C >= 1, and none where it is <= 0.
STRENGTH, VALUE, A, B, C = 19, 20, 21, 22, 23
LENGTH = 24


NUMBERS = 8  # of a step, at most
SHARPEST_PX = 0.01  # the passage of a shade with a width of 0


@jit
def numbers(place, step, k0, k1, out):
    """The NUMBERS numbers of a step for the image at `place`: from [0, 1), in steps of 2^-32."""
    low, high = np.uint32(place), np.uint32(place >> np.uint64(32))
    for q in range(NUMBERS // 4):
        a, b, c, d = draw(low, high, np.uint32(q), np.uint32(step), k0, k1)
        out[4 * q], out[4 * q + 1], out[4 * q + 2], out[4 * q + 3] = a, b, c, d
    out *= 2.0**-32


@jit
def between(low, high, u):
    """The share u of the way from low to high."""
    return low + (high - low) * u


@jit
def part(area_min, area_max, aspect_min, aspect_max, height, width, u, v):
    """A part of an image: its width and height as shares of the image's.

    aspect = aspect_min (aspect_max / aspect_min)^v is the part's width / height in pixels; its area is the
    share u of the way from area_min to area_max, or to the most that this aspect allows, if that is less.
    """
    aspect = aspect_min * math.exp(v * math.log(aspect_max / aspect_min)) * height / width
    most = min(aspect, 1.0 / aspect)
    area = between(min(area_min, most), min(area_max, most), u)
    return min(math.sqrt(area * aspect), 1.0), min(math.sqrt(area / aspect), 1.0)


@jit
def backwards(angle, dx, dy, scale, shear, height, width):
    """From a pixel of the result to its place in the source.

    About the centre c an image is scaled, sheared (x grows by tan(shear) y), turned by `angle`, against the
    clock as it is seen, and moved by (dx, dy); angles in radians, lengths in pixels.
    """
    cos, sin, tan = math.cos(angle), math.sin(angle), math.tan(shear)
    a, b = (cos - tan * sin) / scale, (-sin - tan * cos) / scale
    d, e = sin / scale, cos / scale
    x, y = (width - 1) / 2, (height - 1) / 2
    return a, b, x - a * (x + dx) - b * (y + dy), d, e, y - d * (x + dx) - e * (y + dy)


@jit
def ramp(direction, width, x, y):
    """(a, b, c) of a x + b y + c, which rises from 0 to 1 within `width` pixels, in the middle of which is
    (x, y); towards `direction`, in radians."""
    a, b = math.cos(direction) / width, math.sin(direction) / width
    return a, b, 0.5 - a * x - b * y


@jit
def plan(places, k0, k1, s, height, width, out):
    """Draw the plans (N, LENGTH) of the images at these places, all of this height and width."""
    chances = (
        *(0.0, s.crop, s.affine, s.elastic, s.blur),
        *(s.brightness, s.contrast, s.saturation, s.hue, s.noise, s.erase, s.shade),
    )
    drawn = np.ones((len(chances), NUMBERS))
    for n in range(places.size):
        row = out[n]
        row[:] = 0
        row[M] = row[M + 4] = row[GAIN] = row[DISTANCE] = row[COLOUR] = 1
        for step in range(1, len(chances)):
            if chances[step] > 0:
                numbers(np.uint64(places[n]), step, k0, k1, drawn[step])
        happens = drawn[:, 0]
        if happens[AFFINE] < s.affine:
            u = drawn[AFFINE]
            row[M], row[M + 1], row[M + 2], row[M + 3], row[M + 4], row[M + 5] = backwards(
                math.radians(between(-s.rotation, s.rotation, u[1])),
                between(-s.translation, s.translation, u[2]) * width,
                between(-s.translation, s.translation, u[3]) * height,
                between(s.scale_min, s.scale_max, u[4]),
                math.radians(between(-s.shear, s.shear, u[5])),
                height,
                width,
            )
            row[MOVED] = 1
        if happens[ELASTIC] < s.elastic:
            row[MOVED] = row[BENT] = 1
        if happens[CROP] < s.crop:
            u = drawn[CROP]
            across, down = part(
                s.crop_area_min,
                s.crop_area_max,
                s.crop_aspect_min,
                s.crop_aspect_max,
                height,
                width,
                u[1],
                u[2],
            )
            left, top = (1 - across) * width * u[3], (1 - down) * height * u[4]
            row[M] *= across
            row[M + 1] *= across
            row[M + 2] = (row[M + 2] + 0.5) * across + left - 0.5
            row[M + 3] *= down
            row[M + 4] *= down
            row[M + 5] = (row[M + 5] + 0.5) * down + top - 0.5
            row[INSIDE] = 0 if row[MOVED] else 1
            row[MOVED] = 1
        if happens[BLUR] < s.blur:
            row[BLUR_SIGMA] = between(s.blur_sigma_min, s.blur_sigma_max, drawn[BLUR, 1])
        if happens[BRIGHTNESS] < s.brightness:
            row[GAIN] = between(s.brightness_min, s.brightness_max, drawn[BRIGHTNESS, 1])
        if happens[CONTRAST] < s.contrast:
            row[DISTANCE] = between(s.contrast_min, s.contrast_max, drawn[CONTRAST, 1])
        if happens[SATURATION] < s.saturation:
            row[COLOUR] = between(s.saturation_min, s.saturation_max, drawn[SATURATION, 1])
        if happens[HUE] < s.hue:
            row[TURN] = math.radians(between(s.hue_min, s.hue_max, drawn[HUE, 1]))
        if happens[SHADE] < s.shade:
            u = drawn[SHADE]
            row[STRENGTH] = between(s.shade_strength_min, s.shade_strength_max, u[1])
            row[VALUE] = s.shade_value
            side = max(height, width)
            row[A], row[B], row[C] = ramp(
                2 * math.pi * u[2],
                max(between(s.shade_width_min, s.shade_width_max, u[3]) * side, SHARPEST_PX),
                (width - 1) * u[4],
                (height - 1) * u[5],
            )
        if happens[NOISE] < s.noise:
            row[NOISE_STD] = s.noise_std
        if happens[ERASE] < s.erase:
            u = drawn[ERASE]
            across, down = part(
                s.erase_area_min,
                s.erase_area_max,
                s.erase_aspect_min,
                s.erase_aspect_max,
                height,
                width,
                u[1],
                u[2],
            )
            row[ROWS], row[COLUMNS] = round(down * height), round(across * width)
            row[TOP] = math.floor((height - row[ROWS] + 1) * u[3])
            row[LEFT] = math.floor((width - row[COLUMNS] + 1) * u[4])
