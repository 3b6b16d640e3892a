"""From a net to an ONNX graph: layer by layer, then names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...core.blob import Blob
from ...core.layer import Layer
from ...errors import Place
from ...layers import resolve
from ...net import Net
from ...proto.schema import NetParameter
from .graph import Draft, Graph, NoEquivalent, Tensor
from .rules import rule_of


@dataclass
class Translation:
    """A complete graph, and where the blobs of the net are in it.

    outputs  for every output of the graph the blob
    values   the last value of every blob, by the blob's name
    jumping  the numbers of the layers whose rules say that they jump
    """

    graph: Graph
    outputs: list[Blob] = field(default_factory=list)
    values: dict[str, Tensor] = field(default_factory=dict)
    jumping: set[int] = field(default_factory=set)


def check_types(net: NetParameter, folder: str | None = None) -> None:
    """NoEquivalent that names every layer of a type that ONNX does not have; folder: of the net's file."""
    reasons = [(layer, resolve(layer.type).of(layer, folder).not_in_onnx) for layer in net.layer]
    refuse([f"{Place.of(layer)}: {reason}" for layer, reason in reasons if reason])


def refuse(reasons: Sequence[str]) -> None:
    """NoEquivalent with all reasons, if there are any."""
    if reasons:
        what = "a layer has" if len(reasons) == 1 else f"{len(reasons)} layers have"
        raise NoEquivalent(f"{what} no equivalent in ONNX: {'; '.join(reasons)}")


def translate(net: Net, other: Net | None = None) -> Translation:
    """The graph of a net in phase TEST, of its blobs' names.

    other   the same net with another extent where it is free (freedom.py): axes that differ are
    Raises NoEquivalent that names every layer whose options ONNX cannot express.
    """
    result = Translation(Graph())
    graph = result.graph
    now: dict[int, Tensor] = {}  # blob -> the tensor that holds its present value
    overwritten: list[tuple[Tensor, str]] = []  # values that in-place layers replaced, and whose they were
    writer: dict[int, str] = {}
    params: dict[object, Tensor] = {}
    reasons = []
    for i, (node, layer) in enumerate(zip(net.graph.nodes, net.layers)):
        if layer.type == "Input":
            for blob in node.tops:
                now[blob] = Tensor(net.graph.blob_names[blob])
                graph.inputs.append(now[blob])
            continue
        draft = Draft(
            graph,
            layer,
            [now[blob] for blob in node.bottoms],
            [blob.shape for blob in net.bottoms[i]],
            [blob.shape for blob in net.tops[i]],
            [dims(blob.shape, like.shape) for blob, like in zip(net.tops[i], (other or net).tops[i])],
            params,
        )
        try:
            tops = _write(layer, draft)
        except NoEquivalent as error:
            reasons.append(f"{Place.of(layer)}: {error}")
            tops = [Tensor("") for _ in node.tops]
        if draft.jumps:
            result.jumping.add(i)
        for blob, tensor in zip(node.tops, tops):
            if blob in now and now[blob] is not tensor:
                overwritten.append((now[blob], f"{net.graph.blob_names[blob]}:{writer.get(blob, 'input')}"))
            now[blob] = tensor
            writer[blob] = layer.name
    refuse(reasons)
    _expose(net, result, now, writer)
    result.values = {name: now[i] for i, name in enumerate(net.graph.blob_names)}
    _name(net, result, now, overwritten)
    return result


def _write(layer: Layer, draft: Draft) -> Sequence[Tensor]:
    rule = rule_of(layer)
    if rule is None:
        raise NoEquivalent("no rule says how to write it")
    found = rule(draft)
    return [found] if isinstance(found, Tensor) else found


def dims(shape: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...] | None:
    """A shape for Reshape: -1 for the axis that differs; None if several do."""
    free = [a != b for a, b in zip(shape, other)]
    return tuple(-1 if f else extent for f, extent in zip(free, shape)) if sum(free) < 2 else None


def _expose(net: Net, result: Translation, now: dict[int, Tensor], writer: dict[int, str]) -> None:
    """Make the outputs, each a tensor of its own that a node computes, under the blob's name."""
    graph = result.graph
    for blob in net.graph.outputs:
        tensor = now[blob]
        if tensor in graph.inputs and blob not in writer:
            continue  # an input that nobody reads
        if tensor.node is None or tensor in graph.outputs:
            (tensor,) = graph.add("Identity", [tensor], writer[blob], 1).outputs
            now[blob] = tensor
        name = net.graph.blob_names[blob]
        tensor.name = f"{name}:{writer[blob]}" if any(name == one.hint for one in graph.inputs) else name
        graph.outputs.append(tensor)
        result.outputs.append(net.blobs[name])


def _name(
    net: Net, result: Translation, now: dict[int, Tensor], overwritten: list[tuple[Tensor, str]]
) -> None:
    """Name inputs, blobs, what in-place layers overwrote (<blob>:<layer>), then the rest; no name twice."""
    graph = result.graph
    taken = {tensor.name for tensor in graph.outputs}
    for tensor in graph.inputs:
        _call(tensor, tensor.hint, taken)
    for blob, tensor in now.items():
        name = net.graph.blob_names[blob]
        if name not in taken:
            _call(tensor, name, taken)
    for tensor, name in overwritten:
        _call(tensor, name, taken)
    for tensor in tensors(graph):
        _call(tensor, tensor.hint, taken)


def _call(tensor: Tensor, name: str, taken: set[str]) -> None:
    """Give a tensor without a name one that is free: `name`, or with _2, _3... behind it."""
    if tensor.name:
        return
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    tensor.name = free
    taken.add(free)


def tensors(graph: Graph) -> Iterator[Tensor]:
    """Every tensor of a graph and of the bodies in it; some come often."""
    yield from graph.inputs
    for node in graph.nodes:
        yield from (tensor for tensor in node.inputs if tensor is not None)
        yield from node.outputs
        for value in node.attributes.values():
            if isinstance(value, Graph):
                yield from tensors(value)
    yield from graph.outputs
