"""Weights as arrays with names, the form of .npz and .safetensors files.

    conv1/0, conv1/1    parameters 0 and 1 of layer conv1, in their own shapes
    net                 the net without its weights, as prototxt; with it nothing but gradients is lost when
                        weights are written and read again

Files of other programs have no `net`.  Their layers have only a name and blobs, which suffices for loading
them into a net.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import Place, WeightsError, locate
from . import binary, text
from .schema import NetParameter

NET = "net"


def to_arrays(net: NetParameter) -> dict[str, np.ndarray]:
    """The parameters of a net by name (conv1/0).  WeightsError if two layers with weights have the same
    name."""
    arrays: dict[str, np.ndarray] = {}
    for layer in net.layer:
        for i, blob in enumerate(layer.blobs):
            with locate(Place(layer=layer.name)), locate(f"blob {i}"):
                name = f"{layer.name}/{i}"
                if name in arrays:
                    raise WeightsError(
                        "another layer with weights has this name", hint="give every layer a name of its own"
                    )
                arrays[name] = binary.to_array(blob)
    return arrays


def description(net: NetParameter) -> str:
    """The net without its weights, as prototxt; "" if its layers have no types, since that describes no
    net."""
    return text.spell(without_weights(net)) if any(layer.type for layer in net.layer) else ""


def without_weights(net: NetParameter) -> NetParameter:
    """A copy of the net without its weights."""
    bare = NetParameter()
    bare.CopyFrom(net)
    for layer in bare.layer:
        del layer.blobs[:]
    return bare


def from_arrays(arrays: Mapping[str, np.ndarray], prototxt: str = "") -> NetParameter:
    """The net with the weights in `arrays`, as `to_arrays` names them; `prototxt` is its `description`.

    Raises WeightsError for an array whose name is not that of a parameter and for parameters that are
    missing, SchemaError for a damaged description.
    """
    net = text.parse(prototxt, NetParameter, NET)
    layers = {layer.name: layer for layer in reversed(net.layer)}
    blobs: dict[str, dict[int, np.ndarray]] = {}
    for name, array in arrays.items():
        layer, slash, number = name.rpartition("/")
        if not (slash and number.isascii() and number.isdigit() and str(int(number)) == number):
            raise WeightsError(
                f"array {name!r} is no parameter", hint="expected names like conv1/0: layer, slash, number"
            )
        blobs.setdefault(layer, {})[int(number)] = array
    for name, numbered in blobs.items():
        with locate(Place(layer=name)):
            if sorted(numbered) != list(range(len(numbered))):
                raise WeightsError(f"parameters {sorted(numbered)} are stored; expected all from 0 on")
            if name not in layers:
                layers[name] = net.layer.add(name=name)
            for i in sorted(numbered):
                with locate(f"blob {i}"):
                    layers[name].blobs.append(binary.from_array(_as_float(numbered[i])))
    return net


def _as_float(array: np.ndarray) -> np.ndarray:
    """An array of float64 unchanged, any other as float32."""
    if array.dtype.kind not in "fiu":
        raise WeightsError(f"values of type {array.dtype} are no numbers")
    return array.astype(np.float64 if array.dtype == np.float64 else np.float32, copy=False)
