"""Proposal, and the layer in the place of rpn.proposal_layer: regions that may hold an object."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..graph import BOOL, Draft, Tensor
from .chosen import LOWEST, apart, by_score, cast, column, picked, places_of


def cells_of(w: Draft) -> np.ndarray:
    """The corners (h w anchors, 4) of all anchors, cell by cell, in float32 as the layer has them."""
    g, first = w.layer.g, np.asarray(w.layer.device.get(w.layer.anchors), np.float32)
    down, across = np.indices((g.h, g.w), np.float32) * np.float32(g.stride)
    shift = np.stack([across, down, across, down], axis=2)
    return (shift[:, :, None] + first).reshape(-1, 4)


def moved(w: Draft, limits: Tensor) -> tuple[Tensor, Tensor]:
    """First and last corners (n, boxes, 2) of the anchors, moved, and cut to images whose last column and row
    are `limits` (n, 1, 2)."""
    g, corners = w.layer.g, cells_of(w)
    sides = corners[:, 2:] - corners[:, :2] + 1
    middle = corners[:, :2] + np.float32(0.5) * sides
    deltas = w("Reshape", w.bottom[1], [-1, g.anchors, 4, g.h * g.w])
    deltas = w("Reshape", w("Transpose", deltas, perm=[0, 3, 1, 2]), [-1, g.boxes, 4])
    shift, growth = w.several("Split", deltas, outputs=2, axis=2)
    centre = w("Add", w("Mul", shift, sides), middle)
    half = w("Mul", w("Mul", w("Exp", growth), sides), 0.5)
    low, high = (
        w("Min", w("Max", w(op, centre, half), 0.0), limits) for op in ("Sub", "Add")
    )  # fmt: skip
    return low, high


def about(w: Draft, info: Tensor, columns: Sequence[int]) -> Tensor:
    """Numbers (n, 1, columns) of what is said of an image."""
    return w("Unsqueeze", w("Gather", info, list(columns), axis=1), [1])


def small_is_nothing(w: Draft, scores: Tensor, large: Tensor) -> Tensor:
    return w("Mul", scores, cast(w, large))


def small_is_out(w: Draft, scores: Tensor, large: Tensor) -> Tensor:
    """Below what is looked at, unless all boxes of an image are small."""
    any_large = w("Cast", w("ReduceMax", cast(w, large), axes=[1], keepdims=1), to=BOOL)
    return w("Where", w("Or", large, w("Not", any_large)), scores, LOWEST)


def regions(
    w: Draft, least: float, scales: Sequence[int], small: Callable[[Draft, Tensor, Tensor], Tensor]
) -> list[Tensor]:
    """The boxes that are found, and their scores.

    least   a side below this times the scale is small
    scales  where bottom 2 has the scales of width and height
    small   what becomes of the scores of such boxes
    """
    layer, g = w.layer, w.layer.g
    w.jumps = True
    said = (g.h * g.stride, g.w * g.stride, 1, 1)[: len(layer.about)]
    w.made_up(w.bottom[2], lambda random, shape: np.tile(said, math.prod(shape) // len(said)))
    info = w("Reshape", w.bottom[2], [-1, len(layer.about)])
    low, high = moved(w, w("Sub", about(w, info, (1, 0)), 1.0))
    scores = w("Slice", w.bottom[0], [g.anchors], [2 * g.anchors], [1])
    scores = w("Reshape", w("Transpose", scores, perm=[0, 2, 3, 1]), [-1, g.boxes])
    sides = w("Add", w("Sub", high, low), 1.0)
    enough = cast(w, w("GreaterOrEqual", sides, w("Mul", about(w, info, scales), least)))
    large = w("Cast", w("ReduceMin", enough, axes=[2], keepdims=0), to=BOOL)
    scores, order = by_score(w, small(w, scores, large), layer.looked_at)
    boxes = picked(w, w("Concat", low, high, axis=2), order)
    low, high = w.several("Split", boxes, outputs=2, axis=2)
    pixels = w("Concat", low, w("Add", high, 1.0), axis=2)  # both corners belong to a box
    places = places_of(w, apart(w, pixels, scores, layer.taken, layer.threshold, LOWEST))
    found = w("Concat", cast(w, column(w, places, 0)), w("GatherND", boxes, places), axis=1)
    scores = w("GatherND", scores, places)
    tops = [found, scores if len(layer.scored(1)) == 1 else w("Unsqueeze", scores, [1])]
    return tops[: len(w.top_shapes)]


def proposal(w: Draft) -> list[Tensor]:
    return regions(w, w.layer.smallest, (3, 2), small_is_nothing)


def proposal_layer(w: Draft) -> list[Tensor]:
    return regions(w, w.layer.conf.RPN_MIN_SIZE, (2, 2), small_is_out)


RULES = {"Proposal": proposal}
