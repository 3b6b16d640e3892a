"""Net: a graph of layers with its memory, run forward and backward."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from . import captured, debug_info, weights
from . import layers as layer_index
from .captured import Captured
from .core.blob import Blob, Buffer
from .core.layer import Layer
from .core.randomness import Stream
from .core.weak import weakly
from .device.base import Device
from .device.cpu import CpuDevice
from .errors import ConfigError, DeviceError, MiniCaffeError, Place, ShapeError, locate
from .graph import filter as rules
from .graph.gradients import Backward, analyse
from .graph.liveness import fills, liveness
from .graph.splits import insert_splits
from .graph.wiring import Graph, check_in_place, loss_weights, wire
from .memory import Memory
from .parameters import Parameters, specs
from .proto import text, upgrade
from .proto.schema import TEST, TRAIN, Message, NetParameter, enum_name

PHASES = {"TRAIN": TRAIN, "TEST": TEST, TRAIN: TRAIN, TEST: TEST}


class Position(NamedTuple):
    """Where a net is: forward passes begun, and what layers carry from pass to pass, by layer name."""

    passes: int
    carried: dict[str, list[np.ndarray]] = {}


class Observer(Protocol):
    """What is told, by its index, of every layer before and after it runs; passes are then not captured."""

    def before_forward(self, layer: int) -> None: ...
    def after_forward(self, layer: int) -> None: ...
    def before_backward(self, layer: int) -> None: ...
    def after_backward(self, layer: int) -> None: ...


class Net:
    """A net, ready to run.

    net      a path to a prototxt, or a NetParameter
    phase    "TRAIN" or "TEST"; the net's own state.phase if left out (Caffe's default there is TEST)
    level, stages   the rest of the state that include and exclude rules look at
    device   where it runs; a CpuDevice in float32 if left out
    seed     of fillers and random layers; drawn anew if left out
    keep     "all": every blob has memory of its own and can be read after a pass;
             "needed": blobs whose lifetimes do not meet share memory, and only outputs can be read
    forward_only  nothing is kept for a backward pass: much less memory
    allocate False: shapes and plans alone; the net has no arrays and cannot run, and building it writes,
             fills and fetches nothing
    share    the parameters are those of this net, by layer name: neither allocated nor filled
    folder   where modules of Python layers are looked for if they are not on Python's path; the net's file's
             if left out

    Raises a MiniCaffeError that names file, line and layer for anything the prototxt gets wrong.

    blobs, params are by name; layers is in execution order; outputs are in Caffe's order (by name).
    """

    def __init__(
        self,
        net: str | Path | Message,
        *,
        phase: str | int | None = None,
        level: int | None = None,
        stages: Sequence[str] = (),
        device: Device | None = None,
        seed: int | None = None,
        keep: str = "all",
        source: str = "",
        forward_only: bool = False,
        allocate: bool = True,
        share: Net | None = None,
        folder: str | None = None,
    ) -> None:
        if not isinstance(net, NetParameter):
            source = str(net)
            net = upgrade.read_net(source)
        param = NetParameter()
        param.CopyFrom(net)
        upgrade.upgrade_net(param)  # what a file held is upgraded already, what others hand over may not be
        if phase is not None:
            param.state.phase = PHASES[phase]
        if level is not None:
            param.state.level = level
        param.state.stage.extend(stages)
        self.source = source
        self.folder = str(Path(source).parent) if source and folder is None else folder
        self.name: str = param.name
        self.phase: int = param.state.phase
        self.device = device or CpuDevice()
        if param.HasField("math"):
            self.device = self.device.with_math(enum_name(param, "math"))
        self.seed = secrets.randbits(32) if seed is None else seed
        self.forward_only = forward_only
        self.debug_info = param.debug_info  # log the mean absolute value of everything; slow
        self.observer: Observer | None = None  # told of every layer that runs
        self.passes = 0  # forward passes begun: what data order and random numbers are functions of
        self.memory = Memory(self.device, keep, allocate)  # where the arrays lie, how many bytes they take
        self.layout = 0  # counts how often they have moved
        self.on_move: Callable[[], None] = lambda: None  # called when they have
        with self._from_source():
            self._build(insert_splits(rules.filter_net(param)), share)

    def __repr__(self) -> str:
        def shapes(names: list[str]) -> str:
            return ", ".join(f"{name} {self.blobs[name].shape}" for name in names) or "none"

        phase = "TRAIN" if self.phase == TRAIN else "TEST"
        layers = sum(layer.type != "Split" for layer in self.layers)
        count = sum(owned.blob.count for owned in self.parameters.owned)
        return (
            f"<Net {self.name!r}, {phase} on {self.device.name}: {layers} layers, {count:,} parameters,"
            f" inputs {shapes(self.inputs)}, outputs {shapes(self.outputs)}>"
        )

    # -- building

    def _build(self, param: NetParameter, share: Net | None) -> None:
        self.param = param
        self.graph: Graph = wire(param, layer_index.resolve)
        self._blobs = [Blob(name, on_reshape=weakly(self._shape_changed)) for name in self.graph.blob_names]
        self.layers: list[Layer] = []
        self.bottoms: list[list[Blob]] = []
        self.tops: list[list[Blob]] = []
        for i, node in enumerate(self.graph.nodes):
            self.bottoms.append([self._blobs[b] for b in node.bottoms])
            self.tops.append([self._blobs[t] for t in node.tops])
            with self._in_layer(i):
                phase = node.param.phase if node.param.HasField("phase") else self.phase
                layer = node.kind(node.param, self.device, phase)
                layer.settle = partial(weakly(self._settle), i)
                layer.folder = self.folder
                layer.allocate = self.memory.allocate
                self.layers.append(layer)
                layer.check_counts(len(node.bottoms), len(node.tops))
                if layer.stochastic:
                    layer.random = Stream(self.device, self.seed, layer.name)
                layer.setup(self.bottoms[i], self.tops[i])
                layer.reshape(self.bottoms[i], self.tops[i])
        self._losses: list[list[float]] = []
        lr_mults = []
        for i, layer in enumerate(self.layers):
            with self._in_layer(i):
                self._losses.append(loss_weights(self.graph.nodes[i], layer.loss_weight))
                lr_mults.append([spec.lr_mult for spec in specs(layer)])
        self._backward: list[Backward] = analyse(
            self.graph.nodes, lr_mults, self._losses, param.force_backward
        )
        if self.forward_only:
            self._backward = [
                Backward(False, [False] * len(b.propagate), [False] * len(b.params)) for b in self._backward
            ]
        for layer, backward in zip(self.layers, self._backward):
            layer.param_gradient = backward.params
        self._reads = [layer.backward_reads for layer in self.layers]
        runs = [backward.runs for backward in self._backward]
        check_in_place(self.graph.nodes, self._reads, runs, self._owners("data_of"))
        self.parameters = Parameters(self.layers, self.device)
        if share is not None:
            self.parameters.borrow(share.parameters)
        if self.memory.allocate:
            self.memory.make_room(self.parameters, diffs=not self.forward_only)
            self.parameters.allocate(diffs=not self.forward_only)
            self.parameters.fill(self.seed)
        self._plan()
        self.on_host = [layer for layer in self.layers if not layer.capturable]
        self._whole_forward = Captured(self, self.run_forward)
        captured.report(self)

    def _shape_changed(self) -> None:
        self._stale = True

    def reshape(self) -> None:
        """Let a changed input shape pass through the net: shapes, buffers and memory anew.  Parameters
        stay."""
        with self._from_source():
            for i, layer in enumerate(self.layers):
                layer.buffers.clear()
                with self._in_layer(i):
                    layer.reshape(self.bottoms[i], self.tops[i])
            self._plan()

    def _settle(self, i: int) -> None:
        """Layer i gave its tops other shapes in the middle of a pass: reshape what comes after it, and keep
        what was computed before."""
        for j in range(i + 1, len(self.layers)):
            self.layers[j].buffers.clear()
            with self._in_layer(j):
                self.layers[j].reshape(self.bottoms[j], self.tops[j])
        if not self.memory.fit(self.graph, self._blobs, self.layers, self._live, self._losses):
            values = [(holder, self.device.get(holder.data)) for holder in self._alive(i)]
            self._plan()
            for holder, value in values:
                self.device.put(value, holder.data)
        self._stale = False
        self.moved()

    def _alive(self, i: int) -> Iterator[Blob | Buffer]:
        """What layers before i computed and layer i or a later step still reads."""
        owners = self._owners("data_of")
        for blob, owner in zip(self._blobs, owners):
            span = self._live.data[owner]
            if span and span.first < i <= span.last:
                yield blob
        for layer, span in zip(self.layers[:i], self._live.saved):
            if span.last >= i:
                yield from layer.buffers

    def _plan(self) -> None:
        data_of, diff_of = self._owners("data_of"), self._owners("diff_of")
        live = liveness(self.graph, self._reads, self._backward, self._losses, data_of, diff_of)
        self._live = live
        self.layout += 1  # should there be no room, what is recorded must not run over memory that is gone
        self.memory.bind(self.graph, self._blobs, self.layers, live, self._losses)
        self._fills = fills(self.graph, live.dead, self._losses, diff_of, apart=self.memory.keep == "all")
        self._stale = False
        self.moved()

    def moved(self) -> None:
        """Arrays lie elsewhere, or have other shapes: what holds them must look anew."""
        self.layout += 1
        self.on_move()

    def _owners(self, kind: str) -> list[int]:
        """For each blob the index of the blob whose memory it uses for "data_of" or "diff_of"."""
        index = {id(blob): i for i, blob in enumerate(self._blobs)}
        return [index[id(getattr(blob, kind))] for blob in self._blobs]

    # -- running

    def stage(self, start: int = 0, end: int | None = None) -> None:
        """Begin a pass through layers start to end (inclusive): source layers put their next batch in place,
        random layers move on.  Layers behind the first, with no source among them, go on with the pass that
        was begun last."""
        indices = range(len(self.layers))[start : None if end is None else end + 1]
        begins = start == 0 or any(self.layers[i].source for i in indices)
        number = self.passes if begins else max(self.passes - 1, 0)
        if self._stale:
            self.reshape()
        for i in indices:
            layer = self.layers[i]
            if layer.source or layer.random is not None:
                with self._in_layer(i):
                    layer.stage(number, self.tops[i])
        self.passes += begins
        if self._stale:
            self.reshape()

    def forward(self, start: int = 0, end: int | None = None, **inputs: ArrayLike) -> dict[str, np.ndarray]:
        """Run layers start to end (inclusive; all by default) and return the outputs, by name, on the host.

        inputs   arrays for the tops of Input layers, by name; the net takes on their shapes
        """
        self.put_inputs(inputs)
        self.stage(start, end)
        if start == 0 and end is None:
            self.replay_forward()
        else:
            self.run_forward(start, end)
        self.verify()
        return {self.graph.blob_names[b]: self.device.get(self._blobs[b].data) for b in self.graph.outputs}

    def reset_state(self) -> None:
        """Forget what recurrent layers hand from one forward to the next."""
        for layer in self.layers:
            layer.reset_state()

    @property
    def position(self) -> Position:
        """A copy of all that the next passes depend on beside parameters and seed."""
        carried = {
            layer.name: list(map(self.device.get, layer.state)) for layer in self.layers if layer.state
        }
        return Position(self.passes, carried)

    def seek(self, position: Position) -> None:
        """Go on from a position; layers it does not speak of start afresh.  ShapeError if it is another
        net's."""
        self.passes = position.passes
        self.reset_state()
        for layer in self.layers:
            arrays = position.carried.get(layer.name, [])
            if arrays and [a.shape for a in arrays] != [a.shape for a in layer.state]:
                shapes = [a.shape for a in arrays]
                raise ShapeError(
                    f"the state of layer {layer.name!r} has shapes {shapes}, not those of the net"
                )
            for stored, array in zip(arrays, layer.state):
                self.device.put(stored, array)

    def put_inputs(self, inputs: Mapping[str, ArrayLike]) -> None:
        """Fill inputs from arrays, by name, and reshape the net where shapes change; ConfigError for a name
        that is no input."""
        arrays = {name: np.asarray(array) for name, array in inputs.items()}
        for name, array in arrays.items():
            if name not in self.inputs:
                raise ConfigError(
                    f"{name!r} is not an input of the net", hint=f"inputs: {', '.join(self.inputs) or 'none'}"
                )
            self.blobs[name].reshape(*array.shape)
        if self._stale:
            self.reshape()
        for name, array in arrays.items():
            self.device.put(array, self.blobs[name].data)

    def backward(self, start: int | None = None, end: int = 0) -> None:
        """Run the backward passes of layers start (the last by default) down to end (inclusive).

        Bottom diffs are written, parameter diffs added to: clear_param_diffs starts anew.
        """
        self.run_backward(start, end)

    def run_forward(self, start: int = 0, end: int | None = None) -> None:
        """The forward kernels alone: no staging, nothing read back."""
        i = start
        try:
            for i in range(start, len(self.layers) if end is None else end + 1):
                if self.observer:
                    self.observer.before_forward(i)
                self.layers[i].forward(self.bottoms[i], self.tops[i])
                if self.debug_info:
                    debug_info.forward(self, i)
                if self.observer:
                    self.observer.after_forward(i)
        except MiniCaffeError as error:
            error.within(self._place(i))
            raise

    def replay_forward(self) -> None:
        """`run_forward` of all layers, on a GPU as one graph."""
        self._whole_forward()

    def run_backward(self, start: int | None = None, end: int = 0) -> None:
        """The backward kernels alone."""
        if self.forward_only:
            raise ConfigError("the net is for forward passes only", hint="build it without forward_only")
        i = start = len(self.layers) - 1 if start is None else start
        try:
            for i in range(start, end - 1, -1):
                if self.observer:
                    self.observer.before_backward(i)
                if self._backward[i].runs:
                    for b, value in self._fills[i]:
                        self.device.fill(self._blobs[b].diff, value)
                    self.layers[i].backward(self.tops[i], self._backward[i].propagate, self.bottoms[i])
                    if self.debug_info:
                        debug_info.backward(self, i, self._backward[i].propagate)
                if self.observer:
                    self.observer.after_backward(i)
            if self.debug_info:
                debug_info.parameters(self)
        except MiniCaffeError as error:
            error.within(self._place(i))
            raise

    def verify(self) -> None:
        """Let layers check what their kernels could only flag; raises DataError."""
        for i, layer in enumerate(self.layers):
            if type(layer).verify is not Layer.verify:
                with self._in_layer(i):
                    layer.verify()

    def loss(self) -> float:
        """The weighted sum of the loss tops of the last forward: sum of weight * sum(top)."""
        total = 0.0
        for tops, factors in zip(self.tops, self._losses):
            for blob, weight in zip(tops, factors):
                if weight:
                    total += weight * float(self.device.get(blob.data).sum(dtype=np.float64))
        return total

    def clear_param_diffs(self) -> None:
        self.parameters.clear_diffs()

    # -- looking in

    @property
    def blobs(self) -> dict[str, Blob]:
        return dict(zip(self.graph.blob_names, self._blobs))

    @property
    def params(self) -> dict[str, list[Blob]]:
        """The parameter blobs of each layer that has any, by layer name."""
        return {layer.name: layer.params for layer in self.layers if layer.params}

    @property
    def stale(self) -> bool:
        """Whether a blob was given a shape that the layers behind it have not followed."""
        return self._stale

    @property
    def gradients(self) -> list[Backward]:
        """For each layer whether it runs backward, and what that computes."""
        return self._backward

    @property
    def loss_weights(self) -> list[list[float]]:
        """For each layer the weights of its tops in the loss."""
        return self._losses

    @property
    def inputs(self) -> list[str]:
        return [self.graph.blob_names[b] for b in self.graph.inputs]

    @property
    def outputs(self) -> list[str]:
        return [self.graph.blob_names[b] for b in self.graph.outputs]

    def loss_weight(self, blob: str) -> float:
        """The loss weight of a top, by name."""
        for node, factors in zip(self.graph.nodes, self._losses):
            for top, weight in zip(node.tops, factors):
                if self.graph.blob_names[top] == blob:
                    return weight
        return 0.0

    # -- weights

    def reseed(self, seed: int) -> None:
        """Take another seed for data order and random layers; parameters stay as they are."""
        self.seed = seed
        for layer in self.layers:
            if layer.random is not None:
                layer.random.reseed(seed)

    def load(self, path: str | Path, *, must_match: bool = False) -> None:
        """Copy the weights of a .caffemodel (binary or HDF5), .npz or .safetensors file into the layers of
        equal name: all or, with an error, none.  If no layer takes anything, that is a warning, or with
        `must_match` an error."""
        weights.load(self, path, must_match=must_match)

    def save(self, path: str | Path) -> None:
        """Write the net with its weights: a .caffemodel, .caffemodel.h5, .npz or .safetensors file, whole or
        not at all."""
        weights.save(self, path)

    def share_with(self, other: Net) -> None:
        """Use the parameters of `other`, by layer name, without a copy; gradients stay apart.  ShapeError or
        ConfigError if that cannot be, see Parameters.borrow."""
        if self.parameters.borrow(other.parameters):
            self.moved()

    def to_message(self, *, diff: bool = False) -> NetParameter:
        """The net with its weights as Caffe stores them."""
        return weights.to_message(self, diff=diff)

    # -- errors

    def _place(self, i: int) -> Place:
        return Place.of(self.graph.nodes[i].param)

    @contextmanager
    def _in_layer(self, i: int) -> Iterator[None]:
        with locate(lambda: self._place(i)):
            yield

    @contextmanager
    def _from_source(self) -> Iterator[None]:
        """Put file and line of the layer that an error names in front of it."""
        try:
            with text.in_file(self.source) if self.source else nullcontext():
                yield
        except MemoryError:
            raise DeviceError(f"{self.source or 'the net'}: the machine's memory does not suffice") from None
