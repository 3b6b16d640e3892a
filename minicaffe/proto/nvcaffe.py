"""Converting weights that NVIDIA Caffe wrote into Caffe's.  The differences:

    raw_data          arrays as raw bytes in float64, float32 or float16 (`binary.to_array` reads them)
    recurrent_param   one that `fork_files` could not read, of number 151
    BatchNorm         may hold five blobs, of which the last two are those of a Scale layer; a correction of
                      0 where Caffe needs 1; eps counts as at least 1e-5

A file is NVIDIA's if it holds raw data, types of layers or a BatchNorm of five blobs.

Source: caffe.proto and batch_norm_layer of NVIDIA Caffe 0.17.4.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import Place, SchemaError, WeightsError, in_layer, locate
from . import binary
from .forks import forks_of, is_forks
from .schema import LayerParameter, Message, NetParameter, message_class

EPS = 1e-5  # of BatchNorm, at least (CUDNN_BN_MIN_EPSILON)
RECURRENT = 151

TYPES = ("forward_type", "backward_type", "forward_math", "backward_math")  # how precisely a layer computes


def scale_name(batch_norm: str) -> str:
    """The name that the Scale layer made from blobs 3 and 4 of a BatchNorm gets."""
    return f"{batch_norm}/scale"


def is_nvidias(net: NetParameter) -> bool:
    """Whether NVIDIA Caffe wrote these weights."""
    return any(
        _has_five(layer) or any(map(layer.HasField, TYPES)) or any(map(binary.is_raw, layer.blobs))
        for layer in net.layer
    )


def repair(net: NetParameter) -> list[str]:
    """Convert the weights of NVIDIA Caffe into Caffe's, in place.  Weights of Caffe are not changed.

    Returns lines for the user: one for each thing that means something else now, one for what was left out.
    Raises WeightsError or SchemaError, with layer and blob, for what cannot be converted.
    """
    if not is_nvidias(net):
        return []
    said: list[str] = []
    left_out = set(_clear(net))
    layers: list[LayerParameter] = []
    for layer in net.layer:
        with in_layer(layer):
            left_out.update(_clear(layer))
            _plain_blobs(layer)
            _move_recurrent(layer)
            layers.append(layer)
            if layer.type == "BatchNorm":
                said += [f"{Place(layer=layer.name)}: {line}" for line in _repair_statistics(layer)]
                if _has_five(layer):
                    layers.append(split(layer))
                    here, there = Place(layer=layer.name), Place(layer=layers[-1].name)
                    said.append(f"{here}: scale and bias are {there} now")
    del net.layer[:]
    net.layer.extend(layers)
    net.DiscardUnknownFields()
    if left_out:
        said.append(f"fields of NVIDIA Caffe alone are left out: {', '.join(sorted(left_out))}")
    return said


def _clear(message: NetParameter | LayerParameter) -> Iterator[str]:
    """Remove the fields that NVIDIA Caffe alone has: how, and how precisely, to compute."""
    for field, _ in message.ListFields():
        if is_forks(field.number) and forks_of(message.DESCRIPTOR.name, field.name) == ("nvcaffe",):
            message.ClearField(field.name)
            yield field.name


def _has_five(layer: LayerParameter) -> bool:
    return layer.type == "BatchNorm" and len(layer.blobs) == 5


def _plain_blobs(layer: LayerParameter) -> None:
    for i, blob in enumerate(layer.blobs):
        if binary.is_raw(blob):
            with locate(f"blob {i}"):
                data = binary.to_array(blob)
                diff = binary.to_array(blob, diff=True) if binary.has_diff(blob) else None
            blob.CopyFrom(binary.from_array(data, diff))


def _move_recurrent(layer: LayerParameter) -> None:
    content = binary.unknown_fields(layer).get(RECURRENT)
    if isinstance(content, bytes) and layer.type in ("LSTM", "RNN"):
        try:
            layer.recurrent_param.CopyFrom(
                binary.parse(content, message_class("RecurrentParameter"), "recurrent_param")
            )
        except SchemaError as error:
            raise WeightsError(f"its recurrent_param is damaged ({error.message})") from None


def _repair_statistics(layer: LayerParameter) -> Iterator[str]:
    """Change the statistics of a BatchNorm so that Caffe computes the same with them; returns a line for each
    change."""
    if layer.batch_norm_param.eps < np.float32(EPS):
        yield f"eps {layer.batch_norm_param.eps:g} is {EPS:g} now, as NVIDIA Caffe counts it"
        layer.batch_norm_param.eps = EPS
    for i, blob in enumerate(layer.blobs):
        with locate(f"blob {i}"):
            array = binary.to_array(blob).ravel()  # may have cuDNN's axes, 1 x C x 1 x 1
        if i == 2 and array.size == 1 and not array.any():
            array = array + 1
            yield "the correction of its statistics is 1 now; it was 0"
        blob.CopyFrom(binary.from_array(array))


def scales(conf: Message) -> bool:
    """Whether the BatchNorm of a batch_norm_param scales and shifts, too: what Caffe has Scale for."""
    return any(conf.HasField(name) for name in ("scale_filler", "bias_filler")) or bool(conf.scale_bias)


def split(layer: LayerParameter) -> LayerParameter:
    """Take scale and bias out of a BatchNorm, with blobs 3 and 4 if it has them; returns the Scale layer that
    has them, which runs in place behind it."""
    scale = LayerParameter(name=scale_name(layer.name), type="Scale", bottom=layer.top, top=layer.top)
    scale.scale_param.bias_term = True
    conf = layer.batch_norm_param
    for theirs, ours in (("scale_filler", "filler"), ("bias_filler", "bias_filler")):
        if conf.HasField(theirs):
            getattr(scale.scale_param, ours).CopyFrom(getattr(conf, theirs))
    for name in ("scale_bias", "scale_filler", "bias_filler"):
        conf.ClearField(name)
    if layer.HasField("phase"):
        scale.phase = layer.phase
    scale.include.extend(layer.include)
    scale.exclude.extend(layer.exclude)
    scale.param.extend(layer.param[3:])
    del layer.param[3:]
    scale.blobs.extend(layer.blobs[3:])
    del layer.blobs[3:]
    return scale
