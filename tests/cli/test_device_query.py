"""minicaffe device_query: the CPU, and GPUs as a stand-in for CuPy describes them."""

from __future__ import annotations

import builtins
import sys
from types import ModuleType, SimpleNamespace

import pytest

from minicaffe.device import gpu_properties, libraries

from ..support.running import run


class CUDARuntimeError(RuntimeError):
    """As CuPy's."""


class Runtime(ModuleType):
    """cupy.cuda.runtime of a machine with `count` equal GPUs; every attribute is 100 plus its number, but for
    the two flags."""

    CUDARuntimeError = CUDARuntimeError

    def __init__(self, count: int | Exception) -> None:
        super().__init__("cupy.cuda.runtime")
        self.count = count

    def getDeviceCount(self) -> int:
        if isinstance(self.count, Exception):
            raise self.count
        return self.count

    def driverGetVersion(self) -> int:
        return 13000

    runtimeGetVersion = driverGetVersion

    def getDeviceProperties(self, device: int) -> dict:
        return {"name": f"NVIDIA Example {device}".encode(), "totalGlobalMem": 150_000_000_000}

    def deviceGetAttribute(self, attribute: int, device: int) -> int:
        return {15: 1, 17: 0}.get(attribute, 100 + attribute)


@pytest.fixture
def machine(monkeypatch):
    """Makes a machine with CuPy and so many GPUs, or whose driver answers with an error."""

    def find(name: str, cuda: int) -> SimpleNamespace | None:
        assert cuda == 13
        return SimpleNamespace(_name="/lib/libcublas.so.13") if name == "cublas" else None

    def make(count: int | Exception) -> None:
        monkeypatch.setattr(libraries, "find", find)
        cupy, cuda = ModuleType("cupy"), ModuleType("cupy.cuda")
        cuda.runtime = Runtime(count)
        cupy.cuda = cuda
        for module in (cupy, cuda, cuda.runtime):
            monkeypatch.setitem(sys.modules, module.__name__, module)

    return make


def messages(log: str) -> list[str]:
    return [line.split("] ", 1)[1] for line in log.splitlines()]


def test_the_cpu(capsys):
    result = run(capsys, "device_query")
    assert result.status == 0 and "Register tile" in result.out
    assert "  batch 32, forward         winograd F(4x4): 64->192 3x3@56, 4.0x fewer products" in result.out
    assert "  batch 32, forward         winograd F(4x4): 32->96 5x5@28, 6.2x fewer products" in result.out
    assert run(capsys, "device_query", "--cpu") == result
    assert "64->192 3x3@56, math is EXACT" in run(capsys, "device_query", "--math=exact").out


def test_caffes_lines(machine, capsys):
    machine(2)
    result = run(capsys, "device_query", "--gpu", "1")
    assert result.status == 0 and result.out == ""
    assert messages(result.err) == [
        "Querying GPUs 1",
        "Device id:                     1",
        "Major revision number:         175",
        "Minor revision number:         176",
        "Name:                          NVIDIA Example 1",
        "Total global memory:           150000000000",
        "Total shared memory per block: 108",
        "Total registers per block:     112",
        "Warp size:                     110",
        "Maximum memory pitch:          111",
        "Maximum threads per block:     101",
        "Maximum dimension of block:    102, 103, 104",
        "Maximum dimension of grid:     105, 106, 107",
        "Clock rate:                    113",
        "Total constant memory:         109",
        "Texture alignment:             114",
        "Concurrent copy and execution: Yes",
        "Number of multiprocessors:     116",
        "Kernel execution timeout:      No",
        "cuBLAS:                        /lib/libcublas.so.13",
        "cuDNN:                         cuDNN is not found; hint: pip install 'nvidia-cudnn-cu12>=9,<10', or"
        " 'nvidia-cudnn-cu13>=9,<10' with CUDA 13",
    ]


@pytest.mark.parametrize(
    "flag, ids", [("all", [0, 1, 2]), ("0", [0]), ("0,2", [0, 2]), ("2, 1", [2, 1]), ("1,1", [1, 1])]
)
def test_which_gpus(flag, ids, machine, capsys):
    machine(3)
    lines = messages(run(capsys, "device_query", f"--gpu={flag}").err)
    assert lines[0] == f"Querying GPUs {flag}"
    assert [int(line.split()[-1]) for line in lines if line.startswith("Device id")] == ids


@pytest.mark.parametrize("flag", ["x", "0,", "-1", "0;1", "ALL", "²", "1.0"])
def test_what_is_no_gpu(flag, machine, capsys):
    machine(1)
    result = run(capsys, "device_query", f"--gpu={flag}")
    assert result.status == 1 and result.err.count("\n") == 1
    assert f"--gpu takes numbers of GPUs or 'all'; got '{flag}'; hint: --gpu 0, --gpu 0,1" in result.err


@pytest.mark.parametrize(
    "count, flag, message",
    [
        (1, "1", "--gpu 1: there is no GPU 1; hint: only GPU 0 is there"),
        (2, "0,5", "--gpu 0,5: there is no GPU 5; hint: GPUs 0 to 1 are there"),
        (0, "all", "--gpu all: no GPU is found; hint: run on the CPU: leave --gpu out"),
        (
            CUDARuntimeError("cudaErrorNoDevice: no device is detected"),
            "0",
            "--gpu 0: no GPU is found: cudaErrorNoDevice: no device is detected; hint: nvidia-smi says more",
        ),
    ],
)
def test_missing_gpus(count, flag, message, machine, capsys):
    machine(count)
    result = run(capsys, "device_query", "--gpu", flag)
    assert result.status == 1 and result.out == "" and result.err.count("\n") == 1
    assert message in result.err


def test_gpu_and_cpu_exclude_each_other(capsys):
    result = run(capsys, "device_query", "--gpu=0", "--cpu")
    assert result.status == 1 and "--gpu and --cpu exclude each other" in result.err


@pytest.mark.parametrize(
    "error, message",
    [
        (
            ModuleNotFoundError("No module named 'cupy'"),
            "CuPy is not installed; hint: pip install 'minicaffe[cuda13]'",
        ),
        (
            ImportError("libnvrtc.so: not found\nmore"),
            "CuPy cannot be imported: libnvrtc.so: not found; hint",
        ),
    ],
)
def test_without_a_working_cupy(error, message, monkeypatch, capsys):
    real = builtins.__import__

    def refuse(name, *rest, **more):
        if name.split(".")[0] == "cupy":
            raise error
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    result = run(capsys, "device_query", "--gpu", "0")
    assert result.status == 1 and result.err.count("\n") == 1
    assert f"--gpu 0: {message}" in result.err


def test_every_attribute_is_read_once():
    assert len(set(gpu_properties.ATTRIBUTES.values())) == len(gpu_properties.ATTRIBUTES)


@pytest.mark.gpu
def test_a_real_gpu(capsys):
    lines = messages(run(capsys, "device_query", "--gpu", "0").err)
    found = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert found["Warp size"] == "32" and int(found["Major revision number"]) >= 5
