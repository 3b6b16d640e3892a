"""What is timed: a net whose data is held in memory, and its files for contenders in other processes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..checking.finding import ERROR, NEEDS
from ..checking.gradcheck import fill_inputs
from ..checking.shapes import outline, stand_in
from ..checking.state import State
from ..convert.deploy import Deployment
from ..convert.onnx.freedom import other_extents, sizes
from ..convert.onnx.model import to_model
from ..convert.onnx.translate import check_types, translate
from ..device.base import Device
from ..device.cpu import CpuDevice
from ..errors import ConfigError, MiniCaffeError
from ..net import Net
from ..proto import text
from ..proto.schema import NetParameter, SolverParameter
from ..solvers.solver import Solver
from .description import describe

Shapes = Mapping[str, tuple[int, ...]]
Passes = Collection[str] | None
RATE, MOMENTUM, DECAY = 1e-3, 0.9, 5e-4  # of the updates that are timed


@dataclass
class Subject:
    """A net as all contenders run it.

    param     its layers, whose data are Inputs, with the phase
    trains    True: a step is forward, backward and an update; False: one pass through the net
    type      of the solver that makes the update
    seed      of the parameters and the inputs
    """

    param: NetParameter
    trains: bool
    type: str = "SGD"
    seed: int = 1
    notes: list[str] = field(default_factory=list)

    @property
    def update(self) -> dict[str, Any]:
        decay = 0.0 if self.type == "Adam" else DECAY
        return {"type": self.type, "rate": RATE, "momentum": MOMENTUM, "decay": decay}

    def solver(self, device: Device, passes: Passes = None) -> Solver:
        """Of a subject that trains."""
        told = self.update
        param = SolverParameter(lr_policy="fixed", random_seed=self.seed, type=told["type"])
        param.base_lr, param.momentum, param.weight_decay = told["rate"], told["momentum"], told["decay"]
        param.net_param.CopyFrom(self.param)
        solver = Solver.create(param, device=device, passes=passes)
        fill_inputs(solver.net, self.seed)
        return solver

    def net(self, device: Device, passes: Passes = None) -> Net:
        """Of one that does not; running moments are as after training, 0 and 1, not nothing at all."""
        options: dict[str, Any] = {"keep": "needed", "forward_only": True, "passes": passes}
        net = Net(self.param, device=device, seed=self.seed, **options)
        as_if_trained(net)
        fill_inputs(net, self.seed)
        return net


def training(param: NetParameter, source: str, shapes: Shapes, batch: int | None = None) -> Subject:
    """The net in phase TRAIN, its data layers replaced by Inputs of the same shapes.

    shapes   of tops whose data is not here, by name
    batch    in place of the file's: the first axis of all that comes from outside
    Raises ConfigError for a net whose shapes are not known or that has no loss; or that net's own error.
    """
    state = State("TRAIN", param, source)
    found = outline(state, shapes)
    if state.net is None:
        told = sorted(found, key=lambda finding: finding.severity not in (ERROR, NEEDS))
        raise ConfigError(str(told[0]) if told else f"{source}: the net cannot be built")
    if not any(any(weights) for weights in state.net.loss_weights):
        raise ConfigError(f"{source}: the net has no loss to train on", hint="--phase TEST times inference")
    made = NetParameter(name=param.name, state=param.state)
    for layer in state.layers:
        made.layer.add().CopyFrom(layer)
        for rule in ("include", "exclude"):
            made.layer[-1].ClearField(rule)
    for layer, kind in zip(made.layer, map(state.kind, range(len(state.layers)))):
        if kind is not None and kind.source and layer.top and not layer.bottom:
            stand_in(layer, [_batched(state.net.blobs[top].shape, batch) for top in layer.top])
    return Subject(made, True)


def inference(param: NetParameter, shapes: Shapes, batch: int = 1) -> Subject:
    """The net as it is deployed, with so many items in its batch."""
    deployed = Deployment(param, shapes=shapes, written=True)
    made = deployed.param
    for layer in made.layer:
        if layer.type == "Input":
            for shape in layer.input_param.shape:
                shape.dim[:] = _batched(tuple(shape.dim), batch)
    return Subject(made, False, notes=list(deployed.notes))


def _batched(shape: tuple[int, ...], batch: int | None) -> tuple[int, ...]:
    return (batch, *shape[1:]) if batch is not None and shape else shape


def as_if_trained(net: Net) -> None:
    """Running moments of BatchNorms that are still 0 as they are after training."""
    for layer in net.layers:
        if layer.type == "BatchNorm" and not np.any(net.device.get(layer.params[2].data)):
            for blob, value in zip(layer.params, (0, 1, 1)):
                net.device.fill(blob.data, value)


def write_job(subject: Subject, net: Net, folder: Path, threads: int) -> dict[str, Any]:
    """What a rival is told (rivals/__init__.py), but for its options; its files go into the folder.

    net    the subject, built; its weights and inputs are everybody's
    """
    entries, weights = describe(net)
    names = {name: f"i{i}" for i, name in enumerate(net.inputs)}
    inputs = {key: np.asarray(net.device.get(net.blobs[name].data)) for name, key in names.items()}
    shaped = {key: inputs[key].reshape(net.blobs[name].shape) for name, key in names.items()}
    np.savez(folder / "inputs.npz", allow_pickle=False, **shaped)
    np.savez(folder / "weights.npz", allow_pickle=False, **weights)
    written = NetParameter()
    written.CopyFrom(subject.param)
    (folder / "net.prototxt").write_text(text.spell(written))
    net.save(folder / "net.caffemodel")
    return {
        "trains": subject.trains,
        "threads": threads,
        "inputs": str(folder / "inputs.npz"),
        "weights": str(folder / "weights.npz"),
        "names": names,
        "layers": entries,
        "outputs": net.outputs,
        "update": subject.update,
        "prototxt": str(folder / "net.prototxt"),
        "caffemodel": str(folder / "net.caffemodel"),
    }


def write_onnx(subject: Subject, net: Net, folder: Path) -> str:
    """The path of the net as an ONNX file; a MiniCaffeError says why there is none."""
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise ConfigError("the package onnx, which writes the net for it, is not installed here") from None
    check_types(subject.param)
    plain = Net(subject.param, device=CpuDevice(), seed=subject.seed, forward_only=True)
    plain.load(folder / "net.caffemodel")
    other = other_extents(subject.param, plain, free_batch=False)
    made = translate(plain, other)
    path = folder / "net.onnx"
    path.write_bytes(to_model(plain.name, made, sizes(made, plain, other)).SerializeToString())
    return str(path)


def disagreement(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> float | None:
    """The largest difference of any output, as a share of that output's largest value, infinite where one is
    not a number; None if they have none in common."""
    worst = None
    for name in ours.keys() & theirs.keys():
        a, b = np.asarray(ours[name], np.float64).ravel(), np.asarray(theirs[name], np.float64).ravel()
        if a.size != b.size:
            raise MiniCaffeError(f"output {name!r} has {b.size} elements, not {a.size}")
        largest = np.abs(a).max(initial=0)
        gap = float(np.abs(a - b).max(initial=0) / (largest or 1))
        gap = gap if np.isfinite(gap) else np.inf
        worst = gap if worst is None else max(worst, gap)
    return worst
