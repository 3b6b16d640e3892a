"""Layers of forks that are layers of Caffe under another name or with another field: rewritten when a net is
read, so that no other module knows of them.

    ConvolutionDepthwise, DepthwiseConvolution   Convolution with a group for every channel
    ReLU6, relu_param { relu6: true }            Clip from 0 to 6
    NdConvolution, NdPooling                     Convolution and Pooling over any number of axes
    HardSwish                                    x times a Clip of x + 3, over 6
    Squeeze of named axes                        Reshape
    pooling_param { ceil_mode: false }           round_mode: FLOOR; so is torch_pooling: true
    pad_l, pad_r, pad_t, pad_b; pad_type         pad_h and pad_w, where both sides are padded alike:
                                                 the layers read the others
    convolution_param { relu: true }             a ReLU behind it, with negative_slope; InnerProduct alike
    batch_norm_param { scale_bias: true }        BatchNorm and Scale, as `nvcaffe` splits its weights

A step changes a layer in place and returns what it is taken as, or None if it leaves it alone; it may put
more layers around it.  What a step cannot express stays as it is, and the layer refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .. import log
from ..errors import ConfigError, Place, in_layer
from . import nvcaffe
from .schema import BlobProto, LayerParameter, Message, NetParameter


class Site(NamedTuple):
    """A layer to be rewritten, and the net around it.

    before   the layers of the net before it, as they are now
    first, then   layers to be put before and behind it
    """

    layer: LayerParameter
    before: Sequence[LayerParameter]
    first: list[LayerParameter]
    then: list[LayerParameter]


def rewrite(net: NetParameter, source: str = "a net") -> None:
    """Rewrite the layers of a net, in place, with a line in the log for each."""
    layers: list[LayerParameter] = []
    more = False
    for layer in net.layer:
        with in_layer(layer):
            written = layer.type
            site = Site(layer, layers, [], [])
            taken = [said for step in STEPS.get(layer.type, ()) if (said := step(site))]
        if taken:
            place = Place(layer=layer.name, type=written)
            log.info(f"{source}: {place} is taken as {', '.join(taken)}")
        layers += [*site.first, layer, *site.then]
        more |= bool(site.first or site.then)
    if more:
        del net.layer[:]
        net.layer.extend(layers)


def is_needed(net: NetParameter) -> bool:
    """Whether `rewrite` would change a net."""
    for layer in net.layer:
        if layer.type in STEPS:
            if any(step(Site(_without_blobs(layer), (), [], [])) for step in STEPS[layer.type]):
                return True
    return False


def _without_blobs(layer: LayerParameter) -> LayerParameter:
    """A copy of a layer, with a blob of nothing if it has any: there may be a lot in them."""
    bare = LayerParameter(name=layer.name, type=layer.type, bottom=layer.bottom, top=layer.top)
    bare.blobs.extend([BlobProto()] * bool(layer.blobs))
    for field, value in layer.ListFields():
        if field.message_type is not None and not field.is_repeated:
            getattr(bare, field.name).CopyFrom(value)
    return bare


# -- steps


def _depthwise(site: Site) -> str:
    layer = site.layer
    conf = layer.convolution_param
    layer.type = "Convolution"
    if conf.HasField("group"):
        return f"Convolution with group {conf.group}"
    conf.group = conf.num_output  # which is the number of channels: each has its own filter
    return f"Convolution with group {conf.group}, its num_output"


def _relu6(site: Site) -> str | None:
    layer = site.layer
    if layer.type == "ReLU" and not layer.relu_param.relu6:
        return None
    if layer.relu_param.negative_slope:
        raise ConfigError("relu6 with a negative_slope is no layer that is known here", hint="remove one")
    if layer.relu_param.minimum or layer.relu_param.maximum:
        raise ConfigError("relu6 with minimum or maximum is no layer that is known here", hint="remove one")
    layer.type = "Clip"
    for field in ("relu_param", "relu6_param"):
        layer.ClearField(field)
    layer.clip_param.min, layer.clip_param.max = 0, 6
    _apart(site)
    return "Clip from 0 to 6"


def _apart(site: Site) -> None:
    """Give what a layer reads another name than what it writes: in place, Clip has no gradient.  Its top
    keeps the name, for whoever looks at it; an input does, too."""
    layer = site.layer
    name = layer.top[0] if layer.top else ""
    if list(layer.bottom) != [name] or any(name in b.top and not b.bottom for b in site.before):
        return
    other = f"{layer.name}/x"
    for changed in (*site.before, layer):
        for names in (changed.bottom,) if changed is layer else (changed.bottom, changed.top):
            names[:] = [other if each == name else each for each in names]


def _hard_swish(site: Site) -> str | None:
    layer = site.layer
    if len(layer.bottom) != 1 or len(layer.top) != 1:
        return None
    _apart(site)
    x, shifted, gate = layer.bottom[0], f"{layer.name}/shift", f"{layer.name}/gate"
    made = [
        _like(layer, shifted, "Power", x, shifted),
        _like(layer, f"{layer.name}/clip", "Clip", shifted, gate),
        _like(layer, gate, "Power", gate, gate),
    ]
    made[0].power_param.shift = 3
    made[1].clip_param.min, made[1].clip_param.max = 0, 6
    made[2].power_param.scale = 1 / 6
    site.first.extend(made)
    layer.type = "Eltwise"
    layer.bottom.append(gate)
    layer.eltwise_param.operation = type(layer.eltwise_param).PROD
    return "Eltwise, the product with Power, Clip and Power"


def _like(layer: LayerParameter, name: str, kind: str, bottom: str, top: str) -> LayerParameter:
    made = LayerParameter(name=name, type=kind, bottom=[bottom], top=[top])
    if layer.HasField("phase"):
        made.phase = layer.phase
    made.include.extend(layer.include)
    made.exclude.extend(layer.exclude)
    return made


def _squeeze(site: Site) -> str | None:
    layer = site.layer
    axes = layer.squeeze_param.axis
    axes = list(axes) if not isinstance(axes, int) else [axes] * layer.squeeze_param.HasField("axis")
    if len(axes) != 1:
        return None
    layer.type = "Reshape"
    layer.ClearField("squeeze_param")
    layer.reshape_param.shape.SetInParent()
    layer.reshape_param.axis = axes[0] if axes[0] >= 0 else axes[0] - 1  # -1: behind the last axis
    layer.reshape_param.num_axes = 1
    return f"Reshape without axis {axes[0]}"


def _round(site: Site) -> str | None:
    """How sizes are rounded; Torch rounds them down."""
    conf = site.layer.pooling_param
    said = [("ceil_mode", "CEIL" if conf.ceil_mode else "FLOOR")] * conf.HasField("ceil_mode")
    said += [("torch_pooling", "FLOOR")] * conf.torch_pooling
    for field, mode in said:
        number = getattr(type(conf), mode)
        if conf.HasField("round_mode") and conf.round_mode != number:
            raise ConfigError(f"{field} and round_mode say different things", hint="keep one")
        conf.ClearField(field)
        conf.round_mode = number
    return f"round_mode: {said[-1][1]}" if said else None


def _pads(site: Site) -> str | None:
    """The pads of the four sides; zero padding of both sides alike is Caffe's."""
    conf = site.layer.pooling_param if site.layer.type == "Pooling" else site.layer.convolution_param
    given = [name for name in ("pad_t", "pad_b", "pad_l", "pad_r") if conf.HasField(name)]
    top, bottom, left, right = conf.pad_t, conf.pad_b, conf.pad_l, conf.pad_r
    if not given or top != bottom or left != right:
        return None
    for name in given:
        conf.ClearField(name)
    if not (top or left):
        return None if any(conf.HasField(f"pad_{axis}") for axis in "hw") else "its pad"
    for name in ("pad", "pad_h", "pad_w", "pad_type"):
        conf.ClearField(name)
    conf.pad_h, conf.pad_w = top, left
    return f"pad_h {top}, pad_w {left}"


