"""Every layer type in the index has a file, a test, a docstring that says what a reader needs, and passes
every law."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest

from minicaffe.kernels import cuda
from minicaffe.layers import LAYERS, resolve
from minicaffe.layers.loss.measure import Measure
from minicaffe.proto import text
from minicaffe.proto.schema import SolverParameter
from minicaffe.solvers.solver import Solver
from minicaffe.solvers.update_rules import RULES

from .support import laws, options
from .support.devices import CUDA, NAMES, make_device
from .support.emulator import EmulatedCuda, available

TESTS = Path(__file__).parent / "layers"
SOURCES_AND_SINKS = {
    "AnnotatedData",
    "Data",
    "DenseImageData",
    "DummyData",
    "HDF5Data",
    "HDF5Output",
    "ImageData",
    "ImageLabelmapData",
    "ImageSegData",
    "Input",
    "MemoryData",
    "Silence",
    "VideoData",
    "WindowData",
}  # nothing to differentiate; tested by hand


def module_of(name: str):
    return importlib.import_module(f".layers.test_{LAYERS[name].rsplit('.', 1)[1]}", __package__)


def type_of(case: laws.Case) -> type:
    return resolve(case.layer.split('"')[1])


def cases_of(name: str) -> list[laws.Case]:
    """The uses of a type that its test lists."""
    there = (TESTS / f"test_{LAYERS[name].rsplit('.', 1)[1]}.py").exists()
    return list(getattr(module_of(name), "CASES", ())) if there else []


CASES = [
    pytest.param(case, id=f"{name}-{i}") for name in sorted(LAYERS) for i, case in enumerate(cases_of(name))
]
DIFFERENTIABLE = [case for case in CASES if case.values[0].gradient]
OPTIONS = {
    "ends_in_relu": options.check_ends_in_relu,
    "adds": options.check_adds,
    "apart": options.check_apart,
}
TOLD = [c for c in CASES if type_of(*c.values).ends_in_relu or type_of(*c.values).adds]
SLOW = pytest.mark.slow
each_case = pytest.mark.parametrize("case", CASES)
each_option = pytest.mark.parametrize(
    "option, case",
    [
        pytest.param(option, *case.values, id=f"{case.id}-{option}")
        for option in OPTIONS
        for case in CASES
        if getattr(type_of(*case.values), option)
    ],
)


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
    cls = type_of(case)
    if not (cls.in_place_ok and case.in_place):
        pytest.skip(f"{cls.type} never runs in place")
    laws.check_in_place(case, make_device("cpu"))


@pytest.mark.parametrize("name", NAMES)
@each_option
def test_options(option, case, name):
    OPTIONS[option](case, make_device(name))


@pytest.mark.parametrize("name", ["cpu", *CUDA])
@each_option
def test_options_in_float32(option, case, name):
    """Where kernels differ from those in float64."""
    OPTIONS[option](case, make_device(name, np.float32))


@pytest.mark.parametrize("case", TOLD)
def test_gradient_with_options(case):
    options.check_gradients(case, make_device("cpu"))


@pytest.mark.parametrize("case", TOLD)
def test_ends_in_relu_in_place(case):
    if type_of(case).in_place_ok and case.in_place:
        options.check_ends_in_relu(case, make_device("cpu"), in_place=True)


@pytest.mark.parametrize(
    "option, value", [("ends_in_relu", True), ("adds", True), ("apart", frozenset({"bottom", "top"}))]
)
def test_a_planted_declaration_is_seen(monkeypatch, option, value):
    """The laws of options can fail: a TanH that declares what it does not do."""
    monkeypatch.setattr(resolve("TanH"), option, value)
    with pytest.raises(AssertionError):
        OPTIONS[option](module_of("TanH").CASES[0], make_device("cpu"))


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


@pytest.mark.parametrize("name", ["cpu", *CUDA])
@each_case
def test_captured(case, name):
    laws.check_captured(case, make_device(name))


SEVERAL = {"MultiBoxLoss"}  # it has to find out what is compared first
MEASURES = sorted(name for name in LAYERS if issubclass(resolve(name), Measure) and name not in SEVERAL)


@pytest.mark.skipif(not available(), reason="the CUDA emulator needs g++")
@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_is_one_launch(name):
    """Sum, divisor and complaint together; but the accuracies of classes, the losses of examples, and the
    softmax in front of InfogainLoss and of weighted classes; the counts of a balanced loss, of a matrix;
    and what RegionLoss finds wrong, without objects and with them."""
    device = EmulatedCuda(np.float32)
    for case in module_of(name).CASES:
        rig = laws.Rig(case, device)
        rig.forward(case.arrays())
        before = device.cupy.launches
        rig.layer.forward(rig.bottom, rig.top)
        tops = {
            "InfogainLoss": case.tops,
            "Accuracy": 2,
            "SoftmaxWithLossOHEM": 3,
            "SigmoidCrossEntropyBalanceLoss": 1,
        }
        more = case.tops == tops.get(name) or "class_weighting" in case.layer
        more += 2 * (name in ("SegAccuracy", "RegionLoss"))
        assert device.cupy.launches - before == 1 + more


@pytest.fixture
def racing(monkeypatch):
    """An emulated GPU whose blocks are small, so that there are several, and are watched for races."""
    monkeypatch.setattr(cuda, "BLOCK", 32)
    return make_device("cuda-racing", np.float32)


# The first case of a type by default, all of them with -m slow.
@pytest.mark.parametrize(
    "case",
    [
        case if case.id.endswith("-0") else pytest.param(*case.values, id=case.id, marks=SLOW)
        for case in CASES
    ],
)
def test_blocks_do_not_race(case, racing):
    rig = laws.Rig(case, racing)
    rig.forward(case.arrays())
    if case.gradient:
        rig.seed_tops()
        rig.backward()


def test_blocks_of_an_update_do_not_race(racing):
    """All solvers' kernels, with clipping, weight decay and the verdict on a step."""
    net = """net_param {
      layer { name: "in" type: "DummyData" top: "x" top: "t" dummy_data_param {
        shape { dim: 2 dim: 3 dim: 6 dim: 6 } shape { dim: 2 dim: 8 dim: 4 dim: 4 }
        data_filler { type: "gaussian" } } }
      layer { name: "conv" type: "Convolution" bottom: "x" top: "y" convolution_param {
        num_output: 8 kernel_size: 3 weight_filler { type: "xavier" } } }
      layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" } }
    base_lr: 0.01 lr_policy: "fixed" clip_gradients: 1 weight_decay: 0.1 iter_size: 2 random_seed: 1"""
    for solver_type in sorted(RULES):
        momentum = 0 if solver_type in ("AdaGrad", "RMSProp") else 0.9
        param = text.parse(f'{net} type: "{solver_type}" momentum: {momentum}', SolverParameter)
        Solver.create(param, device=racing).step(2)


