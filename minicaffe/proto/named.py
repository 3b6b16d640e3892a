"""Weights as arrays with names, the form of .npz and .safetensors files.

    conv1/0, conv1/1    the parameters of layer conv1 by number, in their own shapes
    net                 the net that they belong to, as prototxt without weights: so nothing but gradients is
                        lost on the way there and back

Files of others, without `net`, give layers that have a name and blobs; that is all that loading takes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import Place, WeightsError, locate
from . import binary, text
from .schema import NetParameter

NET = "net"


def to_arrays(net: NetParameter) -> dict[str, np.ndarray]:
    """The parameters of a net by name.  WeightsError for layers that their names cannot tell apart."""
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
    """The net as prototxt, without its weights; empty if it is none: its layers have no types."""
    return text.spell(without_weights(net)) if any(layer.type for layer in net.layer) else ""


def without_weights(net: NetParameter) -> NetParameter:
    """The net alone."""
    bare = NetParameter()
    bare.CopyFrom(net)
    for layer in bare.layer:
        del layer.blobs[:]
    return bare


def from_arrays(arrays: Mapping[str, np.ndarray], prototxt: str = "") -> NetParameter:
    """The weights that arrays with names are.

    Raises WeightsError for a name that is none of a parameter, or parameters that are missing, SchemaError
    for a damaged description.
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
    """float64 as it is, everything else as float32."""
    if array.dtype.kind not in "fiu":
        raise WeightsError(f"values of type {array.dtype} are no numbers")
    return array.astype(np.float64 if array.dtype == np.float64 else np.float32, copy=False)
