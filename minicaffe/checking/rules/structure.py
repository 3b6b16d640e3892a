"""Rules about how layers and blobs hang together."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.blob import Blob
from ...core.layer import Layer
from ...graph.splits import is_automatic, remedy
from ...layers import LAYERS
from ...proto import guesses
from ..finding import ERROR, WARNING, Finding
from ..state import State

RESULTS = frozenset({"ArgMax", "Sigmoid", "Softmax"})  # that a test net is run for
REMEDIES = 20  # that are looked for: to compare a name with all others takes long in a large net


def unknown_type(state: State) -> Iterator[Finding]:
    """A layer type that is not in the index."""
    for i, layer in enumerate(state.layers):
        if layer.type not in LAYERS:
            yield state.finding(ERROR, i, f"no layer type {layer.type!r}", guesses.layer_type(layer.type))


def missing_bottom(state: State) -> Iterator[Finding]:
    """A bottom that no layer before it makes."""
    before: set[str] = set()
    remedies = REMEDIES
    for i, (layer, sources) in enumerate(zip(state.layers, state.below)):
        for name, source in zip(layer.bottom, sources):
            if source is None:
                hint = remedy(state.layers, i, name, before) if remedies else "name a top of a layer above"
                remedies -= bool(remedies)
                yield state.finding(ERROR, i, f"bottom {name!r} is made by no layer before this one", hint)
        before.update(layer.top)


def duplicate_name(state: State) -> Iterator[Finding]:
    """Two layers of one name, one of them with weights: those are saved and loaded by name."""
    first: dict[str, int] = {}
    if state.net is None:
        kinds = map(state.kind, range(len(state.layers)))
        weighted = {i for i, kind in enumerate(kinds) if kind is not None and kind.has_params}
    else:
        weighted = {i for i, layer, _ in made_layers(state) if layer.params}
    for i, layer in enumerate(state.layers):
        earlier = first.setdefault(layer.name, i)
        if earlier != i and not weighted.isdisjoint((earlier, i)):
            line = f", line {state.lines[earlier]}," if state.lines[earlier] else ""
            what = f"another layer{line} has this name; weights are stored under it"
            yield state.finding(WARNING, i, what, "give each layer a name of its own")


def empty_top(state: State) -> Iterator[Finding]:
    """A top without elements."""
    if state.net is None:
        return
    for i, _, tops in made_layers(state):
        for top in tops:
            if top.count == 0:
                what = f"top {top.name!r} has the shape {top.shape}, no elements"
                yield state.finding(ERROR, i, what, "look at the shapes that lead to it")


def no_loss(state: State) -> Iterator[Finding]:
    """A training net that minimises nothing."""
    known = all(state.kind(i) for i in range(len(state.layers)))
    if state.trains and known and not has_loss(state):
        what = "no loss in the training net: nothing would be learned"
        yield state.finding(ERROR, None, what, "add a loss layer, or set loss_weight on a top")


def has_loss(state: State) -> bool:
    return any(any(state.loss_weights(i)) for i in range(len(state.layers)))


def unused_top(state: State) -> Iterator[Finding]:
    """A top that nobody reads, other than losses and measures; of a test net without a loss, tops that are
    computed are what it is run for."""
    if state.deploys:
        return
    for_use = not state.trains and not has_loss(state)
    for i, layer in enumerate(state.layers):
        kind = state.kind(i)
        looked_at = (for_use and bool(layer.bottom)) or (not state.trains and layer.type in RESULTS)
        if kind is None or kind.measures or any(layer.loss_weight) or looked_at:
            continue
        read = {
            name
            for j in state.above[i]
            for name, source in zip(state.layers[j].bottom, state.below[j])
            if source == i
        }
        for name in layer.top:
            if name not in read:
                what = f"top {name!r} is read by nobody"
                yield state.finding(WARNING, i, what, "remove it, or end it in a Silence layer")


def made_layers(state: State) -> Iterator[tuple[int, Layer, list[Blob]]]:
    """For each layer of the built net that stands in the file: its place there, itself, its tops."""
    if state.net is None:
        return
    places = iter(range(len(state.layers)))
    for layer, tops in zip(state.net.layers, state.net.tops):
        if not is_automatic(layer.param):
            yield next(places), layer, tops
