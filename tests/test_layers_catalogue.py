"""Every layer type in the index has a file, a test, a docstring that says what a reader needs, and passes
every law."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest

from minicaffe.layers import LAYERS, resolve

from .support import laws
from .support.devices import CUDA, NAMES, make_device

TESTS = Path(__file__).parent / "layers"
SOURCES_AND_SINKS = {
    "Data",
    "DummyData",
    "HDF5Data",
    "HDF5Output",
    "ImageData",
    "Input",
    "MemoryData",
    "Silence",
    "WindowData",
}  # nothing to differentiate; tested by hand


def module_of(name: str):
    return importlib.import_module(f".layers.test_{LAYERS[name].rsplit('.', 1)[1]}", __package__)


def cases() -> list:
    found = []
    for name in sorted(LAYERS):
        if (TESTS / f"test_{LAYERS[name].rsplit('.', 1)[1]}.py").exists():
            found += [
                pytest.param(case, id=f"{name}-{i}")
                for i, case in enumerate(getattr(module_of(name), "CASES", ()))
            ]
    return found


CASES = cases()
DIFFERENTIABLE = [case for case in CASES if case.values[0].gradient]
each_case = pytest.mark.parametrize("case", CASES)


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_has_test_cases_and_docstring(name):
    cls = resolve(name)
    assert cls.type == cls.__name__ == name
    assert (TESTS / f"test_{LAYERS[name].rsplit('.', 1)[1]}.py").exists()
    if name not in SOURCES_AND_SINKS:
        assert module_of(name).CASES
    doc = inspect.getdoc(cls)
    assert doc.split("\n")[0].endswith(".")
    assert "Shapes" in doc and "Source" in doc


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", DIFFERENTIABLE)
def test_gradient_and_poison(case, name):
    laws.check_gradient(case, make_device(name))


@pytest.mark.parametrize("case", DIFFERENTIABLE)
def test_propagate_down_false_leaves_diffs_alone(case):
    laws.check_propagate_down(case, make_device("cpu"))


@pytest.mark.parametrize("name", ["cpu", *CUDA])
@each_case
def test_repeatable(case, name):
    laws.check_repeatable(case, make_device(name))


@each_case
def test_reshape_away_and_back(case):
    laws.check_reshape(case, make_device("cpu"))


@each_case
def test_in_place(case):
    cls = resolve(case.layer.split('"')[1])
    if not (cls.in_place_ok and case.in_place):
        pytest.skip(f"{cls.type} never runs in place")
    laws.check_in_place(case, make_device("cpu"))


@each_case
def test_no_allocation(case):
    laws.check_no_allocation(case, make_device("cpu"))


@pytest.mark.parametrize("name", ["plain", "python", *CUDA])
@each_case
def test_devices_agree(case, name):
    laws.check_parity(case, make_device("cpu"), make_device(name))


@pytest.mark.parametrize("name", CUDA)
@each_case
def test_a_gpu_agrees_in_float32(case, name):
    """Where kernels differ from those in float64: on tensor cores, and by libraries."""
    cpu, gpu = make_device("cpu", np.float32), make_device(name, np.float32)
    laws.check_parity(case, cpu, gpu, rtol=1e-4)


@pytest.mark.parametrize("name", CUDA)
@each_case
def test_captured(case, name):
    laws.check_captured(case, make_device(name))


def test_a_planted_decision_of_the_host_is_seen():
    """The check can fail: a ReLU whose slope the host makes of the batch."""
    device = make_device("cuda-emulated")
    case = module_of("ReLU").CASES[0]

    class Deciding(laws.Rig):
        def __init__(self, *args, **options) -> None:
            super().__init__(*args, **options)
            self.calls = 0
            original = self.layer.forward

            def forward(bottom, top) -> None:
                self.calls += 1
                self.layer.slope = self.calls / 10
                original(bottom, top)

            self.layer.forward = forward

    with pytest.raises(AssertionError):
        laws.check_captured(case, device, rig=Deciding)
