"""A rehearsal finds what passes will call, and changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import cpu
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter, SolverParameter
from minicaffe.solvers.solver import Solver

from .support.running import ROOT

DATA = """layer { name: "in" type: "DummyData" top: "x" top: "t" dummy_data_param {
  shape { dim: 4 dim: 1 dim: 6 dim: 6 } shape { dim: 4 }
  data_filler { type: "gaussian" } data_filler { type: "constant" } } }"""
LAYERS = """
layer { name: "conv" type: "Convolution" bottom: "x" top: "y" convolution_param {
  num_output: 3 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "norm" type: "BatchNorm" bottom: "y" top: "y" }
layer { name: "drop" type: "Dropout" bottom: "y" top: "y" }
layer { name: "ip" type: "InnerProduct" bottom: "y" top: "z" inner_product_param {
  num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "z" bottom: "t" top: "loss" }"""
FILTER = 'layer { name: "f" type: "Filter" bottom: "x" bottom: "t" top: "x2" }'
SOLVER = f"""net_param {{ {DATA} {LAYERS} }} base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 random_seed: 1
test_iter: 1 test_interval: 5 test_initialization: false"""


@pytest.fixture
def ordered(monkeypatch):
    """The names of all that is ordered from here on; nothing is there, and nothing is compiled in advance."""
    names = []
    monkeypatch.setattr(cpu, "lacks", lambda code, types: True)
    monkeypatch.setattr(
        cpu, "compile_all", lambda folder, wanted: names.extend(name for _, name, _ in wanted)
    )
    return names


@pytest.fixture
def called(monkeypatch):
    """The names of all loops that run from here on."""
    names, call = set(), cpu.Loops.__call__

    def noting(loops, *args):
        if cpu.REHEARSAL.wanted is None:
            names.add(loops.py_func.__name__)
        call(loops, *args)

    monkeypatch.setattr(cpu.Loops, "__call__", noting)
    return names


def test_a_training_orders_at_once_all_that_it_calls(ordered, called):
    solver = Solver.create(text.parse(SOLVER, SolverParameter))
    before = solver.net.parameters.data.copy()
    called.clear()  # what fillers called
    solver.device_step.prepare(solver.test_nets)
    assert called == set() and len(ordered) == len(set(ordered))
    np.testing.assert_array_equal(solver.net.parameters.data, before)
    first = set(ordered)
    ordered.clear()
    solver.step(1)
    solver.test_nets[0].run_forward()
    assert called and called <= first and {"sgd_update", "run", "serve"} <= first
    assert not set(ordered) - first


def test_what_a_net_calls_in_python_is_ordered_before_each_direction(ordered, called):
    net = Net(text.parse(DATA + LAYERS, NetParameter), phase="TRAIN", seed=1)
    called.clear()
    net.forward()
    assert called <= set(ordered) and "backward_data" not in called
    before = set(ordered)
    net.backward()
    assert called <= set(ordered) and "backward_weights" in set(ordered) - before
    ordered.clear()
    net.forward()
    net.backward()
    assert ordered == [], "once is enough"


def test_layers_that_need_the_host_are_not_rehearsed(ordered):
    net = Net(text.parse(DATA + FILTER, NetParameter), device=CpuDevice(), seed=1)
    (layer,) = (layer for layer in net.layers if layer.type == "Filter")
    seen, forward = [], layer.forward
    layer.forward = lambda *args: seen.append(net.device.rehearsing) or forward(*args)
    net.forward()
    assert seen == [False]


def test_interpreted_kernels_have_nothing_to_compile(ordered):
    net = Net(text.parse(DATA + LAYERS, NetParameter), device=CpuDevice(kernels="python"), seed=1)
    net.forward()
    assert ordered == []


SCRIPT = """
from typing import NamedTuple
import numpy as np
from numba import prange
from minicaffe.kernels.cpu import jit
from minicaffe.kernels.registry import geometry

@geometry
class Rows(NamedTuple):
    count: int

def double(x, g):
    for i in prange(g.count):
        x[i] *= 2

double = jit(double, parallel=True)
x = np.ones(3, np.float32)
double(x, Rows(2))
print(x)
"""


@pytest.mark.slow
def test_kernels_of_a_script_are_compiled_without_a_word_of_the_child(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, tmp_path / "script.py"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout == "[2. 2. 1.]\n" and "Traceback" not in done.stderr
