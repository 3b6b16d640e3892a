"""The transitions of DenseBlock: their stages, and parameters in the order of the fork's files."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.layer import Layer
from ...proto.schema import FillerParameter, Message
from .dense_stage import Stage

STATISTICS = ("means", "variances")


def transitions(layer: Layer, channels: int, conf: Message) -> list[tuple[Stage, ...]]:
    """One stage for every transition, or with use_BC two: a bottleneck, and what reads it.

    The layer's last parameter is what statistics are divided by.  Neither it nor they are trained.
    """
    k, widths = conf.growthRate, [channels + i * conf.growthRate for i in range(conf.numTransition)]
    lasts = [Stage(layer, 4 * k if conf.use_BC else c, k, 3) for c in widths]
    firsts = [Stage(layer, c, 4 * k, 1) for c in widths] if conf.use_BC else lasts
    _add_filters(layer, lasts, conf)
    _add_norms(layer, firsts, conf)
    if conf.use_BC:
        _add_filters(layer, firsts, conf)
        _add_norms(layer, lasts, conf)
    fixed = [getattr(stage, name) for stage in {*firsts, *lasts} for name in STATISTICS]
    fixed.append(layer.add_param((1,), FillerParameter(type="constant", value=0)))
    while len(layer.param.param) < len(layer.params):
        layer.param.param.add()
    for blob in fixed:
        spec = layer.param.param[layer.params.index(blob)]
        spec.lr_mult = spec.decay_mult = 0
    return list(zip(firsts, lasts)) if conf.use_BC else [(stage,) for stage in lasts]


def _add_filters(layer: Layer, stages: Sequence[Stage], conf: Message) -> None:
    for s in stages:
        s.filters = layer.add_param((s.outputs, s.channels, s.side, s.side), conf.Filter_Filler)


def _add_norms(layer: Layer, stages: Sequence[Stage], conf: Message) -> None:
    zero, one = (FillerParameter(type="constant", value=value) for value in (0, 1))
    fillers = conf.BN_Scaler_Filler, conf.BN_Bias_Filler, zero, one
    for name, filler in zip(("scale", "bias", *STATISTICS), fillers):
        for s in stages:
            setattr(s, name, layer.add_param((1, s.channels, 1, 1), filler))
