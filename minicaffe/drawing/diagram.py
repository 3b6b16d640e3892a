"""What is to be seen of a net: a box for every layer, and links where blobs pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..layers import LAYERS
from ..proto.schema import NetParameter, enum_name
from .states import condition, memberships

UNKNOWN, OUTSIDE = "unknown", "outside"  # kinds beside those of layers


class Attached(NamedTuple):
    """An in-place layer; `only` is as that of a box."""

    name: str
    type: str
    kind: str
    only: str = ""


@dataclass
class Box:
    """A layer.

    kind      what its colour says: the folder of its class, "pooling", or "unknown"; "outside" for a blob
              that no layer of the net makes
    settings  what its parameters say
    notes     what is known beyond the file: shapes, costs
    attached  in-place layers behind it
    only      the states it takes part in, if it is not all: "TRAIN only"
    """

    name: str
    type: str
    kind: str
    settings: str = ""
    notes: Sequence[str] = ()
    attached: list[Attached] = field(default_factory=list)
    only: str = ""


class Diagram(NamedTuple):
    """links are pairs of box numbers, once for however many blobs pass."""

    name: str
    boxes: list[Box]
    links: list[tuple[int, int]]


def diagram(net: NetParameter, notes: Mapping[str, Sequence[str]] | None = None) -> Diagram:
    """The diagram of all layers of a net; `notes` are lines for layers, by name.

    Where layers have rules about phase, stages or level, each says so, and only layers that some state has
    both of are linked: the data of TRAIN does not lead to a layer of TEST.

    An in-place layer is attached to the box that it changes the top of, unless somebody reads what was there
    before or it has other bottoms.
    """
    boxes: list[Box] = []
    links: dict[tuple[int, int], None] = {}
    makers: dict[str, dict[int, int]] = defaultdict(dict)  # blob -> state -> box
    read: set[tuple[str, int]] = set()  # blob and state, since it was made
    outside: dict[str, int] = {}
    for layer, states in zip(net.layer, memberships(net)):
        kind, only = kind_of(layer.type), condition(layer)
        # In a state in which nobody makes a bottom the net is not meant to run.
        sources = {n: {makers[n][state] for state in states if state in makers[n]} for n in layer.bottom}
        if _in_place(layer) and not any((layer.bottom[0], state) in read for state in states):
            found = sources[layer.bottom[0]]
            if len(found) == 1 and boxes[min(found)].kind != OUTSIDE:
                boxes[min(found)].attached.append(Attached(layer.name, layer.type, kind, only))
                continue
        for name, found in sources.items():
            if not found:
                if name not in outside:
                    outside[name] = len(boxes)
                    boxes.append(Box(name, "not in the net", OUTSIDE))
                found.add(outside[name])
        number = len(boxes)
        said = (notes or {}).get(layer.name, ())
        boxes.append(Box(layer.name, layer.type, kind, settings(layer), said, only=only))
        for name in layer.bottom:
            links.update(((maker, number), None) for maker in sorted(sources[name]))
            read.update((name, state) for state in states)
        for name in layer.top:
            makers[name].update(dict.fromkeys(states, number))
            read.difference_update((name, state) for state in states)
    return Diagram(net.name, boxes, list(links))


def _in_place(layer: Any) -> bool:
    return len(layer.bottom) == len(layer.top) == 1 and layer.bottom[0] == layer.top[0]


def kind_of(type_name: str) -> str:
    """What the colour of a layer type stands for."""
    if type_name in ("Pooling", "SPP"):
        return "pooling"
    return LAYERS[type_name].partition(".")[0] if type_name in LAYERS else UNKNOWN


def settings(layer: Any) -> str:
    """The settings that one looks for first, in a few words."""
    words = _SETTINGS.get(layer.type)
    return words(layer) if words else ""


def _window(conf: Any) -> list[str]:
    """5x5, stride 2, pad 1."""
    parts = [_sides(conf, "kernel_size", "kernel")]
    for name in ("stride", "pad", "dilation"):
        value = _sides(conf, name, name)
        if value not in ("", "0" if name == "pad" else "1"):
            parts.append(f"{name} {value}")
    return parts


def _sides(conf: Any, name: str, short: str) -> str:
    """A size along the axes, given as one number, several, or by height and width; a kernel shows two."""
    by_axis = (f"{short}_h", f"{short}_w")
    if all(side in conf.DESCRIPTOR.fields_by_name for side in by_axis):
        if any(conf.HasField(side) for side in by_axis):
            return "x".join(str(getattr(conf, side)) for side in by_axis)
    value: Any = getattr(conf, f"{name}_3d", None) or getattr(conf, name, "")
    values = list(value) if not isinstance(value, (int, str)) else [value]
    if short == "kernel" and len(values) == 1:
        values *= 2
    return "x".join(map(str, values))


def _convolution(layer: Any) -> str:
    conf = layer.convolution_param
    parts = [f"{conf.num_output} filters", *_window(conf)]
    return ", ".join([*parts, f"{conf.group} groups"] if conf.group > 1 else parts)


def _pooling(layer: Any) -> str:
    conf = layer.pooling_param
    how = enum_name(conf, "pool")
    return f"{how}, global" if conf.global_pooling else ", ".join([how, *_window(conf)])


def _data(layer: Any) -> str:
    conf = layer.data_param
    return ", ".join([*([conf.source] if conf.source else []), f"batch {conf.batch_size}"])


def _outputs(message: str) -> Callable[[Any], str]:
    return lambda layer: f"{getattr(layer, message).num_output} outputs"


def _axis(message: str) -> Callable[[Any], str]:
    return lambda layer: f"axis {getattr(layer, message).axis}"


_SETTINGS: dict[str, Callable[[Any], str]] = {
    "AnnotatedData": _data,
    "Concat": _axis("concat_param"),
    "Convolution": _convolution,
    "Data": _data,
    "Deconvolution": _convolution,
    "Dropout": lambda layer: f"ratio {layer.dropout_param.dropout_ratio:g}",
    "Eltwise": lambda layer: enum_name(layer.eltwise_param, "operation"),
    "Embed": lambda layer: f"{layer.embed_param.input_dim} words, {layer.embed_param.num_output} outputs",
    "ImageData": lambda layer: f"{layer.image_data_param.source}, batch {layer.image_data_param.batch_size}",
    "InnerProduct": _outputs("inner_product_param"),
    "LRN": lambda layer: f"size {layer.lrn_param.local_size}",
    "LSTM": _outputs("recurrent_param"),
    "Pooling": _pooling,
    "Power": lambda layer: _power(layer.power_param),
    "Python": lambda layer: f"{layer.python_param.module}.{layer.python_param.layer}",
    "Reduction": lambda layer: enum_name(layer.reduction_param, "operation"),
    "RNN": _outputs("recurrent_param"),
    "Slice": _axis("slice_param"),
}


def _power(conf: Any) -> str:
    """(2 x + 1)^3 without what does nothing."""
    inner = "x" if conf.scale == 1 else f"{conf.scale:g} x"
    inner += f" {'-' if conf.shift < 0 else '+'} {abs(conf.shift):g}" if conf.shift else ""
    if conf.power == 1:
        return inner
    return f"{inner}^{conf.power:g}" if inner == "x" else f"({inner})^{conf.power:g}"
