"""Shapes and plans of a net without its memory, and without its data where their shape is known."""

from __future__ import annotations

from collections.abc import Sequence

from ..core import filler
from ..data import absent
from ..data.absent import Given, Shape
from ..device.cpu import CpuDevice
from ..errors import DataError, MiniCaffeError, in_layer, locate
from ..net import Net
from ..proto.schema import LayerParameter, Message, NetParameter
from .finding import ERROR, NEEDS, WARNING, Finding, from_error
from .state import State
from .table import spelled

LEVELDB = "LEVELDB"  # data in it is as good as absent: it has to be converted


def outline(state: State, given: Given | None = None) -> list[Finding]:
    """Set state.net, and return what stands in its way.

    given   shapes of tops, by name, where the file does not tell them or others are wanted

    Every layer that brings data in is tried alone, and stands in the net as an input of its shape: data that
    is not here is a finding of its own kind, and its shape is taken from `given` or from the file.  A named
    set is never downloaded.  Any other error ends it: net stays None.
    """
    given = given or {}
    param, findings = _bare(state), list(_unknown_tops(state, given))
    whole = True
    for i, layer in enumerate(state.layers):
        if _brings_data(state, i):
            found, shapes = _alone(state, i, given)
            findings += found
            whole = whole and shapes is not None
            if shapes is not None:
                stand_in(param.layer[i], shapes)
        elif layer.type == "InfogainLoss" and any(absent.files(layer)):
            findings += _missing(state, i, None)
            param.layer[i].type = "SoftmaxWithLoss"  # of the same shapes
            param.layer[i].ClearField("infogain_loss_param")
    while whole and state.net is None:
        try:
            net = _looked_at(param, state, state.file)
            _try_fillers(net)
            state.net = net
        except MiniCaffeError as error:
            place = _layer_of(error, state)
            findings.append(_located(error, state, place))
            shapes = None
            if place is not None and param.layer[place].type != "Input":
                shapes = absent.shapes(state.layers[place], state.phase, given)
            if place is None or not shapes:
                break
            stand_in(param.layer[place], shapes)
    return findings


def without_data(state: State, given: Given) -> tuple[NetParameter, list[Finding]]:
    """The layers of a state, with inputs in the place of those whose data is not here or whose shape is
    given, and what is missing: so that it runs, on made-up values.  A named set counts as here."""
    param, findings = _bare(state), list(_unknown_tops(state, given))
    for i, layer in enumerate(state.layers):
        missing = any(absent.files(layer))
        if _brings_data(state, i) and (missing or any(name in given for name in layer.top)):
            shapes = absent.shapes(layer, state.phase, given)
            findings += _missing(state, i, shapes, given)
            if shapes is not None:
                stand_in(param.layer[i], shapes)
    return param, findings


def stand_in(layer: LayerParameter, shapes: Sequence[Shape]) -> None:
    """Make it an Input layer of the same name and tops."""
    name, tops, weights = layer.name, list(layer.top), list(layer.loss_weight)
    layer.Clear()
    layer.name, layer.type = name, "Input"
    layer.top.extend(tops)
    layer.loss_weight.extend(weights)
    for shape in shapes:
        layer.input_param.shape.add(dim=shape)


def _bare(state: State) -> NetParameter:
    """The net of the layers that take part, without the rules that chose them."""
    param = NetParameter()
    param.CopyFrom(state.param)
    del param.layer[:]
    param.layer.extend(state.layers)
    for layer in param.layer:
        for field in ("include", "exclude"):
            layer.ClearField(field)
    return param


def _looked_at(param: NetParameter, state: State, source: str) -> Net:
    return Net(
        param,
        device=CpuDevice(kernels="python"),
        seed=0,
        keep="needed",
        source=source,
        forward_only=not state.trains,
        allocate=False,
    )


def _brings_data(state: State, i: int) -> bool:
    kind = state.kind(i)
    layer = state.layers[i]
    return kind is not None and kind.source and bool(layer.top) and not layer.bottom


def _unknown_tops(state: State, given: Given) -> list[Finding]:
    tops = {name for layer in state.layers for name in layer.top}
    return [
        state.finding(WARNING, None, f"--shape {name}: no layer has a top of this name", "look at the names")
        for name in given
        if name not in tops
    ]


def _alone(state: State, i: int, given: Given) -> tuple[list[Finding], list[Shape] | None]:
    """What is wrong with a layer that brings data in, and the shapes of its tops; None if they are not
    known."""
    layer = state.layers[i]
    told = absent.shapes(layer, state.phase, given)
    if (named := absent.named_set(layer)) and told and not absent.set_is_here(named):
        what = f"{named} is not on this machine yet, it is downloaded when first used"
        return [state.finding(WARNING, i, what, f"minicaffe data get {named.partition('/')[0]}")], told
    param = NetParameter(state=state.param.state)
    param.layer.add().CopyFrom(layer)
    for field in ("include", "exclude"):
        param.layer[0].ClearField(field)
    missing = list(absent.files(layer))
    if "transform_param.mean_file" in dict(missing):  # the data itself may be here
        param.layer[0].transform_param.ClearField("mean_file")
    wanted = told is not None and any(name in given for name in layer.top)
    try:
        # Without a source no error looks for its line in the whole file: the line is known.
        shapes = [top.shape for top in _looked_at(param, state, "").tops[0]]
        return _missing(state, i, shapes), told if wanted else shapes
    except MiniCaffeError as error:
        expected = missing and (isinstance(error, DataError) or LEVELDB in error.message)
        return _missing(state, i, told, given) + ([] if expected else [_located(error, state, i)]), told


def _missing(
    state: State, i: int, shapes: Sequence[Shape] | None, given: Given | None = None
) -> list[Finding]:
    """What a layer names and is not here.

    given   where the shapes were read from no data: those of tops that it lacks are assumed, which is said
    """
    layer = state.layers[i]
    remedy = ""
    if not (shapes or layer.bottom or not layer.top):
        remedy = f"--shape {layer.top[0]}=N,C,H,W tells its shape"
    elif shapes and given is not None and layer.top[0] not in given:
        taken = spelled(shapes[:1])
        remedy = f"taken as {taken}; --shape {layer.top[0]}=N,C,H,W if it has another shape"
    return [
        state.finding(NEEDS, i, f"{path} is not here ({field})", remedy)._replace(rule="needs_data")
        for field, path in absent.files(layer)
    ]


def _located(error: MiniCaffeError, state: State, place: int | None) -> Finding:
    finding = from_error(error, state.file)
    if place is not None:
        line = state.lines[place]
        where = f"{state.file}:{line}" if line else finding.where
        finding = finding._replace(where=where, layer=state.layers[place].name)
    return finding._replace(severity=ERROR, states=(state.name,))


def _layer_of(error: MiniCaffeError, state: State) -> int | None:
    """The number of the layer in which an error happened; None if that is not known."""
    name = next((place.layer for place in error.places if place.layer is not None), None)
    return next((i for i, layer in enumerate(state.layers) if layer.name == name), None)


def _try_fillers(net: Net) -> None:
    """Refuse a filler that would be refused when parameters are filled."""
    for layer in net.layers:
        for j, (blob, conf) in enumerate(zip(layer.params, layer.fillers)):
            if isinstance(conf, Message) and not layer.param.blobs:
                with in_layer(layer), locate(f"parameter {j}"):
                    filler.check(conf, blob.shape)
