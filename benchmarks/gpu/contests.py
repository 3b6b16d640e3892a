"""The nets that are measured, without their data layers."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minicaffe.device.base import Device
from minicaffe.net import Net
from minicaffe.proto import upgrade
from minicaffe.proto.schema import NetParameter, SolverParameter
from minicaffe.solvers.callbacks import Callback
from minicaffe.solvers.solver import Solver

from .setting import Setting

PROTOTXT = Path(__file__).resolve().parent.parent.parent / "prototxt"
SOLVER = {"base_lr": 0.001, "momentum": 0.9, "weight_decay": 0.0005, "lr_policy": "fixed", "random_seed": 1}


class Contest(NamedTuple):
    """A net: its files in prototxt/, to train and to classify with, its images, how many
    classes there are, and the batch to train with."""

    train: str
    deploy: str
    shape: tuple[int, int, int]
    classes: int
    batch: int

    def images(self, batch: int) -> np.ndarray:
        return _noise((batch, *self.shape))

    def labels(self, batch: int) -> np.ndarray:
        return np.random.default_rng(1).integers(0, self.classes, batch).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _noise(shape: tuple[int, ...]) -> np.ndarray:
    """Normal random numbers; they take longer to make than some of what is measured with them."""
    return np.random.default_rng(0).standard_normal(shape, np.float32)


CONTESTS = {
    "lenet": Contest("lenet/train_test.prototxt", "lenet/deploy.prototxt", (1, 28, 28), 10, 64),
    "cifar10_quick": Contest(
        "cifar10_quick/train_test.prototxt", "cifar10_quick/deploy.prototxt", (3, 32, 32), 10, 100
    ),
    "alexnet": Contest("alexnet/train_val.prototxt", "alexnet/deploy.prototxt", (3, 227, 227), 1000, 256),
    "googlenet": Contest(
        "googlenet/train_val.prototxt", "googlenet/deploy.prototxt", (3, 224, 224), 1000, 128
    ),
    "digits": Contest("digits/train_test.prototxt", "digits/deploy.prototxt", (1, 8, 8), 10, 64),
}


def batch_of(net: str, setting: Setting) -> int:
    return 2 if setting.quick else CONTESTS[net].batch


def solver_of(net: str, batch: int, engine: str, device: Device, feed: Callback) -> Solver:
    """One that trains the net; `feed` fills its inputs.  Noise may be learned until nothing is finite: so be
    it."""
    contest = CONTESTS[net]
    param = SolverParameter(**SOLVER)
    param.net_param.CopyFrom(_described(contest.train, engine, data=(batch, *contest.shape), label=(batch,)))
    return Solver.create(param, device=device, callbacks=[feed], nonfinite_effect="report")


def training_net(net: str, batch: int, engine: str, device: Device, *, allocate: bool = True) -> Net:
    """On random images; every blob has memory of its own, and so holds what training would give it."""
    contest = CONTESTS[net]
    param = _described(contest.train, engine, data=(batch, *contest.shape), label=(batch,))
    built = Net(param, phase="TRAIN", device=device, seed=1, allocate=allocate)
    if allocate:
        device.put(contest.images(batch), built.blobs["data"].data)
        device.put(contest.labels(batch), built.blobs["label"].data)
        built.stage()  # random layers have their keys
    return built


def classifier(net: str, batch: int, engine: str, device: Device) -> Net:
    contest = CONTESTS[net]
    param = _described(contest.deploy, engine, data=(batch, *contest.shape))
    return Net(param, phase="TEST", device=device, seed=1, keep="needed", forward_only=True)


def _described(path: str, engine: str, **inputs: tuple[int, ...]) -> NetParameter:
    """A net of prototxt/ with these inputs, by name and shape, in the place of its own, and one engine
    for all convolutions."""
    param = NetParameter()
    for top, dims in inputs.items():
        param.layer.add(name=top, type="Input", top=[top]).input_param.shape.add(dim=dims)
    for layer in upgrade.read_net(PROTOTXT / path).layer:
        if layer.type not in ("Data", "Input"):
            param.layer.add().CopyFrom(layer)
    for layer in param.layer:
        if layer.type == "Convolution":
            conf = layer.convolution_param
            conf.engine = conf.Engine.Value(engine)
    return param