def _same(site: Site) -> str | None:
    """pad_type 1, TensorFlow's SAME: as many outputs as inputs, where the stride is 1; for an odd kernel both
    sides are padded alike."""
    conf = site.layer.convolution_param
    kernel = [conf.kernel_h, conf.kernel_w] if conf.HasField("kernel_h") else list(conf.kernel_size)
    steps = [conf.stride_h, conf.stride_w] if conf.HasField("stride_h") else list(conf.stride)
    if conf.pad_type != 1 or not kernel or any(n % 2 == 0 for n in kernel):
        return None
    if conf.pad_t or conf.pad_b or conf.pad_l or conf.pad_r:  # they come first
        return None
    if any(n != 1 for n in (*steps, *conf.dilation)):
        return None
    for name in ("pad_type", "pad", "pad_h", "pad_w"):
        conf.ClearField(name)
    conf.pad_h, conf.pad_w = (kernel[0] - 1) // 2, (kernel[-1] - 1) // 2
    return f"pad_h {conf.pad_h}, pad_w {conf.pad_w}"


def _shapes(site: Site) -> str:
    """video-caffe's kernel_shape, stride_shape and pad_shape, a number for each axis."""
    layer = site.layer
    layer.type = layer.type.removeprefix("Nd")
    pooling = layer.type == "Pooling"
    conf = layer.pooling_param if pooling else layer.convolution_param
    for name, field in (("kernel", "kernel_size"), ("stride", "stride"), ("pad", "pad")):
        dims = list(getattr(conf, f"{name}_shape").dim)
        if not conf.HasField(f"{name}_shape") or (pooling and name == "kernel" and conf.global_pooling):
            conf.ClearField(f"{name}_shape")  # the kernel is the image, whatever it says
            continue
        if any(conf.HasField(f"{name}_{axis}") for axis in "hw") or _is_set(conf, field):
            raise ConfigError(f"{name}_shape and {field} say the same in two ways", hint="keep one")
        conf.ClearField(f"{name}_shape")
        if not pooling:
            getattr(conf, field)[:] = dims
        elif len(set(dims)) == 1:
            setattr(conf, field, dims[0])
        elif len(dims) == 2:
            for axis, value in zip("hw", dims):
                setattr(conf, f"{name}_{axis}", value)
        else:
            getattr(conf, f"{field}_3d")[:] = dims
    return layer.type


