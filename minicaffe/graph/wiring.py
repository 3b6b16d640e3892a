"""Names to blobs: every layer's bottoms and tops as indices into one list of blobs, and what may share
them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..core.layer import Layer
from ..errors import ConfigError, Place, UnknownTypeError, in_layer
from ..proto.schema import LayerParameter, NetParameter

MOST_UNKNOWN = 12  # types that one error lists


@dataclass
class Node:
    """A layer's place in the graph: its description, its class, and the blobs it reads and writes."""

    param: LayerParameter
    kind: type[Layer]  # the layer class: passes and checks read its facts
    bottoms: list[int] = field(default_factory=list)
    tops: list[int] = field(default_factory=list)


@dataclass
class Graph:
    """Nodes in execution order, and the names of the blobs they refer to."""

    nodes: list[Node]
    blob_names: list[str]
    inputs: list[int]  # tops of Input layers
    outputs: list[int]  # blobs that nobody reads, by name: Caffe's order, which numbers the log's outputs


def wire(net: NetParameter, resolve: Callable[[str], type[Layer]], folder: str | None = None) -> Graph:
    """The graph of a net without unread names or second readers (see splits); `resolve` maps a type to its
    class, which may hand over to another (Layer.of); `folder` is where the net's file lies.

    Raises ConfigError for a top that is produced twice, UnknownTypeError for all types that are unknown.
    """
    kinds = _kinds(net, resolve)
    graph = Graph([], [], [], [])
    blob_of: dict[str, int] = {}
    unread: set[int] = set()
    for param in net.layer:
        with in_layer(param):
            node = Node(param, kinds[param.type].of(param, folder))
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


def _kinds(net: NetParameter, resolve: Callable[[str], type[Layer]]) -> dict[str, type[Layer]]:
    """The classes by type; one error, at the first layer, for all types that there are not."""
    kinds: dict[str, type[Layer]] = {}
    unknown: dict[str, tuple[str, UnknownTypeError]] = {}
    for param in net.layer:
        if param.type not in kinds and param.type not in unknown:
            try:
                kinds[param.type] = resolve(param.type)
            except UnknownTypeError as found:
                unknown[param.type] = param.name, found
    if unknown:
        (kind, (name, error)), *others = unknown.items()
        if others:
            listed = ", ".join(f"{kind!r} (layer {name!r})" for kind, (name, _) in others[:MOST_UNKNOWN])
            more = f" and {len(others) - MOST_UNKNOWN} more" if len(others) > MOST_UNKNOWN else ""
            error.message += f", nor {listed}{more}"
        raise error.within(Place(layer=name, type=kind))
    return kinds


def _new(graph: Graph, blob_of: dict[str, int], name: str) -> int:
    blob_of[name] = len(graph.blob_names)
    graph.blob_names.append(name)
    return blob_of[name]


def check_in_place(
    nodes: Sequence[Node],
    reads: Sequence[frozenset[str]],
    runs_backward: Sequence[bool],
    data_of: Sequence[int],
) -> None:
    """Refuse in-place layers that overwrite what another layer still reads; Caffe computes something wrong in
    silence.

    reads[i] are the backward_reads of layer i as it stands after setup; data_of[b] is the blob whose memory
    blob b shares (Split, Flatten), itself if none.  A layer that reads only the sign of its top tolerates
    later in-place layers that keep signs.  Raises ConfigError.
    """
    needs = [read if runs else frozenset() for read, runs in zip(reads, runs_backward)]
    last_reader = {blob: i for i, node in enumerate(nodes) for blob in node.bottoms}
    # By memory, as far as the layers before i go:
    waiting: dict[int, set[int]] = defaultdict(set)  # blobs that a layer behind i reads
    inputs: dict[int, set[int]] = defaultdict(set)  # blobs that a backward needs as its bottom
    tops: set[int] = set()  # needed by a backward as its top
    signs: set[int] = set()  # the same, of which the sign is enough
    for i, node in enumerate(nodes):
        for blob in node.bottoms:
            if last_reader[blob] == i:
                waiting[data_of[blob]].discard(blob)
        for bottom, top in zip(node.bottoms, node.tops):
            memory = data_of[top]
            if bottom == top:
                with in_layer(node.param):
                    _check_own(node, needs[i])
                    others = (blob for blobs in (waiting, inputs) for blob in blobs[memory] if blob != top)
                    spoils_sign = memory in signs and not node.kind.keeps_sign
                    if memory in tops or spoils_sign or next(others, None) is not None:
                        raise ConfigError(_conflict(i, top, nodes, needs, data_of), hint=_OTHER_NAME)
        for blob in node.bottoms:
            if "bottom.data" in needs[i]:
                inputs[data_of[blob]].add(blob)
        for blob in node.tops:
            if "top.data" in needs[i]:
                tops.add(data_of[blob])
            if "top.sign" in needs[i]:
                signs.add(data_of[blob])
            if last_reader.get(blob, -1) > i:
                waiting[data_of[blob]].add(blob)


_OTHER_NAME = "give the top another name than the bottom"


def _check_own(node: Node, needs: frozenset[str]) -> None:
    if not node.kind.in_place_ok:
        raise ConfigError("cannot run in place", hint=_OTHER_NAME)
    if "bottom.data" in needs:
        what = "cannot run in place with these settings: its gradient needs the input it overwrites"
        raise ConfigError(what, hint=_OTHER_NAME)


def _conflict(
    i: int, blob: int, nodes: Sequence[Node], needs: Sequence[frozenset[str]], data_of: Sequence[int]
) -> str:
    """Which layer it is that needs what `blob`, or a blob that shares its memory, held before layer i."""
    produced = {top for node in nodes[:i] for top in node.tops}
    spoils = {"top.data"} if nodes[i].kind.keeps_sign else {"top.data", "top.sign"}
    for j, other in enumerate(nodes):
        inputs = [b for b in other.bottoms if b != blob and data_of[b] == data_of[blob]]
        outputs = [t for t in other.tops if data_of[t] == data_of[blob]]
        behind = j > i and not produced.isdisjoint(inputs)
        as_bottom = j < i and inputs and "bottom.data" in needs[j]
        as_top = j < i and outputs and not needs[j].isdisjoint(spoils)
        if behind or as_bottom or as_top:
            which = "the input" if inputs else "the top"
            break
    return f"runs in place on {which} of {Place.of(other.param)}, which still needs the values it overwrites"


def loss_weights(node: Node, default: float) -> list[float]:
    """What each top of a layer counts in the loss; `default` is what its type gives the first."""
    given = list(node.param.loss_weight)
    if len(given) == 1 and default:  # a loss of two tops: the probabilities count 0
        given += [0.0] * (len(node.tops) - 1)
    if given and len(given) != len(node.tops):
        raise ConfigError(f"loss_weight has {len(given)} entries for {len(node.tops)} tops")
    weights = given or [default if j == 0 else 0.0 for j in range(len(node.tops))]
    for weight, top, bottom in zip(weights, node.tops, node.bottoms):
        if weight and top == bottom:
            raise ConfigError("a top with a loss_weight cannot be in place", hint="give the top another name")
    return weights
