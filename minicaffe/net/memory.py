"""Where a net's arrays live: from shapes and lifetimes to bound blobs and buffers.

arena     blobs and saved buffers whose lifetimes the graph knows; those never alive together share bytes
own       tops of source layers (filled from outside), weighted tops' diffs (filled once), and, with
          keep="all", every blob, because users read net.blobs after a pass
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..core.blob import Blob, Buffer
from ..device.arena import Arena
from ..device.base import Device
from ..errors import DeviceError, locate
from ..graph.hazards import Places, Region
from ..graph.liveness import Liveness, Span, Start
from ..graph.plan import Lifetime, Plan, plan
from ..graph.program import Ownership, Program
from .parameters import Parameters

APART = 4  # branches are kept apart in an arena that takes no more than a device's memory divided by this


class MemoryNeeds(NamedTuple):
    """What of a program follows from its shapes: which blobs share memory, from when to when each is needed,
    where gradients start; and lives that keep branches apart, where there is room for it."""

    data: Ownership
    diff: Ownership
    live: Liveness
    starts: list[Start]
    longer: Liveness | None = None


class Member(NamedTuple):
    """A blob in a piece of memory: all of it, or from an offset into every image on (`part`)."""

    blob: Blob
    offset: int
    part: bool

    def of(self, array):
        """Its array in the piece's, and the elements between its images, see Blob.step."""
        if not self.part:
            return array.reshape(self.blob.shape), None
        images, flat = self.blob.shape[0], array.reshape(-1)[self.offset :]
        if images <= 1:
            return flat[: self.blob.count].reshape(self.blob.shape), None
        step = array.size // images
        return flat[: (images - 1) * step + self.blob.count_over(1)], step


class Piece(NamedTuple):
    """A piece of memory to place: how large, how long, and the blobs that lie in it."""

    key: tuple  # what it is for, the same whatever the shapes are
    buffer: Buffer
    span: Span
    data: list[Member]  # blobs whose data it is
    diff: list[Member]  # blobs whose diff it is

    def bind(self, array) -> None:
        self.buffer.data = array
        for member in self.data:
            member.blob.data, member.blob.step = member.of(array)
        for member in self.diff:
            member.blob.diff, member.blob.step = member.of(array)

    def describe(self) -> str:
        for kind, members in (("data", self.data), ("diff", self.diff)):
            if members:
                return f"the {kind} of blob {members[0].blob.name!r}"
        return f"buffer {self.buffer.name!r}"


