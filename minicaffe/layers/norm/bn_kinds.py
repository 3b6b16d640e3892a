"""The two meanings of BN in forks of Caffe, and which of them a layer has."""

from __future__ import annotations

from ...core.layer import Layer
from ...proto.schema import TEST, FillerParameter, Message, enum_name


class Kind:
    """What a kind of BN makes of bn_param.

    fields     those that only this kind has
    filled     which of them fill the factors and the summands
    fixed      the moments do not depend on x
    eps        what is added to the variance
    learns     factors and summands may be trained
    momentum   of the running moments; None if there are none
    start      of the running variance
    """

    name: str
    fields: tuple[str, ...]
    filled: tuple[str, str]
    fixed: bool
    eps: float
    learns = True
    momentum: float | None = None
    start = 0.0

    def __init__(self, layer: Layer, conf: Message) -> None:
        raise NotImplementedError

    def fillers(self, conf: Message) -> list[Message]:
        """Of every parameter."""
        constants = [FillerParameter(type="constant", value=value) for value in (1, 0, 0, self.start)]
        given = [getattr(conf, name) if conf.HasField(name) else None for name in self.filled]
        affine = [filler or constant for filler, constant in zip(given, constants)]
        return affine if self.momentum is None else affine + constants[2:]


class SegNets(Kind):
    """Moments of the batch in every phase, or none."""

    name = "SegNet"
    fields = ("scale_filler", "shift_filler", "bn_mode")
    filled = fields[:2]

    def __init__(self, layer, conf):
        self.fixed = enum_name(conf, "bn_mode") == "INFERENCE"
        self.eps = 0.0 if self.fixed else 1e-9


class PspNets(Kind):
    """Moments of the batch in TRAIN, running ones in TEST or if frozen."""

    name = "PSPNet"
    fields = ("slope_filler", "bias_filler", "momentum", "eps", "frozen")
    filled = fields[:2]

    def __init__(self, layer, conf):
        self.learns, self.start = not conf.frozen, float(conf.frozen)
        self.fixed = conf.frozen or layer.phase == TEST
        self.eps, self.momentum = conf.eps, conf.momentum


def kind_of(layer: Layer) -> Kind:
    """The kind that the layer's fields, or the number of its parameters, are of; ConfigError for fields of
    both."""
    param, conf = layer.param, layer.param.bn_param
    found = {kind: [name for name in kind.fields if conf.HasField(name)] for kind in (SegNets, PspNets)}
    if conf.icnet:
        found[PspNets].append("icnet")
    layer.require(
        not all(found.values()),
        f"bn_param.{(*found[SegNets], '')[0]} is of SegNet's BN, {(*found[PspNets], '')[0]} of PSPNet's",
        hint="give the fields of one of them",
    )
    several = max(len(param.param), len(param.blobs)) > 2
    kind = PspNets if found[PspNets] or (several and not found[SegNets]) else SegNets
    return kind(layer, conf)
