"""Where a net's arrays live: from shapes and lifetimes to bound blobs and buffers.

arena     blobs and saved buffers whose lifetimes the graph knows; those never alive together share bytes
own       tops of source layers (filled from outside), weighted tops' diffs (filled once), and, with
          keep="all", every blob, because users read net.blobs after a pass
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from .core.blob import Blob, Buffer
from .core.layer import Layer
from .device.arena import Arena
from .device.base import Device
from .errors import DeviceError, locate
from .graph.liveness import Liveness, Span
from .graph.plan import Lifetime, Plan, plan
from .graph.wiring import Graph
from .parameters import Parameters


class Placement(NamedTuple):
    """A piece of memory to place: how large, how long, and the views to bind to it."""

    key: tuple  # what it is for, the same whatever the shapes are
    buffer: Buffer
    span: Span
    data: list[Blob]  # blobs whose data it is
    diff: list[Blob]  # blobs whose diff it is

    def describe(self) -> str:
        for kind, blobs in (("data", self.data), ("diff", self.diff)):
            if blobs:
                return f"the {kind} of blob {blobs[0].name!r}"
        return f"buffer {self.buffer.name!r}"


class Memory:
    """A net's memory.  `bind` may be called again after shapes change.  What is not in the arena keeps its
    memory, and as much of its contents as fits, unless it has grown: as Caffe's blobs do.

    own, shared  what has memory of its own, and what lies in the arena
    plan         where in the arena
    allocate     False: placements and plan are made, arrays are not
    """

    def __init__(self, device: Device, keep: str, allocate: bool = True) -> None:
        self.device = device
        self.keep = keep
        self.allocate = allocate
        self.taken = 0  # bytes that the net's parameters have
        self.own: list[Placement] = []
        self.shared: list[Placement] = []
        self.plan: Plan | None = None
        self._arena: Arena | None = None
        self._own: dict[
            tuple, Any
        ] = {}  # placement key -> its elements, flat, perhaps more than it needs now
        self._room: dict[tuple, Any] = {}  # placement key -> all the elements it has, flat

    def make_room(self, parameters: Parameters, *, diffs: bool) -> None:
        """Count what the parameters take, values and gradients; DeviceError if it is too much, ShapeError if
        they are too many for one array, which they are."""
        with locate("the parameters of the net, one after another"):
            self.device.check_shape((parameters.size,))
        self.taken = parameters.elements(diffs=diffs) * self.device.dtype.itemsize
        if parameters.owned:
            largest = max((owned.blob for owned in parameters.owned), key=lambda blob: blob.count)
            buffer = Buffer(largest.name, largest.shape, self.device.dtype)
            check_room(self.device, self.taken, f"parameter {largest.name!r}", buffer)

    def bind(
        self,
        graph: Graph,
        blobs: Sequence[Blob],
        layers: Sequence[Layer],
        live: Liveness,
        losses: Sequence[Sequence[float]],
    ) -> None:
        """Give every blob and saved buffer its array."""
        own, shared = self._sort(graph, blobs, layers, live, losses)
        self.own, self.shared = own, shared
        self.plan = plan([Lifetime(p.buffer.nbytes, *p.span) for p in shared])
        if not self.allocate:
            return
        total = self.plan.nbytes + sum(p.buffer.nbytes for p in own)
        if own or shared:
            largest = max(own + shared, key=lambda p: p.buffer.nbytes)
            check_room(self.device, self.taken + total, largest.describe(), largest.buffer)
        self._let_go(blobs, layers, own)
        new: set[int] = set()  # ids of blobs whose diff lies in new memory
        for placement in own:
            if placement.key not in self._own:
                size = math.prod(placement.buffer.shape)
                self._own[placement.key] = self.device.zeros((size,), placement.buffer.dtype)
                new.update(map(id, placement.diff))
            self._attach(placement, self._own[placement.key])
        if self._arena is None:
            self._arena = Arena(self.device, self.plan.nbytes)
        for placement, offset in zip(shared, self.plan.offsets):
            view = self._arena.view(offset, placement.buffer.shape, placement.buffer.dtype)
            self._attach(placement, view.reshape(-1))
        for weights, node in zip(losses, graph.nodes):
            for blob, weight in zip(node.tops, weights):
                if weight and id(blobs[blob]) in new:  # later it stays what somebody may have made it
                    self.device.fill(blobs[blob].diff, weight)

    def _let_go(self, blobs: Sequence[Blob], layers: Sequence[Layer], own: Sequence[Placement]) -> None:
        """Give back what is outgrown before its successor is asked for: nothing holds the old arrays then."""
        sizes = {placement.key: math.prod(placement.buffer.shape) for placement in own}
        self._own = {k: array for k, array in self._own.items() if k in sizes and array.size >= sizes[k]}
        self._room = {}
        for blob in blobs:
            blob.unbind()
        for layer in layers:
            for buffer in layer.buffers:
                buffer.data = None
        if self._arena is not None and self.plan is not None and self._arena.nbytes < self.plan.nbytes:
            self._arena = None

    def fit(self, graph, blobs, layers, live, losses) -> bool:
        """Bind shapes that changed in the middle of a pass to the memory they have, if it is enough: nothing
        moves.  False, and nothing done, if it is not."""
        own, shared = self._sort(graph, blobs, layers, live, losses)
        for placement in own + shared:
            room = self._room.get(placement.key)
            if room is None or math.prod(placement.buffer.shape) > room.size:
                return False
        for placement in own + shared:
            self._attach(placement, self._room[placement.key])
        return True

    def _attach(self, placement: Placement, room) -> None:
        """Bind the first elements of a flat array that is large enough."""
        self._room[placement.key] = room
        shape = placement.buffer.shape
        _bind(placement, room[: math.prod(shape)].reshape(shape))

    def _sort(self, graph, blobs, layers, live, losses) -> tuple[list[Placement], list[Placement]]:
        """Every placement, as (own memory, arena)."""
        of_source = {blob for node in graph.nodes if node.kind.source for blob in node.tops}
        weighted = {blob for node, w in zip(graph.nodes, losses) for blob, x in zip(node.tops, w) if x}
        index = {id(blob): i for i, blob in enumerate(blobs)}
        own: list[Placement] = []
        shared: list[Placement] = []
        for kind, spans, apart in (("data", live.data, of_source), ("diff", live.diff, weighted)):
            groups: dict[int, list[Blob]] = {}
            for blob in blobs:
                groups.setdefault(index[id(getattr(blob, f"{kind}_of"))], []).append(blob)
            for root, group in groups.items():
                span = spans[root]
                alone = self.keep == "all" or any(index[id(blob)] in apart for blob in group)
                if span is None and not alone:
                    continue
                buffer = Buffer(f"{root} {blobs[root].name}.{kind}", blobs[root].shape, self.device.dtype)
                attached = (group, []) if kind == "data" else ([], group)
                placement = Placement((kind, root), buffer, span or Span(0, 0), *attached)
                (own if alone else shared).append(placement)
        for i, (layer, span) in enumerate(zip(layers, live.saved)):
            for j, buffer in enumerate(layer.buffers):
                shared.append(Placement(("saved", i, j), buffer, span, [], []))
        return own, shared


def check_room(device: Device, needed: int, largest: str, buffer: Buffer) -> None:
    """DeviceError, before anything is allocated, if a net needs more bytes than its device has; it names the
    largest piece."""
    total = device.total_memory()
    if needed > total:
        raise DeviceError(
            f"the net needs {needed} bytes of memory; device {device.name!r} has {total}; the most,"
            f" {buffer.nbytes} bytes, goes to {largest} of shape {buffer.shape}",
            hint="make the batch or the layer smaller",
        )


def _bind(placement: Placement, array) -> None:
    placement.buffer.data = array
    for blob in placement.data:
        blob.data = array.reshape(blob.shape)
    for blob in placement.diff:
        blob.diff = array.reshape(blob.shape)
