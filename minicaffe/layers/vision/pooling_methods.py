"""The methods of pooling by their names, Caffe's and those of its forks."""

from __future__ import annotations

from ...core.layer import Layer
from ...proto.schema import TRAIN, Message, enum_name
from .poolers import AvePooler, MaxPooler, Pooler
from .stochastic_poolers import StochasticPooler, WeightedPooler

BARE = ("AVE_EXC_PAD", "AVE_TF")  # of forks: the mean of what lies in the image


def fields_of_method(message: str) -> frozenset[str]:
    """What of forks `method_of` reads, as Layer.fork_fields names it."""
    return frozenset(f"{message}.pool: {name}" for name in BARE)


def method_of(conf: Message) -> str:
    """The name of the method that a message asks for; AVE with avg_include_pad false is one of BARE."""
    method = enum_name(conf, "pool")
    return BARE[0] if method == "AVE" and not getattr(conf, "avg_include_pad", True) else method


def make_pooler(layer: Layer, method: str, which: int = 0) -> Pooler:
    """The pooler for the name of a method, in the layer's phase; `which` tells those of one layer apart."""
    if method == "STOCHASTIC":
        return StochasticPooler(layer, which) if layer.phase == TRAIN else WeightedPooler(layer)
    return MaxPooler(layer) if method == "MAX" else AvePooler(layer, method in BARE)
