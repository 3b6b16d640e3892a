"""Net: what users see of a net."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..core.blob import Blob
from ..core.layer import Layer
from ..core.weak import weakly
from ..device.base import Device
from ..device.cpu import CpuDevice
from ..device.feed import Holder
from ..errors import ConfigError, DeviceError
from ..graph.gradients import Backward
from ..graph.passes import PASSES, optimized
from ..graph.program import Program
from ..graph.wiring import Graph
from ..proto import text, upgrade
from ..proto.schema import TEST, TRAIN, Message, NetParameter, enum_name
from . import captured, weights
from .build import Context, build
from .debug_info import DebugInfo
from .executor import Executor, Observer
from .memory import Memory
from .parameters import Parameters
from .position import Position

PHASES = {"TRAIN": TRAIN, "TEST": TEST, TRAIN: TRAIN, TEST: TEST}


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
    passes   which passes may change the program that is run, by name, see graph/passes; None: all of them
             where blobs share memory (keep "needed"), none where every blob can be read
    folder   where modules of Python layers are looked for if they are not on Python's path; the net's file's
             if left out

    Raises a MiniCaffeError that names file, line and layer for anything the prototxt gets wrong.

    blobs, params are by name; layers is in execution order; outputs are in Caffe's order (by name).

    executor    what runs it; parameters, memory: what it is made of
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
        passes: Collection[str] | None = None,
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
        self.memory = Memory(self.device, keep, allocate)
        self.executor = Executor(self.device, self.memory)
        self._observer: Observer | None = None
        self._debug_info: DebugInfo | None = None
        if passes is None:
            passes = () if keep == "all" or param.debug_info else PASSES
        with self._from_source():
            self._build(param, share, passes)
        self.debug_info = param.debug_info

    def _build(self, param: NetParameter, share: Net | None, passes: Collection[str]) -> None:
        executor, allocate = self.executor, self.memory.allocate
        settle, reshaped = weakly(executor.settle), weakly(executor.shape_changed)
        context = Context(self.device, self.seed, self.phase, self.folder, allocate, reshaped, settle)
        self._built = built = build(param, context, forward_only=self.forward_only)
        self.param = built.param
        self.parameters = Parameters(built.layers, self.device)
        if share is not None:
            self.parameters.borrow(share.parameters)
        if allocate:
            self.memory.make_room(self.parameters, diffs=not self.forward_only)
            self.parameters.allocate(diffs=not self.forward_only)
            self.parameters.fill(self.seed)
        shared = built.owners("data_of"), built.owners("diff_of")
        executor.take(built, optimized(built.program(), shared, passes))
        captured.report(executor.on_host, self.device)

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

    # -- running

    def plain(self) -> None:
        """From now on run the net as it is described, layer by layer: no pass changes it.  Arrays may
        move."""
        if self.program.notes:
            with self._from_source():
                self.executor.use(self._built.program())

    def stage(self, start: int = 0, end: int | None = None) -> None:
        """Begin a pass through layers start to end (inclusive), see Executor.stage."""
        with self._from_source():
            self.executor.stage(start, end)

    def forward(self, start: int = 0, end: int | None = None, **inputs: ArrayLike) -> dict[str, np.ndarray]:
        """Run layers start to end (inclusive; all by default) and return the outputs, by name, on the host.

        inputs   arrays for the tops of Input layers, by name; the net takes on their shapes
        """
        whole = start == 0 and end is None
        if not whole:
            self.plain()
        self.put_inputs(inputs)
        if whole:
            self.next_forward()
        else:
            self.stage(start, end)
            self.run_forward(start, end)
        self.verify()
        graph = self.graph
        return {graph.blob_names[b]: self.device.get(self._built.blobs[b].data) for b in graph.outputs}

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
        if self.stale:
            self.reshape()
        for name, array in arrays.items():
            self.device.put(array, self.blobs[name].data)

    def backward(self, start: int | None = None, end: int = 0) -> None:
        """Run the backward passes of layers start (the last by default) down to end (inclusive).

        Bottom diffs are written, parameter diffs added to: clear_param_diffs starts anew.
        """
        if start is not None or end:
            self.plain()
        self.run_backward(start, end)

    def run_forward(self, start: int = 0, end: int | None = None) -> None:
        """The forward kernels of layers start to end (inclusive): no staging, nothing read back."""
        self.executor.run_forward(start, end)

    def prepare(self, more: Iterable[tuple[np.ndarray, Holder]] = ()) -> None:
        """The host's part of `stage`, see Executor.prepare."""
        with self._from_source():
            self.executor.prepare(more=more)

    def next_forward(self) -> None:
        """`stage` and `run_forward` of all layers, on a GPU as one graph."""
        self.prepare()
        self.executor.next_forward()

    def run_backward(self, start: int | None = None, end: int = 0) -> None:
        """The backward kernels alone."""
        if self.forward_only:
            raise ConfigError("the net is for forward passes only", hint="build it without forward_only")
        self.executor.run_backward(start, end)

    def verify(self) -> None:
        """Let layers check what their kernels could only flag; raises DataError."""
        self.executor.verify()

    def loss(self) -> float:
        """The weighted sum of the loss tops of the last forward: sum of weight * sum(top)."""
        total = 0.0
        for tops, factors in zip(self.tops, self.loss_weights):
            for blob, weight in zip(tops, factors):
                if weight:
                    total += weight * float(self.device.get(blob.data).sum(dtype=np.float64))
        return total

    def clear_param_diffs(self) -> None:
        self.parameters.clear_diffs()

    def reshape(self) -> None:
        """Let a changed input shape pass through the net: shapes, buffers and memory anew.  Parameters
        stay."""
        with self._from_source():
            self.executor.reshape()

    # -- where it is

    def reset_state(self) -> None:
        """Forget what recurrent layers hand from one forward to the next."""
        for layer in self.layers:
            layer.reset_state()

    @property
    def passes(self) -> int:
        """Forward passes begun; what is set is where the next one goes on."""
        return self.executor.passes

    @passes.setter
    def passes(self, number: int) -> None:
        self.executor.passes = number

    @property
    def position(self) -> Position:
        """A copy of all that the next passes depend on beside parameters and seed."""
        return Position.of(self.passes, self.layers, self.device)

    def seek(self, position: Position) -> None:
        """Go on from a position; layers it does not speak of start afresh.  ShapeError if it is another
        net's."""
        self.executor.passes = position.passes
        self.reset_state()
        position.hand_out(self.layers, self.device)

    def reseed(self, seed: int) -> None:
        """Take another seed for data order and random layers; parameters stay as they are."""
        self.seed = seed
        for layer in self.layers:
            if layer.random is not None:
                layer.random.reseed(seed)

    # -- looking in

    @property
    def observer(self) -> Observer | None:
        """Who is told of every layer that runs."""
        return self._observer

    @observer.setter
    def observer(self, observer: Observer | None) -> None:
        self._observer = observer
        self._tell()

    @property
    def debug_info(self) -> bool:
        """Whether the mean absolute value of everything is logged; slow."""
        return self._debug_info is not None

    @debug_info.setter
    def debug_info(self, wanted: bool) -> None:
        self._debug_info = DebugInfo(self._built, self.parameters) if wanted else None
        self._tell()

    def _tell(self) -> None:
        if self._debug_info or self._observer:
            self.plain()
        self.executor.observers = [who for who in (self._debug_info, self._observer) if who is not None]

    @property
    def graph(self) -> Graph:
        """The net as it is described: layers, and the blobs between them."""
        return self._built.graph

    @property
    def program(self) -> Program:
        """The net as it is run."""
        return self.executor.program

    @property
    def layers(self) -> list[Layer]:
        return self._built.layers

    @property
    def bottoms(self) -> list[list[Blob]]:
        """The blobs that each layer reads."""
        return self._built.bottoms

    @property
    def tops(self) -> list[list[Blob]]:
        """The blobs that each layer writes."""
        return self._built.tops

    @property
    def blobs(self) -> dict[str, Blob]:
        return dict(zip(self.graph.blob_names, self._built.blobs))

    @property
    def params(self) -> dict[str, list[Blob]]:
        """The parameter blobs of each layer that has any, by layer name."""
        return {layer.name: layer.params for layer in self.layers if layer.params}

    @property
    def stale(self) -> bool:
        """Whether a blob was given a shape that the layers behind it have not followed."""
        return self.executor.stale

    @property
    def gradients(self) -> list[Backward]:
        """For each layer whether it runs backward, and what that computes."""
        return self._built.backward

    @property
    def loss_weights(self) -> list[list[float]]:
        """For each layer the weights of its tops in the loss."""
        return self._built.losses

    @property
    def inputs(self) -> list[str]:
        return [self.graph.blob_names[b] for b in self.graph.inputs]

    @property
    def outputs(self) -> list[str]:
        return [self.graph.blob_names[b] for b in self.graph.outputs]

    def loss_weight(self, blob: str) -> float:
        """The loss weight of a top, by name."""
        for node, factors in zip(self.graph.nodes, self.loss_weights):
            for top, weight in zip(node.tops, factors):
                if self.graph.blob_names[top] == blob:
                    return weight
        return 0.0

    # -- weights

    def load(self, path: str | Path, *, must_match: bool = False) -> None:
        """Copy the weights of a .caffemodel (binary or HDF5), .npz or .safetensors file into the layers of
        equal name: all or, with an error, none.  If no layer takes anything, that is a warning, or with
        `must_match` an error."""
        weights.load(self.parameters, path, must_match=must_match)

    def save(self, path: str | Path) -> None:
        """Write the net with its weights: a .caffemodel, .caffemodel.h5, .npz or .safetensors file, whole or
        not at all."""
        weights.save(self.to_message(), path)

    def share_with(self, other: Net) -> None:
        """Use the parameters of `other`, by layer name, without a copy; gradients stay apart.  ShapeError or
        ConfigError if that cannot be, see Parameters.borrow."""
        if self.parameters.borrow(other.parameters):
            self.executor.moved()

    def to_message(self, *, diff: bool = False) -> NetParameter:
        """The net with its weights as Caffe stores them."""
        return weights.to_message(self.name, self.parameters, diff=diff)

    # -- errors

    @contextmanager
    def _from_source(self) -> Iterator[None]:
        """Put file and line of the layer that an error names in front of it."""
        try:
            with text.in_file(self.source) if self.source else nullcontext():
                yield
        except MemoryError:
            raise DeviceError(f"{self.source or 'the net'}: the machine's memory does not suffice") from None
