"""Folding: BatchNorm, Scale and Bias become part of the layer before them.

With y = a x + b per channel, which each of the three is at inference,

    Convolution, Deconvolution, InnerProduct, Scale    W' = a W, bias' = a bias + b   (per output channel)

A BatchNorm with no such layer before it becomes a Scale, which takes up the Scale and Bias behind it.  The
net that comes out gives the same outputs in the TEST phase; in TRAIN it has no statistics of a batch left.

Nothing is folded that could be seen from elsewhere: a blob that another layer reads too, weights that layers
share, layers of different include and exclude rules.  Sums are formed in float64.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from ..errors import Place, WeightsError, in_layer, locate
from ..proto import binary, nvcaffe
from ..proto.schema import LayerParameter, Message, NetParameter
from .formats import in_todays_shapes

AFFINE = ("BatchNorm", "Scale", "Bias")
FIELDS = {
    "Convolution": "convolution_param",
    "Deconvolution": "convolution_param",
    "InnerProduct": "inner_product_param",
    "Scale": "scale_param",
    "Bias": "bias_param",
    "BatchNorm": "batch_norm_param",
}


class FoldedNet(NamedTuple):
    """A net without the layers that fold, the weights for it, and a line for each that went or stayed."""

    net: NetParameter
    weights: NetParameter
    lines: list[str]


class Affine(NamedTuple):
    """y = factor x + summand: one number per channel (C), or one for all ()."""

    factor: np.ndarray
    summand: np.ndarray


def fold(net: NetParameter, weights: NetParameter) -> FoldedNet:
    """Fold what can be folded.  Raises WeightsError, naming layer and blob, for weights that do not fit."""
    work = _Folding(net, weights)
    i = 0
    while i < len(work.net.layer):
        layer = work.net.layer[i]
        i += not (layer.type in AFFINE and work.take(i))
    return FoldedNet(work.net, work.finished(), work.lines + _strangers(net, work))


class _Folding:
    """A net while layers disappear from it, and the weights of its layers by name."""

    def __init__(self, net: NetParameter, weights: NetParameter) -> None:
        self.net = NetParameter()
        self.net.CopyFrom(net)
        self.stored = in_todays_shapes(weights)
        self._name_scales()
        self.arrays = {layer.name: _arrays(layer) for layer in reversed(self.stored.layer)}
        self.names = Counter(layer.name for layer in net.layer)
        self.sharers = Counter(spec.name for layer in net.layer for spec in layer.param if spec.name)
        self.changed: set[str] = set()
        self.gone: set[str] = set()
        self.lines: list[str] = []

    def _name_scales(self) -> None:
        """Give the Scales that NVIDIA Caffe's BatchNorms hold the names that they have in the net."""
        stored = {layer.name: layer for layer in self.stored.layer}
        for i, layer in enumerate(self.net.layer):
            before = self.before(i)
            if layer.type == "Scale" and layer.name not in stored and before is not None:
                entry = stored.get(nvcaffe.scale_name(self.net.layer[before].name))
                if entry is not None:
                    entry.name = layer.name

    def take(self, i: int) -> bool:
        """Fold layer i away; whether that could be done.  A BatchNorm that could not becomes a Scale."""
        layer = self.net.layer[i]
        with in_layer(layer):
            reason = _unfit(layer, self.names, self.sharers)
            blobs = [] if reason else self.blobs(layer)
            if layer.type != "BatchNorm" and any(blob.ndim > 1 for blob in blobs):
                reason = "it spans several axes"
            if reason:
                self.lines.append(f"{layer.name}: stays: {reason}")
                return False
            affine = _affine(layer, blobs)
        j = self.before(i)
        reason = "nothing before it takes it up" if j is None else self.obstacle(j, i, affine)
        if j is None or reason:
            if layer.type == "BatchNorm":
                self.make_scale(layer, affine)
                reason = f"a Scale now: {reason}"
            else:
                reason = f"stays: {reason}"
            self.lines.append(f"{layer.name}: {reason}")
            return False
        into = self.net.layer[j]
        with in_layer(into):
            self.arrays[into.name] = _absorb(into, self.blobs(into), affine)
        into.top[0] = layer.top[0]
        self.lines.append(f"{layer.name}: folded into {into.name}")
        self.changed.add(into.name)
        self.gone.add(layer.name)
        del self.net.layer[i]
        return True

    def make_scale(self, layer: LayerParameter, affine: Affine) -> None:
        """Turn a BatchNorm into the Scale that it is at inference."""
        layer.type = "Scale"
        layer.ClearField("batch_norm_param")
        layer.scale_param.bias_term = True
        del layer.param[:]
        self.arrays[layer.name] = [part.astype(self.arrays[layer.name][0].dtype) for part in affine]
        self.changed.add(layer.name)

    def before(self, i: int) -> int | None:
        """The layer that wrote bottom 0 of layer i last."""
        layer = self.net.layer[i]
        if not layer.bottom:
            return None
        return next((j for j in range(i - 1, -1, -1) if layer.bottom[0] in self.net.layer[j].top), None)

    def obstacle(self, j: int, i: int, affine: Affine) -> str:
        """Why layer j cannot take up layer i; empty if it can."""
        into, layer = self.net.layer[j], self.net.layer[i]
        if into.type not in FIELDS or into.type in ("BatchNorm", "Bias"):
            return f"{into.name} ({into.type}) before it cannot take it up"
        if reason := _unfit(into, self.names, self.sharers):
            return f"{into.name} before it cannot take it up: {reason}"
        if into.type == "Scale" and self.blobs(into)[0].ndim > 1:
            return f"{into.name} before it spans several axes"
        if into.type == "Scale" and not self.blobs(into)[0].ndim and affine.factor.ndim:
            return f"{into.name} before it scales by a single number"
        if _rules(into) != _rules(layer):
            return f"{into.name} before it has other include or exclude rules"
        x, y = layer.bottom[0], layer.top[0]
        used = [{*other.bottom, *other.top} for other in self.net.layer]
        between, after = set().union(*used[j + 1 : i]), set().union(*used[i + 1 :])
        if x in between or y in between or (x != y and x in after):
            return f"other layers use {x!r} or {y!r} too"
        return ""

    def blobs(self, layer: LayerParameter) -> list[np.ndarray]:
        found = self.arrays.get(layer.name)
        if not found:
            raise WeightsError("the file has no weights for it")
        return found

    def finished(self) -> NetParameter:
        """The weights of the net as it is now; layers of the file that the net never had stay."""
        described = {layer.name: layer for layer in self.net.layer}
        result = NetParameter()
        result.CopyFrom(self.stored)
        del result.layer[:]
        for entry in self.stored.layer:
            if entry.name in self.gone or (entry.type == "Split" and entry.name not in described):
                continue
            new = result.layer.add()
            new.CopyFrom(described.get(entry.name, entry))
            del new.blobs[:]
            if entry.name in self.changed:
                new.blobs.extend(map(binary.from_array, self.arrays[entry.name]))
            else:
                new.blobs.extend(entry.blobs)
        return result


