"""caffe.draw: pictures of a NetParameter.

draw_net and draw_net_to_file draw SVG and PNG themselves, without any other program, and other formats with
Graphviz by way of pydotplus or pydot, as Caffe does all; get_pydot_graph is the graph for those, with blobs
as nodes between the layers.

Differs: a net of an earlier schema is drawn, of which Caffe shows nothing; a phase selects the layers that
Caffe builds in it, by all their rules; Graphviz is not needed for SVG and PNG, which look otherwise."""

from __future__ import annotations

import importlib
from typing import Any

from ..drawing.picture import FORMATS, picture, write
from ..errors import ConfigError, extra
from ..graph.filter import takes_part
from ..proto.forks import is_forks
from ..proto.upgrade import upgrade_net
from .proto import caffe_pb2

LAYER_STYLE_DEFAULT = {"shape": "record", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {"shape": "record", "fillcolor": "#90EE90", "style": "filled"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}
COLOURS = {
    "Convolution": "#FF5050",
    "Deconvolution": "#FF5050",
    "Pooling": "#FF9900",
    "InnerProduct": "#CC33FF",
}


class PydotError(ConfigError, ImportError):
    """Neither pydotplus nor pydot is installed."""


def get_pooling_types_dict() -> dict[int, str]:
    """The names of Caffe's pooling methods by number."""
    values = caffe_pb2.PoolingParameter.PoolMethod.DESCRIPTOR.values_by_name
    return {value.number: name for name, value in values.items() if not is_forks(value.number)}


def get_edge_label(layer: Any) -> str:
    """What stands at the links from a layer to its tops: its outputs, or the size of its batches."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return '""'


def get_layer_lr_mult(layer: Any) -> str:
    """ "lr mult: 1, 2" for a layer with weights: 1 where the file says nothing; "" for others."""
    if layer.type not in ("Convolution", "Deconvolution", "InnerProduct"):
        return ""
    return f"lr mult: {', '.join(f'{spec.lr_mult:g}' for spec in layer.param) or '1, 1'}"


def get_layer_label(layer: Any, rankdir: str, display_lrm: bool = False) -> str:
    """Name, type, windows and, if asked for, learning rates, beside or below each other as rankdir has
    room."""
    separator = " " if rankdir in ("TB", "BT") else r"\n"
    words = [layer.name, f"({layer.type})"]
    if layer.type == "Pooling":
        conf = layer.pooling_param
        words[1] = f"({layer.type} {get_pooling_types_dict()[conf.pool]})"
        words += [f"kernel size: {conf.kernel_size}", f"stride: {conf.stride}", f"pad: {conf.pad}"]
    elif layer.type in ("Convolution", "Deconvolution"):
        conf = layer.convolution_param
        words.append(f"kernel size: {_first(conf.kernel_size, 1)}")
        words += [f"stride: {_first(conf.stride, 1)}", f"pad: {_first(conf.pad, 0)}"]
    if display_lrm and (rates := get_layer_lr_mult(layer)):
        words.append(rates)
    return f'"{separator.join(words)}"'


def _first(sizes: Any, default: int) -> int:
    return sizes[0] if sizes else default


def choose_color_by_layertype(layertype: str) -> str:
    return COLOURS.get(layertype, LAYER_STYLE_DEFAULT["fillcolor"])


def get_pydot_graph(
    caffe_net: Any,
    rankdir: str,
    label_edges: bool = True,
    phase: int | None = None,
    display_lrm: bool = False,
) -> Any:
    """The net as a graph of pydotplus or pydot: layers, and blobs as nodes between them.

    rankdir      in which data flows: LR, TB, RL or BT
    label_edges  say at the links from a layer how many outputs it has
    phase        caffe.TRAIN or caffe.TEST: the layers that take part in it; all if left out
    display_lrm  the learning rates of weights

    Raises PydotError (an ImportError) if neither is installed.
    """
    pydot = _pydot()
    net = _prepared(caffe_net, phase)
    graph = pydot.Dot(net.name or "Net", graph_type="digraph", rankdir=rankdir)
    nodes: dict[str, Any] = {}
    links: list[tuple[str, str, str]] = []
    for layer in net.layer:
        own = f"{layer.name}_{layer.type}"
        if len(layer.bottom) == 1 and layer.bottom == layer.top:
            style = NEURON_LAYER_STYLE
        else:
            style = {**LAYER_STYLE_DEFAULT, "fillcolor": choose_color_by_layertype(layer.type)}
        nodes[own] = pydot.Node(get_layer_label(layer, rankdir, display_lrm), **style)
        for blob in [*layer.bottom, *layer.top]:
            nodes[f"{blob}_blob"] = pydot.Node(f'"{blob}"', **BLOB_STYLE)
        links += [(f"{blob}_blob", own, '""') for blob in layer.bottom]
        label = get_edge_label(layer) if label_edges else '""'
        links += [(own, f"{blob}_blob", label) for blob in layer.top]
    for node in nodes.values():
        graph.add_node(node)
    for source, target, label in links:
        graph.add_edge(pydot.Edge(nodes[source], nodes[target], label=label))
    return graph


def draw_net(
    caffe_net: Any, rankdir: str, ext: str = "png", phase: int | None = None, display_lrm: bool = False
) -> bytes:
    """The bytes of a picture of format `ext`; the rest is as in get_pydot_graph."""
    if ext not in FORMATS:
        graph = get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm)
        return graph.to_string().encode() if ext == "raw" else _by_graphviz(graph, ext)
    net = _prepared(caffe_net, phase)
    notes = {}
    if display_lrm:
        notes = {layer.name: [rates] for layer in net.layer if (rates := get_layer_lr_mult(layer))}
    return picture(net, ext, direction=rankdir, notes=notes)


def draw_net_to_file(
    caffe_net: Any,
    filename: str,
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Draw into a file of the format that its name ends in; .raw is Graphviz's language.

    Raises DataError if it cannot be written.
    """
    ext = filename[filename.rfind(".") + 1 :]
    write(filename, draw_net(caffe_net, rankdir, ext, phase, display_lrm))


def _by_graphviz(graph: Any, ext: str) -> bytes:
    try:
        return graph.create(format=ext)
    except Exception as error:  # pydotplus and pydot have exceptions of their own
        hint = "install Graphviz; svg and png are drawn without it"
        raise ConfigError(f"Graphviz could not draw {ext!r}: {error}", hint=hint) from None


def _prepared(caffe_net: Any, phase: int | None) -> Any:
    """A copy in the current schema, with the layers of the phase."""
    net = caffe_pb2.NetParameter()
    net.CopyFrom(caffe_net)
    upgrade_net(net)
    if phase is not None:
        net.state.phase = phase
        layers = [layer for layer in net.layer if takes_part(layer, net.state)]
        for layer in layers:  # what one phase is drawn of, says nothing of phases
            layer.ClearField("include")
            layer.ClearField("exclude")
        del net.layer[:]
        net.layer.extend(layers)
    return net


def _pydot() -> Any:
    for name in ("pydotplus", "pydot"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise PydotError(
        "pydotplus or pydot is needed, and neither is installed",
        hint=f"{extra('draw')}, and Graphviz from the system; svg and png are drawn without them",
    )
