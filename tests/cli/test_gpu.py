"""The commands on a GPU: an emulated one, and the ones that are not there."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from minicaffe.cli import flags
from minicaffe.net import Net
from minicaffe.proto.schema import NetParameter

from ..support import emulator
from ..support.emulator.cupy import CUDARuntimeError, install
from ..support.running import run

NET = """
layer {
  name: "data" type: "Data" top: "data" top: "label"
  data_param { backend: IDX source: "digits/train" batch_size: 4 prefetch: 0 }
  transform_param { scale: 0.0625 crop_size: 7 mirror: true }
}
layer {
  name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } }
}
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.1 momentum: 0.9 lr_policy: "fixed" max_iter: 4 display: 2 random_seed: 3
test_iter: 2 test_interval: 2 snapshot_prefix: "x"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    return tmp_path


@pytest.fixture
def gpu(monkeypatch):
    if not emulator.available():
        pytest.skip("the CUDA emulator needs Linux and g++")
    return install(monkeypatch)


def said(log: str) -> list[str]:
    return [line.split("] ", 1)[-1] for line in log.splitlines()]


def test_train_test_and_time(folder, gpu, capsys):
    """On the GPU that a flag or the solver names; with the weights that training on the CPU gives."""
    weights = []
    for flag, mode in (("--gpu=0", ""), ("--cpu", "solver_mode: GPU"), ("--math=TF32", "solver_mode: GPU")):
        (folder / "solver.prototxt").write_text(SOLVER + mode)
        result = run(capsys, "train", "solver.prototxt", flag)
        assert result.status == 0, result.err
        lines = said(result.err)
        if flag == "--cpu":
            assert "Use CPU." in lines
        else:
            at = lines.index("Using GPUs 0")
            assert lines[at + 1] == "GPU 0: emulated GPU"
        assert gpu.launches > 0
        net = Net(str(folder / "net.prototxt"), seed=1)
        net.load("x_iter_4.caffemodel")
        weights.append(net.params["ip"][0].data)
    for other in weights[1:]:
        np.testing.assert_allclose(other, weights[0], atol=1e-6)
    result = run(
        capsys, "test", "--model=net.prototxt", "--weights=x_iter_4.caffemodel", "--gpu=0", "--iterations=2"
    )
    at = said(result.err).index("Use GPU with device ID 0")
    assert result.status == 0 and said(result.err)[at + 1] == "GPU device name: emulated GPU"
    before = gpu.launches
    result = run(capsys, "time", "--model=net.prototxt", "--gpu", "0", "--iterations=2", "--json=t.json")
    assert result.status == 0 and gpu.launches > before and "ip" in result.out
    assert json.loads((folder / "t.json").read_text())


def test_a_run_resumes_on_the_other_device(folder, gpu, capsys):
    (folder / "solver.prototxt").write_text(SOLVER + "snapshot: 2")
    assert run(capsys, "train", "solver.prototxt").status == 0
    straight = Net("net.prototxt", seed=1)
    straight.load("x_iter_4.caffemodel")
    result = run(capsys, "train", "solver.prototxt", "--gpu=0", "--snapshot=x_iter_2.solverstate")
    assert result.status == 0, result.err
    resumed = Net("net.prototxt", seed=1)
    resumed.load("x_iter_4.caffemodel")
    np.testing.assert_allclose(resumed.params["ip"][0].data, straight.params["ip"][0].data, atol=1e-6)


def test_a_run_goes_on_where_it_began(folder, gpu, capsys):
    """Without --gpu too, and elsewhere if that is said."""
    begin = ["train", "solver.prototxt", "--run=r", "--gpu=0", "--math=TF32", "--iterations=2"]
    assert run(capsys, *begin).status == 0
    go_on = ["train", "--run=r", "--resume=auto"]
    before = gpu.launches
    result = run(capsys, *go_on, "--iterations=4")
    assert result.status == 0 and "GPU 0: emulated GPU" in said(result.err) and gpu.launches > before
    before = gpu.launches
    result = run(capsys, *go_on, "--iterations=6", "--cpu")
    assert result.status == 0 and "Use CPU." in said(result.err) and gpu.launches == before