@pytest.mark.skipif(not available(), reason="the CUDA emulator needs g++")
def test_blocks_of_a_product_do_not_race():
    """Apart, as a tile of it takes all threads of a block that is not made smaller."""
    device = EmulatedCuda(np.float32, races=True)
    a, b, c = (device.zeros(shape) for shape in ((40, 20), (20, 50), (40, 50)))
    device.gemm(a, b, c, add=True)


class Deciding(laws.Rig):
    """A ReLU whose slope the host makes of the number of its passes."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.calls = 0
        original = self.layer.forward

        def forward(bottom, top) -> None:
            self.calls += 1
            self.layer.slope = self.decided()
            original(bottom, top)

        self.layer.forward = forward

    def decided(self) -> float:
        return self.calls / 10


def test_a_planted_decision_of_the_host_is_seen():
    with pytest.raises(AssertionError):
        laws.check_captured(module_of("ReLU").CASES[0], make_device("cuda-emulated"), rig=Deciding)


def test_a_planted_trace_of_a_rehearsal_is_seen():
    class Rehearsing(Deciding):
        def decided(self) -> float:
            self.rehearsed = getattr(self, "rehearsed", False) or (self.device.rehearsing and self.calls > 3)
            return 0.5 if self.rehearsed else 0

    with pytest.raises(AssertionError):
        laws.check_repeatable(module_of("ReLU").CASES[0], make_device("cpu"), rig=Rehearsing)