def _fused(site: Site) -> str | None:
    """A ReLU that Intel's Caffe has inside of a layer."""
    layer = site.layer
    conf = layer.inner_product_param if layer.type == "InnerProduct" else layer.convolution_param
    if not conf.relu or len(layer.top) != 1:
        return None
    relu = _like(layer, f"{layer.name}/relu", "ReLU", layer.top[0], layer.top[0])
    if conf.negative_slope:
        relu.relu_param.negative_slope = conf.negative_slope
    for name in ("relu", "negative_slope"):
        conf.ClearField(name)
    site.then.append(relu)
    return f"{layer.type} and ReLU"


def _is_set(conf: Message, field: str) -> bool:
    return any(found.name == field for found, _ in conf.ListFields())


def _scale_bias(site: Site) -> str | None:
    layer = site.layer
    conf = layer.batch_norm_param
    if layer.blobs or not nvcaffe.scales(conf):  # the weights of such a layer are the business of nvcaffe
        return None
    site.then.append(nvcaffe.split(layer))
    for spec in site.then[0].param:
        spec.lr_mult = 1  # whatever it says
    if conf.eps >= np.float32(nvcaffe.EPS):
        return "BatchNorm and Scale"
    conf.eps = nvcaffe.EPS
    return f"BatchNorm and Scale, eps {nvcaffe.EPS:g}"


Step = Callable[[Site], str | None]

STEPS: dict[str, tuple[Step, ...]] = {
    "BatchNorm": (_scale_bias,),
    "Convolution": (_pads, _same, _fused),
    "ConvolutionDepthwise": (_depthwise, _pads, _same, _fused),
    "Deconvolution": (_pads,),
    "DepthwiseConvolution": (_depthwise, _pads, _same, _fused),
    "HardSwish": (_hard_swish,),
    "InnerProduct": (_fused,),
    "NdConvolution": (_shapes,),
    "NdPooling": (_shapes,),
    "Pooling": (_round, _pads),
    "ReLU": (_relu6,),
    "ReLU6": (_relu6,),
    "Squeeze": (_squeeze,),
}
