"""Names to blobs: every layer's bottoms and tops as indices into one list of blobs, and what may share
them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..errors import ConfigError, locate
from ..proto.schema import LayerParameter, NetParameter


@dataclass
class Node:
    """A layer's place in the graph: its description, its class, and the blobs it reads and writes."""

    param: LayerParameter
    kind: type  # the layer class: passes and checks read its facts
    bottoms: list[int] = field(default_factory=list)
    tops: list[int] = field(default_factory=list)


@dataclass
class Graph:
    """Nodes in execution order, and the names of the blobs they refer to."""

    nodes: list[Node]
    blob_names: list[str]
    inputs: list[int]  # tops of Input layers
    outputs: list[int]  # blobs that nobody reads, by name: Caffe's order, which numbers the log's outputs


def wire(net: NetParameter, resolve: Callable[[str], type]) -> Graph:
    """The graph of a net without unread names or second readers (see splits); `resolve` maps a type to its
    class.

    Raises ConfigError for a top that is produced twice, UnknownTypeError for an unknown type.
    """
    graph = Graph([], [], [], [])
    blob_of: dict[str, int] = {}
    unread: set[int] = set()
    for param in net.layer:
        with locate(f"layer {param.name!r} ({param.type})"):
            node = Node(param, resolve(param.type))
            for name in param.bottom:
                node.bottoms.append(blob_of[name])
                unread.discard(blob_of[name])
            for i, name in enumerate(param.top):
                if i < len(param.bottom) and param.bottom[i] == name:  # in place
                    node.tops.append(blob_of[name])
                elif name in blob_of:
                    raise ConfigError(
                        f"top {i} {name!r} is already produced by an earlier layer",
                        hint="give it another name, or (in place) name the bottom at the same position so",
                    )
                else:
                    node.tops.append(_new(graph, blob_of, name))
                unread.add(node.tops[i])
            if node.kind.auto_top and not param.top:
                node.tops.append(_new(graph, {}, "(automatic)"))
            if param.type == "Input":
                graph.inputs += node.tops
            graph.nodes.append(node)
    graph.outputs = sorted(unread, key=lambda blob: graph.blob_names[blob])
    return graph


def _new(graph: Graph, blob_of: dict[str, int], name: str) -> int:
    blob_of[name] = len(graph.blob_names)
    graph.blob_names.append(name)
    return blob_of[name]


def check_in_place(
    nodes: Sequence[Node], reads: Sequence[frozenset[str]], runs_backward: Sequence[bool]
) -> None:
    """Refuse in-place layers that would spoil a gradient; Caffe computes a wrong one in silence.

    reads[i] are the backward_reads of layer i as it stands after setup.  A layer that reads only the sign of
    its top tolerates later in-place layers that keep signs.  Raises ConfigError.
    """
    writers: dict[int, list[int]] = {}  # blob -> layers that wrote it so far
    for i, node in enumerate(nodes):
        for bottom, top in zip(node.bottoms, node.tops):
            if bottom != top:
                continue
            with locate(f"layer {node.param.name!r} ({node.param.type})"):
                if not node.kind.in_place_ok:
                    raise ConfigError("cannot run in place", hint="give the top another name than the bottom")
                if runs_backward[i] and "bottom.data" in reads[i]:
                    raise ConfigError(
                        "cannot run in place with these settings: its gradient needs the input it overwrites",
                        hint="give the top another name than the bottom",
                    )
                for j in writers.get(top, ()):
                    spoilt = "top.data" in reads[j] or ("top.sign" in reads[j] and not node.kind.keeps_sign)
                    if runs_backward[j] and spoilt:
                        raise ConfigError(
                            f"runs in place on the top of layer {nodes[j].param.name!r}"
                            f" ({nodes[j].param.type}), whose gradient needs the values it overwrites",
                            hint="give the top another name than the bottom",
                        )
        for top in node.tops:
            writers.setdefault(top, []).append(i)
