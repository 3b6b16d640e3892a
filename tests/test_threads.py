"""The same bits on any number of threads: every layer, whole runs, and runs that go on with another."""

from __future__ import annotations

import importlib
import itertools

import numpy as np
import pytest

from minicaffe.cli import flags
from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import ConfigError, DeviceError
from minicaffe.kernels.tiled import convolution as tiled
from minicaffe.proto import text
from minicaffe.proto.schema import SolverParameter
from minicaffe.solvers.solver import Solver

from .support.laws import Case, Rig, assert_same
from .support.solving import params, tiny_solver
from .test_layers_catalogue import CASES, module_of

COUNTS = (1, 2, 3, 5)
# Items added to a batch, so that there is a part for every thread, and they differ in size; an even number,
# since rows of an Lstm are steps of two sequences.
MORE = 32


def check_threads(case: Case, device: CpuDevice) -> None:
    """Tops and gradients of a larger batch have the same bits, whatever number of threads runs the pass."""
    rig, arrays = Rig(case, device), case.arrays(more=MORE)
    for blob, array in zip(rig.bottom, arrays):
        blob.reshape(*array.shape)
    rig.net.reshape()
    results = []
    for device.threads in COUNTS:
        found = rig.forward(arrays)
        if case.gradient:
            rig.seed_tops()
            down, weights = rig.backward()
            found += [d for d in down if d is not None] + weights
        results.append(found)
    for one, other in itertools.pairwise(results):
        assert_same(case, one, other)


@pytest.mark.parametrize("kernels, dtype", [("composite", np.float32), ("plain", np.float64)])
@pytest.mark.parametrize("case", CASES)
def test_every_layer(case, kernels, dtype):
    """In float32 as users run it; the kernels' own loops in the type that the laws have them compiled for: a
    sum in another order is seen in both."""
    check_threads(case, CpuDevice(dtype, kernels=kernels))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_planted_dependence_is_seen(monkeypatch, dtype):
    """The law can fail: a gradient by weights that is summed in as many parts as there are threads."""
    monkeypatch.setattr(tiled, "sums_apart", lambda length, nbytes: tiled.threads())
    with pytest.raises(AssertionError):
        check_threads(module_of("Convolution").CASES[0], CpuDevice(dtype))


NET = """
net_param {
  layer { name: "in" type: "DummyData" top: "x" top: "t" dummy_data_param {
    shape { dim: 33 dim: 3 dim: 12 dim: 12 } shape { dim: 33 }
    data_filler { type: "gaussian" } data_filler { type: "constant" value: 1 } } }
  layer { name: "conv1" type: "Convolution" bottom: "x" top: "y" convolution_param {
    num_output: 20 kernel_size: 3 weight_filler { type: "xavier" } } }
  layer { name: "norm" type: "BatchNorm" bottom: "y" top: "y" }
  layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }
  layer { name: "pool" type: "Pooling" bottom: "y" top: "z" pooling_param { kernel_size: 2 stride: 2 } }
  layer { name: "a" type: "Convolution" bottom: "z" top: "a" convolution_param {
    num_output: 9 kernel_size: 1 weight_filler { type: "xavier" } } }
  layer { name: "b" type: "Convolution" bottom: "z" top: "b" convolution_param {
    num_output: 40 kernel_size: 1 weight_filler { type: "xavier" } } }
  layer { name: "side" type: "Concat" bottom: "a" bottom: "b" top: "c" }
  layer { name: "drop" type: "Dropout" bottom: "c" top: "c" }
  layer { name: "ip" type: "InnerProduct" bottom: "c" top: "ip" inner_product_param {
    num_output: 10 weight_filler { type: "xavier" } } }
  layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "t" top: "loss" } }
base_lr: 0.01 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.001 clip_gradients: 1 random_seed: 1
"""


def test_a_run():
    """Also one that changes its number in every iteration."""
    runs = []
    for counts in (*[(count,) for count in COUNTS], COUNTS):
        device = CpuDevice(np.float32)
        solver = Solver.create(text.parse(NET, SolverParameter), device=device)
        for _, device.threads in zip(range(4), itertools.cycle(counts)):
            solver.step(1)
        runs.append(params(solver))
    for run, (name, values) in itertools.product(runs[1:], runs[0].items()):
        np.testing.assert_array_equal(run[name], values, err_msg=name)


def test_a_run_resumed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = tiny_solver('snapshot_prefix: "tiny"', device=CpuDevice(np.float32, threads=1))
    whole.step(2)
    state = whole.snapshot()
    whole.step(2)
    resumed = tiny_solver('snapshot_prefix: "tiny"', device=CpuDevice(np.float32, threads=5))
    resumed.restore(state)
    resumed.step(2)
    for (name, one), other in zip(params(whole).items(), params(resumed).values()):
        np.testing.assert_array_equal(one, other, err_msg=name)


@pytest.mark.parametrize("threads", [0, -1, 257])
def test_a_number_that_cannot_be(threads):
    with pytest.raises(DeviceError, match=f"from 1 to 256; got {threads}"):
        CpuDevice(threads=threads)


COMMANDS = {  # that run nets, and what they cannot do without
    "classify": "w i",
    "diff": "a b",
    "extract_features": "w n b d 1 lmdb",
    "gradcheck": "n",
    "replay": "d",
    "test": "n",
    "time": "n",
    "train": "s",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_take_a_number_of_threads(command):
    parser = importlib.import_module(f"minicaffe.cli.{command}").parser()
    words = COMMANDS[command].split()
    assert parser.parse([*words, "--threads", "3"]).threads == 3
    with pytest.raises(ConfigError, match="must be at least 1; got 0"):
        parser.parse([*words, "--threads=0"])


def test_the_flag_is_of_the_device():
    parser = flags.Parser("", "")
    flags.add_device(parser)
    assert flags.device(parser.parse(["--threads", "3"])).threads == 3
