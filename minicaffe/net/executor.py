"""What runs a program: it gives the program memory, begins passes, and calls the layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np

from ..core.blob import Blob, Buffer
from ..core.layer import Layer
from ..device.base import Device
from ..device.feed import Holder
from ..errors import MiniCaffeError, Place
from ..graph.branches import SERIAL, Branches, branches, chains, prolonged
from ..graph.liveness import Start, liveness, starts
from ..graph.program import Program, Step, ownership
from .build import Built
from .captured import Captured
from .memory import Memory, MemoryNeeds


class Observer(Protocol):
    """What is told, by its index, of every layer before and after it runs; passes are then not captured."""

    def before_forward(self, layer: int) -> None: ...
    def after_forward(self, layer: int) -> None: ...
    def before_backward(self, layer: int) -> None: ...
    def after_backward(self, layer: int) -> None: ...


class Executor:
    """Runs a program on a device.

    program    what is run; `use` exchanges it
    memory     where the arrays lie, how many bytes they take
    layout     counts how often arrays have moved: whoever holds one looks anew when it changes
    stale      whether a blob has a shape that memory and the layers behind it have not followed
    passes     forward passes begun: what data order and random numbers are functions of
    feed       brings batches and the like to the device
    observers  are told of every layer that runs
    on_move    called when arrays have moved
    """

    def __init__(self, device: Device, memory: Memory) -> None:
        self.device = device
        self.memory = memory
        self.layout = 0
        self.stale = False
        self.passes = 0
        self.feed = device.feed()
        self.observers: list[Observer] = []
        self.on_move: Callable[[], None] = lambda: None
        self._sources: list[int] = []  # among the layers of the pass that was prepared last
        self.next_forward = Captured(self, self._run_next, fed=True)  # see Net.next_forward

    def take(self, built: Built, program: Program) -> None:
        """Run this net from now on."""
        self.built = built
        self.on_host = [layer for layer in built.layers if not layer.capturable]
        self.use(program)

    def use(self, program: Program) -> None:
        """Run this program of the net from now on, in memory that is planned anew."""
        self.program = program
        self._rehearsed: set[str] = set()
        for i, layer in enumerate(self.built.layers):
            layer.alone()
            layer.adding = [False] * len(self.built.bottoms[i])
        blobs = self.built.blobs
        self._bottoms = [[blobs[b] for b in step.bottoms] for step in program.steps]
        self._tops = [[blobs[t] for t in step.tops] for step in program.steps]
        for step in program.steps:
            step.layer.relu = step.relu
            step.layer.adding = list(step.adding) or [False] * len(step.bottoms)
        self.plan()

    @property
    def one_by_one(self) -> bool:
        """Whether layers have to run one after the other, under the eyes of the host, and cannot be
        replayed."""
        return bool(self.on_host or self.observers)

    @property
    def _branching(self) -> bool:
        """Whether steps that do not wait for each other may run at the same time."""
        return self.device.most_branches > 1 and self.memory.allocate and not self.on_host

    def chains(self) -> list[tuple[int, int]]:
        """See graph.branches.chains."""
        return chains(self.program, self._needs.data, self._needs.diff)

    # -- shapes and memory

    def shape_changed(self) -> None:
        """A blob has another shape: before the next pass all is planned anew."""
        self.stale = True

    def reshape(self) -> None:
        """Let changed shapes pass through the net: shapes, buffers and memory anew.  Parameters stay."""
        self._reshape_from(0)
        self.plan()

    def _reshape_from(self, first: int) -> None:
        built = self.built
        for i in range(first, len(built.layers)):
            built.layers[i].buffers.clear()
            with built.in_layer(i):
                built.layers[i].reshape(built.bottoms[i], built.tops[i])

    def plan(self) -> None:
        """Place everything, for the shapes as they are."""
        self._needs = self._needed()
        self.layout += 1  # should there be no room, what is recorded must not run over memory that is gone
        self.memory.bind(self.program, self.built.blobs, self._needs)
        self._arranged()

    def _needed(self) -> MemoryNeeds:
        program = self.program
        data = ownership(self.built.owners("data_of"), program.same_data, program.joints)
        diff = ownership(self.built.owners("diff_of"), program.same_diff, program.joints)
        begin = starts(program, diff.owners, apart=self.memory.keep == "all")
        live = liveness(program, data.owners, diff.owners)
        longer = prolonged(program, live, data, diff) if self._branching else None
        return MemoryNeeds(data, diff, live, begin, longer)

    def _arranged(self) -> None:
        """Everything lies where it will: tell the layers that have to know, and whoever holds arrays."""
        self._starts: list[list[Start]] = [[] for _ in self.program.steps]
        for start in self._needs.starts:
            if not start.once:
                self._starts[start.step].append(start)
        for k, step in enumerate(self.program.steps):
            step.layer.arrange(self._bottoms[k], self._tops[k])
        self.stale = False
        self.moved()

    def moved(self) -> None:
        """Arrays lie elsewhere, or have other shapes: what holds them must look anew."""
        self._branches: Branches = SERIAL
        if self._branching:
            places = self.memory.places(self.program, self.built.blobs)
            self._branches = branches(self.program, places, self.device.most_branches)
        self.layout += 1
        self.on_move()

    def settle(self, i: int) -> None:
        """Layer i gave its tops other shapes in the middle of a pass: reshape what comes after it, and keep
        what was computed before."""
        self._reshape_from(i + 1)
        if self.memory.fit(self.program, self.built.blobs, self._needs):
            self._arranged()
            return
        values = [(holder, self.device.get(holder.data)) for holder in self._alive(i)]
        self.plan()
        for holder, value in values:
            self.device.put(value, holder.data)

    def _alive(self, i: int) -> Iterator[Blob | Buffer]:
        """What layers before i computed and layer i or a later step still reads."""
        data, live = self._needs.data, self._needs.live
        now = sum(step.index < i for step in self.program.steps)
        for blob, owner in zip(self.built.blobs, data.owners):
            span = live.data[owner]
            if span and span.first < now <= span.last:
                yield blob
        for step, span in zip(self.program.steps[:now], live.saved):
            if span.last >= now:
                yield from step.layer.buffers

    # -- running

    def stage(self, start: int = 0, end: int | None = None) -> None:
        """Begin a pass through layers start to end (inclusive): source layers put their next batch in place,
        random layers move on.  Layers behind the first, with no source among them, go on with the pass that
        was begun last."""
        self.prepare(start, end)
        self.deliver()
        self.feed.delivered()

    def prepare(
        self, start: int = 0, end: int | None = None, more: Iterable[tuple[np.ndarray, Holder]] = ()
    ) -> None:
        """The host's part of `stage`; the device's is `deliver`, which a graph may hold.  `more` goes along,
        see Feed.put."""
        layers = self.built.layers
        indices = range(len(layers))[start : None if end is None else end + 1]
        begins = start == 0 or any(layers[i].source for i in indices)
        number = self.passes if begins else max(self.passes - 1, 0)
        if self.stale:
            self.reshape()
        self.feed.begin()
        for i in indices:
            layer = layers[i]
            if layer.source or layer.random is not None:
                with self.built.in_layer(i):
                    layer.stage(number, self.built.tops[i], self.feed.put)
        for host, holder in more:
            self.feed.put(host, holder)
        self.passes += begins
        if self.stale:
            self.reshape()
        self._sources = [i for i in indices if layers[i].source]
        self.feed.send()

    def deliver(self) -> None:
        """Bring to its places what the pass was prepared with, and let sources make their tops of it."""
        self.feed.deliver()
        for i in self._sources:
            with self.built.in_layer(i):
                self.built.layers[i].unpack(self.built.tops[i])

    def _run_next(self) -> None:
        self.deliver()
        self.run_forward()

    def run_forward(self, start: int = 0, end: int | None = None) -> None:
        """The forward kernels of layers start to end (inclusive): no staging, nothing read back."""
        self._rehearse(self.run_forward)
        last = len(self.built.layers) - 1 if end is None else end
        whole = start == 0 and end is None
        with self.device.branches(self._branches.forward if whole else {}) as begins:
            for k, step in enumerate(self.program.steps):
                if not start <= step.index <= last or self._left_out(step):
                    continue
                try:
                    for observer in self._watching:
                        observer.before_forward(step.index)
                    begins(k)
                    step.layer.forward(self._bottoms[k], self._tops[k])
                    for observer in self._watching:
                        observer.after_forward(step.index)
                except MiniCaffeError as error:
                    error.within(Place.of(step.layer))
                    raise

    def run_backward(self, start: int | None = None, end: int = 0) -> None:
        """The backward kernels of layers start (the last by default) down to end (inclusive)."""
        self._rehearse(self.run_backward)
        first = len(self.built.layers) - 1 if start is None else start
        whole = start is None and end == 0
        with self.device.branches(self._branches.backward if whole else {}) as begins:
            for k in range(len(self.program.steps) - 1, -1, -1):
                step = self.program.steps[k]
                if not end <= step.index <= first or self._left_out(step):
                    continue
                try:
                    for observer in self._watching:
                        observer.before_backward(step.index)
                    if step.backward.runs:
                        begins(k)
                        for begin in self._starts[k]:
                            self.device.fill(self.built.blobs[begin.blob].diff, begin.value)
                        step.layer.backward(self._tops[k], step.backward.propagate, self._bottoms[k])
                    for observer in self._watching:
                        observer.after_backward(step.index)
                except MiniCaffeError as error:
                    error.within(Place.of(step.layer))
                    raise

    def _rehearse(self, run: Callable[[], None]) -> None:
        """Before the first run of a program in a direction: have compiled what its layers need."""
        if run.__name__ not in self._rehearsed:
            self._rehearsed.add(run.__name__)
            self.device.rehearse(run)

    @property
    def _watching(self) -> list[Observer]:
        return [] if self.device.rehearsing else self.observers

    def _left_out(self, step: Step) -> bool:
        """Whether a layer does not run because it is a rehearsal, and the host takes part in what it does."""
        return self.device.rehearsing and not step.layer.capturable

    def verify(self) -> None:
        """Let layers check what their kernels could only flag; raises DataError."""
        for i, layer in enumerate(self.built.layers):
            if type(layer).verify is not Layer.verify:
                with self.built.in_layer(i):
                    layer.verify()
