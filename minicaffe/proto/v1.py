"""Converting nets of the second schema (2014) to the current one.  In the second, the type of a layer is an
enum value, and the settings of its parameters are parallel lists.

    layers { type: CONVOLUTION param: "w" blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0 }
    layer { type: "Convolution" param { name: "w" lr_mult: 1 decay_mult: 1 }
                                param { lr_mult: 2 decay_mult: 0 } }

Source: Caffe's util/upgrade_proto.cpp.
"""

from __future__ import annotations

from ..errors import Place, locate
from .schema import LayerParameter, Message, NetParameter, message_class

V1LayerParameter = message_class("V1LayerParameter")
LAYER_TYPES = V1LayerParameter.DESCRIPTOR.enum_types_by_name["LayerType"].values_by_name

# Type names are the words of the enum's, capitalised, but for these.
_SPECIAL = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BN": "BN",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "RELU6": "ReLU6",
    "ROIPOOLING": "ROIPooling",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}
TYPES = {  # by enum number
    value.number: _SPECIAL.get(name, "".join(word.capitalize() for word in name.split("_")))
    for name, value in LAYER_TYPES.items()
}

# What each entry of these lists says about the parameter of the same number.
PARAM_FIELDS = {
    "param": "name",
    "blob_share_mode": "share_mode",
    "blobs_lr": "lr_mult",
    "weight_decay": "decay_mult",
}

# The data layers that described the transformation of images themselves.
TRANSFORMED = {"DATA": "data_param", "IMAGE_DATA": "image_data_param", "WINDOW_DATA": "window_data_param"}
TRANSFORMATION = ("scale", "mean_file", "crop_size", "mirror")


def move_transformation(net: NetParameter) -> None:
    """Move scale, mean_file, crop_size and mirror of data layers into their transform_param, in place.

    This concerns only the `layers` of the second schema: in a `layer` of the current one, Caffe ignores these
    fields.
    """
    fields = {LAYER_TYPES[name].number: field for name, field in TRANSFORMED.items()}
    sources = [(layer, fields[layer.type]) for layer in net.layers if layer.type in fields]
    if not any(getattr(layer, field).HasField(f) for layer, field in sources for f in TRANSFORMATION):
        return
    for layer, field in sources:
        old, new = getattr(layer, field), layer.transform_param
        old.SetInParent()  # Caffe leaves both messages in every data layer, be they empty
        new.SetInParent()
        for name in TRANSFORMATION:
            if old.HasField(name):
                setattr(new, name, getattr(old, name))
                old.ClearField(name)


def to_v2(net: NetParameter) -> None:
    """Turn every `layers` of a net into a `layer`, in place."""
    for old in net.layers:
        with locate(Place(layer=old.name)):
            _convert(old, net.layer.add())
    net.ClearField("layers")


def _convert(old: Message, new: LayerParameter) -> None:
    for field, value in old.ListFields():
        if field.name == "type":
            new.type = TYPES[value]
        elif field.name in PARAM_FIELDS:
            for i, item in enumerate(value):
                while len(new.param) <= i:
                    new.param.add()
                setattr(new.param[i], PARAM_FIELDS[field.name], item)
        elif field.is_repeated:
            getattr(new, field.name).extend(value)
        elif field.message_type:
            getattr(new, field.name).CopyFrom(value)
        else:
            setattr(new, field.name, value)
