"""What the worker does for the page Inspect: a net stepped through with one image, forward and backward.

Every function takes a *look*, plain data that says what is looked at:

net, folder    the file of a run's net, and the folder in which the run began
weights        the file of a snapshot; stamp: of when, so that a file that was replaced is read again
image          the file of an uploaded image, "" for none; invert: as for Viewer
sample         the number of an image of the net's data, where there is no file
kind, number   what the gradient is of, see Stepper.follow: the number of a class, -1 for the likeliest, or,
               where there is a label, -2 for that
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..inference.occlusion import occluded
from ..inference.stepper import Passage, Stepper, Trace
from . import formula, ratios, run_net, tiles, worked_example
from .tiles import Sheet, Tiles

Look = dict[str, Any]
LIKELIEST, LABEL = -1, -2
TOP = 10
ARRAYS = ("bottom", "top", "weights", "bottom-diff", "top-diff", "weights-diff")
NAMES = {  # of parameters
    "BN": ("scale", "shift", "mean", "variance"),
    "BatchNorm": ("mean", "variance", "factor"),
    "PReLU": ("slopes",),
    "LSTM": ("weights of the input", "bias", "weights of the state"),
}


@lru_cache(maxsize=2)
def stepper(net: str, folder: str, weights: str, stamp: str, invert: str) -> Stepper:
    """A run's net, kept for the next request."""
    return Stepper(run_net.read(net, folder), weights or None, invert=invert)


def _stepper(look: Look) -> Stepper:
    return stepper(look["net"], look["folder"], look["weights"], look["stamp"], look.get("invert") or "auto")


@lru_cache(maxsize=3)
def _traced(*key: Any) -> tuple[np.ndarray, int | None, Trace]:
    look = dict(key)
    viewer = _stepper(look)
    label: int | None = None
    if look["image"]:
        input = viewer.prepared(viewer.pixels(Path(look["image"]).read_bytes()))
    else:
        _, label = viewer.samples.read(look["sample"])
        input = viewer.sampled(look["sample"])
    kind, number = look["kind"], look["number"]
    if kind != "none" and number == LABEL:
        number = LIKELIEST if label is None else label
    if kind != "none" and number == LIKELIEST:
        seen = viewer.follow(input)
        if seen.scores is None:
            kind = "none"
        else:
            number = int(seen.scores[0].reshape(viewer.classes, -1).sum(axis=1).argmax())
    return input, label, viewer.follow(input, kind, max(number, 0))


def trace(look: Look) -> tuple[np.ndarray, int | None, Trace]:
    """The input that was looked at, its label, and what passed through the net."""
    return _traced(*sorted(look.items()))


def overview(look: Look, solver: str = "", state: str = "") -> dict[str, Any]:
    """The layers with their blobs and parameters in numbers, what the net says, and what the gradient is of.

    solver, state  the files of the run's solver and of the snapshot's solver state, for the size of updates
    """
    viewer, (input, label, seen) = _stepper(look), trace(look)
    updates = ratios.Updates(solver, state, viewer.net)
    kind, number = seen.target
    return {
        "net": viewer.net.name,
        "input": list(input.shape[1:]),
        "labels": viewer.labels,
        "label": label,
        "top": _top(viewer, seen),
        "certain": viewer.net.layers[-1].type in ("Softmax", "Sigmoid"),
        "loss": _has_loss(viewer),
        "target": {"kind": kind, "number": number, "value": seen.value},
        "rate": updates.rate,
        "iteration": updates.iteration,
        "layers": [_numbers(p, updates) for p in seen.passages],
    }


def _has_loss(viewer: Stepper) -> bool:
    """Whether the net ends in one Softmax over its classes."""
    shape = viewer.net.blobs[viewer.output].shape if viewer.output else ()
    return math.prod(shape[1:]) == viewer.classes > 0 and viewer.net.layers[-1].type == "Softmax"


def _top(viewer: Stepper, seen: Trace) -> list[dict[str, Any]]:
    if seen.scores is None or seen.scores.size != viewer.classes:
        return []
    values = seen.scores.reshape(-1)
    order = np.argsort(-values, kind="stable")[:TOP]
    return [{"number": int(i), "label": viewer.labels[i], "value": float(values[i])} for i in order]


def _numbers(passage: Passage, updates: ratios.Updates) -> dict[str, Any]:
    diffs = [d for d in (*passage.top_diffs, *passage.bottom_diffs) if d is not None]
    return {
        "index": passage.index,
        "name": passage.name,
        "type": passage.type,
        "backward": bool(diffs),
        "bottoms": _blobs(passage.bottom_names, passage.bottoms, passage.bottom_diffs),
        "tops": _blobs(passage.top_names, passage.tops, passage.top_diffs),
        "params": [
            {
                "name": _parameter(passage.type, i),
                "shape": list(values.shape),
                **updates.of(passage.index, i, values, diff),
            }
            for i, (values, diff) in enumerate(zip(passage.params, passage.param_diffs))
        ],
    }


