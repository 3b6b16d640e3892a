"""Shapes and plans of a net without its memory, and without its data where the file tells their shape."""

from __future__ import annotations

import math
import re

import numpy as np

from ..core.filler import Stream, fill
from ..data import datasets
from ..data.transformer import Transformer
from ..device.cpu import CpuDevice
from ..errors import MiniCaffeError, locate
from ..net import Net
from ..proto.schema import LayerParameter, Message, NetParameter, enum_name
from .finding import WARNING, Finding, from_error
from .state import State

Shapes = list[tuple[int, ...]]


def outline(state: State) -> list[Finding]:
    """Set state.net, and return what stands in its way.

    Data layers that cannot be set up (a source that is not here) are errors, and replaced by inputs of the
    same shapes if the file tells them; a named set is never downloaded.  Any other error ends it: net stays
    None.
    """
    findings: list[Finding] = []
    param = NetParameter()
    param.CopyFrom(state.param)
    del param.layer[:]
    param.layer.extend(state.layers)
    for layer in param.layer:
        for field in ("include", "exclude"):
            layer.ClearField(field)
    for i, layer in enumerate(state.layers):
        if (named := _absent(layer)) and (shapes := _shapes(layer, state.phase)):
            what = f"{layer.data_param.source} is not on this machine yet, it is downloaded when first used"
            findings.append(state.finding(WARNING, i, what, f"minicaffe data get {named}"))
            _replace(param.layer[i], shapes)
    while state.net is None:
        try:
            net = Net(
                param,
                device=CpuDevice(kernels="python"),
                seed=0,
                keep="needed",
                source=state.file,
                forward_only=not state.trains,
                allocate=False,
            )
            _try_fillers(net)
            state.net = net
        except MiniCaffeError as error:
            place = _layer_of(error, state)
            finding = from_error(error, state.file)
            if place is not None and state.lines[place]:
                finding = finding._replace(where=f"{state.file}:{state.lines[place]}")
            findings.append(finding._replace(states=(state.name,)))
            shapes = None if place is None else _shapes(state.layers[place], state.phase)
            if place is None or not shapes or param.layer[place].type == "Input":
                break
            _replace(param.layer[place], shapes)
    return findings


def _layer_of(error: MiniCaffeError, state: State) -> int | None:
    for place in error.places:
        if match := re.match(r"layer '(.*)' \(", place):
            names = [layer.name for layer in state.layers]
            return names.index(match[1]) if match[1] in names else None
    return None


def _absent(layer: LayerParameter) -> str:
    """The named set that a Data layer reads and that is not here."""
    if layer.type != "Data" or layer.data_param.source not in datasets.names():
        return ""
    name, _, split = layer.data_param.source.partition("/")
    dataset = datasets.SETS[name]
    return name if datasets.find(dataset, dataset.splits[split]) is None else ""


def _shapes(layer: LayerParameter, phase: int) -> Shapes | None:
    """The tops of a Data or ImageData layer as far as the file and the named sets tell; images are taken to
    have three channels unless they are grey by the file."""
    image: tuple[int, int, int]
    transform = layer.transform_param
    side = transform.crop_size
    if layer.type == "Data":
        batch, source = layer.data_param.batch_size, layer.data_param.source
        size = (transform.resize.height, transform.resize.width)
        if source in datasets.names() and enum_name(layer.data_param, "backend") == "IDX":
            image = datasets.SETS[source.partition("/")[0]].shape
            try:
                image = Transformer(transform, phase, image).out_shape
            except MiniCaffeError:
                return None
            side = 0
        else:
            image = (1 if transform.force_gray else 3, *size)
    elif layer.type == "ImageData":
        conf = layer.image_data_param
        batch, image = conf.batch_size, (3 if conf.is_color else 1, conf.new_height, conf.new_width)
    else:
        return None
    if side:
        image = (image[0], side, side)
    return [(batch, *image), (batch,)][: len(layer.top)] if batch > 0 and math.prod(image) else None


def _replace(layer: LayerParameter, shapes: Shapes) -> None:
    """Make it an Input layer of the same name and tops."""
    name, tops = layer.name, list(layer.top)
    layer.Clear()
    layer.name, layer.type = name, "Input"
    layer.top.extend(tops)
    for shape in shapes:
        layer.input_param.shape.add(dim=shape)


def _try_fillers(net: Net) -> None:
    """Refuse a filler that would be refused when parameters are filled, on a few elements."""
    for layer in net.layers:
        for j, (blob, filler) in enumerate(zip(layer.params, layer.fillers)):
            if isinstance(filler, Message) and not layer.param.blobs:
                kept = 2 if len(blob.shape) == 4 else 0  # a bilinear filler looks at the last two
                few = [min(d, 2) if i < len(blob.shape) - kept else d for i, d in enumerate(blob.shape)]
                with locate(f"layer {layer.name!r} ({layer.type})"), locate(f"parameter {j}"):
                    fill(np.zeros(few, np.float32), filler, Stream(0))
