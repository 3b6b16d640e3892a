"""Where touching characters may be parted: short ways from top to bottom through a part's ink.

A way moves down one row at a time, and at most one column aside, so slanted characters are parted aslant.

Source: the paths of least ink go back to E. Casey and E. Lecolinet, "A survey of methods and strategies in
character segmentation" (1996).
"""

from __future__ import annotations

import numpy as np

REACH = 0.22  # heights of a character that a way strays aside
APART = 0.16  # heights of a character between two ways
LONGEST = 3.2  # stroke widths of ink that a way crosses
MOST = 9  # ways through one part
ASIDE = 0.05  # pixels of ink that a step aside counts for
STRAY = 0.12  # the same for a row at the end of the reach: ways around other middles are not all the same
NARROW = 0.55  # heights of a character: what is narrower is one, or less


def cuts(mask: np.ndarray, height: float, stroke_px: float) -> list[tuple[np.ndarray, float]]:
    """Ways through a part from left to right: for each the first column right of it in every row, (H,), and
    how many stroke widths of ink it crosses.

    mask    the part in its box, (H, W) bool
    height  of characters in its row
    """
    rows, width = mask.shape
    if width < NARROW * height:
        return []
    reach = max(2, round(REACH * height))
    margin = max(2, round(APART * height))
    centres = np.arange(margin, width - margin)
    if not len(centres):
        return []
    shifts = np.arange(-reach, reach + 1)
    columns = centres[:, None] + shifts  # (centres, shifts)
    outside = (columns < 1) | (columns > width - 1)
    padded = np.pad(mask.astype(np.float32), ((0, 0), (1, 1)))
    near = np.clip(columns, 0, width)
    away = STRAY * np.abs(shifts) / reach
    cost = np.where(outside, np.inf, 0.0)
    came = np.zeros((rows, *columns.shape), np.int8)
    for row in range(rows):
        sideways = np.full((3, *columns.shape), np.inf)
        sideways[0] = cost
        sideways[1, :, 1:] = cost[:, :-1] + ASIDE  # from the left
        sideways[2, :, :-1] = cost[:, 1:] + ASIDE
        came[row] = sideways.argmin(axis=0)
        # A way at column c runs between the pixels c-1 and c
        ink = (padded[row][near] + padded[row][near + 1]) / 2
        cost = sideways.min(axis=0) + ink + away
        cost[outside] = np.inf
    ends = cost.argmin(axis=1)
    totals = cost[np.arange(len(centres)), ends]
    found: list[tuple[np.ndarray, float]] = []
    for k in _shortest(totals, margin, LONGEST * stroke_px):
        way = np.empty(rows, int)
        shift = int(ends[k])
        for row in range(rows - 1, -1, -1):
            way[row] = columns[k, shift]
            shift += (0, -1, 1)[came[row, k, shift]]
        found.append((way, float(totals[k]) / stroke_px))
    return _in_order(found)


def _shortest(totals: np.ndarray, apart: int, longest: float) -> list[int]:
    """Indices of the shortest ways, none near a shorter one."""
    left = totals.copy()
    found: list[int] = []
    while len(found) < MOST:
        k = int(left.argmin())
        if not left[k] <= longest:
            break
        # Of a plain of equal ways the middle
        equal = np.flatnonzero(np.abs(left - left[k]) < 1e-6)
        run = equal[np.abs(equal - k) <= 2 * apart]
        k = int(run[len(run) // 2])
        found.append(k)
        left[max(0, k - apart) : k + apart + 1] = np.inf
    return sorted(found)


def _in_order(found: list[tuple[np.ndarray, float]]) -> list[tuple[np.ndarray, float]]:
    """Ways that do not cross: each begins where the one before has been."""
    kept: list[tuple[np.ndarray, float]] = []
    for way, cost in found:
        if kept:
            way = np.maximum(way, kept[-1][0])
            if (way - kept[-1][0]).max() < 2:
                continue
        kept.append((way, cost))
    return kept
