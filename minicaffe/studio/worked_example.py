"""How one value of a layer came about: the numbers that went into it, and what was done with them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.layer import Layer
from ..errors import DataError
from ..inference.stepper import Passage

MOST_TERMS = 12  # that are spelled; the others are summed up


def of(layer: Layer, passage: Passage, place: list[int]) -> dict[str, Any]:
    """Of the value at `place` of the first top, without the axis of the batch:

    value     itself
    terms     the products or values that make it up, the largest first, each with where it is from
    rest      the sum of those that are left out, `left_out`; None if it means nothing
    text      what is done with them

    DataError for a place that there is not.
    """
    if not passage.tops:
        raise DataError(f"layer {passage.name!r} makes nothing")
    top = passage.tops[0]
    shape = top.shape[1:] if top.ndim > 1 else top.shape
    if len(place) != len(shape) or not all(0 <= at < extent for at, extent in zip(place, shape)):
        raise DataError(f"no value at {place}; expected a place in {list(shape)}")
    at = (0, *place) if top.ndim > 1 else tuple(place)
    explained = EXAMPLES.get(passage.type, _elementwise)(layer, passage, at)
    return {"place": place, "value": _number(top[at]), **explained}


Place = tuple[int, ...]
Explained = dict[str, Any]


def _convolution(layer: Any, passage: Passage, at: Place) -> Explained:
    x, weights = passage.bottoms[0], passage.params[0]
    window = layer.window
    if x.ndim != 2 + len(window.kernel) or layer.axis != 1:
        return _elementwise(layer, passage, at)
    channels = weights.shape[1]
    first = at[1] // (weights.shape[0] // layer.groups) * channels
    terms = []
    for c, *inner in itertools.product(range(channels), *map(range, window.kernel)):
        axes = zip(at[2:], window.stride, window.pad, window.dilation, inner)
        read = [first + c, *(o * s - p + d * k for o, s, p, d, k in axes)]
        if all(0 <= y < extent for y, extent in zip(read[1:], x.shape[2:])):
            terms.append((float(weights[at[1], c][tuple(inner)]), float(x[0][tuple(read)]), read))
    bias = float(passage.params[1][at[1]]) if layer.bias is not None else None
    size = " x ".join(map(str, window.kernel))
    return _products(terms, bias, f"sum over {channels} channels of a window of {size}: weight times input")


def _inner_product(layer: Any, passage: Passage, at: Place) -> Explained:
    x, weights = passage.bottoms[0].reshape(-1, layer.k_size), passage.params[0]
    row = weights[:, at[-1]] if layer.transpose else weights[at[-1]]
    values = x[int(np.ravel_multi_index(at[:-1], passage.tops[0].shape[:-1]))]
    terms = [(float(w), float(v), [i]) for i, (w, v) in enumerate(zip(row, values))]
    bias = float(passage.params[1][at[-1]]) if len(passage.params) > 1 else None
    return _products(terms, bias, f"sum over {len(terms)} inputs: weight times input")


def _products(terms: list[tuple[float, float, list[int]]], bias: float | None, text: str) -> Explained:
    ordered = sorted(terms, key=lambda term: -abs(term[0] * term[1]))
    spelled = [{"weight": w, "input": v, "product": w * v, "at": at} for w, v, at in ordered[:MOST_TERMS]]
    left = ordered[MOST_TERMS:]
    rest = sum(w * v for w, v, _ in left) if left else None
    return {
        "text": text + (", plus the bias" if bias is not None else ""),
        "terms": spelled,
        "rest": rest,
        "left_out": len(left),
        "bias": bias,
    }


def _pooling(layer: Any, passage: Passage, at: Place) -> Explained:
    from ..proto.schema import enum_name

    x, conf = passage.bottoms[0], layer.param.pooling_param
    method = enum_name(conf, "pool")
    if x.ndim != 4 or not hasattr(layer, "window"):
        return _elementwise(layer, passage, at)
    window = layer.window if layer.window.kernel else layer.window._replace(kernel=x.shape[2:])
    starts = [o * s - p for o, s, p in zip(at[2:], window.stride, window.pad)]
    rows, columns = (
        range(max(0, start), min(start + kernel, extent))
        for start, kernel, extent in zip(starts, window.kernel, x.shape[2:])
    )
    values = sorted(
        ((float(x[0, at[1], r, c]), [at[1], r, c]) for r in rows for c in columns), key=lambda v: -v[0]
    )
    what = {
        "MAX": "the largest of",
        "AVE": "the mean of padding, which counts as 0, and" if any(window.pad) else "the mean of",
        "STOCHASTIC": "what is drawn on average of",
    }[method]
    terms = [{"input": value, "at": place} for value, place in values[:MOST_TERMS]]
    return {
        "text": f"{what} {len(values)} values",
        "terms": terms,
        "rest": None,
        "left_out": len(values) - len(terms),
    }


def _softmax(layer: Layer, passage: Passage, at: Place) -> Explained:
    x = passage.bottoms[0]
    axis = layer.param.softmax_param.axis % x.ndim
    column = x[tuple(slice(None) if i == axis else p for i, p in enumerate(at))].astype(np.float64)
    raised = np.exp(column - column.max())
    order = np.argsort(-column, kind="stable")[:MOST_TERMS]
    terms = [
        {"input": float(column[i]), "share": float(raised[i] / raised.sum()), "at": [int(i)]} for i in order
    ]
    text = f"exp({column[at[axis]]:.6g}) divided by the sum of exp of {len(column)} scores"
    return {"text": text, "terms": terms, "rest": None, "left_out": len(column) - len(terms)}


def _elementwise(layer: Layer, passage: Passage, at: Place) -> Explained:
    """The values of the bottoms at the same place, where they have it."""
    same = [(n, a) for n, a in zip(passage.bottom_names, passage.bottoms) if a.shape == passage.tops[0].shape]
    terms = [{"input": _number(a[at]), "name": name, "at": list(at[1:])} for name, a in same]
    text = "of the value at the same place" if terms else ""
    return {"text": text, "terms": terms, "rest": None, "left_out": 0}


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


EXAMPLES: dict[str, Callable[[Any, Passage, Place], Explained]] = {
    "Convolution": _convolution,
    "InnerProduct": _inner_product,
    "Pooling": _pooling,
    "Softmax": _softmax,
}