class Memory:
    """A net's memory.  `bind` may be called again after shapes change.  What is not in the arena keeps its
    memory, and as much of its contents as fits, unless it has grown: as Caffe's blobs do.

    own, shared  what has memory of its own, and what lies in the arena
    plan         where in the arena
    allocate     False: pieces and plan are made, arrays are not
    """

    def __init__(self, device: Device, keep: str, allocate: bool = True) -> None:
        self.device = device
        self.keep = keep
        self.allocate = allocate
        self.taken = 0  # bytes that the net's parameters have
        self.own: list[Piece] = []
        self.shared: list[Piece] = []
        self.plan: Plan | None = None
        self._arena: Arena | None = None
        # By a piece's key: its elements, flat, perhaps more than it needs now.
        self._own: dict[tuple, Any] = {}  # of the pieces with memory of their own
        self._room: dict[tuple, Any] = {}  # of all pieces that are bound

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

    def bind(self, program: Program, blobs: Sequence[Blob], needs: MemoryNeeds) -> None:
        """Give every blob and saved buffer its array, and put the gradients that stay where they start."""
        own, shared, self.plan = self._planned(program, blobs, needs)
        self.own, self.shared = own, shared
        if not self.allocate:
            return
        total = self.plan.nbytes + sum(p.buffer.nbytes for p in own)
        if own or shared:
            largest = max(own + shared, key=lambda p: p.buffer.nbytes)
            check_room(self.device, self.taken + total, largest.describe(), largest.buffer)
        self._let_go(program, blobs, own)
        new: set[int] = set()  # ids of blobs whose diff lies in new memory
        for piece in own:
            if piece.key not in self._own:
                size = math.prod(piece.buffer.shape)
                self._own[piece.key] = self.device.zeros((size,), piece.buffer.dtype)
                new.update(id(member.blob) for member in piece.diff)
            self._attach(piece, self._own[piece.key])
        if self._arena is None:
            self._arena = Arena(self.device, self.plan.nbytes)
        for piece, offset in zip(shared, self.plan.offsets):
            view = self._arena.view(offset, piece.buffer.shape, piece.buffer.dtype)
            self._attach(piece, view.reshape(-1))
        for start in needs.starts:
            if start.value and id(blobs[start.blob]) in new:  # later it stays what somebody may have made it
                self.device.fill(blobs[start.blob].diff, start.value)

    def _planned(
        self, program: Program, blobs: Sequence[Blob], needs: MemoryNeeds
    ) -> tuple[list[Piece], list[Piece], Plan]:
        """Every piece, as (own memory, arena), and where in the arena."""
        own, shared = self._sort(program, blobs, needs)
        found = plan([Lifetime(p.buffer.nbytes, *p.span) for p in shared])
        if needs.longer is not None:
            apart = self._planned(program, blobs, needs._replace(live=needs.longer, longer=None))
            if apart[-1].nbytes <= self.device.total_memory() // APART:
                return apart
        return own, shared, found

    def places(self, program: Program, blobs: Sequence[Blob]) -> Places:
        """Where in the device's memory all is that more than one step of a program may touch."""
        layers = [step.layer for step in program.steps]
        steps = [(blob.step or 0, blob.count_over(1) if blob.step else 0) for blob in blobs]
        return Places(
            [self._region(blob.data, *apart) for blob, apart in zip(blobs, steps)],
            [self._region(blob.diff, *apart) for blob, apart in zip(blobs, steps)],
            [self._regions([buffer.data for buffer in layer.buffers]) for layer in layers],
            _touched_twice([self._regions([blob.data for blob in layer.params]) for layer in layers]),
            _touched_twice([self._regions([blob.diff for blob in layer.params]) for layer in layers]),
        )

    def _regions(self, arrays: Sequence[Any]) -> list[Region]:
        return [region for array in arrays if (region := self._region(array))]

    def _region(self, array: Any, step: int = 0, width: int = 0) -> Region | None:
        """`step` and `width` in elements."""
        if array is None or not array.size:
            return None
        start, nbytes = self.device.address(array), array.dtype.itemsize
        return Region(start, start + array.size * nbytes, step * nbytes, width * nbytes)

    def _let_go(self, program: Program, blobs: Sequence[Blob], own: Sequence[Piece]) -> None:
        """Give back what is outgrown before its successor is asked for: nothing holds the old arrays then."""
        sizes = {piece.key: math.prod(piece.buffer.shape) for piece in own}
        self._own = {k: array for k, array in self._own.items() if k in sizes and array.size >= sizes[k]}
        self._room = {}
        for blob in blobs:
            blob.unbind()
        for step in program.steps:
            for buffer in step.layer.buffers:
                buffer.data = None
        if self._arena is not None and self.plan is not None and self._arena.nbytes < self.plan.nbytes:
            self._arena = None

    def fit(self, program: Program, blobs: Sequence[Blob], needs: MemoryNeeds) -> bool:
        """Bind shapes that changed in the middle of a pass to the memory they have, if it is enough: nothing
        moves.  False, and nothing done, if it is not."""
        own, shared = self._sort(program, blobs, needs)
        for piece in own + shared:
            room = self._room.get(piece.key)
            if room is None or math.prod(piece.buffer.shape) > room.size:
                return False
        for piece in own + shared:
            self._attach(piece, self._room[piece.key])
        return True

    def _attach(self, piece: Piece, room) -> None:
        """Bind the first elements of a flat array that is large enough."""
        self._room[piece.key] = room
        shape = piece.buffer.shape
        piece.bind(room[: math.prod(shape)].reshape(shape))

    def _sort(
        self, program: Program, blobs: Sequence[Blob], needs: MemoryNeeds
    ) -> tuple[list[Piece], list[Piece]]:
        """Every piece, as (own memory, arena)."""
        live = needs.live
        of_source = {blob for step in program.steps if step.layer.source for blob in step.tops}
        weighted = {start.blob for start in needs.starts if start.value}
        offsets = _offsets(program, blobs)
        own: list[Piece] = []
        shared: list[Piece] = []
        for kind, spans, ownership, apart in (
            ("data", live.data, needs.data, of_source),
            ("diff", live.diff, needs.diff, weighted),
        ):
            groups: dict[int, list[int]] = {}
            for blob, owner in enumerate(ownership.owners):
                groups.setdefault(owner, []).append(blob)
            for owner, group in groups.items():
                span = spans[owner]
                alone = self.keep == "all" or any(blob in apart for blob in group)
                if span is None and not alone:
                    continue
                buffer = Buffer(f"{owner} {blobs[owner].name}.{kind}", blobs[owner].shape, self.device.dtype)
                members = []
                for blob in group:
                    part = ownership.parts[blob]
                    members.append(
                        Member(blobs[blob], 0 if part is None else offsets[part], part is not None)
                    )
                attached = (members, []) if kind == "data" else ([], members)
                piece = Piece((kind, owner), buffer, span or Span(0, 0), *attached)
                (own if alone else shared).append(piece)
        for step, span in zip(program.steps, live.saved):
            for j, buffer in enumerate(step.layer.buffers):
                shared.append(Piece(("saved", step.index, j), buffer, span, [], []))
        return own, shared


def _touched_twice(regions: list[list[Region]]) -> list[list[Region]]:
    """Of the parameters of each step those that others have as well."""
    steps = Counter(region.start for of_step in regions for region in of_step)
    return [[region for region in of_step if steps[region.start] > 1] for of_step in regions]


def _offsets(program: Program, blobs: Sequence[Blob]) -> dict[int, int]:
    """Of every part of a joint, the elements in front of it in each image."""
    found = {}
    for joint in program.joints:
        start = 0
        for part in joint.parts:
            found[part] = start
            start += blobs[part].count_over(1)
    return found


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
