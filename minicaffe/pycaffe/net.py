"""caffe.Net: a net as Python code for Caffe sees it, around the engine's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from .. import log
from ..errors import ConfigError, ShapeError, WeightsError, suggest
from ..net import Net as EngineNet
from ..net.weights import write
from ..proto import hdf5
from . import batches, modes
from .errors import InputArraysError, check_file
from .hooks import Hook, Hooks
from .structure import Structure

Arrays = dict[str, np.ndarray]


class Net(Structure):
    """A net whose blobs can be read and written between passes.

        Net("deploy.prototxt", caffe.TEST, weights="lenet.caffemodel")
        Net("deploy.prototxt", "lenet.caffemodel", caffe.TEST)   # the older form

    network_file   a prototxt
    phase          caffe.TRAIN or caffe.TEST
    level, stages  the rest of the state that include and exclude rules look at
    weights        a .caffemodel, binary or HDF5, to copy the parameters from

    It runs where caffe.set_mode_cpu or set_mode_gpu says when it is built.  Arrays are float32 and live: what
    is written into them the next pass uses, and what the next pass computes they show.  On the CPU they are
    the memory itself; on a GPU copies, written back before a pass and read anew after it.

    Threads take turns: one pass, or call of forward_all, at a time on each device.

    Parameter diffs are the gradients, which add up from backward to backward: clear_param_diffs starts anew.
    The diff of a loss top is its weight.  A forward that runs a data layer takes its next batch; one that
    starts behind the data layers goes on with the batch, and with the dropout masks, that it finds.

    Raises RuntimeError for a file that is missing, and the engine's errors, where Caffe would abort.
    """

    def __init__(
        self,
        network_file: str | os.PathLike,
        phase: Any,
        level: int | None = None,
        stages: Iterable[str] | None = None,
        weights: Any = None,
    ) -> None:
        if isinstance(phase, (str, os.PathLike)) and phase not in ("TRAIN", "TEST"):  # the older form
            if level is None or weights is not None or stages is not None:
                raise ConfigError("Net(network_file, weights_file, phase) takes three arguments")
            phase, weights, level = level, phase, None
        if phase not in (0, 1, "TRAIN", "TEST"):
            raise ConfigError(f"phase must be caffe.TRAIN or caffe.TEST; got {phase!r}")
        if isinstance(stages, str):
            raise ConfigError(f"stages must be a list of names; got {stages!r}", hint=f"stages=[{stages!r}]")
        path, stored = check_file(network_file), weights and check_file(weights)
        shared = modes.shared_device()
        with shared.turn:
            net = EngineNet(
                path,
                phase=phase,
                level=level or 0,
                stages=list(stages or ()),
                device=shared.device,
                seed=modes.next_seed(),
                keep="all",
            )
        self._wrap(net, shared)
        if stored:
            self.copy_from(stored)

    @classmethod
    def _around(cls, net: EngineNet, shared: modes.SharedDevice) -> Net:
        """The net of a solver."""
        self = cls.__new__(cls)
        self._wrap(net, shared)
        return self

    def _wrap(self, net: EngineNet, shared: modes.SharedDevice) -> None:
        self._shared, self._told = shared, False
        # What was written into a blob while its memory had not followed its shape.
        net.executor.on_move = shared.flush
        self._hooks = Hooks(shared)
        self._make_views(net, shared)

    def __repr__(self) -> str:
        return f"<caffe.{repr(self._net)[1:]}"

    # -- passes

    def forward(
        self,
        blobs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **kwargs: Any,
    ) -> Arrays:
        """Run layers start to end (names, inclusive; all by default).

        blobs   names of blobs to return beside the net's outputs, or the tops of `end`
        kwargs  arrays for the net's inputs, all of them or none, of the batch size that they have

        Returns live arrays by name.  Raises ConfigError or ShapeError for kwargs that do not fit, before any
        is written.
        """
        first = self._index(start) if start is not None else 0
        last = self._index(end) if end is not None else len(self._layers) - 1
        wanted = [*(self.top_names[end] if end is not None else self.outputs), *(blobs or ())]
        with self._shared.turn:
            self._put(kwargs, "data", "input", "Input blob arguments do not match net inputs.")
            self._forward(first, last)
        return {name: self.blobs[name].data for name in wanted}

    def backward(
        self,
        diffs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **kwargs: Any,
    ) -> Arrays:
        """Run the backward passes of layers start (the last by default) down to end (inclusive).

        diffs   names of blobs whose diffs to return beside those of the net's inputs, or the bottoms of `end`
        kwargs  arrays for the diffs of the net's outputs, all of them or none

        Returns live arrays by name.  Raises ConfigError or ShapeError for kwargs that do not fit, before any
        is written.
        """
        first = self._index(start) if start is not None else len(self._layers) - 1
        last = self._index(end) if end is not None else 0
        wanted = [*(self.bottom_names[end] if end is not None else self.inputs), *(diffs or ())]
        with self._shared.turn:
            self._put(kwargs, "diff", "output", "Top diff arguments do not match net outputs.")
            self._backward(first, last)
        return {name: self.blobs[name].diff for name in wanted}

    def _index(self, layer: str) -> int:
        names = self._layer_names
        if layer not in names:
            raise ConfigError(f"the net has no layer {layer!r}", hint=suggest(layer, names))
        return names.index(layer)

    def _put(self, arrays: dict[str, Any], kind: str, what: str, complaint: str) -> None:
        if not arrays:
            return
        names = self.inputs if what == "input" else self.outputs
        if set(arrays) != set(names):
            raise ConfigError(
                f"{complaint} Got {', '.join(sorted(arrays))}", hint=f"{what}s: {', '.join(names) or 'none'}"
            )
        for name, array in arrays.items():
            given, needed = np.shape(array), self.blobs[name].shape
            if given[:1] != needed[:1]:
                raise ShapeError(
                    f"{what.capitalize()} is not batch sized: {name!r} has the shape {needed}; got {given}",
                    hint=f"net.blobs[{name!r}].reshape({', '.join(map(str, given))})",
                )
            if len(given) > len(needed) or any(g not in (1, n) for g, n in zip(given[::-1], needed[::-1])):
                raise ShapeError(f"an array of shape {given} cannot fill {what} {name!r}, {needed}")
        for name, array in arrays.items():
            getattr(self.blobs[name], kind)[...] = array

    def _forward(self, start: int, end: int) -> float:
        """Run layers start to end, by index; returns the loss of their tops."""
        net = self._net
        self._check_range(start, end)
        self._check_mode()
        with self._shared.turn:
            with self._shared.passing():
                if (start, end) == (0, len(self._layers) - 1):
                    net.next_forward()
                else:
                    net.stage(start, end)
                    net.run_forward(start, end)
                net.verify()
            return self._loss(start, end)

    def _backward(self, start: int, end: int) -> None:
        """Run the backward passes of layers start down to end, by index."""
        self._check_range(end, start)
        with self._shared.passing():
            if self._net.stale:
                self._net.reshape()
            self._net.backward(start, end)

    def _check_range(self, first: int, last: int) -> None:
        if first < 0 or last >= len(self._layers):
            raise ConfigError(f"the net has layers 0 to {len(self._layers) - 1}; got {first} to {last}")

    def _check_mode(self) -> None:
        """Say once that a net on the CPU does not move when the mode changes."""
        if modes.MODES.gpu and self._shared.device.synchronous and not self._told:
            self._told = True
            log.warning("a net built on the CPU runs there; build it after caffe.set_mode_gpu()")

    def _loss(self, start: int, end: int) -> float:
        """The sum over loss tops of top times diff, which is its weight unless somebody changed it."""
        get, total = self._net.device.get, 0.0
        rows = zip(self._net.tops[start : end + 1], self._net.loss_weights[start : end + 1])
        for tops, factors in rows:
            for top, factor in zip(tops, factors):
                if factor:
                    total += float(np.vdot(get(top.data).astype(np.float64), get(top.diff)))
        return total

    def forward_all(self, blobs: Sequence[str] | None = None, **kwargs: Any) -> Arrays:
        """`forward` of arrays of any one length, batch by batch, the last filled up with zeros.

        Returns copies by name, as long as the arrays; of a blob without a row per sample, such as a loss, an
        entry per batch.
        """
        size, count = self._batch_size(kwargs), batches.length(kwargs)
        found = batches.Collected([*self.outputs, *(blobs or ())], size)
        with self._shared.turn:
            for batch in batches.split(kwargs, size):
                found.add(self.forward(blobs, None, None, **batch))
        return found.joined(count)

    def forward_backward_all(
        self, blobs: Sequence[str] | None = None, diffs: Sequence[str] | None = None, **kwargs: Any
    ) -> tuple[Arrays, Arrays]:
        """As `forward_all`, with `backward` behind every forward; kwargs hold arrays of inputs and, for
        backward, of outputs.  Returns copies of blobs and of diffs."""
        size, count = self._batch_size(kwargs), batches.length(kwargs)
        found = batches.Collected([*self.outputs, *(blobs or ())], size)
        found_diffs = batches.Collected([*self.inputs, *(diffs or ())], size)
        unknown = set(kwargs) - {*self.inputs, *self.outputs}
        if unknown:
            raise ConfigError(f"neither inputs nor outputs of the net: {', '.join(sorted(unknown))}")
        given = (
            {name: kwargs[name] for name in names if name in kwargs} for names in (self.inputs, self.outputs)
        )
        with self._shared.turn:
            for below, above in zip_longest(*(batches.split(arrays, size) for arrays in given), fillvalue={}):
                found.add(self.forward(blobs, None, None, **below))
                found_diffs.add(self.backward(diffs, None, None, **above))
        return found.joined(count), found_diffs.joined(count)

    def _batch_size(self, arrays: dict[str, Any]) -> int:
        for name in arrays:
            if name in self.blobs:
                return self.blobs[name].shape[0]
        raise ConfigError("arrays are needed, by name of the input", hint=f"inputs: {', '.join(self.inputs)}")

    def reshape(self) -> None:
        """Let a changed shape of an input pass through the net; the next forward does it too."""
        with self._shared.passing():
            self._net.reshape()

    def clear_param_diffs(self) -> None:
        """Set the gradients of all parameters to 0."""
        with self._shared.passing():
            self._net.clear_param_diffs()

    def set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Let the MemoryData layer that the net begins with read from these arrays, without a copy.

        data    (n, C, H, W), float32, C-contiguous, n a multiple of the batch size
        labels  (n,) or (n, 1, 1, 1), likewise

        Raises a RuntimeError for anything else.
        """
        layer = self._net.layers[0] if self._net.layers else None
        if layer is None or layer.type != "MemoryData":
            raise InputArraysError(
                "set_input_arrays may only be called if the first layer is a MemoryData layer"
            )
        if labels.ndim == 1:
            labels = np.ascontiguousarray(labels[:, np.newaxis, np.newaxis, np.newaxis])
        conf = layer.param.memory_data_param
        _check_array("data", data, (conf.channels, conf.height, conf.width))
        _check_array("labels", labels, (1, 1, 1))
        if len(data) != len(labels):
            raise InputArraysError(
                f"data and labels must have the same first dimension; got {len(data)} and {len(labels)}"
            )
        if not len(data) or len(data) % conf.batch_size:
            raise InputArraysError(
                f"first dimensions of input arrays must be a multiple of batch size, {conf.batch_size}; got"
                f" {len(data)}"
            )
        layer.reset(data, labels)  # type: ignore[attr-defined]

    # -- weights

    def copy_from(self, weights_file: str | os.PathLike) -> None:
        """Copy the parameters of the layers that the net and a .caffemodel, binary or HDF5, both have, by
        name: all or, with an error, none.  .npz and .safetensors files are read too.  A RuntimeError if the
        file is missing."""
        with self._shared.passing():
            self._net.load(check_file(weights_file))

    def load_hdf5(self, weights_file: str | os.PathLike) -> None:
        """`copy_from` an HDF5 file; WeightsError if it is none."""
        if not hdf5.is_hdf5(check_file(weights_file)):
            raise WeightsError(f"{weights_file}: not an HDF5 file", hint="copy_from reads both forms")
        self.copy_from(weights_file)

    def share_with(self, other: Net) -> None:
        """Use the parameters of `other`, by layer name, from now on: one memory, no copy.  Gradients stay
        apart.  The net of a solver takes those of a net that has the same ones, and they are trained;
        ConfigError for another net."""
        if self._shared is not other._shared:
            raise ConfigError(
                "nets on different devices cannot share parameters", hint="copy them: save, copy_from"
            )
        with self._shared.passing():
            self._net.share_with(other._net)

    def save(self, path: str | os.PathLike) -> None:
        """Write the net with its parameters as a binary .caffemodel.  WeightsError if that fails; what was
        there stays then."""
        with self._shared.passing():
            write(os.fspath(path), self._net.to_message().SerializeToString())

    def save_hdf5(self, path: str | os.PathLike) -> None:
        """Write the parameters as HDF5.  WeightsError if that fails; what was there stays then."""
        with self._shared.passing():
            write(os.fspath(path), hdf5.from_weights(self._net.to_message()))

    # -- hooks

    def before_forward(self, function: Hook) -> None:
        """Call function(layer index) before every layer's forward from now on, in passes of a solver too."""
        self._hook("before_forward", function)

    def after_forward(self, function: Hook) -> None:
        """As before_forward, after it."""
        self._hook("after_forward", function)

    def before_backward(self, function: Hook) -> None:
        """As before_forward, before every layer's backward, also of those that have none to do."""
        self._hook("before_backward", function)

    def after_backward(self, function: Hook) -> None:
        """As before_backward, after it."""
        self._hook("after_backward", function)

    def _hook(self, event: str, function: Hook) -> None:
        if not callable(function):
            raise ConfigError(f"{event} takes a function of the layer's index; got {type(function).__name__}")
        self._hooks.add(event, function)
        self._net.observer = self._hooks


def _check_array(what: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """InputArraysError unless MemoryData can read the array as it lies."""
    for good, needed in (
        (array.flags.c_contiguous, "be C contiguous"),
        (array.ndim == 4, f"be 4-d; its shape is {array.shape}"),
        (array.dtype == np.float32, f"be float32; it is {array.dtype}"),
        (array.shape[1:] == shape, f"have {shape} behind its first axis; its shape is {array.shape}"),
    ):
        if not good:
            raise InputArraysError(f"{what} array must {needed}")