def _parameter(kind: str, i: int) -> str:
    names = NAMES.get(kind, ("weights", "bias"))
    return names[i] if i < len(names) else f"parameter {i}"


def _blobs(names: list[str], data: list[np.ndarray], diffs: list[np.ndarray | None]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "shape": list(values.shape),
            "mean_abs": float(np.abs(values).mean(dtype=np.float64)) if values.size else 0.0,
            "zeros": float((values == 0).mean()) if values.size else 0.0,
            "diff_mean_abs": None
            if diff is None or not diff.size
            else float(np.abs(diff).mean(dtype=np.float64)),
        }
        for name, values, diff in zip(names, data, diffs)
    ]


def _passage(look: Look, layer: int) -> Passage:
    _, _, seen = trace(look)
    for passage in seen.passages:
        if passage.index == layer:
            return passage
    raise DataError(f"no layer {layer} is shown", hint="GET the look again for its layers")


def layer(look: Look, layer: int) -> dict[str, Any]:
    """The formula of a layer with its numbers."""
    passage = _passage(look, layer)
    return formula.of(_stepper(look).net.layers[layer], passage)


def _array(look: Look, layer: int, what: str, item: int) -> tuple[np.ndarray, Tiles]:
    """The array that is asked for, and its tiles."""
    if what not in ARRAYS:
        raise DataError(f"{what!r} is nothing of a layer; expected one of {', '.join(ARRAYS)}")
    passage = _passage(look, layer)
    arrays: dict[str, Sequence[np.ndarray | None]] = {
        "bottom": passage.bottoms,
        "top": passage.tops,
        "weights": passage.params,
        "bottom-diff": passage.bottom_diffs,
        "top-diff": passage.top_diffs,
        "weights-diff": passage.param_diffs,
    }
    found = arrays[what]
    if not 0 <= item < len(found):
        raise DataError(f"layer {passage.name!r} has {len(found)} of {what}; got number {item}")
    values = found[item]
    if values is None:
        raise DataError(
            f"no gradient came to {what} {item} of layer {passage.name!r}",
            hint="take the gradient of the loss, or of another score",
        )
    if what.startswith("weights"):
        param = _stepper(look).net.layers[layer].param
        bottom = passage.bottoms[0].shape[1:] if passage.bottoms else ()
        transposed = passage.type == "InnerProduct" and param.inner_product_param.transpose
        return values, tiles.of_params(values, bottom, transposed=transposed)
    return values, tiles.of_blob(values, image=passage.type == "Input" and what == "top")


def sheet(
    look: Look,
    layer: int,
    what: str,
    item: int = 0,
    page: int = 0,
    tile: int | None = None,
    png: bool = False,
    dark: bool = False,
) -> Any:
    """An array of a layer, as its picture, or as facts about that, with the values of one tile if they are
    asked for, and else what all values are like."""
    values, parts = _array(look, layer, what, item)
    found = Sheet(parts, page)
    if png:
        return found.png(dark=dark)
    if tile is not None:
        return {"tile": tile, "values": found.value(tile)}
    said = found.facts() | {"shape": list(values.shape), "statistics": tiles.statistics(values)}
    if values.size <= tiles.FOLDED and parts.column == "vector":
        said["values"] = tiles.numbers(values.reshape(-1))
    return said


def worked(look: Look, layer: int, place: list[int]) -> dict[str, Any]:
    """How one value of a layer's first top came about."""
    passage = _passage(look, layer)
    return worked_example.of(_stepper(look).net.layers[layer], passage, place)


def occlusion(look: Look, number: int, patch: int = 0) -> dict[str, Any]:
    """How the certainty of a class falls where a part of the image is covered."""
    viewer, (input, _, _) = _stepper(look), trace(look)
    found = occluded(viewer, input, number, patch)
    drop = found.before - found.values
    return {
        "before": found.before,
        "patch": found.patch,
        "step": found.step,
        "size": list(input.shape[2:]),
        "values": tiles.numbers(found.values),
        "least": float(found.values.min()),
        "drop": float(drop.max()),
        "map": _places(drop, found.step, found.patch, input.shape[2:]),
    }


def _places(drop: np.ndarray, step: int, patch: int, size: tuple[int, ...]) -> list[list[float]]:
    """For every pixel, the mean fall over the patches that covered it."""
    total, count = np.zeros(size), np.zeros(size)
    for i, row in enumerate(drop):
        for j, value in enumerate(row):
            place = np.s_[i * step : i * step + patch, j * step : j * step + patch]
            total[place] += value
            count[place] += 1
    mean = total / np.maximum(count, 1)
    most = max(1, math.ceil(max(size) / 112))  # finer than is seen
    return [[round(float(v), 6) for v in row] for row in mean[::most, ::most]]
