"""1x1 convolutions of one blob as one piece of work, against each by itself."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import convolution
from minicaffe.kernels import siblings as family
from minicaffe.kernels.tiled import convolution as tiled

from ..support.emulator import EmulatedCuda, available
from .test_convolution import Images
from .test_micro import MACHINES


def geometry(n, c, pixels, outputs, x_gap=0, y_gaps=(0, 0, 0), bias=1, relu=0, add=0) -> family.Fan:
    steps = [m * pixels + gap for m, gap in zip(outputs, y_gaps)]
    return family.Fan(n, c, pixels, *outputs, c * pixels + x_gap, *steps, bias, relu, add)


CASES = {
    "three": geometry(2, 5, 49, (17, 3, 30)),
    "two": geometry(3, 37, 20, (16, 40, 0), bias=0),
    "apart": geometry(2, 21, 70, (15, 1, 33), 5, (3, 0, 11), relu=1, add=1),
    "one pixel": geometry(1, 3, 1, (1, 2, 3), 1, (1, 1, 1), relu=1),
    "whole panels": geometry(2, 28, 64, (14, 28, 7), add=1),
}
each_case = pytest.mark.parametrize("name", CASES)


def run(device, g, kernels) -> dict[str, np.ndarray]:
    """Every result of one geometry; what must be written starts as NaN, what must be added to does not."""
    rng = np.random.default_rng(0)
    there = [i for i in range(3) if g.outputs[i]]

    def three(arrays):
        """For a sibling that is not there any array will do."""
        return (arrays + arrays[:1])[:3]

    def images(side, i=0, values=None):
        one = g.member(i)
        size = g.n * g.pixels * (one.c if side == "x" else one.m)
        return Images(device, one, side, rng.standard_normal(size) if values is None else values)

    def array(count):
        out = device.empty((count,))
        device.put(rng.standard_normal(count), out)
        return out

    x, ys = images("x"), [images("y", i, np.nan) for i in there]
    w, b = [array(g.outputs[i] * g.c) for i in there], [array(g.outputs[i]) for i in there]
    dys, dw = [images("y", i) for i in there], [array(g.outputs[i] * g.c) for i in there]
    dx = images("x") if g.add else images("x", 0, np.nan)
    slopes = three([dy.data for dy in dys])
    kernels.siblings_forward(x.data, *three(w), *three(b), *three([y.data for y in ys]), g)
    kernels.siblings_backward_data(*slopes, *three(w), dx.data, g)
    kernels.siblings_backward_weights(x.data, *slopes, *three(dw), g)
    found = {f"y{i}": y.get() for i, y in enumerate(ys)} | {"dx": dx.get()}
    return found | {f"dw{i}": device.get(one) for i, one in enumerate(dw)}


def compare(device, g, kernels, tolerance) -> None:
    oracle = CpuDevice(np.float64, kernels="python")
    wanted = run(oracle, g, family.one_by_one(oracle.bind(convolution)))
    for name, got in run(device, g, kernels).items():
        most = np.abs(wanted[name]).max(initial=1.0)
        np.testing.assert_allclose(got, wanted[name], rtol=0, atol=tolerance * most, err_msg=f"{name} of {g}")


@pytest.mark.parametrize("kernels", ["composite", "plain", "python"])
@each_case
def test_cpu(name, kernels):
    device = CpuDevice(np.float64, kernels=kernels)
    compare(device, CASES[name], device.bind(family), 1e-13)


@each_case
@pytest.mark.skipif(not available(), reason="the CUDA emulator needs g++")
def test_cuda_half(name):
    device = EmulatedCuda(np.float64)
    compare(device, CASES[name], device.bind(family), 1e-13)


@pytest.mark.skipif(not available(), reason="the CUDA emulator needs g++")
def test_cuda_runs_its_convolutions():
    device = EmulatedCuda(np.float64)
    compare(device, CASES["apart"], device.siblings("CAFFE"), 1e-13)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda m: f"{8 * m.vector_bytes}bit")
@each_case
def test_bits_are_those_of_each_by_itself(machine, name):
    """But for the gradient by data, whose sum has another order."""
    device, g = CpuDevice(np.float32, machine=machine), CASES[name]
    wanted = run(device, g, family.one_by_one(device.bind(convolution)))
    for what, got in run(device, g, device.bind(family)).items():
        if what == "dx":
            np.testing.assert_allclose(got, wanted[what], rtol=1e-5, atol=2e-5)
        else:
            np.testing.assert_array_equal(got, wanted[what], err_msg=what)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads_and_small_panels(monkeypatch, threads):
    monkeypatch.setattr(tiled, "PANEL_BYTES", 1)
    device = CpuDevice(np.float64, threads=threads)
    compare(device, CASES["apart"], device.bind(family), 1e-13)


def test_a_fan_is_made_of_its_members():
    for g in CASES.values():
        there = [g.member(i) for i in range(3) if g.outputs[i]]
        assert family.fan(there) == g and all(one.taps == 1 and one.groups == 1 for one in there)
