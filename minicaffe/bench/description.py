"""A built net as plain data: what a framework that knows nothing of Caffe needs to build the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.layer import Layer
from ..errors import Place
from ..net import Net
from ..proto.schema import enum_name

Entry = dict[str, Any]
NODE = re.compile(r"(.+)/\w+/\d+(?:/\w+)?")
Ways = dict[str, list[float]]  # seconds, "forward" and "backward"


def describe(net: Net) -> tuple[list[Entry], dict[str, np.ndarray]]:
    """The layers but for Inputs, in order, and their parameters by key.

    An entry has name, type, bottom, top, `loss` (the weights of its tops in the loss), `params` (keys; a
    parameter that layers share has one key), `in_place`, and what FACTS says of its type.  Of a type that is
    not there it has "unknown", a sentence for the user.
    """
    entries, arrays = [], {}
    keys: dict[int, str] = {}
    for i, layer in enumerate(net.layers):
        if layer.type == "Input":
            continue
        for blob in layer.params:
            key = keys.setdefault(id(blob.data_of), f"p{len(keys)}")
            arrays[key] = np.asarray(net.device.get(blob.data), np.float32).reshape(blob.shape)
        bottom, top = list(layer.param.bottom), [*layer.param.top]
        top += [f"{layer.name}/{j}" for j in range(len(top), len(net.tops[i]))]  # a loss without a top
        entry: Entry = {
            "name": layer.name,
            "type": layer.type,
            "bottom": bottom,
            "top": top,
            "loss": list(net.loss_weights[i]),
            "params": [keys[id(blob.data_of)] for blob in layer.params],
            "in_place": bool(bottom and top and bottom[0] == top[0]),
        }
        if layer.type in FACTS:
            entry |= FACTS[layer.type](layer)
        else:
            entry["unknown"] = f"{Place.of(layer)}: no counterpart of {layer.type} is written"
        entries.append(entry)
    return entries, arrays


def by_layer(told: Mapping[str, Ways], entries: Sequence[Entry]) -> dict[str, Ways]:
    """Times by layer, of a framework that tells them by the nodes of an ONNX file: a node's name is
    <layer>/<operator>/<number>, perhaps with a part of it behind that, or the name of its output.  Nodes of
    one layer add up; others are left out."""
    names = {entry["name"] for entry in entries}
    writers = {top: entry["name"] for entry in reversed(entries) for top in entry["top"]}
    found: dict[str, Ways] = {}
    for node, ways in told.items():
        parts = NODE.fullmatch(node)
        layer = parts[1] if parts and parts[1] in names else node if node in names else writers.get(node)
        if layer in found:
            before = found[layer]
            ways = {way: [a + b for a, b in zip(before[way], ways[way])] for way in before}
        if layer is not None:
            found[layer] = dict(ways)
    return found


def _window(layer: Any) -> Entry:
    window = layer.window
    if window.same or window.ends != window.pad:
        return {"unknown": f"{Place.of(layer)}: padding that differs from side to side"}
    return {field: getattr(window, field) for field in ("kernel", "stride", "pad", "dilation")}


def _convolving(layer: Any) -> Entry:
    return {**_window(layer), "groups": layer.groups, "bias": layer.bias is not None}


def _pooling(layer: Any) -> Entry:
    found = {**_window(layer), "pool": layer.method, "ceil": layer.ceil}
    known = layer.method in ("MAX", "AVE")
    return found if known else {"unknown": f"{Place.of(layer)}: {layer.method} pooling"}


def _norm(layer: Any) -> Entry:
    conf = layer.param.lrn_param
    found = {"size": conf.local_size, "alpha": conf.alpha, "beta": conf.beta, "k": conf.k}
    return found | {"across": layer.across}


def _batch_norm(layer: Any) -> Entry:
    return {"eps": layer.eps, "keep": layer.keep, "frozen": bool(layer.frozen)}


def _scale(layer: Any) -> Entry:
    conf = layer.param.scale_param
    if len(layer.param.bottom) > 1:
        return {"unknown": f"{Place.of(layer)}: Scale by a second bottom"}
    return {"axis": conf.axis, "bias": bool(conf.bias_term)}


def _slice(layer: Any) -> Entry:
    return {"axis": layer.axis, "points": layer.points}


def _reshape(layer: Any) -> Entry:
    conf = layer.param.reshape_param
    whole = conf.axis == 0 and conf.num_axes == -1
    return {"dims": layer.dims} if whole else {"unknown": f"{Place.of(layer)}: Reshape of some axes"}


def _softmax_loss(layer: Any) -> Entry:
    conf = layer.param.loss_param
    plain = enum_name(conf, "normalization") == "VALID" and not conf.HasField("normalize")
    return {"ignore": conf.ignore_label if conf.HasField("ignore_label") else None} | (
        {} if plain else {"unknown": f"{Place.of(layer)}: a normalization of its own"}
    )


def _nothing(layer: Layer) -> Entry:
    return {}


def _of(message: str, *fields: str) -> Callable[[Layer], Entry]:
    return lambda layer: {field: getattr(getattr(layer.param, message), field) for field in fields}


FACTS: dict[str, Callable[[Any], Entry]] = {
    **dict.fromkeys(
        "AbsVal BNLL Sigmoid Softmax Split TanH EuclideanLoss SigmoidCrossEntropyLoss Silence".split(),
        _nothing,
    ),
    "Accuracy": _nothing,
    "BatchNorm": _batch_norm,
    "Bias": lambda layer: {"axis": layer.param.bias_param.axis},
    "Concat": lambda layer: {"axis": layer.axis},
    "Convolution": _convolving,
    "Deconvolution": _convolving,
    "Dropout": _of("dropout_param", "dropout_ratio"),
    "ELU": _of("elu_param", "alpha"),
    "Eltwise": lambda layer: {"operation": layer.operation, "coeff": list(layer.coeff)},
    "Flatten": _of("flatten_param", "axis", "end_axis"),
    "InnerProduct": lambda layer: {
        "axis": layer.param.inner_product_param.axis,
        "transpose": bool(layer.transpose),
        "bias": bool(layer.param.inner_product_param.bias_term),
    },
    "LRN": _norm,
    "OneHot": lambda layer: {"classes": layer.classes},
    "PReLU": _nothing,
    "Pooling": _pooling,
    "Power": _of("power_param", "power", "scale", "shift"),
    "ReLU": _of("relu_param", "negative_slope"),
    "Reshape": _reshape,
    "Scale": _scale,
    "Slice": _slice,
    "SoftmaxWithLoss": _softmax_loss,
}