@pytest.mark.parametrize("flags", [["--gpu", "0"], ["--gpu", "0", "--math", "TF32"]])
def test_a_bad_value_is_found_and_replayed_on_the_gpu(flags, folder, gpu, capsys):
    """By the command that the error names."""
    (folder / "solver.prototxt").write_text(SOLVER.replace("base_lr: 0.1", "base_lr: 1e38"))
    result = run(capsys, "train", "solver.prototxt", *flags)
    (dump,) = folder.glob("*_nonfinite_iter_*")
    replay = ["replay", dump.name, *flags]
    assert result.status == 1 and result.err.endswith(f"to see it again: minicaffe {' '.join(replay)}\n")
    result = run(capsys, *replay)
    assert result.status == 0 and "the same bits as recorded" in result.out


@pytest.mark.parametrize(
    "cupy, message",
    [
        (
            None,
            "CuPy is not installed; hint: pip install 'minicaffe[cuda13]', or 'minicaffe[cuda12]' for",
        ),
        ((0, 13000), "there is no NVIDIA driver on this machine; hint: install it"),
        (
            (12020, 13000),
            "the driver is for CUDA 12.2, too old for this CuPy, made for CUDA 13.0; hint: update the driver"
            " (to 580 or later), or pip install 'minicaffe[cuda12]' after removing this CuPy",
        ),
        ((13000, 13000), "no GPU is found: cudaErrorNoDevice; hint: nvidia-smi says more about the driver"),
        ("none", "no GPU is found; hint: run on the CPU: leave --gpu out, or add --cpu"),
        ("one", "there is no GPU 3; hint: only GPU 0 is there"),
    ],
)
@pytest.mark.parametrize("asked", ["--gpu 3", "solver_mode: GPU"])
def test_a_gpu_that_is_not_there(cupy, message, asked, folder, monkeypatch, capsys):
    emulated = install(monkeypatch)
    runtime = emulated.cuda.runtime
    if cupy is None:
        monkeypatch.setitem(sys.modules, "cupy", None)
    elif cupy == "none":
        runtime.getDeviceCount = lambda: 0
    elif cupy != "one":

        def fails() -> int:
            raise CUDARuntimeError("cudaErrorNoDevice")

        runtime.getDeviceCount = fails
        runtime.driverGetVersion, runtime.runtimeGetVersion = (lambda: cupy[0]), (lambda: cupy[1])
    flags = asked.split() if asked.startswith("--") else []
    more = "solver_mode: GPU device_id: 3" if not flags else ""
    (folder / "solver.prototxt").write_text(SOLVER + more)
    result = run(capsys, "train", "solver.prototxt", *flags)
    assert result.status == 1 and result.out == ""
    assert result.err.count("\n") == 1 and f"{asked}: {message}" in result.err


@pytest.mark.parametrize(
    "said, math",
    [([], "FAST"), (["--math=exact"], "EXACT"), (["-math", "FP32"], "EXACT"), (["--math=Tf32"], "TF32")],
)
def test_math_on_the_cpu(said, math):
    """In any case, by one dash, and by its old name; a net that says another has its way."""
    parser = flags.Parser("test", "")
    flags.add_device(parser)
    device = flags.device(parser.parse(said))
    assert device.math == math and device.flags() == (f"--math {math}" if said else "")
    assert Net(NetParameter(), device=device).device is device
    assert Net(NetParameter(math="EXACT"), device=device).device.math == "EXACT"


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--gpu=0,1"], "--gpu 0,1: a net runs on one GPU; hint: name one: --gpu 0"),
        (["--gpu=all"], "--gpu all: a net runs on one GPU"),
        (["--gpu=x"], "--gpu takes numbers of GPUs or 'all'; got 'x'"),
        (["--gpu=0", "--cpu"], "--gpu and --cpu exclude each other"),
        (["--math=FP16"], "invalid choice: 'FP16'"),
    ],
)
def test_flags_that_name_no_gpu(flags, message, folder, capsys):
    result = run(capsys, "train", "solver.prototxt", *flags)
    assert result.status == 1 and result.err.count("\n") == 1 and message in result.err