def _strangers(net: NetParameter, work: _Folding) -> list[str]:
    """A line for each layer that the weights lack, and for each that the net lacks."""
    names = {layer.name for layer in work.net.layer} | work.gone
    lines = [
        f"{layer.name}: the file has no weights for it"
        for layer in net.layer
        if layer.type in FIELDS and len(layer.bottom) == 1 and not work.arrays.get(layer.name)
    ]
    for name, blobs in work.arrays.items():
        if blobs and name not in names:
            lines.append(f"{name}: is not in the net")
    return lines


def _arrays(layer: LayerParameter) -> list[np.ndarray]:
    arrays = []
    with locate(Place(layer=layer.name)):
        for i, blob in enumerate(layer.blobs):
            with locate(f"blob {i}"):
                arrays.append(binary.to_array(blob))
    return arrays


def _unfit(layer: LayerParameter, names: Counter[str], sharers: Counter[str]) -> str:
    """Why a layer is none that folds or is folded into; empty if it is."""
    conf = getattr(layer, FIELDS[layer.type])
    if len(layer.bottom) != 1 or len(layer.top) != 1:
        return "it has several bottoms or tops"
    if names[layer.name] > 1:
        return "other layers have its name"
    if any(sharers[spec.name] > 1 for spec in layer.param):
        return "it shares weights with other layers"
    if any(layer.loss_weight):
        return "it has a loss_weight"
    if layer.type == "BatchNorm":
        of_batch = conf.HasField("use_global_stats") and not conf.use_global_stats
        return "use_global_stats is false" if of_batch else ""
    return "" if conf.axis == 1 else f"its axis is {conf.axis}, not 1"


