"""Layers of forks in layers that Caffe has: what `convert --to bvlc` writes before it looks for what is left.

    Axpy(a, x, y)                    Flatten of a, Scale of x by it, Eltwise with y
    BN of SegNet, merged             Scale with a summand for each channel
    BN of SegNet, BN of PSPNet       BatchNorm, and a Scale called NAME/scale

The outputs stay the same in TEST.  A layer's own weights, where the message has any, become those of the
layers in its place; so a net and its weights are converted each by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..errors import Place, WeightsError, in_layer
from ..layers.norm.bn_kinds import SegNets, kind_of
from ..proto import binary
from ..proto.nvcaffe import scale_name
from ..proto.schema import TRAIN, LayerParameter, Message, NetParameter, ParamSpec


def rewrite(net: Message, like: Message | None = None) -> list[str]:
    """Put Caffe's layers in the place of those of forks that can be said by them, in place; a line for each.
    What cannot be said stays.

    like   the net that weights are for, if these do not say the types of their layers, as .npz files do not

    Raises WeightsError for weights that no such layer has.
    """
    known = {layer.name: layer for layer in reversed(like.layer)} if like is not None else {}
    lines: list[str] = []
    layers: list[LayerParameter] = []
    for layer in net.layer:
        if not layer.type and layer.name in known:
            layer.type = known[layer.name].type
            layer.bn_param.CopyFrom(known[layer.name].bn_param)
        rule = RULES.get(layer.type)
        with in_layer(layer):
            made = rule(layer) if rule is not None else []
        for one in made:
            one.include.extend(layer.include)
            one.exclude.extend(layer.exclude)
            if layer.HasField("phase"):
                one.phase = layer.phase
        if made:
            lines.append(f"{Place.of(layer)} becomes {', '.join(one.type for one in made)}")
        layers += made or [layer]
    if lines:
        copies = NetParameter(layer=layers)
        del net.layer[:]
        net.layer.extend(copies.layer)
    return lines


def _axpy(layer: LayerParameter) -> list[LayerParameter]:
    if len(layer.bottom) != 3 or layer.propagate_down:
        return []
    factor, scaled = f"{layer.name}/factor", f"{layer.name}/scaled"
    a, x, y = layer.bottom
    return [
        LayerParameter(name=factor, type="Flatten", bottom=[a], top=[factor]),
        LayerParameter(name=scaled, type="Scale", bottom=[x, factor], top=[scaled], scale_param={"axis": 0}),
        LayerParameter(name=layer.name, type="Eltwise", bottom=[scaled, y], top=layer.top),
    ]


def _bn(layer: LayerParameter) -> list[LayerParameter]:
    moments_shared = any(spec.name for spec in layer.param[2:])
    if len(layer.top) > 1 or layer.propagate_down or moments_shared:
        return []
    conf, kind = layer.bn_param, kind_of(_as_built(layer))
    segnets = isinstance(kind, SegNets)
    scale = LayerParameter(name=layer.name, type="Scale", bottom=layer.bottom, top=layer.top)
    scale.param.extend(layer.param[:2])
    scale.scale_param.bias_term = True
    for name, filler in zip(kind.filled, ("filler", "bias_filler")):
        if conf.HasField(name):
            getattr(scale.scale_param, filler).CopyFrom(getattr(conf, name))
    blobs = [binary.to_array(blob).reshape(-1) for blob in layer.blobs]
    if blobs and len(blobs) != (2 if segnets else 4):
        raise WeightsError(f"{len(blobs)} blobs; a BN of {kind.name}'s kind has {2 if segnets else 4}")
    scale.blobs.extend(map(binary.from_array, blobs[:2]))
    if segnets and kind.fixed:
        return [scale]
    norm = LayerParameter(name=layer.name, type="BatchNorm", bottom=layer.bottom, top=layer.top)
    norm.batch_norm_param.eps = kind.eps
    if segnets:
        norm.batch_norm_param.use_global_stats = False
    else:
        norm.batch_norm_param.moving_average_fraction = conf.momentum
        if conf.frozen:
            norm.batch_norm_param.use_global_stats = True
            del scale.param[:]
            scale.param.extend([ParamSpec(lr_mult=0, decay_mult=0)] * 2)
    if blobs:
        moments = [np.zeros_like(blobs[0]), np.ones_like(blobs[0])] if segnets else blobs[2:]
        norm.blobs.extend(map(binary.from_array, [*moments, np.ones(1, blobs[0].dtype)]))
    scale.name, scale.bottom[:] = scale_name(layer.name), layer.top
    return [norm, scale]


def _as_built(layer: LayerParameter) -> Any:
    """What the engine's own BN looks at to tell its kind, without building it."""

    def require(right: bool, message: str, *, hint: str = "") -> None:
        if not right:
            raise WeightsError(message, hint=hint)

    return SimpleNamespace(param=layer, phase=TRAIN, require=require)


RULES: dict[str, Callable[[LayerParameter], list[LayerParameter]]] = {"Axpy": _axpy, "BN": _bn}
