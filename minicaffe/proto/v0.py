"""Converting nets of the first schema (2013) to the second.  In the first, each of the net's `layers` holds
one message with the fields of all layer types, and padding is a layer of its own.

    layers { bottom: "data" top: "conv" layer { name: "conv" type: "conv" num_output: 16 kernelsize: 5 } }
    layers { bottom: "data" top: "conv" name: "conv" type: CONVOLUTION
             convolution_param { num_output: 16 kernel_size: 5 } }

Source: Caffe's util/upgrade_proto.cpp.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import ConfigError, Place, UnknownTypeError, locate, suggest
from .schema import Message, NetParameter, message_class

V1LayerParameter = message_class("V1LayerParameter")
_LAYER_TYPE = V1LayerParameter.DESCRIPTOR.enum_types_by_name["LayerType"]

_RENAMED = {"conv": "CONVOLUTION", "images": "IMAGE_DATA", "innerproduct": "INNER_PRODUCT", "pool": "POOLING"}
_KEPT = """accuracy bnll concat data dropout euclidean_loss flatten hdf5_data hdf5_output im2col infogain_loss
    lrn multinomial_logistic_loss relu sigmoid softmax softmax_loss split tanh window_data"""
TYPES = {**_RENAMED, **{name: name.upper() for name in _KEPT.split()}}  # V0 type -> V1 type

CONV = {"conv": "convolution_param"}
CONV_OR_IP = CONV | {"innerproduct": "inner_product_param"}
CONV_OR_POOL = CONV | {"pool": "pooling_param"}
POOL = {"pool": "pooling_param"}
DROPOUT = {"dropout": "dropout_param"}
LRN = {"lrn": "lrn_param"}
IMAGES = {"images": "image_data_param"}
DATA_OR_IMAGES = {"data": "data_param"} | IMAGES
WINDOWS = {"window_data": "window_data_param"}
BATCHES = DATA_OR_IMAGES | WINDOWS | {"hdf5_data": "hdf5_data_param"}
SOURCES = BATCHES | {"infogain_loss": "infogain_loss_param"}
ANY = dict.fromkeys([*TYPES, ""], "transform_param")  # "": a layer that states no type

# V0 field -> the messages it moves to, by V0 type ("" for the layer itself), and its name there
FIELDS: dict[str, tuple[Mapping[str, str], str]] = {
    "num_output": (CONV_OR_IP, "num_output"),
    "biasterm": (CONV_OR_IP, "bias_term"),
    "weight_filler": (CONV_OR_IP, "weight_filler"),
    "bias_filler": (CONV_OR_IP, "bias_filler"),
    "pad": (CONV_OR_POOL, "pad"),
    "kernelsize": (CONV_OR_POOL, "kernel_size"),
    "stride": (CONV_OR_POOL, "stride"),
    "group": (CONV, "group"),
    "pool": (POOL, "pool"),
    "dropout_ratio": (DROPOUT, "dropout_ratio"),
    "local_size": (LRN, "local_size"),
    "alpha": (LRN, "alpha"),
    "beta": (LRN, "beta"),
    "k": (LRN, "k"),
    "source": (SOURCES, "source"),
    "batchsize": (BATCHES, "batch_size"),
    "scale": (ANY, "scale"),
    "meanfile": (ANY, "mean_file"),
    "cropsize": (ANY, "crop_size"),
    "mirror": (ANY, "mirror"),
    "rand_skip": (DATA_OR_IMAGES, "rand_skip"),
    "shuffle_images": (IMAGES, "shuffle"),
    "new_height": (IMAGES, "new_height"),
    "new_width": (IMAGES, "new_width"),
    "concat_dim": ({"concat": "concat_param"}, "concat_dim"),
    "det_fg_threshold": (WINDOWS, "fg_threshold"),
    "det_bg_threshold": (WINDOWS, "bg_threshold"),
    "det_fg_fraction": (WINDOWS, "fg_fraction"),
    "det_context_pad": (WINDOWS, "context_pad"),
    "det_crop_mode": (WINDOWS, "crop_mode"),
    "hdf5_output_param": ({"hdf5_output": ""}, "hdf5_output_param"),
    "new_num": ({}, ""),  # never had a meaning that later schemas knew
    "new_channels": ({}, ""),
}


def to_v1(net: NetParameter) -> list[str]:
    """Convert a net of the first schema to the second, in place; returns a line for each thing that was lost.

    Raises UnknownTypeError for a type that the first schema does not have; ConfigError for a padding layer
    that is not followed by exactly one convolution or pooling layer, and for a layer without a `layer`
    message.
    """
    lost: list[str] = []
    for field, _ in net.ListFields():
        if field.name in ("input_shape", "state", "debug_info"):  # younger than V0
            lost.append(f"{field.name} is no field of a V0 net and is dropped")
            net.ClearField(field.name)
    layers = list(_fold_padding(net.layers, net.input, lost))
    net.ClearField("layers")
    for old in layers:
        with locate(_place(old)):
            lost += [f"{_place(old)}: {line}" for line in _convert(old, net.layers.add())]
    return lost


def _fold_padding(layers: Sequence[Message], inputs: Iterable[str], lost: list[str]) -> Iterator[Message]:
    """Copies of the layers without the padding layers.  The pad of a padding layer goes to the layer that
    reads it."""
    producer: dict[str, Message | None] = dict.fromkeys(inputs)
    for original in layers:
        layer = V1LayerParameter()
        layer.CopyFrom(original)
        with locate(_place(layer)):
            for i, name in enumerate(original.bottom):
                if name not in producer:
                    raise ConfigError(f"bottom {i} {name!r} is no top of an earlier layer")
                before = producer[name]
                if before is not None and before.layer.type == "padding":
                    _check_padding(before, layer)
                    if layer.layer.pad:
                        lost.append(f"{_place(layer)}: its own pad gives way to that of {_place(before)}")
                    layer.layer.pad = before.layer.pad
                    layer.bottom[i] = before.bottom[0]
        producer.update(dict.fromkeys(original.top, original))
        if layer.layer.type != "padding":
            yield layer


def _check_padding(padding: Message, consumer: Message) -> None:
    if consumer.layer.type not in CONV_OR_POOL:
        raise ConfigError(
            f"{_place(padding)} pads for convolutions and pooling only; this one is {consumer.layer.type!r}"
        )
    for layer, field in ((consumer, "bottom"), (padding, "bottom"), (padding, "top")):
        count = len(getattr(layer, field))
        if count != 1:
            raise ConfigError(
                f"{_place(layer)} must have one {field} where padding is folded into a layer; got {count}"
            )


def _convert(old: Message, new: Message) -> Iterator[str]:
    """Write a layer of the first schema into `new`, one of the second; yields a line for each field that is
    lost."""
    if not old.HasField("layer"):
        raise ConfigError("a layer without `layer` in a net of the first schema", hint="keep to one schema")
    for field, value in old.ListFields():
        if field.name in ("bottom", "top"):
            getattr(new, field.name).extend(value)
        elif field.name != "layer":
            yield f"{field.name} beside `layer` is dropped"
    layer = old.layer
    for field, value in layer.ListFields():
        if field.name == "name":
            new.name = value
        elif field.name == "type":
            if value not in TYPES:
                raise UnknownTypeError(
                    f"no layer type {value!r} in the first schema", hint=suggest(value, TYPES)
                )
            new.type = _LAYER_TYPE.values_by_name[TYPES[value]].number
        elif field.name in ("blobs", "blobs_lr", "weight_decay"):
            getattr(new, field.name).extend(value)
        else:
            homes, name = FIELDS[field.name]
            if layer.type in homes:
                home = homes[layer.type]
                _set(getattr(new, home) if home else new, name, value)
            else:
                yield f"{field.name} has no meaning for type {layer.type!r} and is dropped"


def _set(message: Message, name: str, value: Any) -> None:
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.is_repeated:
        getattr(message, name).append(value)
    elif field.message_type:
        getattr(message, name).CopyFrom(value)
    else:
        setattr(message, name, value)


def _place(layer: Message) -> Place:
    return Place(layer=layer.layer.name)