def _rules(layer: LayerParameter) -> tuple[list[Message], list[Message], int | None]:
    return list(layer.include), list(layer.exclude), layer.phase if layer.HasField("phase") else None


def _affine(layer: LayerParameter, blobs: list[np.ndarray]) -> Affine:
    """What a BatchNorm, Scale or Bias computes at inference, in float64."""
    _check(layer, blobs, {"BatchNorm": 3, "Scale": 1 + layer.scale_param.bias_term, "Bias": 1}[layer.type])
    first, *others = (blob.astype(np.float64) for blob in blobs)
    if layer.type == "Bias":
        return Affine(np.ones_like(first), first)
    if layer.type == "Scale":
        return Affine(first, others[0] if others else np.zeros_like(first))
    variance, correction = others
    share = 1 / correction.item() if correction.item() else 0.0
    inside = variance * share + layer.batch_norm_param.eps
    if not (inside > 0).all():
        raise WeightsError("blob 1: its variances are not positive", hint="the file is damaged")
    factor = 1 / np.sqrt(inside)
    return Affine(factor, -first * share * factor)


def _absorb(layer: LayerParameter, blobs: list[np.ndarray], affine: Affine) -> list[np.ndarray]:
    """The parameters of a layer that an affine function follows; the layer gets a bias if it has none."""
    conf = getattr(layer, FIELDS[layer.type])
    _check(layer, blobs, 1 + conf.bias_term)
    weights, old_type = blobs[0].astype(np.float64), blobs[0].dtype
    channels = weights.size if layer.type == "Scale" else conf.num_output
    for part in affine:
        if part.ndim and part.size != channels:
            raise WeightsError(f"{channels} channels; the layer behind it has weights for {part.size}")
    factor, summand = (np.broadcast_to(part, (channels,)) for part in affine)
    scaled = _scaled(layer, weights, factor)
    bias = blobs[1].astype(np.float64).ravel() if conf.bias_term else np.zeros(channels)
    if bias.size != channels:
        raise WeightsError(f"blob 1 has {bias.size} values; expected {channels}")
    bias = (bias * factor + summand).reshape(weights.shape if layer.type == "Scale" else (channels,))
    conf.bias_term = True
    return [scaled.astype(old_type), bias.astype(old_type)]


def _check(layer: LayerParameter, blobs: list[np.ndarray], expected: int) -> None:
    if len(blobs) != expected:
        raise WeightsError(f"{len(blobs)} blobs are stored for {expected} parameters")
    if layer.type == "BatchNorm" and (blobs[2].size != 1 or blobs[0].shape != blobs[1].shape):
        raise WeightsError(f"blobs of shapes {[blob.shape for blob in blobs]} are no statistics")
    if layer.type == "Scale" and blobs[-1].shape != blobs[0].shape:
        raise WeightsError(f"blob 1 has shape {blobs[-1].shape}; expected {blobs[0].shape}")


def _scaled(layer: LayerParameter, weights: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Weights whose outputs are to be multiplied, each by its factor."""
    conf, channels = getattr(layer, FIELDS[layer.type]), factor.size
    if layer.type == "Scale":
        return weights * factor.reshape(weights.shape)
    if layer.type == "Deconvolution":  # (inputs, outputs of a group, ...)
        groups = conf.group
        if groups and weights.ndim > 1 and weights.shape[1] * groups == channels:
            if weights.shape[0] % groups == 0:
                grouped = weights.reshape(groups, weights.shape[0] // groups, weights.shape[1], -1)
                return (grouped * factor.reshape(groups, 1, -1, 1)).reshape(weights.shape)
    elif layer.type == "InnerProduct" and conf.transpose:  # (inputs, outputs)
        if weights.ndim == 2 and weights.shape[1] == channels:
            return weights * factor
    elif weights.ndim and weights.shape[0] == channels:  # (outputs, ...)
        return weights * factor.reshape(-1, *(1,) * (weights.ndim - 1))
    raise WeightsError(f"blob 0 has shape {weights.shape}, which does not fit num_output {channels}")
