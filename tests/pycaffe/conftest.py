"""Every test in a folder of its own, with Caffe's globals as in a new process and a seed; on both devices
where it asks for `mode`."""

from __future__ import annotations

import sys

import numba
import pytest

from minicaffe import pycaffe as caffe
from minicaffe.pycaffe import modes

from ..support.emulator import cupy


@pytest.fixture(autouse=True)
def afresh(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(modes, "MODES", modes.Modes())
    monkeypatch.setattr(modes, "DEVICES", {})
    caffe.set_random_seed(1)
    monkeypatch.setattr(sys, "meta_path", sys.meta_path[:])
    for name in [name for name in sys.modules if name == "caffe" or name.startswith("caffe.")]:
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in [name for name in sys.modules if name == "caffe" or name.startswith("caffe.")]:
        del sys.modules[name]  # monkeypatch puts back what was there before


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """The nets are small: on a busy machine threads would wait for each other in every kernel."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


@pytest.fixture(params=["cpu", "gpu"])
def mode(request, monkeypatch) -> str:
    """Nets are built on the CPU, or on an emulated GPU."""
    if request.param == "gpu":
        cupy.install(monkeypatch)
        caffe.set_mode_gpu()
    return request.param


@pytest.fixture
def gpu(monkeypatch) -> None:
    """Nets are built on an emulated GPU."""
    cupy.install(monkeypatch)
    caffe.set_mode_gpu()
